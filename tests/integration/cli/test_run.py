"""millrace run, plan and probe: exit codes, what goes where, and that an interrupted run goes on."""
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import unittest

from command import MILLRACE, PROBE, Case, make_clip

WHY = """millrace: 1
name: why
inputs:
  source: {type: media, help: the video}
params:
  time: {type: duration, default: 1s, help: of the poster}
nodes:
  probe: {op: probe.media, in: {source: inputs.source}}
  poster: {op: thumbnail.poster, in: {source: inputs.source, info: probe.info}, with: {time: "${params.time}"}}
outputs: {poster: poster.image}
"""
# Enough small tasks that some are done while others still wait.
SLICES = """\
    millrace: 1
    name: slices
    inputs:
      source: {type: media}
    params:
      preset: {type: text, default: medium}
    nodes:
      probe: {op: probe.media, in: {source: inputs.source}}
      ladder: {op: transcode.ladder, in: {info: probe.info}, with: {rungs: [{height: 360, max_bitrate: 1M}]}}
      plan: {op: segment.plan, in: {source: inputs.source, info: probe.info}, with: {segment_duration: 1s}}
      analysis: {op: transcode.analyse, each: {chunk: plan.chunks}, in: {source: inputs.source}}
      video:
        op: transcode.video
        each: {chunk: plan.chunks, analysis: analysis.stats}
        for: {rung: ladder.rungs}
        in: {source: inputs.source}
        with: {preset: "${params.preset}"}
    outputs:
      segments: video.segments
    """


def read_all(fd):
    text = b""
    while True:
        try:
            part = os.read(fd, 65536)
        except OSError:  # the other end of a terminal is closed
            return text.decode()
        if not part:
            return text.decode()
        text += part


class Run(Case):
    def setUp(self):
        super().setUp()
        self.clip = make_clip(self.dir / "clip.mp4")
        self.look = self.write("look.yaml", PROBE)

    def on_terminal(self, *args, columns=80, rows=24, **env):
        """Runs with stderr on a terminal of that size; returns the exit code and what the terminal got."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        with subprocess.Popen([MILLRACE, *args], cwd=self.dir, env={**self.env, **env}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=theirs) as process:
            os.close(theirs)
            text = read_all(ours)
            os.close(ours)
            return process.wait(timeout=240), text

    def test_done(self):
        done = self.expect(0, "run", self.look, "--input", "clip.mp4")
        self.assertRegex(done.stdout, r"^info: \{")
        self.assertIn("probe: succeeded, 1 task in", done.stderr)
        self.assertRegex(done.stderr, r"look: succeeded in \S+, 1 tasks?\n")
        self.assertNotIn("\033", done.stderr)
        report = json.loads((self.dir / "out" / "run.json").read_text())
        self.assertEqual(report["state"], "succeeded")
        self.assertEqual(report["pipeline"], {"name": "look", "file": self.look})
        self.assertEqual(report["inputs"], [{"name": "source", "path": "clip.mp4", "size": os.path.getsize(self.clip)}])
        node = report["nodes"][0]
        self.assertEqual((node["node"], node["op"], node["state"], node["tasks"], node["cached"]), ("probe", "probe.media", "succeeded", 1, 0))
        self.assertRegex(node["toolchain"], "libavformat")
        self.assertRegex(report["millrace"], r"^\d")
        self.assertIn("probe", [plugin["name"] for plugin in report["plugins"]])
        self.assertEqual(report["outputs"]["info"][0]["video"]["width"], 320)

    def test_again_does_nothing_new(self):
        self.expect(0, "run", self.look, "--input", "clip.mp4")
        self.assertIn("(1 cached)", self.expect(0, "run", self.look, "--input", "source=clip.mp4").stderr)
        self.assertNotIn("cached", self.expect(0, "run", self.look, "--input", "clip.mp4", "--no-cache").stderr)
        self.assertNotIn("cached", self.expect(0, "run", self.look, "--input", "clip.mp4", "--state", "other").stderr)
        self.assertTrue((self.dir / "other").is_dir())
        self.assertTrue((self.dir / "state" / "millrace").is_dir())

    def test_quiet_and_verbose(self):
        self.assertEqual(self.expect(0, "run", "-q", self.look, "-i", "clip.mp4").stderr, "")
        self.assertRegex(self.expect(0, "run", "-v", "--no-cache", self.look, "-i", "clip.mp4").stderr, r"(?m)^probe: succeeded in ")

    def test_json_is_one_event_a_line_and_nothing_else(self):
        done = self.expect(0, "run", "--json", self.look, "--input", "clip.mp4")
        self.assertEqual(done.stderr, "")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([event["seq"] for event in events], list(range(1, len(events) + 1)))
        names = [event["event"] for event in events]
        self.assertEqual((names[0], names[-1]), ("run.started", "run.done"))
        self.assertIn("task.done", names)
        self.assertIn("output", names)

    def test_inputs_that_cannot_be_used(self):
        text = self.write("text.mp4", "this is not a video\n")
        (self.dir / "empty.mov").touch()
        for name in ("missing.mp4", text, "empty.mov", str(self.dir)):
            done = self.expect(3, "run", self.look, "--input", name)
            self.assertEqual(done.stdout, "", name)
            self.assertIn(os.path.basename(name), done.stderr)
            done = self.expect(3, "probe", name)
            self.assertEqual(done.stdout, "", name)

    def test_wrong_words(self):
        slices = self.write("slices.yaml", SLICES)
        bad = self.write("bad.yaml", PROBE.replace("probe.media", "probe.meida"))
        self.assertIn("did you mean 'probe.media'?", self.expect(2, "run", bad, "--input", "clip.mp4").stderr)
        self.assertIn("--input source=PATH", self.expect(2, "run", self.look).stderr)
        self.assertIn("did you mean 'source'?", self.expect(2, "run", self.look, "--input", "sorce=clip.mp4").stderr)
        self.assertIn("takes one file, and 2 were given", self.expect(2, "run", self.look, "-i", "clip.mp4", "-i", "clip.mp4").stderr)
        self.assertIn("presett", self.expect(2, "run", self.look, "--input", "clip.mp4", "--param", "presett=slow").stderr)
        self.assertIn("given twice", self.expect(2, "run", slices, "-i", "clip.mp4", "-p", "preset=slow", "-p", "preset=fast").stderr)
        self.assertFalse((self.dir / "out").exists())

    def test_names_of_files_are_taken_as_they_are(self):
        name = "a=b & c's?.mp4"
        os.rename(self.clip, self.dir / name)
        self.expect(0, "run", self.look, "--input", name)
        self.expect(0, "run", self.look, "--input", f"source={name}")
        self.assertIn("320x180", self.expect(0, "probe", name).stdout)

    def test_state_that_cannot_be_written(self):
        self.write("file", "")
        done = self.expect(1, "run", self.look, "--input", "clip.mp4", "--state", "file/state")
        self.assertIn("file/state", done.stderr)

    def test_output_that_cannot_be_written(self):
        self.write("file", "")
        self.assertIn("file/out", self.expect(1, "run", self.look, "--input", "clip.mp4", "--output", "file/out").stderr)

    def test_a_closed_pipe_does_not_end_the_run(self):
        with subprocess.Popen([MILLRACE, "run", "--json", self.look, "--input", "clip.mp4"], cwd=self.dir, env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            process.stdout.close()
            process.wait(timeout=240)
        self.assertEqual(json.loads((self.dir / "out" / "run.json").read_text())["state"], "succeeded")

    def test_bars_on_a_terminal(self):
        code, text = self.on_terminal("run", self.look, "--input", "clip.mp4")
        self.assertEqual(code, 0)
        self.assertIn("\033[32m", text)
        self.assertRegex(text, r"✓\s+(\x1b\[0?m)?\s*probe")
        self.assertRegex(text, "total")

    def test_terminals_without_colour_or_movement(self):
        _, text = self.on_terminal("run", self.look, "--input", "clip.mp4", NO_COLOR="1")
        self.assertNotRegex(text, r"\x1b\[[0-9;]*m")
        self.assertIn("probe", text)
        _, text = self.on_terminal("run", self.look, "--input", "clip.mp4", TERM="dumb")
        self.assertNotIn("\033", text)
        self.assertIn("probe: succeeded", text)
        _, text = self.on_terminal("run", self.look, "--input", "clip.mp4", LANG="C")
        self.assertTrue(text.isascii())

    def test_narrow_terminals(self):
        code, text = self.on_terminal("run", self.look, "--input", "clip.mp4", columns=20, rows=3)
        self.assertEqual(code, 0)
        for line in re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).splitlines():
            if line.startswith(" "):
                self.assertLess(len(line), 20, repr(line))

    def test_plan(self):
        done = self.expect(0, "plan", self.look, "--input", "clip.mp4")
        self.assertRegex(done.stdout, r"(?m)^probe +1 +0 +1 +probe\.media$")
        self.assertFalse((self.dir / "out").exists())
        self.expect(0, "run", self.look, "--input", "clip.mp4")
        plan = self.json_of("plan", self.look, "--input", "clip.mp4", "--json")
        self.assertEqual((plan["tasks"], plan["cached"], plan["run"]), (1, 1, 0))

    def test_plan_says_why(self):
        poster = self.write("why.yaml", WHY)
        done = self.expect(0, "plan", poster, "--input", "clip.mp4")
        self.assertEqual(done.stdout.split("\n\n")[1], "node    why it would run\nprobe   not made before\nposter  waits for 'probe'\n")
        self.expect(0, "run", poster, "--input", "clip.mp4", "--output", "out")
        self.assertNotIn("why it would run", self.expect(0, "plan", poster, "--input", "clip.mp4").stdout)
        os.rename(self.dir / "clip.mp4", self.dir / "moved.mp4")
        done = self.expect(0, "plan", poster, "--input", "moved.mp4", "--param", "time=1.5s")
        self.assertEqual(done.stdout.split("\n\n")[1], "node    why it would run\nposter  param 'time' was 1s, is 1.5s\n")
        done = self.expect(0, "plan", poster, "--input", "moved.mp4", "--no-cache")
        self.assertIn("probe   nothing is reused with --no-cache\n", done.stdout)
        plan = self.json_of("plan", poster, "--input", "moved.mp4", "--param", "time=1.5s", "--json")
        why = {node["node"]: node["why"] for node in plan["nodes"]}
        self.assertEqual(why, {"probe": [], "poster": [{"reason": "param", "name": "time", "old": "1s", "new": "1.5s", "tasks": 1, "items": []}]})

    def test_probe(self):
        self.assertRegex(self.expect(0, "probe", "clip.mp4").stdout, r"video +h264.*320x180.*25 frames/s")
        info = self.json_of("probe", "clip.mp4", "--json")
        self.assertEqual((info["video"]["codec"], info["audio"][0]["codec"]), ("h264", "aac"))

    def test_interrupted_and_taken_up_again(self):
        make_clip(self.dir / "long.mp4", seconds=24, size="640x360")
        slices = self.write("slices.yaml", SLICES)
        args = [MILLRACE, "run", "--json", "--jobs", "1", slices, "--input", "long.mp4", "--param", "preset=veryslow"]
        with subprocess.Popen(args, cwd=self.dir, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            done = 0
            for line in process.stdout:
                event = json.loads(line)
                done += event["event"] == "task.done" and event["node"] == "video"
                self.assertNotEqual(event["event"], "run.done", "the run was too short to be interrupted")
                if done == 1:
                    break
            process.send_signal(signal.SIGINT)
            _, words = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 130, words)
            self.assertIn("goes on from there", words)
        done = self.expect(0, "run", *args[3:])
        cached = int(re.search(r"slices: succeeded in .*\((\d+) cached\)", done.stderr).group(1))
        self.assertGreaterEqual(cached, 5)  # probe, ladder, plan, an analysis, a chunk


if __name__ == "__main__":
    unittest.main()
