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
from kit import Case, STREAMING, digests, tasks  # noqa: E402
from ledger import durable_tasks, problems  # noqa: E402
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

    def strike(self, fault, error):
        for name in ("out", "state"):
            shutil.rmtree(self.dir / name, ignore_errors=True)
        return self.run_with({"MR_FAULT_ERRNO": str(error), **{f"MR_FAULT_{name}": str(value) for name, value in fault.items()}})

    def calls(self):
        """About how many calls an undisturbed run makes: the first power of two that none of them reaches."""
        most = 64
        while self.strike({"AT": most}, EIO)[0] != 0:
            most *= 2
        return most

    def faults(self, chance, most):
        """One call, some, all from then on, or a share of all; most steps take few calls and come early, so the first call is spread by size."""
        if chance.random() < 0.25:
            return {"PER_MILLE": int(500 ** chance.random()), "SEED": chance.randrange(1 << 30)}
        return {"AT": int(most ** chance.random()), "COUNT": chance.choice((1, 3, 1 << 30))}

    def test_calls_that_fail(self):
        tree = self.undisturbed(self.clip)
        chance = random.Random(SEED)
        most = self.calls()
        failed = 0
        for _ in range(TRIES):
            fault, error = self.faults(chance, most), chance.choice((EIO, ENOSPC))
            with self.subTest(**fault, error=error, seed=SEED):
                code, words = self.strike(fault, error)
                self.assertIn(code, (0, 1), words)
                failed += code
                errors = [line for line in words.splitlines() if line.startswith("error:")]
                self.assertEqual(len(errors), code, words)
                self.assertEqual(problems(self.dir / "state"), [])
                if code == 0:
                    self.assertEqual(digests(self.dir / "out"), tree)
                done = durable_tasks(self.dir / "state")
                events = self.expect_events(0, self.clip)
                self.assertLessEqual({task for task in done if task[0] not in STREAMING}, tasks(events, "cached"))
                self.assertEqual(digests(self.dir / "out"), tree)
                self.assertEqual(problems(self.dir / "state"), [])
                self.expect_no_leftovers()
        self.assertGreater(failed, 0)

    def test_slow_writes(self):
        tree = self.undisturbed(self.clip)
        code, words = self.run_with({"MR_FAULT_SLOW_US": "2000"})
        self.assertEqual(code, 0, words)
        self.assertEqual(digests(self.dir / "out"), tree)

    def test_nothing_is_named_before_it_is_durable(self):
        """Each object: its bytes are synced, then it gets its name, then the folder with the name is synced; then the store may write its name."""
        log = self.dir / "log"
        code, words = self.run_with({"MR_FAULT_LOG": str(log)})
        self.assertEqual(code, 0, words)
        synced, renamed, mentioned = {}, {}, {}  # line numbers: of a path all, of a name the first
        objects = self.dir / "state" / "objects"
        for at, line in enumerate(log.read_text().splitlines()):
            what, *words = line.split(" ")
            if what == "sync":
                synced.setdefault(words[0], []).append(at)
            elif what == "rename":
                renamed.setdefault(words[1], (words[0], at))
            else:
                mentioned.setdefault(words[0], at)
        found = [path for path in objects.rglob("*") if path.is_file()]
        self.assertGreater(len(found), 10)
        named = 0
        for path in found:
            source, placed = renamed[str(path)]
            self.assertLess(min(synced[source]), placed, f"{path} was there before its bytes were synced")
            safe = next((at for at in synced[str(path.parent)] if at > placed), None)
            self.assertIsNotNone(safe, f"the folder of {path} was not synced after it got its name")
            digest = path.parent.name + path.name
            if digest in mentioned:  # but for those whose text ends on another page of the database
                named += 1
                self.assertLess(safe, mentioned[digest], f"{path} was named in the store before it was durable")
            self.assertGreater(synced[str(self.dir / "state" / "tasks.db-wal")][-1], safe)
        self.assertGreater(named, len(found) / 2)


if __name__ == "__main__":
    unittest.main()
