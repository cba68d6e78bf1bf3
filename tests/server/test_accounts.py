# SPDX-License-Identifier: MIT
"""Accounts: setting up, signing in and out, refreshing, users, API keys, limits, and `millrace user` beside a server that runs."""
import base64
import json
import shutil
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from pathlib import Path

from serving import MILLRACE, PASSWORD, Server, ServerCase

UNLIMITED = ("server.access_log=false", "server.rate_sign_in=0")


def millrace_user(data, *words, password=None):
    return subprocess.run([MILLRACE, "user", *words, "--data", str(data)], input=password, capture_output=True, text=True, timeout=240)


class AtOnce(unittest.TestCase):
    def test_many_begin_a_data_folder(self):
        """Commands and a server, all at the same time on a folder that is not there yet: each finds what the first one made."""
        folder = Path(tempfile.mkdtemp(prefix="millrace-at-once-"))
        self.addCleanup(shutil.rmtree, folder, True)
        server = Server(folder)
        self.addCleanup(server.stop)
        emails = [f"{name}@example.org" for name in "abcdef"]
        with ThreadPoolExecutor(len(emails)) as pool:
            added = [pool.submit(millrace_user, server.data, "add", email, "--role", "admin", "--password-stdin", password=PASSWORD) for email in emails]
            server.start()
            for one in added:
                self.assertEqual(one.result().returncode, 0, one.result().stderr)
        tokens = [server.ask("POST", "/api/v1/auth/login", {"email": email, "password": PASSWORD}).json["refresh_token"] for email in emails]
        server.stop()
        server.start()  # its keys are those that it wrote down
        for token in tokens:
            self.assertEqual(server.ask("POST", "/api/v1/auth/refresh", {"refresh_token": token}).status, 200)


class SettingUp(ServerCase):
    SETTINGS = UNLIMITED
    ADMIN = {"email": "admin@example.org", "password": PASSWORD, "name": "Admin"}

    def test_only_once_and_only_from_here(self):
        state = self.expect(200, "GET", "/api/v1/auth/setup").json
        self.assertEqual(state, {"needed": True, "allowed": True})
        for name, value in {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X-Real-IP": "127.0.0.1", "Via": "1.1 proxy",
                            "Origin": "https://evil.example", "Host": "rebound.example:8080"}.items():
            with self.subTest(name):
                self.assertFalse(self.expect(200, "GET", "/api/v1/auth/setup", headers={name: value}).json["allowed"])
                self.expect_problem(403, "not-local", "POST", "/api/v1/auth/setup", self.ADMIN, headers={name: value})
        self.expect_problem(415, "unsupported-media-type", "POST", "/api/v1/auth/setup", json.dumps(self.ADMIN), headers={"Content-Type": "text/plain"})
        wrong = self.expect_problem(422, "invalid", "POST", "/api/v1/auth/setup", {"email": "nobody", "password": "short", "admin": True})
        self.assertEqual({error["field"] for error in wrong.json["errors"]}, {"email", "password", "admin"})
        session = self.expect(201, "POST", "/api/v1/auth/setup", self.ADMIN).json
        self.assertEqual(session["user"]["role"], "admin")
        self.assertEqual(self.expect(200, "GET", "/api/v1/users/me", token=session["access_token"]).json["email"], "admin@example.org")
        self.expect_problem(409, "set-up-already", "POST", "/api/v1/auth/setup", {**self.ADMIN, "email": "eve@example.org"})
        self.assertEqual(self.expect(200, "GET", "/api/v1/auth/setup").json, {"needed": False, "allowed": False})
        self.expect_problem(403, "registration-closed", "POST", "/api/v1/auth/register", self.ADMIN)


class Accounts(ServerCase):
    SETTINGS = UNLIMITED + ("server.registration=open",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.set_up()

    def log_in(self, email, password=PASSWORD, **more):
        return self.expect(200, "POST", "/api/v1/auth/login", {"email": email, "password": password}, **more)

    def origin(self):
        return f"http://localhost:{self.server.port}"

    def test_signing_in(self):
        token, user = self.server.add_user(self.admin, "ada@example.org", "creator")
        self.assertEqual(self.log_in(" ADA@example.org ").json["user"]["id"], user)
        self.expect_problem(401, "bad-credentials", "POST", "/api/v1/auth/login", {"email": "ada@example.org", "password": "x"})
        self.expect_problem(401, "bad-credentials", "POST", "/api/v1/auth/login", {"email": "eve@example.org", "password": PASSWORD})
        self.expect_problem(401, "bad-token", "GET", "/api/v1/users/me", token=token[:-3] + "AAA")
        self.expect_problem(401, "bad-token", "GET", "/api/v1/users/me", headers={"Authorization": "Basic YTpi"})
        self.expect_problem(401, "unauthenticated", "GET", "/api/v1/users/me")
        head, claims, _ = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        self.assertEqual(sorted(claims), ["exp", "fam", "iat", "role", "sub", "ver"])
        self.assertEqual(claims["exp"] - claims["iat"], 900)
        none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
        for forged in (f"{none}.{token.split('.')[1]}.", f"{none}.{token.split('.')[1]}.{token.split('.')[2]}", f"{head}.{token.split('.')[1]}."):
            self.expect_problem(401, "bad-token", "GET", "/api/v1/users/me", token=forged)

    def test_refreshing(self):
        self.server.add_user(self.admin, "ref@example.org", "viewer")
        first = self.log_in("ref@example.org").json
        second = self.expect(200, "POST", "/api/v1/auth/refresh", {"refresh_token": first["refresh_token"]}).json
        again = self.expect(200, "POST", "/api/v1/auth/refresh", {"refresh_token": first["refresh_token"]}).json
        self.assertEqual(again["refresh_token"], second["refresh_token"])
        third = self.expect(200, "POST", "/api/v1/auth/refresh", {"refresh_token": second["refresh_token"]}).json
        # Two behind: stolen, whichever of the two came from the thief.
        self.expect_problem(401, "refresh-token-reused", "POST", "/api/v1/auth/refresh", {"refresh_token": first["refresh_token"]})
        self.expect_problem(401, "bad-refresh-token", "POST", "/api/v1/auth/refresh", {"refresh_token": third["refresh_token"]})
        self.expect_problem(401, "bad-token", "GET", "/api/v1/users/me", token=third["access_token"])
        self.expect_problem(401, "bad-refresh-token", "POST", "/api/v1/auth/refresh", {})

    def test_the_cookie(self):
        self.server.add_user(self.admin, "page@example.org", "viewer")
        answer = self.log_in("page@example.org", headers={"Origin": self.origin()})
        self.assertNotIn("refresh_token", answer.json)
        self.assertEqual(answer.headers["cache-control"], "no-store")
        cookie = SimpleCookie(answer.cookies[0])["mr_refresh"]
        self.assertTrue(cookie["httponly"])
        self.assertEqual((cookie["samesite"], cookie["path"], cookie["secure"]), ("Strict", "/api/v1/auth", ""))
        sent = {"Cookie": f"other=1; mr_refresh={cookie.value}"}
        self.expect_problem(403, "foreign-origin", "POST", "/api/v1/auth/refresh", {}, headers=sent)
        self.expect_problem(403, "foreign-origin", "POST", "/api/v1/auth/refresh", {}, headers={**sent, "Origin": "https://evil.example"})
        self.expect_problem(403, "foreign-origin", "POST", "/api/v1/auth/logout", {}, headers={**sent, "Origin": "null"})
        renewed = self.expect(200, "POST", "/api/v1/auth/refresh", {}, headers={**sent, "Origin": self.origin()})
        value = SimpleCookie(renewed.cookies[0])["mr_refresh"].value
        self.assertNotEqual(value, cookie.value)
        # A cookie alone opens nothing.
        self.expect_problem(401, "unauthenticated", "GET", "/api/v1/users/me", headers={"Cookie": f"mr_refresh={value}", "Origin": self.origin()})
        done = self.expect(204, "POST", "/api/v1/auth/logout", {}, headers={"Cookie": f"mr_refresh={value}", "Origin": self.origin()})
        self.assertIn("Max-Age=0", done.cookies[0])
        self.expect_problem(401, "bad-token", "GET", "/api/v1/users/me", token=renewed.json["access_token"])

    def test_registering(self):
        body = {"email": "new@example.org", "password": PASSWORD, "name": "New"}
        session = self.expect(201, "POST", "/api/v1/auth/register", body).json
        self.assertEqual(session["user"]["role"], "viewer")
        self.expect_problem(409, "address-taken", "POST", "/api/v1/auth/register", {**body, "email": "NEW@example.org"})
        self.expect_problem(422, "invalid", "POST", "/api/v1/auth/register", {**body, "role": "admin"})
        self.expect_problem(403, "forbidden", "GET", "/api/v1/users", token=session["access_token"])

    def test_changing_oneself(self):
        token, _ = self.server.add_user(self.admin, "self@example.org", "viewer")
        self.assertEqual(self.expect(200, "PATCH", "/api/v1/users/me", {"name": "Selma"}, token).json["name"], "Selma")
        self.expect_problem(422, "invalid", "PATCH", "/api/v1/users/me", {"password": "another good one"}, token)
        self.expect_problem(422, "invalid", "PATCH", "/api/v1/users/me", {"password": "another good one", "current_password": "no"}, token)
        self.expect_problem(422, "invalid", "PATCH", "/api/v1/users/me", {"role": "admin"}, token)
        done = self.expect(200, "PATCH", "/api/v1/users/me", {"password": "another good one", "current_password": PASSWORD}, token)
        self.expect_problem(401, "bad-token", "GET", "/api/v1/users/me", token=token)
        value = SimpleCookie(done.cookies[0])["mr_refresh"].value  # this sign-in goes on
        self.expect(200, "POST", "/api/v1/auth/refresh", {"refresh_token": value})
        self.log_in("self@example.org", "another good one")

    def test_administering(self):
        token, user = self.server.add_user(self.admin, "bob@example.org", "viewer")
        changed = self.expect(200, "PATCH", f"/api/v1/users/{user}", {"role": "creator", "quota_bytes": 1000}, self.admin).json
        self.assertEqual((changed["role"], changed["quota_bytes"]), ("creator", 1000))
        self.expect_problem(401, "bad-token", "GET", "/api/v1/users/me", token=token)
        token = self.log_in("bob@example.org").json["access_token"]
        self.assertIsNone(self.expect(200, "PATCH", f"/api/v1/users/{user}", {"quota_bytes": None}, self.admin).json["quota_bytes"])
        self.expect(200, "GET", "/api/v1/users/me", token=token)
        self.expect_problem(403, "forbidden", "PATCH", f"/api/v1/users/{user}", {"role": "admin"}, token)
        self.expect(200, "PATCH", f"/api/v1/users/{user}", {"disabled": True}, self.admin)
        self.expect_problem(401, "bad-token", "GET", "/api/v1/users/me", token=token)
        self.expect_problem(401, "bad-credentials", "POST", "/api/v1/auth/login", {"email": "bob@example.org", "password": PASSWORD})
        self.expect(204, "DELETE", f"/api/v1/users/{user}", token=self.admin)
        self.expect_problem(404, "not-found", "DELETE", f"/api/v1/users/{user}", token=self.admin)
        me = self.expect(200, "GET", "/api/v1/users/me", token=self.admin).json["id"]
        for request in (("PATCH", f"/api/v1/users/{me}", {"role": "viewer"}), ("PATCH", f"/api/v1/users/{me}", {"disabled": True})):
            self.expect_problem(409, "last-administrator", *request, token=self.admin)
        self.expect_problem(409, "last-administrator", "DELETE", f"/api/v1/users/{me}", token=self.admin)

    def test_paging(self):
        for i in range(3):
            self.server.add_user(self.admin, f"page{i}@example.org", "viewer")
        seen, cursor = [], ""
        while cursor is not None:
            page = self.expect(200, "GET", f"/api/v1/users?limit=2{'&cursor=' + cursor if cursor else ''}", token=self.admin).json
            self.assertLessEqual(len(page["items"]), 2)
            seen += [user["id"] for user in page["items"]]
            cursor = page["next"]
        self.assertEqual(len(seen), len(set(seen)))
        everybody = self.expect(200, "GET", "/api/v1/users?limit=100", token=self.admin).json["items"]
        self.assertEqual(seen, [user["id"] for user in everybody])
        self.assertNotIn("password", everybody[0])

    def test_keys(self):
        token, _ = self.server.add_user(self.admin, "keys@example.org", "creator")
        other, _ = self.server.add_user(self.admin, "else@example.org", "creator")
        key = self.expect(201, "POST", "/api/v1/keys", {"name": "ci", "scopes": ["videos:read"]}, token).json
        self.assertTrue(key["key"].startswith("mrk_"))
        listed = self.expect(200, "GET", "/api/v1/keys", token=token).json["items"]
        self.assertEqual([item["id"] for item in listed], [key["id"]])
        self.assertNotIn("key", listed[0])
        self.assertEqual(self.expect(200, "GET", "/api/v1/users/me", token=key["key"]).json["email"], "keys@example.org")
        self.expect_problem(403, "forbidden", "GET", "/api/v1/pipelines", token=key["key"])  # another scope
        reader = self.expect(201, "POST", "/api/v1/keys", {"name": "runs", "scopes": ["runs:read"]}, token).json
        self.expect(200, "GET", "/api/v1/pipelines", token=reader["key"])
        used = {item["id"]: item["last_used_at"] for item in self.expect(200, "GET", "/api/v1/keys", token=token).json["items"]}
        self.assertIsNotNone(used[reader["id"]])
        self.expect(204, "DELETE", f"/api/v1/keys/{reader['id']}", token=token)
        self.expect_problem(403, "forbidden", "GET", "/api/v1/keys", token=key["key"])  # keys don't make keys
        self.expect_problem(401, "bad-token", "GET", "/api/v1/users/me", token=key["key"][:-1] + ("A" if key["key"][-1] != "A" else "E"))
        for body in ({"name": "x", "scopes": []}, {"name": "x", "scopes": ["all"]}, {"name": "x", "scopes": ["users:admin"]}, {"scopes": ["videos:read"]},
                     {"name": "x", "scopes": ["videos:read"], "expires_at": "2001-01-01T00:00:00Z"}):
            self.expect_problem(422, "invalid", "POST", "/api/v1/keys", body, token)
        self.expect_problem(404, "not-found", "DELETE", f"/api/v1/keys/{key['id']}", token=other)
        self.expect(204, "DELETE", f"/api/v1/keys/{key['id']}", token=token)
        self.expect_problem(401, "bad-token", "GET", "/api/v1/users/me", token=key["key"])

    def test_the_database_holds_no_secrets(self):
        body = {"name": "kept", "scopes": ["videos:read"]}
        key = self.expect(201, "POST", "/api/v1/keys", body, self.admin, {"Idempotency-Key": "once"}).json
        session = self.log_in("admin@example.org").json
        self.assertEqual(self.expect(201, "POST", "/api/v1/keys", body, self.admin, {"Idempotency-Key": "once"}).json, key)
        kept = b"".join(path.read_bytes() for path in self.server.data.glob("metadata.db*"))
        self.assertIn(key["id"].encode(), kept)
        for secret in (key["key"], key["secret"], session["refresh_token"], session["refresh_token"].split("_", 2)[2], session["access_token"], PASSWORD):
            self.assertNotIn(secret.encode(), kept)
        self.assertEqual((self.server.data / "keys" / "server.json").stat().st_mode & 0o777, 0o600)

    def test_the_command_beside_the_server(self):
        data = self.server.data
        self.assertEqual(millrace_user(data, "add", "cli@example.org", "--role", "creator", "--password-stdin", password=PASSWORD + "\n").returncode, 0)
        token = self.log_in("cli@example.org").json["access_token"]
        self.assertIn("cli@example.org", millrace_user(data, "list").stdout)
        self.assertEqual(millrace_user(data, "role", "cli@example.org", "--role", "viewer").returncode, 0)
        self.expect_problem(401, "bad-token", "GET", "/api/v1/users/me", token=token)
        self.assertEqual(millrace_user(data, "password", "cli@example.org", "--password-stdin", password="another good one").returncode, 0)
        self.log_in("cli@example.org", "another good one")
        self.assertEqual(millrace_user(data, "disable", "cli@example.org").returncode, 0)
        self.expect_problem(401, "bad-credentials", "POST", "/api/v1/auth/login", {"email": "cli@example.org", "password": "another good one"})
        self.assertEqual(millrace_user(data, "enable", "cli@example.org").returncode, 0)
        self.assertEqual(millrace_user(data, "remove", "cli@example.org").returncode, 0)
        for words, code, says in ((("remove", "cli@example.org"), 1, "no user 'cli@example.org'"), (("disable", "admin@example.org"), 1, "last administrator"),
                                  (("add", "no address", "--password-stdin"), 2, "is no address"), (("add", "a@b", "--password-stdin"), 2, "10 characters"),
                                  (("add", "a@b", "--role", "king", "--password-stdin"), 2, "no role 'king'"), (("add", "a@b"), 2, "--password-stdin"),
                                  (("list", "more"), 2, "unexpected argument"), ((), 2, "what is to be done"), (("role", "a@b"), 2, "which role")):
            done = millrace_user(data, *words, password="short")
            self.assertEqual((done.returncode, says in done.stderr), (code, True), done.stderr)


class Limits(ServerCase):
    SETTINGS = ("server.access_log=false", "server.rate_sign_in=3", "server.rate_api=40", "server.trusted_proxies=127.0.0.1, ::1")

    def test_too_often(self):
        wrong = {"email": "eve@example.org", "password": "x"}
        mine, theirs = {"X-Forwarded-For": "198.51.100.1"}, {"X-Forwarded-For": "198.51.100.1, 198.51.100.2"}
        left = [self.expect_problem(401, "bad-credentials", "POST", "/api/v1/auth/login", wrong, headers=mine).headers["ratelimit-remaining"] for _ in range(3)]
        self.assertEqual(left, ["2", "1", "0"])
        refused = self.expect_problem(429, "too-many-requests", "POST", "/api/v1/auth/login", wrong, headers=mine)
        self.assertGreater(int(refused.headers["retry-after"]), 0)
        self.assertEqual(refused.headers["ratelimit-limit"], "3")
        self.expect_problem(401, "bad-credentials", "POST", "/api/v1/auth/login", wrong, headers=theirs)
        # One account, from everywhere.
        statuses = {self.server.ask("POST", "/api/v1/auth/login", wrong, headers={"X-Forwarded-For": f"203.0.113.{i}"}).status for i in range(20)}
        self.assertEqual(statuses, {401, 429})
        # The API as a whole.
        last = [self.server.ask("GET", "/api/v1/server", headers={"X-Forwarded-For": "192.0.2.9"}).status for _ in range(60)]
        self.assertEqual((last[0], last[-1]), (200, 429))
        self.expect(200, "GET", "/healthz", headers={"X-Forwarded-For": "192.0.2.9"})


if __name__ == "__main__":
    unittest.main()
