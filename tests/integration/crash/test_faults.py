# SPDX-License-Identifier: MIT
"""
A disk that fails and a disk that is slow, by a preloaded library (faults.c): a run ends in one sentence or well, what it recorded is there, and the
next run gives the same bytes. And the order of what the engine makes durable, so that a power cut loses nothing that it called finished.
"""
import os
import random
import shutil
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "robustness"))
from kit import Case, digests  # noqa: E402
from ledger import problems  # noqa: E402
from victim import run, wait_until_gone  # noqa: E402

FAULTS = os.environ["MILLRACE_FAULTS"]
TRIES = int(os.environ.get("MILLRACE_FAULT_TRIES") or 12)
SEED = int(os.environ.get("MILLRACE_TEST_SEED") or random.SystemRandom().randrange(1 << 30))
EIO, ENOSPC = 5, 28


class Faults(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        print(f"MILLRACE_TEST_SEED={SEED} MILLRACE_FAULT_TRIES={TRIES}", flush=True)

    def run_with(self, env):
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        code, _, words, pid = run(self.words(self.clip), self.dir,
                                  env={"LD_PRELOAD": FAULTS, "MR_FAULT_DIR": str(self.dir), "ASAN_OPTIONS": sanitizer, **env})
        self.assertEqual(wait_until_gone(pid), [], env)
        return code, words

    def calls(self):
        """How many calls an undisturbed run makes: a fault at the last of them must still be met."""
        low, high = 1, 2
        while self.strike(high, EIO, 1)[0] != 0:
            low, high = high, high * 2
        return low

    def strike(self, at, error, count):
        for name in ("out", "state"):
            shutil.rmtree(self.dir / name, ignore_errors=True)
        return self.run_with({"MR_FAULT_AT": str(at), "MR_FAULT_COUNT": str(count), "MR_FAULT_ERRNO": str(error)})

    def test_calls_that_fail(self):
        tree = self.undisturbed(self.clip)
        chance = random.Random(SEED)
        most = self.calls() * 2
        failed = 0
        for _ in range(TRIES):
            # One call, or all from then on; most of all calls come early, when little is there, so spread by size.
            at, error, count = int(most ** chance.random()), chance.choice((EIO, ENOSPC)), chance.choice((1, 3, 1 << 30))
            with self.subTest(at=at, error=error, count=count, seed=SEED):
                code, words = self.strike(at, error, count)
                self.assertIn(code, (0, 1), words)
                failed += code
                errors = [line for line in words.splitlines() if line.startswith("error:")]
                self.assertEqual(len(errors), code, words)
                self.assertEqual(problems(self.dir / "state"), [])
                if code == 0:
                    self.assertEqual(digests(self.dir / "out"), tree)
                self.expect(0, self.clip)
                self.assertEqual(digests(self.dir / "out"), tree)
                self.assertEqual(problems(self.dir / "state"), [])
                self.expect_no_leftovers()
        self.assertGreater(failed, 0)

    def test_slow_writes(self):
        tree = self.undisturbed(self.clip)
        code, words = self.run_with({"MR_FAULT_SLOW_US": "2000"})
        self.assertEqual(code, 0, words)
        self.assertEqual(digests(self.dir / "out"), tree)

    def test_nothing_is_recorded_before_it_is_durable(self):
        """Each object: its bytes are synced, then it gets its name, then the folder with the name is synced, then the store's log is."""
        log = self.dir / "log"
        code, words = self.run_with({"MR_FAULT_LOG": str(log)})
        self.assertEqual(code, 0, words)
        synced, named, commits = {}, {}, []
        objects = self.dir / "state" / "objects"
        folders = {}
        for at, line in enumerate(log.read_text().splitlines()):
            what, path, *to = line.split(" ")
            if what == "sync":
                synced.setdefault(path, at)
                folders.setdefault(path, []).append(at)
                if path.endswith("tasks.db-wal"):
                    commits.append(at)
            elif to[0].startswith(str(objects)):
                named[to[0]] = (path, at)
        found = [str(path) for path in objects.rglob("*") if path.is_file()]
        self.assertGreater(len(found), 10)
        for path in found:
            self.assertIn(path, named)
            source, at = named[path]
            self.assertLess(synced[source], at, f"{path} was named before its bytes were synced")
            after = [sync for sync in folders[str(Path(path).parent)] if sync > at]
            self.assertTrue(after, f"the folder of {path} was not synced after it got its name")
            self.assertTrue([commit for commit in commits if commit > after[0]], f"no commit came after {path} was durable")


if __name__ == "__main__":
    unittest.main()
