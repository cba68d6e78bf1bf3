# SPDX-License-Identifier: MIT
"""Two runs at once over one state folder: each task is done by one of them, and when that one dies the other does what it left."""
import json
import signal
import subprocess
import threading
import time
import unittest

from kit import STREAMING, TIMEOUT, Case, digests, events_of, tasks


def own_work(events, state="succeeded"):
    return {task for task in tasks(events, state) if task[0] not in STREAMING}


class Run:
    """A run whose events can be waited for while it goes on."""

    def __init__(self, words, cwd):
        self.child = subprocess.Popen([*words, "--json", "--jobs", "2"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      text=True, cwd=cwd)
        self.lines = []
        self.came = threading.Condition()
        self.errors = []
        self.threads = [threading.Thread(target=self.read), threading.Thread(target=lambda: self.errors.append(self.child.stderr.read()))]
        for thread in self.threads:
            thread.start()

    def read(self):
        for line in self.child.stdout:
            with self.came:
                self.lines.append(line)
                self.came.notify_all()
        with self.came:
            self.lines.append("")
            self.came.notify_all()

    def wait_for(self, wanted):
        """The first event like that."""
        seen = 0
        until = time.monotonic() + TIMEOUT
        with self.came:
            while True:
                while seen < len(self.lines):
                    line = self.lines[seen]
                    seen += 1
                    if not line:
                        raise AssertionError(f"it ended without that: {self.errors}")
                    event = json.loads(line)
                    if wanted(event):
                        return event
                if not self.came.wait(until - time.monotonic()):
                    raise AssertionError("it did not come")

    def end(self):
        code = self.child.wait(TIMEOUT)
        for thread in self.threads:
            thread.join()
        self.child.stdout.close()
        self.child.stderr.close()
        return code, events_of("".join(self.lines))


class Together(Case):
    def test_each_task_is_done_once(self):
        tree = self.undisturbed(self.clip)
        both = [Run(self.words(self.clip, out), self.dir) for out in ("one", "two")]
        ended = [run.end() for run in both]
        self.assertEqual([code for code, _ in ended], [0, 0], [run.errors for run in both])
        first, second = (own_work(events) for _, events in ended)
        every = first | own_work(ended[0][1], "cached")
        self.assertEqual(first & second, set(), "done twice")
        self.assertEqual(first | second, every)
        self.assertGreater(len(every), 10)
        for out in ("one", "two"):
            self.assertEqual(digests(self.dir / out), tree)
        self.expect_no_leftovers("one")
        self.expect_no_leftovers("two")

    def test_what_a_killed_run_had_claimed_is_done_by_the_other(self):
        tree = self.undisturbed(self.clip, preset="veryslow")
        victim = Run(self.words(self.clip, "one", preset="veryslow"), self.dir)
        victim.wait_for(lambda event: event["event"] == "task.started" and event["node"] == "video")
        other = Run(self.words(self.clip, "two", preset="veryslow"), self.dir)
        other.wait_for(lambda event: event["event"] == "task.done" and event["state"] == "cached")
        victim.child.kill()
        code, events = victim.end()
        self.assertEqual(code, -signal.SIGKILL)
        done = own_work(events)
        begun = {(event["node"], event["item"]) for event in events if event["event"] == "task.started"} - done - own_work(events, "cached")
        code, events = other.end()
        self.assertEqual(code, 0, other.errors)
        self.assertTrue(begun, "the killed run had nothing claimed")
        self.assertEqual(own_work(events) & done, set(), "done twice")
        self.assertLessEqual({task for task in begun if task[0] not in STREAMING}, own_work(events) | own_work(events, "cached"))
        self.assertEqual(digests(self.dir / "two"), tree)
        self.expect(0, self.clip, "two", preset="veryslow")  # whoever opens the state folder next clears up after the dead
        self.expect_no_leftovers("two")


if __name__ == "__main__":
    unittest.main(verbosity=2)
