"""What the tests of the command share: running it in a folder and a state of its own."""
import json
import os
import pathlib
import subprocess
import tempfile
import textwrap
import unittest

MILLRACE = os.environ["MILLRACE"]
SOURCE = pathlib.Path(os.environ["MILLRACE_SOURCE"])

PROBE = """\
    millrace: 1
    name: look
    inputs:
      source: {type: media}
    nodes:
      probe: {op: probe.media, in: {source: inputs.source}}
    outputs:
      info: probe.info
    """


class Case(unittest.TestCase):
    """Each test has an empty folder, which is also the home of its state."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="millrace-cli-")
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.dir),
            "XDG_STATE_HOME": str(self.dir / "state"),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def write(self, name, text):
        path = self.dir / name
        path.write_text(textwrap.dedent(text))
        return str(path)

    def run_it(self, *args, **env):
        return subprocess.run(
            [MILLRACE, *args], cwd=self.dir, env={**self.env, **env}, capture_output=True, text=True, timeout=600, check=False,
            stdin=subprocess.DEVNULL)

    def expect(self, code, *args, **env):
        done = self.run_it(*args, **env)
        self.assertEqual(done.returncode, code, f"{args}: {done.stdout}{done.stderr}")
        return done

    def json_of(self, *args):
        return json.loads(self.expect(0, *args).stdout)


def make_clip(path, seconds=1, size="320x180", rate=25):
    """A moving picture and a tone."""
    subprocess.run(
        ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y",
         "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}",
         "-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}",
         "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac", str(path)],
        check=True, timeout=600)
    return str(path)
