#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./dev where it can't do its work: one sentence that says what is missing and what to type, on any system, as anybody."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["MILLRACE_SOURCE"])
VERBS = ("up", "build", "test", "bench", "lint", "fuzz", "mutate", "crash", "crash --server", "docs", "install")
TOOLS = ("bash", "cat", "dirname", "env", "grep", "nproc", "readlink", "true", "uname")
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


class Dev(unittest.TestCase):
    def setUp(self):
        """A clone of which nothing is built, in a folder with a space in its name, and a system that has the tools of TOOLS and nothing else."""
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.top = pathlib.Path(temporary.name)
        self.tree, self.bin = self.top / "my clone", self.top / "bin"
        (self.tree / "scripts").mkdir(parents=True)
        self.bin.mkdir()
        for name in ("dev", "scripts/packages.sh"):
            shutil.copy(SOURCE / name, self.tree / name)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.top.chmod(0o755)
        self.tree.chmod(0o777)

    def add_tool(self, name, script):
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (self.bin / name).chmod(0o755)

    def dev(self, *words, **environment):
        return subprocess.run([self.tree / "dev", *words], env={"PATH": str(self.bin), "LC_ALL": "POSIX", **environment}, cwd=self.top, stdin=subprocess.DEVNULL,
                              capture_output=True, encoding="utf-8", timeout=300, check=False, **NOBODY)

    def sentence(self, done):
        """The one that it ended with."""
        self.assertEqual(done.returncode, 1, done)
        said = [line for line in done.stderr.splitlines() if line.startswith("dev: ")]
        self.assertEqual(len(said), 1, done)
        self.assertEqual(done.stderr.splitlines()[-1], said[0])
        return said[0]

    def test_a_system_of_another_kind(self):
        for verb in VERBS:
            said = self.sentence(self.dev(*verb.split()))
            self.assertRegex(said, r"^dev: this is .+, and it has no apt-get: install what Debian 12 calls gcc cmake .*, then try again$", verb)

    def test_no_root(self):
        self.add_tool("apt-get", 'echo called >"$0.called"')
        for verb in VERBS:
            said = self.sentence(self.dev(*verb.split()))
            self.assertRegex(said, r"only root can install them: as root, run 'apt-get update && apt-get install --no-install-recommends gcc cmake .*', then try again$", verb)
        self.add_tool("sudo", 'echo "sudo: you may not" >&2; exit 1')
        self.assertIn("only root", self.sentence(self.dev("build")))
        self.assertFalse((self.bin / "apt-get.called").exists())

    def test_apt_get_fails(self):
        self.add_tool("sudo", 'exec "$@"')
        self.add_tool("apt-get", 'echo "Reading package lists..."; echo "E: Unable to locate package cmake" >&2; exit 100')
        done = self.dev("build")
        self.assertIn("apt-get could not install them: above is why", self.sentence(done))
        self.assertIn("E: Unable to locate package cmake\n", done.stderr)
        self.assertNotIn("Reading", done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"^installing what is missing, .*: gcc cmake ")

    def test_another_kernel(self):
        self.assertRegex(self.sentence(self.dev("up", OSTYPE="darwin23")), "runs on Linux, and this is darwin23: use .* Debian 12")

    def test_a_clone_to_read_only(self):
        self.tree.chmod(0o555)
        self.assertIn(f"can't write to '{self.tree}'", self.sentence(self.dev("build")))
        self.tree.chmod(0o777)

    def test_a_video_that_is_not_there(self):
        for path in ("holiday.mov", "bin"):
            self.assertIn(f"can't read '{self.top / path}'", self.sentence(self.dev("up", path)))

    def test_words(self):
        alone = self.dev()
        self.assertEqual((alone.returncode, alone.stderr), (0, ""))
        for verb in VERBS:
            self.assertIn(f"\n  {verb}", alone.stdout)
            if verb != "bench":
                self.assertEqual(self.dev(verb.split()[0], "--help").stdout, alone.stdout)
        unknown = self.dev("biuld")
        self.assertEqual((unknown.returncode, unknown.stdout), (2, ""))
        self.assertIn("unknown verb 'biuld'", unknown.stderr)


if __name__ == "__main__":
    unittest.main()
