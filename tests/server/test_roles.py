# SPDX-License-Identifier: MIT
"""Every route as every role: who is let in is what the one table says, and no more."""
import re
import unittest

from serving import SOURCE, ServerCase

ROW = re.compile(r'\{"([A-Z]+)",\s*"(/[^"]*)",\s*MR_RULE_([A-Z_]+),\s*([A-Z_0-9 |]+),')
# Not there, but of the right form: whoever is let in is told so.
NOBODY_S = {"v": "v_" + "0" * 22, "u": "u_" + "0" * 22, "k": "k_" + "0" * 22}
LEAST = {"ANYONE": 0, "SIGNED_IN": 1, "CREATOR": 2, "ADMIN": 3, "VIEWER_OF": 0, "OWNER_OF": 2}
ROLES = {"nobody": 0, "viewer": 1, "creator": 2, "admin": 3}
# They say themselves who may: a password, a token, the machine the caller sits at.
OWN_PROOF = ("/api/v1/auth/", "/media/", "/s3/")


def routes():
    text = (SOURCE / "api-server" / "routes" / "table.c").read_text()
    return [(method, path, rule, scopes.strip()) for method, path, rule, scopes in ROW.findall(text)]


def example(path):
    letter = "u" if "/users/" in path else "k" if "/keys/" in path else "v"
    path = path.replace("{id}", NOBODY_S[letter]).replace("{name}", "nothing")
    return re.sub(r"\{[^}]*\}", "x", path)


class Roles(ServerCase):
    SETTINGS = (*ServerCase.SETTINGS, "server.rate_api=0", "server.rate_sign_in=0")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tokens = {"nobody": None, "admin": cls.server.set_up()}
        for role in ("viewer", "creator"):
            cls.tokens[role], _ = cls.server.add_user(cls.tokens["admin"], f"{role}@example.org", role)
        made = cls.server.ask("POST", "/api/v1/keys", {"name": "reads videos", "scopes": ["videos:read"]}, cls.tokens["admin"])
        cls.key = made.json["key"]

    def test_the_table_is_read(self):
        self.assertGreater(len(routes()), 30)
        self.assertLessEqual({rule for _, _, rule, _ in routes()}, set(LEAST) | {"TOKEN"})

    def test_every_route_as_every_role(self):
        for method, path, rule, _ in routes():
            if rule == "TOKEN" or path.startswith(OWN_PROOF):
                continue
            for role, rank in ROLES.items():
                with self.subTest(route=f"{method} {path}", role=role):
                    answer = self.server.ask(method, example(path), {} if method in ("POST", "PUT", "PATCH") else None, self.tokens[role])
                    if rank >= LEAST[rule]:
                        self.assertNotIn(answer.status, (401, 403), answer.body)
                        self.assertLess(answer.status, 500, answer.body)
                    else:
                        self.assertEqual(answer.status, 401 if role == "nobody" else 403, answer.body)

    def test_an_api_key_reaches_no_further_than_its_scopes(self):
        """The administrator's own key, which may read videos, and nothing else."""
        for method, path, rule, scopes in routes():
            if rule == "TOKEN" or path.startswith(OWN_PROOF):
                continue
            with self.subTest(route=f"{method} {path}"):
                answer = self.server.ask(method, example(path), {} if method in ("POST", "PUT", "PATCH") else None, self.key)
                if LEAST[rule] == 0 or scopes == "MR_SCOPE_VIDEOS_READ":
                    self.assertNotIn(answer.status, (401, 403), answer.body)
                else:
                    self.assertEqual(answer.status, 403, answer.body)

    def test_tokens_that_are_not_good(self):
        good = self.tokens["admin"]
        head, body, signature = good.split(".")
        for bad in ("x", good[:-2], f"{head}.{body}.", f"{head}.{body}.{signature[::-1]}", "mrk_" + "0" * 30, self.key[:-1] + ("a" if self.key[-1] != "a" else "b")):
            self.expect_problem(401, "bad-token", "GET", "/api/v1/users", token=bad)


if __name__ == "__main__":
    unittest.main()
