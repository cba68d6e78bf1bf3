# SPDX-License-Identifier: MIT
"""Watching: what strangers can't load, and how players of other origins are answered. That a segment is waited for: api-server/playback/test."""
import unittest

from serving import ServerCase

NOBODYS = "v_0000000000000000000000"


class Media(ServerCase):
    def test_urls_that_nobody_signed(self):
        for token in ("x", "A" * 64, "A" * 4000, "..", "%2e%2e", "k.1.2"):
            for path in (f"{NOBODYS}/1/master.m3u8", f"{NOBODYS}/1/../../keys/signing.mp4", f"{NOBODYS}/1/%2e%2e/%2e%2e/%2e%2e/server.mp4", "x", NOBODYS):
                answer = self.server.ask("GET", f"/media/{token}/{path}")
                self.assertIn(answer.status, (400, 403, 404, 414), f"{token} {path}")
                self.assertNotIn(b"EXTM3U", answer.body)
        refused = self.expect_problem(403, "url-not-signed", "GET", f"/media/{'A' * 64}/{NOBODYS}/1/master.m3u8")
        self.assertEqual(refused.headers["access-control-allow-origin"], "*")
        self.assertEqual(refused.headers["cache-control"], "no-store")

    def test_other_origins_may_ask(self):
        answer = self.expect(204, "OPTIONS", f"/media/x/{NOBODYS}/1/master.m3u8", headers={"Origin": "https://other.example"})
        self.assertEqual(answer.headers["access-control-allow-origin"], "*")
        self.assertIn("Range", answer.headers["access-control-allow-headers"])


class Watching(ServerCase):
    def test_a_video_that_is_not_there(self):
        admin = self.server.set_up()
        for path in ("playback", "stream", "views"):
            self.expect_problem(404, "not-found", "GET", f"/api/v1/videos/{NOBODYS}/{path}")
        self.expect_problem(404, "not-found", "POST", f"/api/v1/videos/{NOBODYS}/views", {})
        self.expect_problem(401, "unauthenticated", "GET", f"/api/v1/videos/{NOBODYS}/position")
        self.expect_problem(404, "not-found", "GET", f"/api/v1/videos/{NOBODYS}/position", token=admin)
        self.expect_problem(404, "not-found", "PUT", f"/api/v1/videos/{NOBODYS}/position", {"seconds": 3.5}, admin)
        for body in ({}, {"seconds": -1}, {"seconds": "3"}, {"seconds": None}, {"seconds": 1, "more": 2}, {"seconds": 1e9}):
            answer = self.server.ask("PUT", f"/api/v1/videos/{NOBODYS}/position", body, admin)
            self.assertIn(answer.status, (400, 422), answer.body)


if __name__ == "__main__":
    unittest.main()
