#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is somebody else's: ids that were guessed, tokens that were forged, swapped or cut, names that lead out of their folder."""
import base64
import contextlib
import hashlib
import hmac
import json
import re
import time
import unittest

from serving import TIMEOUT, ServerCase, make_clip
from test_roles import OWN_PROOF, routes

TUS = {"Tus-Resumable": "1.0.0"}
PARAMS = {"ladder": [{"height": 90, "max_bitrate": 250000}], "preset": "ultrafast", "segment_duration": "1s"}
NAMES = ("..", ".", "%2e%2e", "%2e%2e%2f%2e%2e%2fkeys%2fserver.json", "..%2f..%2fkeys%2fserver.json", "%252e%252e%252fkeys%252fserver.json", "%00", "a%00b",
         "..%5c..%5ckeys", "%c0%ae%c0%ae%c0%afkeys", "%ff%fe", "x" * 3000, "v_" + "0" * 22 + "%2f..", "v_" + "0" * 21, "v_" + "0" * 23, "v_%2e%2e" + "0" * 18,
         "%0d%0aSet-Cookie:%20a=b", "'%20OR%201=1--", "%25n%25s", "%f0%9f%8e%ac", "~root", "%2fetc%2fpasswd", "*", "?", "-")


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def body_for(method, path):
    body = {"seconds": 1} if path.endswith("/position") else {}
    return body if method in ("POST", "PUT", "PATCH") else None


class Strangers(ServerCase):
    SETTINGS = (*ServerCase.SETTINGS, "server.rate_api=0", "server.rate_sign_in=0", "server.url_life=8s")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.set_up()
        cls.ada, cls.ada_id = cls.server.add_user(cls.admin, "ada@example.org", "creator")
        cls.eve, cls.eve_id = cls.server.add_user(cls.admin, "eve@example.org", "creator")
        clip = make_clip(cls.dir / "clip.mp4", 1, "160x90").read_bytes()
        cls.videos = [cls.publish(clip, token) for token in (cls.ada, cls.eve)]
        cls.key = cls.server.ask("POST", "/api/v1/keys", {"name": "k", "scopes": ["videos:write"]}, cls.ada).json
        cls.upload = cls.server.ask("POST", "/api/v1/uploads/tus", token=cls.ada, headers={**TUS, "Upload-Length": "10"}).headers["location"].rpartition("/")[2]

    @classmethod
    def publish(cls, clip, token):
        """A private video, ready."""
        made = cls.server.ask("POST", "/api/v1/videos", {"title": "secret", "filename": "a.mp4", "size": len(clip), "params": PARAMS}, token).json
        video, target = made["video"]["id"], made["upload"]["put"]
        cls.server.ask("PUT", re.sub(r"^http://[^/]+", "", target["url"]), clip, headers=target["headers"])
        with contextlib.closing(cls.server.connect()) as connection:
            connection.request("GET", f"/api/v1/videos/{video}/events", headers={"Authorization": f"Bearer {token}"})
            for line in connection.getresponse():
                if line.strip() == b"event: end" or re.search(rb'"status": ?"(ready|failed)"', line):
                    break
        seen = cls.server.ask("GET", f"/api/v1/videos/{video}", token=token).json
        if seen["status"] != "ready":
            raise AssertionError(seen)
        return seen

    # ---- ids ----

    def theirs(self, path):
        """The path with ids of what is Ada's."""
        it = self.upload if "/uploads/" in path else self.key["id"] if "/keys/" in path else self.videos[0]["run"] if "/runs/" in path else self.videos[0]["id"]
        return re.sub(r"\{[^}]*\}", "de", path.replace("{id}", it))

    def test_ids_that_were_guessed(self):
        """What is another's is not there, whatever is asked of it; and it stays as it was."""
        before = self.expect(200, "GET", f"/api/v1/videos/{self.videos[0]['id']}", token=self.ada).json
        tried = 0
        for method, path, rule, _ in routes():
            if "{id}" not in path or rule in ("TOKEN", "ADMIN") or path.startswith(OWN_PROOF):
                continue
            tried += 1
            for token in (self.eve, None):
                with self.subTest(route=f"{method} {path}", who=token and "eve"):
                    headers = {"If-Match": before["etag"].join('""')} if method == "PUT" else None
                    answer = self.server.ask(method, self.theirs(path), body_for(method, path), token, headers)
                    self.assertEqual(answer.status, 404 if token or rule in ("VIEWER_OF", "ANYONE") else 401, answer.body[:300])
                    self.assertNotIn(b"secret", answer.body)
        self.assertGreater(tried, 15)
        for method in ("HEAD", "PATCH", "DELETE"):
            headers = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"} if method == "PATCH" else TUS
            self.expect(404, method, f"/api/v1/uploads/tus/{self.upload}", b"1" if method == "PATCH" else None, self.eve, headers)
            self.expect(401, method, f"/api/v1/uploads/tus/{self.upload}", b"1" if method == "PATCH" else None, headers=headers)
        self.assertEqual(self.expect(200, "GET", f"/api/v1/videos/{self.videos[0]['id']}", token=self.ada).json, before)
        for path in ("/api/v1/videos", "/api/v1/videos?q=secret", f"/api/v1/videos?owner={self.ada_id}", "/api/v1/runs"):
            for token in (self.eve, None):
                answer = self.server.ask("GET", path, token=token)
                self.assertNotIn(self.videos[0]["id"].encode(), answer.body)
        self.assertNotIn(self.key["id"].encode(), self.expect(200, "GET", "/api/v1/keys", token=self.eve).body)

    # ---- names ----

    def test_names_that_lead_out(self):
        """In the place of every {…} of every route."""
        secret = json.loads((self.server.data / "keys" / "server.json").read_text())
        words = [value for value in re.findall(r'"([A-Za-z0-9+/=_-]{20,})"', json.dumps(secret))]
        outside = {path for path in self.dir.rglob("*") if self.server.data not in path.parents}
        for method, path, rule, _ in routes():
            if "{" not in path or path == "/{path*}":
                continue
            for name in NAMES:
                with self.subTest(route=f"{method} {path}", name=name[:60]):
                    target = re.sub(r"\{[^}]*\}", lambda _, name=name: name, path)
                    answer = self.server.ask(method, target, body_for(method, path), self.admin, TUS if "/tus" in path else None)
                    page = target.endswith("?") and not target.startswith("/api/") and answer.headers.get("content-type", "").startswith("text/html")
                    if not (method == "OPTIONS" and answer.status == 204) and not page:
                        self.assertGreaterEqual(answer.status, 400, answer.body[:200])
                    self.assertLess(answer.status, 500 if "/s3/" not in path else 502, answer.body[:200])
                    self.assertNotIn("set-cookie", answer.headers)
                    for word in words:
                        self.assertNotIn(word.encode(), answer.body)
        for name in NAMES:  # the page has an answer to everything, of its own files alone
            answer = self.server.ask("GET", f"/{name}")
            for word in words:
                self.assertNotIn(word.encode(), answer.body)
        self.assertEqual({path for path in self.dir.rglob("*") if self.server.data not in path.parents}, outside)

    def test_names_of_files(self):
        for name in ("../../../../tmp/x.mp4", "/etc/passwd", "a\0b.mp4", "a\r\nX-Evil: 1.mp4", "..", "a/../../b", "x" * 240 + ".mp4", "\"><script>.mp4", "a\\..\\b.mp4", "-rf"):
            with self.subTest(name=name[:40]):
                made = self.server.ask("POST", "/api/v1/uploads/tus", token=self.ada, headers={**TUS, "Upload-Length": "10", "Upload-Metadata": f"filename {encoded(name)}"})
                self.assertIn(made.status, (201, 400), made.body)
                self.assertNotIn("x-evil", made.headers)
                if made.status == 201:
                    self.assertRegex(made.headers["location"], r"/api/v1/uploads/tus/f_[0-9A-Za-z]{22}$")
                    seen = self.expect(200, "GET", f"/api/v1/videos/{made.headers['millrace-video']}", token=self.ada).json
                    self.assertNotRegex(seen["title"], r"[/\x00-\x1f]")
                signed = self.server.ask("POST", "/api/v1/uploads/sign", {"video": self.videos[0]["id"], "action": "put", "filename": name}, self.ada)
                if signed.status == 200:
                    self.assertNotIn("..", signed.json["url"].split("?")[0].removeprefix("http://"))
        self.assertEqual(list(self.server.data.rglob("x.mp4")) + list(self.server.data.rglob("passwd")), [])

    def test_labels_of_captions(self):
        video = self.videos[0]["id"]
        vtt = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHi\n"
        for language in ("de", "de-AT"):
            answer = self.expect(200, "PUT", f"/api/v1/videos/{video}/captions/{language}?label=a%0d%0aX-Evil:%201%22%3e", vtt, self.ada, {"Content-Type": "text/vtt"})
            self.assertNotIn("x-evil", answer.headers)
        self.assertNotIn("x-evil", self.expect(200, "GET", f"/api/v1/videos/{video}/playback", token=self.ada).headers)

    # ---- tokens ----

    def media(self, video, token):
        """The URL of its playlist: {token} and the rest."""
        url = self.expect(200, "GET", f"/api/v1/videos/{video}/playback", token=token).json["hls"]["url"]
        return re.fullmatch(r"(?:http://[^/]+)?/media/([^/]+)/(.+)", url).groups()

    def test_tokens_of_media(self):
        (mine, path), (other, other_path) = self.media(self.videos[0]["id"], self.ada), self.media(self.videos[1]["id"], self.eve)
        self.expect(200, "GET", f"/media/{mine}/{path}")
        swapped = [(other, path), (mine, other_path), (mine, path.replace("/1/", "/../" + other_path.split("/")[0] + "/1/")), (mine, other_path.replace("/", "%2f", 1))]
        cut = [(mine[:-1], path), (mine[:10], path), (mine + "A", path), (mine.swapcase(), path), ("", path)]
        raw = base64.urlsafe_b64decode(mine + "=" * (-len(mine) % 4))
        for at in range(len(raw)):  # key id, expiry, scope, signature: whichever bit is turned
            forged = bytearray(raw)
            forged[at] ^= 1
            cut.append((base64.urlsafe_b64encode(bytes(forged)).decode().rstrip("="), path))
        for token, where in swapped + cut:
            answer = self.server.ask("GET", f"/media/{token}/{where}")
            self.assertIn(answer.status, (400, 403, 404), (token, where))
            self.assertNotIn(b"#EXTM3U", answer.body)

    def test_tokens_end(self):
        token, path = self.media(self.videos[0]["id"], self.ada)
        end = time.monotonic() + TIMEOUT
        while self.server.ask("GET", f"/media/{token}/{path}").status == 200:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)  # nothing tells of the end
        self.expect_problem(403, "url-expired", "GET", f"/media/{token}/{path}")
        self.expect(200, "GET", "/media/{}/{}".format(*self.media(self.videos[0]["id"], self.ada)))

    def test_tokens_of_posters(self):
        mine, other = (re.sub(r"^http://[^/]+", "", video["poster_url"]) for video in self.videos)
        self.expect(200, "GET", mine)
        for url in (mine.replace(self.videos[0]["id"], self.videos[1]["id"]), mine[:-1], mine + "a", other.replace(self.videos[1]["id"], self.videos[0]["id"])):
            self.expect(404, "GET", url)

    def test_tokens_of_people(self):
        head, claims, signature = self.ada.split(".")
        told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))

        def part(it):
            return base64.urlsafe_b64encode(json.dumps(it).encode()).decode().rstrip("=")

        eves = part({**told, "sub": self.eve_id})
        forged = [f"{head}.{eves}.{signature}", f"{head}.{part({**told, 'role': 'admin'})}.{signature}", f"{head}.{part({**told, 'exp': told['exp'] + 86400})}.{signature}"]
        for algorithm in ("none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "RS256", "ES256", "PS256", "", None):
            for key in (b"", b"secret", json.dumps(told).encode()):
                other = part({"alg": algorithm, "typ": "JWT", "kid": "../../dev/null"})
                signed = hmac.new(key, f"{other}.{eves}".encode(), hashlib.sha256).digest()
                forged += [f"{other}.{eves}.{base64.urlsafe_b64encode(signed).decode().rstrip('=')}", f"{other}.{eves}.", f"{other}.{claims}.{signature}"]
        forged += [self.ada[:-1], self.ada + ".", self.ada + "." + signature, "." * 10, "a" * 5000, self.key["key"][:-1], self.key["id"], self.key["secret"], "mrk_" + self.key["id"]]
        for token in forged:
            answer = self.server.ask("GET", "/api/v1/users/me", token=token)
            self.assertIn(answer.status, (401, 431), token[:80])
        self.assertEqual(self.expect(200, "GET", "/api/v1/users/me", token=self.ada).json["id"], self.ada_id)

    def test_signed_uploads_of_another(self):
        """A URL that was signed for one video, file or deed is good for no other; and for nothing when its owner may not sign in any more."""
        made = self.expect(201, "POST", "/api/v1/videos", {"title": "b", "filename": "b.mp4", "size": 5, "type": "video/mp4"}, self.ada).json
        url = re.sub(r"^http://[^/]+", "", made["upload"]["put"]["url"])
        headers = made["upload"]["put"]["headers"]
        other = self.expect(201, "POST", "/api/v1/videos", {"title": "c"}, self.eve).json["video"]["id"]
        for wrong, fields, body in ((url.replace(made["video"]["id"], other, 1), headers, b"12345"), (url.replace("b.mp4", "c.mp4", 1), headers, b"12345"),
                                    (url, {**headers, "Content-Length": "6"}, b"123456"), (url, {**headers, "Content-Type": "video/webm"}, b"12345"),
                                    (url[:-1] + ("0" if url[-1] != "0" else "1"), headers, b"12345"), (re.sub(r"X-Amz-Expires=\d+", "X-Amz-Expires=600000", url), headers, b"12345"),
                                    (url + "&uploads=", headers, b"12345"), (re.sub(r"&X-Amz-Signature=\w+", "", url), headers, b"12345")):
            answer = self.server.ask("PUT", wrong, body, headers=fields)
            self.assertIn(answer.status, (400, 403), answer.body)
        self.expect(200, "PATCH", f"/api/v1/users/{self.ada_id}", {"disabled": True}, self.admin)
        try:
            self.expect(403, "PUT", url, b"12345", headers=headers)
            self.expect_problem(401, "bad-token", "GET", "/api/v1/users/me", token=self.ada)
            self.expect_problem(401, "bad-token", "GET", "/api/v1/videos", token=self.key["key"])
        finally:
            self.expect(200, "PATCH", f"/api/v1/users/{self.ada_id}", {"disabled": False}, self.admin)
            type(self).ada = self.server.ask("POST", "/api/v1/auth/login", {"email": "ada@example.org", "password": "correct horse battery"}).json["access_token"]


if __name__ == "__main__":
    unittest.main()
