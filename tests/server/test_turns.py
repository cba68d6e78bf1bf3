# SPDX-License-Identifier: MIT
"""More uploads than runs may be under way: the others wait for their turn, and none is forgotten."""
import unittest

from serving import ServerCase, make_clip

VIDEOS = 4


class Turns(ServerCase):
    SETTINGS = ("server.access_log=false", "server.runs=1")

    def upload(self, admin, data):
        video = self.expect(201, "POST", "/api/v1/videos", {"title": "x", "size": len(data), "pipeline": "poster"}, admin).json
        put = video["upload"]["put"]
        self.expect(200, "PUT", "/" + put["url"].split("/", 3)[3], data, headers=put["headers"])
        return video["video"]["id"]

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
        admin = self.server.set_up()
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


if __name__ == "__main__":
    unittest.main()
