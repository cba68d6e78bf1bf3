# SPDX-License-Identifier: MIT
"""
The engine is killed (SIGKILL) at random instants, resumed, killed again, and left to end: what was recorded as finished is taken from the store,
what is published is byte for byte what an undisturbed run publishes, and nothing is left behind. MILLRACE_CRASHES: how many kills (15);
MILLRACE_TEST_SEED: which instants.
"""
import os
import random
import shutil
import signal
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "robustness"))
from kit import Case, STREAMING, digests, events_of, make_clip, tasks  # noqa: E402
from ledger import durable_tasks, problems  # noqa: E402
from victim import hosts_of, kill_hosts, run, wait_until_gone  # noqa: E402

KILLS = int(os.environ.get("MILLRACE_CRASHES") or 15)
SEED = int(os.environ.get("MILLRACE_TEST_SEED") or random.SystemRandom().randrange(1 << 30))


class Kill(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        print(f"MILLRACE_TEST_SEED={SEED} MILLRACE_CRASHES={KILLS}", flush=True)

    def setUp(self):
        super().setUp()
        began = time.monotonic()
        self.tree = self.undisturbed(self.clip)
        self.seconds = time.monotonic() - began
        shutil.rmtree(self.dir / "undisturbed")
        self.events = len(self.expect_events(0, self.clip))
        self.forget()

    def forget(self):
        shutil.rmtree(self.dir / "out")
        shutil.rmtree(self.dir / "state")

    def kill_once(self, chance, jobs):
        """By time or by event, so that both quiet stretches and moments of change are met; the first milliseconds and the very end too."""
        when = {"at_event": chance.randrange(1, self.events + 3)} if chance.random() < 0.5 else {"instant": chance.random() ** 2 * self.seconds * 1.2}
        code, _, words, pid = run(self.words(self.clip) + ["--json", "--jobs", str(jobs)], self.dir, **when)
        self.assertIn(code, (-signal.SIGKILL, 0), f"seed {SEED}, {when}: {words}")
        self.assertEqual(wait_until_gone(pid), [], f"seed {SEED}, {when}: hosts outlive their engine")
        self.assertEqual(problems(self.dir / "state"), [], f"seed {SEED}, {when}")
        return code != 0

    def check_resumed(self, done, *options):
        events = self.expect_events(0, self.clip, "out", "state", *options)
        self.assertLessEqual({task for task in done if task[0] not in STREAMING}, tasks(events, "cached"), f"seed {SEED}: done twice")
        self.assertEqual(digests(self.dir / "out"), self.tree, f"seed {SEED}")
        self.expect_no_leftovers()
        self.assertEqual(problems(self.dir / "state"), [], f"seed {SEED}")

    def test_at_any_instant(self):
        chance = random.Random(SEED)
        kills = 0
        while kills < KILLS:
            for turn in range(chance.randrange(1, 6)):
                kills += self.kill_once(chance, 1 + turn % 2)
            self.check_resumed(durable_tasks(self.dir / "state"))
            self.forget()

    def test_the_check_can_fail(self):
        """Where nothing is reused, what was done is done again, and the check says so."""
        self.kill_once(random.Random(1), 2)
        self.expect(0, self.clip)
        with self.assertRaisesRegex(AssertionError, "done twice"):
            self.check_resumed(durable_tasks(self.dir / "state"), "--no-cache")

    def kill_hosts_of_a_run(self, chance, jobs, most):
        """A run whose task hosts are killed at random instants, so often at the most; how often. None of its tasks may be set aside for that here."""
        killed = []

        def strike(engine):
            while engine.poll() is None and len(killed) < most:
                hosts = hosts_of(engine.pid)
                if hosts:
                    victim = chance.choice(hosts)
                    try:
                        os.kill(victim, signal.SIGKILL)
                        killed.append(victim)
                    except ProcessLookupError:
                        pass
                time.sleep(chance.random() ** 2 * self.seconds / 3)  # a fault has no cause that could be waited for

        words = self.words(self.clip) + ["--json", "--jobs", str(jobs), "--set", "host.strikes=100"]
        code, told, words, pid = run(words, self.dir, meanwhile=strike)
        self.assertEqual(code, 0, f"seed {SEED}: {words}")
        self.check_events(told)
        self.assertFalse(tasks(events_of(told), "failed"), f"seed {SEED}")
        self.assertEqual(wait_until_gone(pid), [], f"seed {SEED}")
        return len(killed)

    def test_hosts_only(self):
        """Each kill of a task host costs its task an attempt and nothing else; what they made is the same, and is there for the next run."""
        chance = random.Random(SEED)
        kills = 0
        while kills < KILLS:
            kills += self.kill_hosts_of_a_run(chance, 1 + chance.randrange(2), chance.randrange(1, 9))
            self.assertEqual(digests(self.dir / "out"), self.tree, f"seed {SEED}")
            self.expect_no_leftovers()
            self.check_resumed(durable_tasks(self.dir / "state"))
            self.forget()

    def test_hosts_of_one_task(self):
        """Whatever kills its hosts whenever it is tried: the run fails, says so in one sentence, and its state serves the next run."""
        words = self.words(make_clip(self.dir / "large.mp4", 3, "960x540"), preset="slow", ladder="[{height: 540, max_bitrate: 3M}]")
        struck = []

        def strike(engine, event):
            if (event["event"], event.get("node"), event.get("item")) == ("task.progress", "video", "0,0"):
                struck.append(kill_hosts(engine))

        code, told, said, pid = run(words + ["--json", "--jobs", "1"], self.dir, on_event=strike)
        self.assertEqual(code, 3, f"{struck} {said}")
        self.assertEqual(wait_until_gone(pid), [])
        errors = [line for line in said.splitlines() if line.startswith("error:")]
        self.assertEqual(len(errors), 1, said)
        # All hosts are killed, so that of the node that takes the segments may be the first to have cost three.
        self.assertRegex(errors[0], r"input '.*' is set aside: it cost 3 task hosts in node '(video', item 0,0|package'); the last one was killed by SIGKILL")
        self.check_events(told)
        self.assertEqual(tasks(events_of(told), "failed"), {("video", "0,0")})
        self.assertEqual(problems(self.dir / "state"), [])
        self.expect_nothing_half_made()
        for asked in ((), (events_of(told)[0]["run"],)):
            answer = self.run_words([words[0], "runs", "--state", str(self.dir / "state"), *asked])
            self.assertIn(errors[0].removeprefix("error: "), answer.stdout)
        done = durable_tasks(self.dir / "state")
        code, told, said, _ = run(words + ["--json"], self.dir)
        self.assertEqual(code, 0, said)
        self.assertLessEqual({task for task in done if task[0] not in STREAMING}, tasks(events_of(told), "cached"))
        self.expect_no_leftovers()


if __name__ == "__main__":
    unittest.main()
