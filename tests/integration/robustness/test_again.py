# SPDX-License-Identifier: MIT
"""The same bytes whatever the number of workers; only new work is done; two runs share a state; events are whole."""
import json
import subprocess
import unittest
from pathlib import Path

from kit import LOW, MILLRACE, PIPELINE, STREAMING, Case, digests, events_of, tasks

THREE = LOW.replace("]", ", {height: 120, max_bitrate: 400k}]")


class Again(Case):
    def test_any_number_of_workers(self):
        trees = []
        for jobs in ("1", "2", "5"):
            self.expect(0, self.clip, f"out{jobs}", f"state{jobs}", "--jobs", jobs)
            trees.append(digests(self.dir / f"out{jobs}"))
        self.assertIn("master.m3u8", trees[0])
        self.assertGreater(len(trees[0]), 20)
        self.assertEqual(trees[0], trees[1])
        self.assertEqual(trees[0], trees[2])
        self.expect(0, self.clip, "out1", "state1", "--no-cache")
        self.assertEqual(digests(self.dir / "out1"), trees[0])

    def test_the_sandbox_changes_nothing(self):
        """In task hosts, or in the engine's own process: the same bytes."""
        tree = self.undisturbed(self.clip)
        self.expect(0, self.clip, "out", "state", "--set", "sandbox=off", "--jobs", "1")
        self.assertEqual(digests(self.dir / "out"), tree)
        self.expect(0, self.clip, "out2", "state2", "--set", "host.tasks=1")
        self.assertEqual(digests(self.dir / "out2"), tree)

    def test_second_run(self):
        first = self.expect_events(0, self.clip)
        tree = digests(self.dir / "out")
        made = tasks(first, "succeeded")
        second = self.expect_events(0, self.clip)
        self.assertEqual({node for node, _ in tasks(second, "succeeded")}, STREAMING)
        self.assertEqual(tasks(second, "cached"), {task for task in made if task[0] not in STREAMING})
        self.assertEqual(digests(self.dir / "out"), tree)
        self.assertLess(second[-1]["elapsed_us"], max(first[-1]["elapsed_us"] / 2, 500000))
        self.expect(0, self.clip, "elsewhere")
        self.assertEqual(digests(self.dir / "elsewhere"), tree)

    def test_one_rung_more(self):
        first = self.expect_events(0, self.clip)
        chunks = len(tasks(first, "succeeded", {"analysis"}))
        before = digests(self.dir / "out")
        second = self.expect_events(0, self.clip, ladder=THREE)
        self.assertEqual(len(tasks(second, "succeeded", {"video"})), chunks)
        self.assertEqual(len(tasks(second, "cached", {"video"})), 2 * chunks)
        self.assertEqual({node for node, _ in tasks(second, "succeeded")}, STREAMING | {"ladder", "init", "video"})
        after = digests(self.dir / "out")
        self.assertTrue(any(name.startswith("video/120p/") for name in after))
        for name, digest in before.items():
            if name not in ("master.m3u8", "manifest.mpd"):
                self.assertEqual(after[name], digest, name)
        self.expect(0, self.clip)  # and taken away again: its files too
        self.assertEqual(digests(self.dir / "out"), before)

    def test_another_poster(self):
        self.expect(0, self.clip)
        before = digests(self.dir / "out")
        text = Path(PIPELINE).read_text()
        changed = text.replace("poster: {op: thumbnail.poster, ", "poster: {op: thumbnail.poster, with: {time: 3s}, ")
        self.assertNotEqual(text, changed)
        pipeline = self.dir / "vod.yaml"
        pipeline.write_text(changed)
        second = self.expect_events(0, self.clip, pipeline=str(pipeline))
        self.assertEqual({node for node, _ in tasks(second, "succeeded")}, STREAMING | {"poster"})
        after = digests(self.dir / "out")
        self.assertEqual({name for name in after if after[name] != before.get(name)}, {"poster.jpg"})
        self.assertEqual(set(after), set(before))

    def start(self, output, state):
        process = subprocess.Popen(self.words(self.clip, output, state), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(process.kill)
        return process

    def test_two_at_once(self):
        """Two processes, one state folder, each its own output: both right."""
        tree = self.undisturbed(self.clip)
        for round_ in ("a", "b"):
            running = [self.start(f"out{round_}{i}", f"state{round_}") for i in range(2)]
            for i, process in enumerate(running):
                _, words = process.communicate(timeout=120)
                self.assertEqual(process.returncode, 0, words)
                self.assertEqual(digests(self.dir / f"out{round_}{i}"), tree)
            self.expect_no_leftovers(f"out{round_}0", f"state{round_}")

    def test_two_into_one_folder(self):
        """One of them publishes; the other is told why it can't, or came when the first had ended."""
        tree = self.undisturbed(self.clip)
        running = [self.start("out", "state") for _ in range(2)]
        codes = []
        for process in running:
            _, words = process.communicate(timeout=120)
            codes.append(process.returncode)
            if process.returncode != 0:
                self.assertIn("another storage.publish is at work in", words)
        self.assertIn(sorted(codes), ([0, 0], [0, 1]))
        self.assertEqual(digests(self.dir / "out"), tree)

    def test_events(self):
        events = self.expect_events(0, self.clip)
        self.assertEqual(events[-1]["state"], "succeeded")
        started = {(e["node"], e["item"]) for e in events if e["event"] == "task.started"}
        self.assertEqual(started, tasks(events, "succeeded"))
        planned = {e["node"]: e["total"] for e in events if e["event"] == "node.planned"}
        done = {e["node"]: e["total"] for e in events if e["event"] == "node.done"}
        self.assertEqual(planned, done)
        report = json.loads((self.dir / "out" / "run.json").read_text())
        self.assertEqual({node["node"] for node in report["nodes"]}, set(done))

    def test_events_of_a_failure(self):
        empty = self.dir / "empty.mp4"
        empty.touch()
        done = self.expect(3, empty, "out", "state", "--json")
        self.check_events(done.stdout)
        events = events_of(done.stdout)
        self.assertEqual((events[-1]["state"], events[-1]["reason"]), ("failed", "'empty.mp4' is empty"))
        self.assertEqual(len([line for line in done.stderr.splitlines() if line.startswith("error:")]), 1, done.stderr)

    def test_plan_is_what_happens(self):
        self.expect(0, self.clip)
        words = [word for word in self.words(self.clip, ladder=THREE)[2:] if word not in ("--output", str(self.dir / "out"))]
        plan = subprocess.run([MILLRACE, "plan", *words, "--json"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=240)
        by_node = {node["node"]: node for node in json.loads(plan.stdout)["nodes"]}
        second = self.expect_events(0, self.clip, ladder=THREE)
        for node in ("probe", "plan", "analysis", "audio", "poster", "sheets", "storyboard"):
            self.assertEqual((by_node[node]["cached"], by_node[node]["run"]), (len(tasks(second, "cached", {node})), 0), node)


if __name__ == "__main__":
    unittest.main()
