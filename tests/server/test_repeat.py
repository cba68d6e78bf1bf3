# SPDX-License-Identifier: MIT
"""A POST that is sent again because its answer was lost."""
import contextlib
import sqlite3
import unittest

from serving import ServerCase, TIMEOUT


class Repeat(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.set_up()
        cls.other, _ = cls.server.add_user(cls.admin, "c@example.org", "creator")

    def add(self, token, name, key, status=201):
        return self.expect(status, "POST", "/api/v1/keys", {"name": name, "scopes": ["videos:read"]}, token, {"Idempotency-Key": key})

    def test_one_answer(self):
        first = self.add(self.admin, "one", "a")
        again = self.add(self.admin, "one", "a")
        self.assertEqual(first.body, again.body)
        self.assertEqual(again.headers["idempotency-replayed"], "true")
        self.assertEqual([key["name"] for key in self.expect(200, "GET", "/api/v1/keys", token=self.admin).json["items"]].count("one"), 1)
        self.assertNotEqual(self.add(self.other, "one", "a").body, first.body, "keys are each user's own")

    def test_another_request_with_the_same_key(self):
        self.add(self.admin, "two", "b")
        self.assertEqual(self.add(self.admin, "three", "b", 422).json["type"], "urn:millrace:problem:idempotency-key-reused")

    def test_a_mistake_is_told_again(self):
        body = {"name": "x", "scopes": ["nothing"]}
        first = self.expect(422, "POST", "/api/v1/keys", body, self.admin, {"Idempotency-Key": "c"})
        self.assertEqual(self.expect(422, "POST", "/api/v1/keys", body, self.admin, {"Idempotency-Key": "c"}).body, first.body)

    def test_a_video_is_made_once(self):
        """Also when the answer is forgotten, as after a day: what the first request made is neither made again nor touched."""
        data = b"no video" * 100
        body = {"title": "once", "filename": "a.mp4", "size": len(data)}
        first = self.expect(201, "POST", "/api/v1/videos", body, self.admin, {"Idempotency-Key": "d"}).json
        self.forget("d")
        again = self.expect(201, "POST", "/api/v1/videos", body, self.admin, {"Idempotency-Key": "d"}).json
        self.assertEqual(again["video"], first["video"])
        self.expect(204, "PATCH", again["upload"]["tus"]["url"], data, self.admin,
                    {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"})
        self.forget("d")
        self.expect_problem(409, "upload-complete", "POST", "/api/v1/videos", body, self.admin, {"Idempotency-Key": "d"})
        self.assertEqual(self.expect(200, "GET", f"/api/v1/videos/{first['video']['id']}", token=self.admin).json["size"], len(data))

    def forget(self, key):
        with contextlib.closing(sqlite3.connect(self.server.data / "metadata.db", timeout=TIMEOUT)) as store, store:
            self.assertEqual(store.execute("DELETE FROM answers WHERE key = ?", (key,)).rowcount, 1)

    def test_nothing_is_left_of_what_is_refused(self):
        """A video and its first upload are one change."""
        other = self.expect(200, "GET", "/api/v1/users/me", token=self.other).json["id"]
        self.expect(200, "PATCH", f"/api/v1/users/{other}", {"quota_bytes": 10}, self.admin)
        self.expect_problem(413, "quota-exceeded", "POST", "/api/v1/videos", {"title": "large", "size": 11}, self.other)
        self.expect_problem(415, "type-not-taken", "POST", "/api/v1/videos", {"title": "text", "type": "text/plain"}, self.other)
        self.assertEqual(self.expect(200, "GET", "/api/v1/videos?owner=me", token=self.other).json["items"], [])

    def test_what_is_no_key(self):
        self.expect_problem(400, "bad-idempotency-key", "POST", "/api/v1/keys", {"name": "x", "scopes": ["videos:read"]}, self.admin, {"Idempotency-Key": "ä"})


if __name__ == "__main__":
    unittest.main()
