# SPDX-License-Identifier: MIT
"""Folders that can't be used and disks that are full: exit code 1, one sentence, and once the fault is gone the same command succeeds."""
import os
import shutil
import subprocess
import unittest

from kit import Case, digests


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


class FullDisk(Case):
    """State and output on one small disk of which each run finds less free than it needs."""

    SIZES = (32, 100, 160, 240, 320, 420, 560, 760, 1000, 1250)  # KiB

    def mount(self, size):
        disk = self.dir / "disk"
        disk.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}k,mode=0755", "tmpfs", str(disk)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            disk.rmdir()
            self.skipTest(f"no small disk can be mounted here ({done.stderr.strip()}): a full disk is not tried")
        self.addCleanup(subprocess.run, ["umount", "-l", str(disk)], check=False)

    def test_all_sizes(self):
        tree = self.undisturbed(self.clip)
        self.mount(64)
        refused = 0
        for size in self.SIZES:
            subprocess.run(["mount", "-o", f"remount,size={size}k", str(self.dir / "disk")], check=True)
            with self.subTest(size=size):
                done = self.run_it(self.clip, "disk/out", "disk/state")
                if done.returncode == 0:
                    break
                refused += 1
                self.assertEqual(done.returncode, 1, done.stderr)
                self.expect_sentence(done)
                self.assertRegex(done.stderr, "(?i)space")
                self.expect_nothing_half_made("disk/out", "disk/state")
        self.assertGreater(refused, 4)
        subprocess.run(["mount", "-o", "remount,size=64m", str(self.dir / "disk")], check=True)
        self.expect(0, self.clip, "disk/out", "disk/state")
        self.assertEqual(digests(self.dir / "disk" / "out"), tree)
        self.expect_no_leftovers("disk/out", "disk/state")

    def test_from_nothing(self):
        """The same, each with a fresh disk, so that what fails is another step each time."""
        tree = self.undisturbed(self.clip)
        self.mount(64)
        for size in (130, 200, 300, 500, 900, 1500):
            for name in ("out", "state"):
                shutil.rmtree(self.dir / "disk" / name, ignore_errors=True)
            subprocess.run(["mount", "-o", f"remount,size={size}k", str(self.dir / "disk")], check=True)
            with self.subTest(size=size):
                done = self.expect(1, self.clip, "disk/out", "disk/state")
                self.expect_sentence(done)
                self.expect_nothing_half_made("disk/out", "disk/state")
                subprocess.run(["mount", "-o", "remount,size=64m", str(self.dir / "disk")], check=True)
                self.expect(0, self.clip, "disk/out", "disk/state")
                self.assertEqual(digests(self.dir / "disk" / "out"), tree)


if __name__ == "__main__":
    unittest.main()
