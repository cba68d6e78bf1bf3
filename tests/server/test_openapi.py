# SPDX-License-Identifier: MIT
"""The document of the API: well made, served, and of the same routes as the table."""
import re
import subprocess
import unittest

from serving import SOURCE, ServerCase

ROW = re.compile(r'(?:\{|MR_TUS_ROW\()\s*\\?\s*"([A-Z]+)",\s*"(/[^"]*)",\s*(\w+),\s*(\w+)')
# Files that come with the page, so they have no rows of their own.
FILES = {("get", "/api/v1/openapi.json"): ("anyone", None), ("get", "/api/v1/docs"): ("anyone", None)}
# What the document calls a row's rule; `rule` stands in the rows of uploads, whose scope is that of all of them.
WHO = {"MR_RULE_ANYONE": "anyone", "MR_RULE_SIGNED_IN": "signed-in", "MR_RULE_CREATOR": "creator", "MR_RULE_ADMIN": "admin",
       "MR_RULE_VIEWER_OF": "viewer-of", "MR_RULE_OWNER_OF": "owner-of", "MR_RULE_TOKEN": "url", "rule": "creator"}
# Not of the API's document: the page's files, media behind signed URLs, and what S3's own documentation describes.
ELSEWHERE = ("/{path*}", "/media/", "/s3/")


def scope_of(rule, word):
    if rule == "rule":
        word = "MR_SCOPE_VIDEOS_WRITE"
    return word[len("MR_SCOPE_"):].lower().replace("_", ":") if word.startswith("MR_SCOPE_") else None


def table():
    """{(method, path): (who may, the scope that an API key needs)} of every route."""
    found = {}
    for path in (SOURCE / "api-server" / "routes").glob("*.[ch]"):
        for method, route, rule, scope in ROW.findall(path.read_text()):
            if route != "/" and not route.startswith(ELSEWHERE):
                found[method.lower(), re.sub(r"\{[^}]*\}", "{}", route)] = (WHO[rule], scope_of(rule, scope))
    return found


class OpenApi(ServerCase):
    def test_it_is_well_made(self):
        done = subprocess.run(["node", "node_modules/@redocly/cli/bin/cli.js", "lint", "--extends=recommended", "../api-server/openapi.yaml"],
                              cwd=SOURCE / "tests", capture_output=True, text=True, timeout=120, env=None)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_it_is_served(self):
        answer = self.expect(200, "GET", "/api/v1/openapi.yaml")
        self.assertEqual(answer.headers["content-type"], "application/yaml")
        self.assertEqual(answer.body, (SOURCE / "api-server" / "openapi.yaml").read_bytes())

    def test_as_json_and_as_a_page(self):
        """Both are made from it with the web page."""
        document = self.expect(200, "GET", "/api/v1/openapi.json").json
        page = self.expect(200, "GET", "/api/v1/docs")
        self.assertEqual(page.headers["content-type"], "text/html; charset=utf-8")
        for item in document["paths"].values():
            for operation in item.values():
                if isinstance(operation, dict):
                    self.assertIn(f'id="{operation["operationId"]}"', page.body.decode())

    def test_every_route_is_in_it_and_nothing_else(self):
        documented = {}
        for path, item in self.expect(200, "GET", "/api/v1/openapi.json").json["paths"].items():
            for method, operation in item.items():
                if method != "parameters":
                    documented[method, re.sub(r"\{[^}]*\}", "{}", path)] = (operation["x-who"], operation.get("x-scope"))
        self.assertEqual({**table(), **FILES}, documented)


if __name__ == "__main__":
    unittest.main()
