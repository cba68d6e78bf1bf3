# SPDX-License-Identifier: MIT
"""runs, resume, cancel, logs and gc, on pipelines/vod.yaml with a small clip."""
import json
import os
import re
import signal
import subprocess
import unittest
from pathlib import Path

from kit import MILLRACE, PIPELINE, STREAMING, Case, digests, events_of, make_clip, tasks

SLOW = {"preset": "slow", "ladder": "[{height: 360, max_bitrate: 1500k}, {height: 180, max_bitrate: 600k}]"}


class Durable(Case):
    tree = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clip = make_clip(cls.shared / "long.mp4", seconds=8, size="640x360")

    def slow_tree(self):
        """The tree that a run gives which nobody disturbs."""
        if Durable.tree is None:
            Durable.tree = self.undisturbed(self.clip, **SLOW)
        return Durable.tree

    def command(self, verb, *args, code=0):
        done = self.run_words([MILLRACE, verb, "--state", str(self.dir / "state"), *args])
        self.assertEqual(done.returncode, code, f"{verb} {args}: {done.stdout}{done.stderr}")
        return done

    def runs(self):
        return json.loads(self.command("runs", "--json").stdout)

    def begin(self, *extra, **options):
        """A run in a process of its own, which tells events; and its id."""
        process = subprocess.Popen(self.words(self.clip, "out", "state", "--json", *extra, **{**SLOW, **options}), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.dir)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        return process

    def until(self, process, when):
        """What it tells until when(event)."""
        seen = []
        for line in process.stdout:
            seen.append(json.loads(line))
            if when(seen[-1]):
                return seen
        self.fail("the run ended before: " + process.stderr.read())
        return seen

    @staticmethod
    def some_video(event):
        return event["event"] == "task.done" and event["node"] == "video" and event["state"] == "succeeded"

    def test_killed_and_resumed(self):
        tree = self.slow_tree()
        process = self.begin()
        seen = self.until(process, self.some_video)
        run = seen[0]["run"]
        self.assertEqual([(one["run"], one["state"]) for one in self.runs()], [(run, "running")])
        self.assertIn("is running", self.command("resume", run, code=1).stderr)
        process.kill()
        process.wait()
        self.assertEqual(self.runs()[0]["state"], "interrupted")
        self.assertIn("was interrupted", self.command("cancel", run, code=1).stderr)

        resumed = self.command("resume", "--json", run.split("-")[1], "--jobs", "1")
        self.check_events(resumed.stdout)
        events = events_of(resumed.stdout)
        self.assertEqual(events[0]["run"], run)  # keys of effects are made of it
        done = {task for task in tasks(seen, "succeeded") if task[0] not in STREAMING}
        self.assertTrue(done)
        self.assertLessEqual(done, tasks(events, "cached"))
        self.assertEqual(digests(self.dir / "out"), tree)
        self.assertEqual(json.loads((self.dir / "out" / "run.json").read_text())["run"], run)
        self.expect_no_leftovers()

        self.assertEqual([(one["run"], one["state"]) for one in self.runs()], [(run, "succeeded")])
        self.assertIn("nothing to do", self.command("resume", run).stderr)
        logged = [json.loads(line) for line in self.command("logs", "--json", run).stdout.splitlines()]
        self.assertEqual([event["seq"] for event in logged], list(range(1, len(logged) + 1)))
        self.assertEqual([event["event"] for event in logged if event["event"].startswith("run.")], ["run.started", "run.resumed", "run.done"])
        of_video = [json.loads(line) for line in self.command("logs", "--json", run, "video").stdout.splitlines()]
        self.assertEqual({event["node"] for event in of_video}, {"video"})
        self.assertIn("did you mean 'video'", self.command("logs", run, "vidoe", code=2).stderr)

    def test_resumed_with_what_it_began_with(self):
        """The file has changed since, and the folder is another: the run is the same."""
        pipeline = self.dir / "own.yaml"
        pipeline.write_text(Path(PIPELINE).read_text())
        process = self.begin(pipeline="own.yaml")
        run = self.until(process, self.some_video)[0]["run"]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=240)
        self.assertEqual(self.runs()[0]["state"], "cancelled")
        pipeline.write_text("millrace: 1\nnodes: {}\n")
        elsewhere = self.dir / "elsewhere"
        elsewhere.mkdir()
        done = subprocess.run([MILLRACE, "resume", "--state", str(self.dir / "state"), run], cwd=elsewhere, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=240, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("has changed since", done.stderr)
        self.assertTrue((self.dir / "out" / "master.m3u8").exists())
        self.assertEqual(list(elsewhere.iterdir()), [])

    def test_cancelled_from_elsewhere(self):
        process = self.begin()
        seen = self.until(process, lambda event: event["event"] == "task.started" and event["node"] == "video")
        done = self.command("cancel", seen[0]["run"])
        rest, words = process.communicate(timeout=240)
        self.assertIn("cancelled", done.stdout)
        self.assertEqual(process.returncode, 130, words)
        self.assertRegex(words, r"cancelled from another process.*millrace resume \S+")
        self.assertEqual(json.loads(rest.splitlines()[-1])["state"], "cancelled")
        self.assertEqual(self.runs()[0]["state"], "cancelled")
        self.assertIn("to be cancelled", self.command("logs", seen[0]["run"]).stdout)
        self.assertIn("has ended", self.command("cancel", seen[0]["run"], code=1).stderr)
        self.command("resume", "--quiet", seen[0]["run"])

    def test_a_failure_is_told_long_after(self):
        source = self.dir / "noise.mp4"
        source.write_bytes(os.urandom(5000))
        done = self.expect(3, source)
        self.assertNotIn("skipped", done.stderr)  # what ended only because of the failure is no news
        self.assertNotIn("cancelled", done.stderr)
        run = self.runs()[0]
        self.assertEqual(run["state"], "failed")
        self.assertIn("noise.mp4", run["reason"])
        self.assertIn(run["reason"], self.command("runs").stdout)
        self.assertIn("'millrace resume'", self.command("runs", run["run"]).stdout)
        logged = [json.loads(line) for line in self.command("logs", "--json", run["run"]).stdout.splitlines()]
        failure = [event for event in logged if event["event"] == "run.failure"]
        self.assertEqual([(event["code"], event["reason"]) for event in failure], [("input", run["reason"])])
        self.assertIn(run["reason"], self.command("logs", run["run"]).stdout)

    def test_what_is_unknown_is_said(self):
        self.assertEqual(self.command("runs").stdout, "")
        self.assertFalse((self.dir / "state").exists())
        self.assertIn("there is no run '1234'", self.command("logs", "1234", code=2).stderr)
        self.assertIn("freed 0 bytes", self.command("gc").stdout)
        self.assertFalse((self.dir / "state").exists())
        self.expect(0, self.clip)
        for verb in ("runs", "logs", "resume", "cancel"):
            words = self.command(verb, "1234", code=2).stderr
            self.assertIn("there is no run '1234'", words)
            self.assertIn("'millrace runs' lists them", words)
        for verb in ("logs", "resume", "cancel"):
            self.assertIn("which run?", self.command(verb, code=2).stderr)

    def test_collected_while_it_goes_on(self):
        tree = self.slow_tree()
        process = self.begin()
        self.until(process, self.some_video)
        for line in process.stdout:
            if json.loads(line)["event"] == "task.done":
                self.command("gc", "--max-size", "0", "--older-than", "1ms")
        self.assertEqual(process.wait(), 0)
        self.assertEqual(digests(self.dir / "out"), tree)

    def age(self):
        """Contents that were made a moment ago stay, whatever is said: clocks may differ a little."""
        for path in (self.dir / "state" / "objects").rglob("*"):
            if path.is_file():
                os.utime(path, (1e9, 1e9))

    def test_collected(self):
        tree = self.undisturbed(self.clip)
        self.expect(0, self.clip)
        self.command("gc")
        self.assertIn("(", self.expect(0, self.clip).stderr)  # what was used is still there
        self.age()
        said = json.loads(self.command("gc", "--max-size", "0", "--dry-run", "--json").stdout)
        self.assertTrue(said["dry_run"])
        self.assertGreater(said["bytes"], 100000)
        objects = [path for path in (self.dir / "state" / "objects").rglob("*") if path.is_file()]
        self.assertEqual(said["contents"], len(objects))
        victim = max(objects, key=lambda path: path.stat().st_size)
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 1
        victim.chmod(0o644)
        victim.write_bytes(content)
        self.assertRegex(self.command("gc", "--verify").stdout, r"1 of the contents was damaged")
        done = self.expect(0, self.clip, "again")
        self.assertRegex(done.stderr, r"succeeded in .*cached\)")
        self.assertEqual(digests(self.dir / "again"), tree)
        self.age()
        freed = json.loads(self.command("gc", "--older-than", "1ms", "--json").stdout)
        self.assertEqual((freed["runs"], freed["stays"]), (3, {"contents": 0, "bytes": 0, "results": 0}))
        self.assertEqual(self.runs(), [])
        self.assertNotIn("cached", self.expect(0, self.clip, "third").stderr)
        for wrong in ("30", "-1d", "d", "0d"):
            self.assertIn("--older-than", self.command("gc", f"--older-than={wrong}x", code=2).stderr)
        self.assertRegex(self.command("gc", "--max-size", "much", code=2).stderr, re.escape("--max-size: 'much' is not a size"))

    def test_followed(self):
        process = self.begin()
        run = self.until(process, lambda event: event["event"] == "run.started")[0]["run"]
        with subprocess.Popen([MILLRACE, "logs", "--follow", "--json", "--state", str(self.dir / "state"), run], stdout=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL) as follower:
            self.addCleanup(follower.kill)
            process.communicate(timeout=120)
            told, _ = follower.communicate(timeout=240)
        self.assertEqual(follower.returncode, 0)
        self.assertEqual(json.loads(told.splitlines()[-1])["event"], "run.done")


if __name__ == "__main__":
    unittest.main()
