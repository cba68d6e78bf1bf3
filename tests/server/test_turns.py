# SPDX-License-Identifier: MIT
"""More uploads than runs may be under way: the others wait for their turn, and none is forgotten."""
import contextlib
import unittest

from serving import ServerCase, make_clip

VIDEOS = 4
LONG = {"ladder": [{"height": 360, "max_bitrate": 2000000}], "preset": "veryslow"}  # longer than it takes to look at what waits behind it


class Turns(ServerCase):
    SETTINGS = ("server.access_log=false", "server.runs=1")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.set_up()

    def upload(self, admin, data, **fields):
        video = self.expect(201, "POST", "/api/v1/videos", {"title": "x", "size": len(data), "pipeline": "poster", **fields}, admin).json
        put = video["upload"]["put"]
        self.expect(200, "PUT", "/" + put["url"].split("/", 3)[3], data, headers=put["headers"])
        return video["video"]["id"]

    def until(self, video, admin, wanted):
        """The video's state, once an event of it is so."""
        with contextlib.closing(self.server.connect()) as connection:
            connection.request("GET", f"/api/v1/videos/{video}/events", headers={"Authorization": f"Bearer {admin}"})
            for line in connection.getresponse():
                if line.startswith(b"data:") and wanted(seen := self.expect(200, "GET", f"/api/v1/videos/{video}", token=admin).json):
                    return seen
        raise AssertionError("the stream has ended")

    def wait_for_its_end(self, video, admin):
        connection = self.server.connect()
        connection.request("GET", f"/api/v1/videos/{video}/events", headers={"Authorization": f"Bearer {admin}"})
        with connection.getresponse() as events:
            for line in events:
                if b'"status":"ready"' in line or b'"status":"failed"' in line:
                    break
        connection.close()
        self.assertEqual(self.expect(200, "GET", f"/api/v1/videos/{video}", token=admin).json["status"], "ready")

    def test_one_after_the_other(self):
        admin = self.admin
        clip = make_clip(self.dir / "clip.mp4", seconds=1).read_bytes()
        videos = [self.upload(admin, clip + b"\0\0\0\x09free" + bytes([i])) for i in range(VIDEOS)]
        again = self.expect(202, "POST", f"/api/v1/videos/{videos[-1]}/process", {"pipeline": "poster"}, admin).json["run"]
        for video in videos:
            self.wait_for_its_end(video, admin)
        runs = self.expect(200, "GET", "/api/v1/runs", token=admin).json["items"]
        self.assertGreaterEqual(len(runs), VIDEOS)
        self.assertTrue(again is None or again in [run["id"] for run in runs])
        times = sorted((run["started_at"], run.get("ended_at", "now")) for run in runs)  # RFC 3339 in UTC sorts as text
        for before, after in zip(times, times[1:]):
            self.assertLessEqual(before[1], after[0], times)

    def test_what_waits_says_so(self):
        admin = self.admin
        broken = self.upload(admin, b"this is no video" * 100)
        run = self.until(broken, admin, lambda seen: seen["status"] == "failed")["run"]
        seen = self.expect(200, "GET", f"/api/v1/runs/{run}", token=admin).json
        self.assertEqual(seen["state"], "failed")
        why = seen["reason"]
        busy = self.upload(admin, make_clip(self.dir / "long.mp4", 30, "640x360").read_bytes(), pipeline="vod", params=LONG)
        first = self.until(busy, admin, lambda seen: seen["run"])["run"]
        self.expect(202, "POST", f"/api/v1/runs/{run}/retry", {}, admin)
        seen = self.expect(200, "GET", f"/api/v1/runs/{run}", token=admin).json
        self.assertEqual((seen["state"], seen.get("reason"), seen.get("ended_at")), ("waiting", None, None))
        self.assertEqual([one["id"] for one in self.expect(200, "GET", "/api/v1/runs?state=waiting", token=admin).json["items"]], [run])
        self.assertEqual(self.expect(200, "GET", "/api/v1/runs?state=failed", token=admin).json["items"], [])
        refused = self.expect_problem(422, "invalid", "POST", f"/api/v1/videos/{broken}/process", {"pipeline": "vod", "params": {"segment_duration": "99s"}}, admin)
        self.assertEqual([error["field"] for error in refused.json["errors"]], ["params.segment_duration"], "also of a run whose turn has not come")
        self.expect(202, "POST", f"/api/v1/runs/{run}/cancel", {}, admin)
        self.expect_problem(409, "not-running", "POST", f"/api/v1/runs/{run}/cancel", {}, admin)
        seen = self.expect(200, "GET", f"/api/v1/runs/{run}", token=admin).json
        self.assertEqual((seen["state"], seen["reason"]), ("failed", why), "it has ended as it did before")
        seen = self.expect(200, "GET", f"/api/v1/videos/{broken}", token=admin).json
        self.assertEqual((seen["status"], seen["reason"]["code"]), ("failed", "processing-failed"))
        self.expect(202, "POST", f"/api/v1/runs/{run}/retry", {}, admin)
        self.expect(202, "POST", f"/api/v1/runs/{first}/cancel", {}, admin)
        seen = self.until(broken, admin, lambda seen: seen["status"] == "failed")
        self.assertEqual(self.expect(200, "GET", f"/api/v1/runs/{seen['run']}", token=admin).json["state"], "failed")


if __name__ == "__main__":
    unittest.main()
