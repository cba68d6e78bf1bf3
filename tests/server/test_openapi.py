# SPDX-License-Identifier: MIT
"""The document of the API: well made, served, and of the same routes as the table."""
import re
import subprocess
import unittest

from serving import SOURCE, ServerCase

ROW = re.compile(r'(?:\{|MR_TUS_ROW\()\s*\\?\s*"([A-Z]+)",\s*"(/[^"]*)"')
# Not of the API's document: the page's files, media behind signed URLs, and what S3's own documentation describes.
ELSEWHERE = ("/{path*}", "/media/", "/s3/")


def table():
    """(method, path) of every route."""
    found = set()
    for path in (SOURCE / "api-server" / "routes").glob("*.[ch]"):
        found |= {(method.lower(), route) for method, route in ROW.findall(path.read_text())}
    return {(method, route) for method, route in found if route != "/" and not route.startswith(ELSEWHERE)}


class OpenApi(ServerCase):
    def test_it_is_well_made(self):
        done = subprocess.run(["node", "node_modules/@redocly/cli/bin/cli.js", "lint", "--extends=recommended", "../api-server/openapi.yaml"],
                              cwd=SOURCE / "tests", capture_output=True, text=True, timeout=120, env=None)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_it_is_served(self):
        answer = self.expect(200, "GET", "/api/v1/openapi.yaml")
        self.assertEqual(answer.headers["content-type"], "application/yaml")
        self.assertEqual(answer.body, (SOURCE / "api-server" / "openapi.yaml").read_bytes())

    def test_every_route_is_in_it_and_nothing_else(self):
        text = (SOURCE / "api-server" / "openapi.yaml").read_text()
        paths = text[text.index("\npaths:\n"):text.index("\ncomponents:\n")]
        documented = set()
        path = None
        for line in paths.splitlines():
            if found := re.match(r"  (/[^:]*):$", line):
                path = found[1]
            elif found := re.match(r"    (get|put|post|patch|delete|head|options):$", line):
                documented.add((found[1], path))
        self.assertEqual({re.sub(r"\{[^}]*\}", "{}", f"{method} {route}") for method, route in table()},
                         {re.sub(r"\{[^}]*\}", "{}", f"{method} {route}") for method, route in documented})


if __name__ == "__main__":
    unittest.main()
