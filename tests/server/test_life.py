#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A video's way through its statuses: what can't be read fails and says so; a run that is cancelled, replaced, or whose video is removed while it works."""
import contextlib
import json
import socket
import time
import unittest

from serving import TIMEOUT, ServerCase, make_clip

TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
QUICK = {"ladder": [{"height": 90, "max_bitrate": 250000}], "preset": "ultrafast"}
LONG = {"ladder": [{"height": 360, "max_bitrate": 2000000}], "preset": "veryslow"}  # longer than it takes to think better of it


class Life(ServerCase):
    SETTINGS = (*ServerCase.SETTINGS, "server.rate_api=0")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.set_up()
        cls.clip = make_clip(cls.dir / "clip.mp4", 30, "640x360").read_bytes()

    def video(self, video, status=200):
        return self.expect(status, "GET", f"/api/v1/videos/{video}", token=self.admin).json

    def upload(self, data, params):
        made = self.expect(201, "POST", "/api/v1/videos", {"title": "t", "filename": "a.mp4", "size": len(data), "params": params}, self.admin).json
        self.assertEqual((made["video"]["status"], made["video"]["run"]), ("created", None))
        self.expect(204, "PATCH", made["upload"]["tus"]["url"], data, self.admin, TUS)
        return made["video"]["id"]

    def until(self, video, wanted):
        """The video, once the stream of its events has said something after which it is so."""
        with contextlib.closing(self.server.connect()) as connection:
            connection.request("GET", f"/api/v1/videos/{video}/events", headers={"Authorization": f"Bearer {self.admin}"})
            for line in connection.getresponse():
                if line.startswith(b"data:") and wanted(seen := self.video(video)):
                    return seen
        raise AssertionError(f"the stream ended: {self.video(video)}")

    def end_of(self, video, run):
        return self.until(video, lambda seen: seen["run"] == run and seen["status"] in ("ready", "failed"))

    def test_what_cannot_be_read(self):
        video = self.upload(b"this is no video" * 100, QUICK)
        seen = self.until(video, lambda seen: seen["status"] == "failed")
        self.assertEqual((seen["reason"]["code"], seen["playable"], seen["complete"], seen["duration"]), ("processing-failed", False, False, None))
        self.assertTrue(seen["reason"]["message"])
        self.expect_problem(409, "not-playable", "GET", f"/api/v1/videos/{video}/playback", token=self.admin)
        retried = self.expect(202, "POST", f"/api/v1/runs/{seen['run']}/retry", {}, self.admin).json["run"]
        self.assertEqual(self.end_of(video, retried)["reason"]["code"], "processing-failed")
        again = self.expect(202, "POST", f"/api/v1/videos/{video}/process", {}, self.admin).json["run"]
        self.assertNotIn(again, (seen["run"], retried))
        self.expect_problem(409, "not-resumable", "POST", f"/api/v1/runs/{seen['run']}/retry", {}, self.admin)  # it is the video's no more
        self.assertEqual(self.end_of(video, again)["status"], "failed")
        self.expect_problem(422, "invalid", "POST", f"/api/v1/videos/{video}/process", {"pipeline": "nothing"}, self.admin)
        self.assertEqual(self.video(video)["status"], "failed")  # as it was
        self.expect(204, "DELETE", f"/api/v1/videos/{video}", token=self.admin)
        self.video(video, 404)

    def test_no_way_into_the_network(self):
        """Who may upload names the webhook: the machine's own network is not his to reach."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            hook = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            video = self.upload(b"this is no video" * 100, {**QUICK, "webhook": hook})
            run = self.until(video, lambda seen: seen["status"] == "failed")["run"]
            self.assertRaises(BlockingIOError, listener.accept)
        log = self.expect(200, "GET", f"/api/v1/runs/{run}/logs", token=self.admin).body
        self.assertIn(b"not public", log)

    def test_what_is_no_pipeline(self):
        for name in ("nothing", "../vod", "pipelines/vod.yaml"):
            refused = self.expect_problem(422, "invalid", "POST", "/api/v1/videos", {"title": "t", "pipeline": name}, self.admin)
            self.assertIn("there is no such pipeline", refused.json["errors"][0]["message"])
        self.expect_problem(422, "invalid", "GET", "/api/v1/runs?state=over", token=self.admin)
        self.expect(200, "GET", "/api/v1/runs?state=interrupted", token=self.admin)

    def test_params_are_judged_before_anything_is_sent(self):
        """By the pipeline's own check: each mistake by its param's name, and no video is made."""
        before = len(self.expect(200, "GET", "/api/v1/videos?owner=me&limit=100", token=self.admin).json["items"])
        for params, wrong in (({"segment_duration": "99s"}, {"params.segment_duration": "is too large: '99s'; expected 1s"}),
                              ({"presett": "fast", "codec": "mpeg1"}, {"params.presett": "did you mean 'preset'?", "params.codec": "mpeg1"}),
                              ({"ladder": [{"height": 5}]}, {"params.ladder": "'height' is too small"}),
                              ({"x" * 2000: 1, "segment_duration": "ä" * 2000}, {"params." + "x" * 2000: "has no param", "params.segment_duration": "takes a duration"}),
                              ({"webhook": "ftp://example.com"}, {"params.webhook": "takes an http(s) URL"}),
                              ({"segment_duration": {"a": [None]}}, {"params.segment_duration": "takes a duration"})):
            with self.subTest(params=params):
                refused = self.expect_problem(422, "invalid", "POST", "/api/v1/videos", {"title": "t", "params": params}, self.admin)
                found = {error["field"]: error["message"] for error in refused.json["errors"]}
                self.assertEqual(found.keys(), wrong.keys())
                for field, message in wrong.items():
                    self.assertIn(message, found[field])
        refused = self.expect_problem(422, "invalid", "POST", "/api/v1/videos", {"title": "t", "pipeline": "poster", "params": {"preset": "fast"}}, self.admin)
        self.assertEqual(refused.json["errors"][0]["field"], "params.preset", "those of another pipeline")
        self.assertEqual(len(self.expect(200, "GET", "/api/v1/videos?owner=me&limit=100", token=self.admin).json["items"]), before)
        self.expect_problem(422, "invalid", "GET", "/api/v1/runs?cursor=none", token=self.admin)

    def test_versions(self):
        """Who says which version he changes overwrites nobody; a PUT has to say it."""
        path = "/api/v1/videos/" + self.expect(201, "POST", "/api/v1/videos", {"title": "first"}, self.admin).json["video"]["id"]
        first = self.expect(200, "GET", path, token=self.admin).headers["etag"]
        second = self.expect(200, "PATCH", path, {"title": "second"}, self.admin, {"If-Match": first}).headers["etag"]
        whole = {"title": "third", "visibility": "private"}
        for stale in (first, f"W/{second}", f'"x{second[1:]}', second.strip('"'), '"', "", f'{first}, "{second}"'):
            for method, body in (("PATCH", {"title": "lost"}), ("PUT", whole), ("DELETE", None)):
                with self.subTest(stale=stale, method=method):
                    self.expect_problem(412, "precondition-failed", method, path, body, self.admin, {"If-Match": stale})
        self.expect_problem(428, "precondition-required", "PUT", path, whole, self.admin)
        third = self.expect(200, "PUT", path, whole, self.admin, {"If-Match": f'"other" , {first},{second}'}).headers["etag"]
        self.assertEqual(self.expect(200, "GET", path, token=self.admin).json["title"], "third")
        self.assertEqual(len({first, second, third}), 3)
        self.expect(200, "PATCH", path, {"title": "fourth"}, self.admin, {"If-Match": "*"})
        self.expect(204, "DELETE", path, token=self.admin)

    def test_nothing_to_process(self):
        video = self.expect(201, "POST", "/api/v1/videos", {"title": "t"}, self.admin).json["video"]["id"]
        self.expect_problem(409, "nothing-uploaded", "POST", f"/api/v1/videos/{video}/process", {}, self.admin)
        self.expect_problem(409, "nothing-uploaded", "POST", f"/api/v1/videos/{video}/poster", {"time": 0}, self.admin)
        self.assertEqual(self.video(video)["status"], "created")

    def test_cancelled_and_tried_again(self):
        video = self.upload(self.clip, LONG)
        run = self.until(video, lambda seen: seen["run"])["run"]
        self.expect(202, "POST", f"/api/v1/runs/{run}/cancel", {}, self.admin)
        seen = self.end_of(video, run)
        self.assertEqual((seen["status"], seen["reason"]["code"]), ("failed", "cancelled"))
        self.ends(run, "cancelled")
        self.server.stop()
        self.server.start()  # what a person has cancelled does not go on by itself
        self.expect_problem(409, "not-running", "POST", f"/api/v1/runs/{run}/cancel", {}, self.admin)
        self.assertEqual(self.video(video)["reason"]["code"], "cancelled")
        quick = self.expect(202, "POST", f"/api/v1/videos/{video}/process", {"params": QUICK}, self.admin).json["run"]
        self.assertEqual(self.video(video)["status"], "processing")
        seen = self.end_of(video, quick)
        self.assertEqual((seen["status"], seen["complete"], seen["reason"]), ("ready", True, None), seen)
        self.expect_problem(409, "not-resumable", "POST", f"/api/v1/runs/{quick}/retry", {}, self.admin)

    def test_stopped_and_gone_on(self):
        video = self.upload(self.clip, LONG)
        run = self.until(video, lambda seen: seen["run"])["run"]
        self.server.stop()  # asked to go, it leaves the run to the next one
        self.server.start()
        seen = self.video(video)
        self.assertEqual((seen["status"], seen["run"], seen["reason"]), ("processing", run, None))
        other = self.expect(202, "POST", f"/api/v1/videos/{video}/process", {"params": QUICK}, self.admin).json["run"]
        self.assertEqual(self.end_of(video, other)["status"], "ready")
        self.ends(run, "cancelled")  # replaced

    def ends(self, run, state):
        end = time.monotonic() + TIMEOUT
        while (seen := self.expect(200, "GET", f"/api/v1/runs/{run}", token=self.admin).json)["state"] == "running":
            self.assertLess(time.monotonic(), end, json.dumps(seen))
            time.sleep(0.05)  # no stream tells of a run that is no video's any more
        self.assertEqual(seen["state"], state)

    def test_removed_while_it_is_processed(self):
        video = self.upload(self.clip, LONG)
        run = self.until(video, lambda seen: seen["run"])["run"]
        self.expect(204, "DELETE", f"/api/v1/videos/{video}", token=self.admin)
        self.video(video, 404)
        self.ends(run, "cancelled")
        data = self.server.data
        end = time.monotonic() + TIMEOUT
        while (data / "media" / video).exists() or (data / "posters" / video).exists():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
