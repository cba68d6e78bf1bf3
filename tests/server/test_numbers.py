# SPDX-License-Identifier: MIT
"""What is counted: of a run while it is under way, of a video for its owner, of the server for its administrators and for Prometheus."""
import re
import unittest

from serving import ServerCase, make_clip


class Numbers(ServerCase):
    """One video, from its upload on."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.set_up()
        cls.creator, _ = cls.server.add_user(cls.admin, "c@example.org", "creator")
        cls.clip = make_clip(cls.dir / "clip.mp4", 10)
        cls.video, url = cls.server.create(cls.clip, cls.creator, visibility="public")
        events = cls.server.follow(cls.video, cls.creator)
        next(events)  # from here on nothing is missed
        cls.server.send(cls.clip, url, cls.creator)
        cls.live = []  # the run, each time that its video said something of a node
        cls.progress = []
        for event, data in events:
            if event == "node":
                cls.progress.append((data["total"], data["progress"]))
                run = cls.server.ask("GET", f"/api/v1/videos/{cls.video}", token=cls.creator).json["run"]
                cls.live.append(cls.server.ask("GET", f"/api/v1/runs/{run}", token=cls.creator).json)
        cls.ready = cls.server.ask("GET", f"/api/v1/videos/{cls.video}", token=cls.creator).json

    def metrics(self):
        text = self.expect(200, "GET", "/metrics").body.decode()
        return {name: float(value) for name, value in re.findall(r"^(millrace_\w+) (\S+)$", text, re.MULTILINE)}

    def test_a_run_under_way(self):
        running = [run for run in self.live if run["state"] == "running"]
        self.assertTrue(running, "it was over before it was looked at")
        before = {}
        for run in running:
            self.assertLessEqual(run["done"], run["tasks"])
            for node in run["nodes"]:
                self.assertLessEqual(node["done"], node["tasks"], node)
                self.assertGreaterEqual(node["done"], before.get(node["node"], 0), node)
                before[node["node"]] = node["done"]
        self.assertTrue(any(node["state"] == "running" for run in running for node in run["nodes"]))

    def test_progress(self):
        """It begins at nothing, and what is done already is never more than a part of what is known."""
        said = [progress for _, progress in self.progress]
        self.assertEqual(said[0], 0)
        self.assertEqual(max(said), said[-1])
        self.assertGreater(said[-1], 0.5)
        self.assertLess(said[-1], 1)
        many = next(place for place, (total, _) in enumerate(self.progress) if total > 1)
        self.assertEqual(set(said[:many]), {0})

    def test_a_run_that_is_over(self):
        run = self.expect(200, "GET", f"/api/v1/runs/{self.ready['run']}", token=self.creator).json
        self.assertEqual(run["state"], "succeeded")
        self.assertEqual(run["tasks"], run["done"])
        self.assertEqual(sum(node["done"] for node in run["nodes"]), run["done"])
        self.assertGreater(sum(node["cpu_seconds"] for node in run["nodes"]), 0)
        for node in run["nodes"]:
            self.assertEqual(node["tasks"], node["done"], node)
            self.assertEqual(node["state"], "succeeded" if node["done"] else "skipped", node)

    def test_metrics(self):
        seen = self.metrics()
        self.assertGreaterEqual(seen["millrace_uploads_started_total"], 1)
        self.assertEqual(seen["millrace_uploads_completed_total"], 1)
        self.assertEqual(seen["millrace_upload_bytes_total"], self.clip.stat().st_size)
        self.assertGreaterEqual(seen["millrace_runs_started_total"], 1)  # one that makes a poster is a run, too
        self.assertGreaterEqual(seen["millrace_runs_succeeded_total"], 1)
        self.assertEqual(seen["millrace_runs_failed_total"], 0)
        self.assertEqual(seen["millrace_processing_queue_length"], 0)
        self.assertEqual(seen["millrace_processing_seconds_count"], 1)
        self.assertEqual(seen["millrace_time_to_playable_seconds_count"], 1)
        self.assertGreater(seen["millrace_processing_seconds_sum"], seen["millrace_time_to_playable_seconds_sum"])
        self.assertGreater(seen["millrace_tasks_done_total"], 5)

    def test_uploads_that_are_given_up_and_sign_ins_that_are_refused(self):
        before = self.metrics()
        made = self.expect(201, "POST", "/api/v1/videos", {"title": "x", "size": 9}, self.creator).json
        self.assertEqual(self.metrics()["millrace_uploads_open"], before["millrace_uploads_open"] + 1)
        self.expect(204, "DELETE", made["upload"]["tus"]["url"], token=self.creator, headers={"Tus-Resumable": "1.0.0"})
        self.expect_problem(401, "bad-credentials", "POST", "/api/v1/auth/login", {"email": "c@example.org", "password": "a wrong password"})
        seen = self.metrics()
        self.assertEqual(seen["millrace_uploads_open"], before["millrace_uploads_open"])
        self.assertEqual(seen["millrace_uploads_failed_total"], before["millrace_uploads_failed_total"] + 1)
        self.assertEqual(seen["millrace_sign_ins_refused_total"], before["millrace_sign_ins_refused_total"] + 1)

    def test_for_the_owner(self):
        path = f"/api/v1/videos/{self.video}/stats"
        before = self.expect(200, "GET", path, token=self.creator).json
        self.assertEqual((len(before["days"]), len(before["stopped"])), (30, 10))
        self.expect(200, "POST", f"/api/v1/videos/{self.video}/views", {}, self.admin)
        self.expect(200, "POST", f"/api/v1/videos/{self.video}/views", {})
        self.expect(204, "PUT", f"/api/v1/videos/{self.video}/position", {"seconds": 5.5}, self.admin)
        seen = self.expect(200, "GET", path, token=self.creator).json
        self.assertEqual(seen["views"], 2)
        self.assertEqual(sum(day["views"] for day in seen["days"]), 2)
        self.assertEqual(seen["stopped"], [0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
        self.expect_problem(401, "unauthenticated", "GET", path)
        viewer, _ = self.server.add_user(self.admin, "v@example.org", "viewer")
        self.expect_problem(403, "forbidden", "GET", path, token=viewer)
        other, _ = self.server.add_user(self.admin, "d@example.org", "creator")
        self.expect_problem(403, "forbidden", "GET", path, token=other)

    def test_for_administrators(self):
        seen = self.expect(200, "GET", "/api/v1/admin/stats", token=self.admin).json
        self.assertEqual(seen["videos"]["ready"], 1)
        self.assertGreaterEqual(seen["users"], 2)
        self.assertEqual(seen["storage"]["sources_bytes"], self.clip.stat().st_size)
        self.assertGreater(seen["storage"]["disk_bytes"], seen["storage"]["free_bytes"])
        self.assertGreaterEqual(seen["processing"]["runs_succeeded"], 1)
        self.assertGreater(seen["processing"]["mean_seconds"], seen["processing"]["mean_seconds_to_playable"])
        self.assertEqual(seen["version"], self.expect(200, "GET", "/api/v1/server").json["version"])

    def test_captions_and_posters_answer_as_documented(self):
        self.expect(200, "PUT", f"/api/v1/videos/{self.video}/captions/en", "WEBVTT\n\n00:00.000 --> 00:01.000\nhello\n", self.creator, {"Content-Type": "text/vtt"})
        self.expect(204, "DELETE", f"/api/v1/videos/{self.video}/captions/en", token=self.creator)
        self.expect(202, "POST", f"/api/v1/videos/{self.video}/poster", {"time": 3}, self.creator)
        self.expect(200, "POST", "/api/v1/uploads/sign", {"video": self.video, "action": "initiate", "filename": "x.mp4"}, self.creator)


if __name__ == "__main__":
    unittest.main()
