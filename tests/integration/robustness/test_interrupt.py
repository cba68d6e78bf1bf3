# SPDX-License-Identifier: MIT
"""Interrupted and killed while encoding: nothing that was done is done again, and the tree is that of a run which nobody disturbed."""
import array
import fcntl
import json
import os
import random
import signal
import subprocess
import tempfile
import termios
import time
import unittest

from kit import STREAMING, TIMEOUT, Case, digests, events_of, make_clip, tasks

F_SETPIPE_SZ = 1031

# Slow enough that there is a middle.
SLOW = {"preset": "slower", "ladder": "[{height: 360, max_bitrate: 1500k}, {height: 180, max_bitrate: 600k}]"}


def in_the_middle():
    """Says of each event whether some of the picture is done, and more of it being made and not soon done: chunks of equal length end together."""
    done = set()

    def is_it(event):
        if event.get("node") != "video":
            return False
        if event["event"] == "task.done":
            done.add(event["item"])
        return bool(done) and event["event"] == "task.progress" and event["item"] not in done and event["fraction"] < 0.5
    return is_it


class Interrupted(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clip = make_clip(cls.shared / "long.mp4", seconds=8, size="640x360")
        cls.tree = None

    def setUp(self):
        super().setUp()
        if Interrupted.tree is None:
            Interrupted.tree = self.undisturbed(self.clip, **SLOW)

    def strike(self, when, how, *extra, options=SLOW):
        """
        Starts a run and reads its events until when(event) says so, then sends the signal.
        Returns the exit code, all that was told, the words on stderr, and how long it lived on.
        """
        seen = []
        begun = None
        with tempfile.TemporaryFile("w+") as words, subprocess.Popen(
                self.words(self.clip, "out", "state", "--json", *extra, **options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words,
                text=True) as process:
            self.addCleanup(process.kill)
            for line in process.stdout:
                seen.append(line)
                if begun is None and when(json.loads(line)):
                    process.send_signal(how)
                    begun = time.monotonic()
            code = process.wait(timeout=TIMEOUT)
            words.seek(0)
            return code, "".join(seen), words.read(), time.monotonic() - (begun or 0)

    def expect_resumed(self, done_before, events):
        """What was told to be done is taken from the store."""
        kept = {task for task in done_before if task[0] not in STREAMING}
        self.assertLessEqual(kept, tasks(events, "cached"))

    def test_interrupt(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            output, state = self.dir / "out", self.dir / "state"
            code, told, words, took = self.strike(in_the_middle(), how)
            self.assertEqual(code, 130, words)
            self.assertLess(took, 20)  # a second, on a machine that has nothing else to do
            self.assertEqual(len(words.splitlines()), 1, words)
            self.assertIn("goes on from there", words)
            self.check_events(told)
            events = events_of(told)
            self.assertEqual(events[-1]["state"], "cancelled")
            done = tasks(events, "succeeded")
            self.assertTrue(any(node == "video" for node, _ in done))
            self.assertTrue(any(event["event"] == "task.done" and event["state"] == "cancelled" and event["node"] == "video" for event in events))
            self.expect_nothing_half_made()
            self.assertEqual(json.loads((output / "run.json").read_text())["state"], "cancelled")
            events = self.expect_events(0, self.clip, **SLOW)
            self.expect_resumed(done, events)
            self.assertTrue(any(node == "video" for node, _ in tasks(events, "succeeded")))
            self.assertEqual(digests(output), self.tree)
            self.expect_no_leftovers()
            output.rename(self.dir / f"out-{how}")
            state.rename(self.dir / f"state-{how}")

    def test_killed(self):
        seed = int(os.environ.get("MILLRACE_TEST_SEED") or random.SystemRandom().randrange(1 << 30))
        print(f"MILLRACE_TEST_SEED={seed}", flush=True)
        chance = random.Random(seed)
        done = set()
        for turn in range(5):
            news = iter(range(chance.randrange(1, 8), 0, -1))
            code, told, words, _ = self.strike(
                lambda event, news=news: (event["event"] == "task.progress" or event.get("state") == "succeeded") and next(news, 1) == 1,
                signal.SIGKILL, "--jobs", str(1 + turn % 2))
            self.assertEqual(code, -signal.SIGKILL, f"seed {seed}: {words}")
            events = events_of("".join(line for line in told.splitlines(keepends=True) if line.endswith("\n")))  # the last may be torn
            made = {task for task in tasks(events, "succeeded") if task[0] not in STREAMING}
            self.assertEqual(made & done, set(), f"done twice (seed {seed})")
            done |= made
            self.assertFalse((self.dir / "out" / "manifest.mpd").exists(), f"seed {seed}")
        events = self.expect_events(0, self.clip, **SLOW)
        self.expect_resumed(done, events)
        self.assertEqual(digests(self.dir / "out"), self.tree, f"seed {seed}")
        self.expect_no_leftovers()

    def test_killed_while_publishing(self):
        """With everything cached, the time goes into publishing: strike there."""
        self.expect(0, self.clip, "first", "state", **SLOW)
        for at in (1, 7, 16, 30, 45):
            outputs = iter(range(at, 0, -1))
            self.strike(lambda event, left=outputs: event["event"] == "output" and event["node"] == "package" and next(left, 1) == 1, signal.SIGKILL)
            for name, digest in digests(self.dir / "out").items():
                if not name.endswith((".m3u8", ".mpd")):  # playlists may still have been growing
                    self.assertEqual(digest, self.tree[name], name)
        self.expect(0, self.clip, **SLOW)
        self.assertEqual(digests(self.dir / "out"), self.tree)
        self.expect_no_leftovers()

    def test_killed_while_replacing(self):
        """Another encoding into the same folder: the manifests of the former are not left over segments of both."""
        self.expect(0, self.clip, **SLOW)
        other = {**SLOW, "preset": "veryfast"}
        code, _, words, _ = self.strike(lambda event: event["event"] == "output" and event["node"] == "package" and
                                        event["detail"]["meta"]["path"].endswith("p/00005.m4s"), signal.SIGKILL, options=other)
        self.assertEqual(code, -signal.SIGKILL, words)
        left = digests(self.dir / "out")
        self.assertTrue(any(left[name] != self.tree[name] for name in left if name.endswith(".m4s") and name in self.tree))
        for name in ("master.m3u8", "manifest.mpd"):
            self.assertNotEqual(left.get(name), self.tree[name])
        self.expect(0, self.clip, **SLOW)
        self.assertEqual(digests(self.dir / "out"), self.tree)

    def test_a_reader_that_stopped(self):
        """Nobody reads the events and their pipe is full: a signal ends the run all the same."""
        read, write = os.pipe()
        room = fcntl.fcntl(write, F_SETPIPE_SZ, 4096)
        words = self.words(self.clip, "out", "state", "--json", **SLOW)
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(write)
        waiting = array.array("i", [0])
        while waiting[0] < room * 3 / 4:
            with self.assertRaises(subprocess.TimeoutExpired):  # it must not end before
                process.wait(timeout=0.02)
            fcntl.ioctl(read, termios.FIONREAD, waiting)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=TIMEOUT), 130)
        os.close(read)
        self.assertFalse((self.dir / "out" / "manifest.mpd").exists())
        self.expect(0, self.clip, **SLOW)
        self.expect_no_leftovers()


if __name__ == "__main__":
    unittest.main()
