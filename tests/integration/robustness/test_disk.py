# SPDX-License-Identifier: MIT
"""Folders that can't be used and disks that are full: exit code 1, one sentence, and once the fault is gone the same command succeeds."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from kit import Case, digests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "crash"))
from ledger import problems  # noqa: E402


def as_plain_user():
    """root writes everywhere, unless it goes without that right."""
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


class Folders(Case):
    def refused(self, *args, names, prefix=()):
        done = self.expect(1, self.clip, *args, prefix=prefix)
        self.expect_sentence(done, *names)
        self.expect_no_leftovers(args[0] if args else "out")

    def read_only(self, name):
        path = self.dir / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o555)
        self.addCleanup(path.chmod, 0o755)
        return path

    def test_output(self):
        tree = self.undisturbed(self.clip)
        closed = self.read_only("closed")
        self.refused("closed/out", names=["closed/out"], prefix=as_plain_user())
        self.assertEqual(list(closed.iterdir()), [])
        self.refused("closed", names=["closed"], prefix=as_plain_user())
        self.assertEqual(list(closed.iterdir()), [])
        closed.chmod(0o755)
        self.expect(0, self.clip, "closed")
        self.assertEqual(digests(closed), tree)

    def test_a_file_in_place_of_the_output(self):
        (self.dir / "taken").write_text("mine")
        self.refused("taken", names=["taken"])
        self.refused("taken/out", names=["taken/out"])
        self.assertEqual((self.dir / "taken").read_text(), "mine")
        (self.dir / "taken").unlink()
        self.expect(0, self.clip, "taken")

    def test_state(self):
        (self.dir / "taken").write_text("mine")
        self.read_only("closed")
        self.refused("out", "taken", names=["taken"])
        self.refused("out", "closed/state", names=["closed/state"], prefix=as_plain_user())
        self.refused("out", "closed", names=["closed"], prefix=as_plain_user())
        self.assertFalse((self.dir / "out").exists())

    def test_a_state_that_was_damaged(self):
        """Objects that are gone are made again; a task store that is no database is named, with what to do."""
        tree = self.undisturbed(self.clip)
        self.expect(0, self.clip)
        shutil.rmtree(self.dir / "state" / "objects")
        self.expect(0, self.clip, "again")
        self.assertEqual(digests(self.dir / "again"), tree)
        for name in ("tasks.db-wal", "tasks.db-shm"):
            (self.dir / "state" / name).unlink(missing_ok=True)
        (self.dir / "state" / "tasks.db").write_bytes(b"no database at all " * 1000)
        done = self.expect(1, self.clip, "third")
        self.expect_sentence(done, "tasks.db")
        (self.dir / "state" / "tasks.db").unlink()
        self.expect(0, self.clip, "third")
        self.assertEqual(digests(self.dir / "third"), tree)


def small_disk(path, size):
    """Mounts one of so many KiB. What went wrong, or None."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}k,mode=0755", "tmpfs", str(path)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode != 0 else None


class FullDisk(Case):
    """State, output, or both on a small disk of which each run finds less free than it needs."""

    SIZES = (32, 100, 160, 240, 320, 420, 560, 760, 1000, 1250)  # KiB
    # Each with a fresh disk, so that what fails is another step each time.
    FRESH = (("disk/out", "disk/state", (130, 200, 300, 500, 900)), ("out", "disk/state", (60, 250, 450, 650)), ("disk/out", "state", (8, 120, 300, 450)))

    def mount(self, size):
        disk = self.dir / "disk"
        disk.mkdir()
        wrong = small_disk(disk, size)
        self.assertIsNone(wrong, "a small disk must be mounted to be filled: run this as root, or where 'unshare -rm' is allowed")
        self.addCleanup(subprocess.run, ["umount", "-l", str(disk)], check=False)

    def resize(self, size):
        words = ["mount", "-t", "tmpfs", "-o", f"remount,size={size}", "tmpfs", str(self.dir / "disk")]
        subprocess.run(words, check=True)

    def expect_full(self, done, output, state):
        self.assertEqual(done.returncode, 1, done.stderr)
        self.expect_sentence(done)
        self.assertRegex(done.stderr, "(?i)space")
        self.expect_nothing_half_made(output, state)

    def expect_whole(self, tree, output, state):
        self.resize("64m")
        self.assertEqual(problems(self.dir / state), [])  # to read the store, too, takes some space
        self.expect(0, self.clip, output, state)
        self.assertEqual(digests(self.dir / output), tree)
        self.expect_no_leftovers(output, state)
        self.assertEqual(problems(self.dir / state), [])

    def test_one_that_grows(self):
        """Each run goes on where the last one found the disk full."""
        tree = self.undisturbed(self.clip)
        self.mount(64)
        refused = 0
        for size in self.SIZES:
            self.resize(f"{size}k")
            with self.subTest(size=size):
                done = self.run_it(self.clip, "disk/out", "disk/state")
                if done.returncode == 0:
                    break
                refused += 1
                self.expect_full(done, "disk/out", "disk/state")
        self.assertGreater(refused, 4)
        self.expect_whole(tree, "disk/out", "disk/state")

    def test_from_nothing(self):
        tree = self.undisturbed(self.clip)
        self.mount(64)
        for output, state, sizes in self.FRESH:
            for size in sizes:
                for name in ("disk/out", "disk/state", "out", "state"):
                    shutil.rmtree(self.dir / name, ignore_errors=True)
                self.resize(f"{size}k")
                with self.subTest(output=output, state=state, size=size):
                    self.expect_full(self.run_it(self.clip, output, state), output, state)
                    self.expect_whole(tree, output, state)


def main():
    """Where nobody but root may mount, in a namespace of our own, in which we are root."""
    probe = tempfile.mkdtemp(prefix="millrace-robust-mount-")
    wrong = small_disk(probe, 64)
    if wrong is None:
        subprocess.run(["umount", probe], check=True)
    os.rmdir(probe)
    if wrong is not None and "MILLRACE_UNSHARED" not in os.environ:
        os.environ["MILLRACE_UNSHARED"] = "1"
        if subprocess.run(["unshare", "-rm", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            os.execvp("unshare", ["unshare", "-rm", sys.executable, "-B", *sys.argv])
    unittest.main()


if __name__ == "__main__":
    main()
