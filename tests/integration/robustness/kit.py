# SPDX-License-Identifier: MIT
"""What these tests share: pipelines/vod.yaml on small clips, and what may be said of the folders afterwards."""
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

MILLRACE = os.environ["MILLRACE"]
PIPELINE = str(Path(os.environ["MILLRACE_SOURCE"]) / "pipelines" / "vod.yaml")
LOW = "[{height: 180, max_bitrate: 900k}, {height: 90, max_bitrate: 250k}]"
TIMEOUT = 240


def make_clip(path, seconds=5, size="320x180", extra=()):
    """A moving picture and noise that never repeats."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={seconds}",
                    "-f", "lavfi", "-i", f"anoisesrc=d={seconds}:r=48000:c=pink:seed=11:a=0.4", "-c:v", "libx264", "-preset", "ultrafast", "-g", "50",
                    "-pix_fmt", "yuv420p", "-threads", "1", "-c:a", "aac", "-b:a", "64k", *extra, "-fflags", "+bitexact", str(path)],
                   check=True, timeout=TIMEOUT)
    return path


def digests(folder):
    """What was published: SHA-256 by path. run.json may differ between two runs, and the publisher's notes are its own."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != "run.json" and not name.startswith(".millrace/"):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def events_of(text):
    return [json.loads(line) for line in text.splitlines()]


def tasks(events, state, op_nodes=None):
    """(node, item) of the tasks that ended so."""
    return {(e["node"], e["item"]) for e in events if e["event"] == "task.done" and e["state"] == state and (not op_nodes or e["node"] in op_nodes)}


# Run anew each time, by design: what they make is addressed, they themselves are not.
STREAMING = {"package", "publish"}


class Case(unittest.TestCase):
    """Each test has an empty folder; its class has clips."""

    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.shared = Path(tempfile.mkdtemp(prefix="millrace-robust-clips-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, True)
        cls.clip = make_clip(cls.shared / "clip.mp4")

    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="millrace-robust-"))
        self.addCleanup(shutil.rmtree, self.dir, True)

    def words(self, source, output="out", state="state", *extra, pipeline=PIPELINE, ladder=LOW, preset="ultrafast"):
        return [MILLRACE, "run", pipeline, "--input", str(source), "--output", str(self.dir / output), "--state", str(self.dir / state),
                "--param", f"ladder={ladder}", "--param", f"preset={preset}", "--param", "segment_duration=1s", *extra]

    def run_words(self, words, prefix=()):
        return subprocess.run([*prefix, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False, cwd=self.dir)

    def run_it(self, *args, prefix=(), **options):
        return self.run_words(self.words(*args, **options), prefix)

    def expect(self, code, *args, **options):
        done = self.run_it(*args, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def expect_events(self, code, source, output="out", state="state", *extra, **options):
        """Each line is an event, numbered without a gap, and the last says how it went."""
        done = self.expect(code, source, output, state, "--json", *extra, **options)
        self.check_events(done.stdout)
        return events_of(done.stdout)

    def check_events(self, text):
        events = events_of(text)
        self.assertEqual([event["seq"] for event in events], list(range(1, len(events) + 1)))
        self.assertEqual((events[0]["event"], events[-1]["event"]), ("run.started", "run.done"))
        self.assertEqual(len({event["run"] for event in events}), 1)

    def expect_sentence(self, done, *names):
        """One error, which names the thing; and what to do."""
        lines = done.stderr.splitlines()
        errors = [line for line in lines if line.startswith("error:")]
        self.assertEqual(len(errors), 1, done.stderr)
        for name in names:
            self.assertIn(str(name), errors[0])
        self.assertTrue(any("= help:" in line for line in lines), done.stderr)
        self.assertEqual(done.stdout, "")

    def expect_nothing_half_made(self, output="out", state="state"):
        out = self.dir / output
        self.assertFalse((out / "master.m3u8").exists())
        self.assertFalse((out / "manifest.mpd").exists())
        self.expect_no_leftovers(output, state)

    def expect_no_leftovers(self, output="out", state="state"):
        temporary = self.dir / state / "tmp"
        if temporary.is_dir():
            self.assertEqual([entry.name for entry in temporary.iterdir()], ["lock"])
        for path in (self.dir / output).rglob("*") if (self.dir / output).is_dir() else ():
            self.assertNotEqual(path.name, "part", path)
            self.assertFalse(path.name.startswith(".mr-") or path.name.endswith(".new"), path)

    def undisturbed(self, source, **options):
        """The tree that a run gives when nothing happens to it."""
        self.expect(0, source, "undisturbed/out", "undisturbed/state", **options)
        tree = digests(self.dir / "undisturbed" / "out")
        self.assertIn("master.m3u8", tree)
        self.assertIn("manifest.mpd", tree)
        return tree
