# SPDX-License-Identifier: MIT
"""Ops that do what hostile media would make a codec do: each is stopped and reported, nothing is left of it, and the engine goes on. With
'sandbox: off' the same acts succeed, so that their failing means something."""
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

MILLRACE = os.environ["MILLRACE"]
WITHOUT = os.environ["WITHOUT"]
HERE = Path(__file__).resolve().parent
TIMEOUT = 120

ONCE = ("--set", "host.strikes=1")
KILLED = 3   # the input is set aside
REFUSED = 1  # the act failed, and the op said so

# name, how much of it (in the sandbox, and without it), the limit, exit code, and what the one error says. Only the limit that is
# meant is low: a busy machine meets low limits by itself.
OWN_ACTS = [
    ("crash", (0, 0), None, KILLED, "was killed by SIGSEGV"),
    ("abort", (0, 0), None, KILLED, "was killed by SIGABRT"),
    ("hang", (600000, 3000), "host.hang=1s", KILLED, "made no progress for 1.0s (host.hang)"),
    ("spin", (600000, 1500), "host.cpu=1s", KILLED, "was killed by SIGXCPU: it used more CPU time than host.cpu allows"),
    ("memory", (4096, 4096), "host.memory=1GiB", REFUSED, "act 'memory' was stopped: Cannot allocate memory"),
    ("thread-bomb", (400, 400), "host.memory=1GiB", REFUSED, "act 'thread-bomb' was stopped: Resource temporarily unavailable"),
    ("large-file", (2, 2), "host.file_size=1MiB", KILLED, "was killed by SIGXFSZ"),
    ("large-content", (2, 2), "host.file_size=1MiB", REFUSED, "made more bytes than host.file_size allows (1048576)"),
    ("reports", (20000, 20000), None, KILLED, "it flooded the engine with messages"),
]
# These have no meaning without a host.
AGAINST_THE_ENGINE = [
    ("progress-flood", (20000, 20000), None, KILLED, "it flooded the engine with messages"),
    ("garbage", (20, 20), None, KILLED, "it sent a frame over the limit"),
]
# Sanitizers leave the limit of memory out, have their own ends for a crash, and one of them can't bear the handler that names a forbidden call.
BINARY = Path(MILLRACE).read_bytes()
SILENT = b"__tsan_init" in BINARY
SANITIZED = SILENT or b"__asan_init" in BINARY
NOT_SANITIZED = {"memory", "thread-bomb", "crash", "abort"}


def children_of(pid):
    return [int(child) for thread in Path(f"/proc/{pid}/task").iterdir() for child in (thread / "children").read_text().split()]


class Hostile(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="millrace-hostile-"))
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.outside = self.dir / "outside"
        self.outside.mkdir()
        self.theirs = self.outside / "theirs"
        self.theirs.write_text("theirs")
        self.source = self.dir / "source"
        self.source.write_text("source")
        self.source.chmod(0o644)
        # someone of the same user, to be tampered with; ends with its input
        self.victim = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.addCleanup(self.end_victim)

    def end_victim(self):
        self.victim.stdin.close()
        self.victim.wait(TIMEOUT)

    def words(self, pipeline, *args):
        return [MILLRACE, "run", str(HERE / pipeline), "--input", str(self.source), "--output", str(self.dir / "out"),
                "--state", str(self.dir / "state"), "--param", f"outside={self.outside}", *args]

    def run_it(self, pipeline, *args, lacking=(), plugins=None):
        prefix = [WITHOUT, *lacking, "--"] if lacking else []
        words = [*prefix, *self.words(pipeline, *args)]
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False, cwd=self.dir,
                              env=os.environ | ({"MILLRACE_PLUGIN_PATH": plugins} if plugins else {}))

    def run_one(self, act, amount, *args, **options):
        return self.run_it("one.yaml", "-q", "--param", f"act={act}", "--param", f"amount={amount}", *args, **options)

    def run_each(self, *args):
        """What became of each act: (what is to be expected in the sandbox, state, reason)."""
        done = self.run_it("each.yaml", "--json", "--param", f"victim={self.victim.pid}", *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        known = [event["detail"]["meta"] for event in events if event["event"] == "output" and event["node"] == "list"]
        ended = {int(event["item"]): event for event in events if event["event"] == "task.done" and event["node"] == "act"}
        self.assertGreater(len(known), 40)
        self.assertEqual(len(known), len(ended))
        return [(act, ended[number]["state"], ended[number].get("reason", "")) for number, act in enumerate(known)]

    def expect_nothing_happened(self):
        self.assertEqual([path.name for path in self.outside.iterdir()], ["theirs"])
        self.assertEqual(self.theirs.read_text(), "theirs")
        self.assertEqual((self.source.read_text(), self.source.stat().st_mode & 0o777), ("source", 0o644))
        self.assertIsNone(self.victim.poll())
        self.expect_nothing_left()

    def expect_nothing_left(self):
        self.assertEqual([path.name for path in (self.dir / "state" / "tmp").iterdir()], ["lock"])
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
                self.assertFalse(words[0] == b"millrace-task-host" and str(self.dir).encode() in os.readlink(path.parent / "cwd").encode(), path)
            except OSError:
                continue  # it ended meanwhile, or is someone else's

    def test_each_act_is_stopped_and_reported(self):
        for act, state, reason in self.run_each(*ONCE):
            with self.subTest(act=act["act"]):
                self.assertEqual(state, "skipped", reason)
                if "call" in act:
                    self.assertIn("was killed by SIGSYS", reason)
                else:
                    self.assertIn(f"act '{act['act']}' was stopped: {act['error']}", reason)
        self.expect_nothing_happened()

    def test_each_act_succeeds_without_the_sandbox(self):
        for act, state, reason in self.run_each("--set", "sandbox=off"):
            if act["alone_may_fail"] and state != "succeeded":
                print(f"{act['act']} is forbidden on this machine even without the sandbox: {reason}")
                continue
            with self.subTest(act=act["act"]):
                self.assertEqual(state, "succeeded", reason)
        self.assertIn("planted", [path.name for path in self.outside.iterdir()])
        self.assertEqual(self.source.stat().st_mode & 0o777, 0o640)

    def expect_one_error(self, done, code, *says):
        errors = [line for line in done.stderr.splitlines() if "error: " in line]
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertTrue(any(all(word in error for word in (*says, "'act'")) for error in errors), done.stderr)
        self.assertEqual(done.stdout, "")

    def test_a_forbidden_call_is_named(self):
        """Exit code, signal, node, input, and the last words of the host."""
        for act, call in (("tcp", "socket"), ("fork-bomb", "clone"), ("exec", "execve"), ("trace-parent", "ptrace"), ("signal-parent", "kill")):
            with self.subTest(act=act):
                done = self.run_one(act, 0, *ONCE)
                self.expect_one_error(done, KILLED, "input 'source' is set aside", "was killed by SIGSYS")
                if not SILENT:
                    self.assertIn(f"sandbox: a forbidden system call was made: {call}\n", done.stderr)
                self.expect_nothing_happened()

    @staticmethod
    def set(limit):
        return ["--set", limit] if limit else []

    def test_limits(self):
        for act, (amount, _), limit, code, says in OWN_ACTS + AGAINST_THE_ENGINE:
            if SANITIZED and act in NOT_SANITIZED:
                continue
            with self.subTest(act=act):
                self.expect_one_error(self.run_one(act, amount, *ONCE, *self.set(limit)), code, says)
                self.expect_nothing_happened()

    def test_no_limits_without_the_sandbox(self):
        for act, (_, amount), limit, _, _ in OWN_ACTS:
            if act in ("crash", "abort"):
                continue
            with self.subTest(act=act):
                done = self.run_one(act, amount, "--set", "sandbox=off", *self.set(limit))
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(f'"done":"{act}"', done.stdout)

    def test_a_crash_takes_the_engine_along_without_the_sandbox(self):
        done = self.run_one("crash", 0, "--set", "sandbox=off")
        if SANITIZED:
            self.assertIn("Sanitizer", done.stderr)
            self.assertNotEqual(done.returncode, 0)
        else:
            self.assertEqual(done.returncode, -signal.SIGSEGV)

    def test_what_it_leaves_in_scratch_goes(self):
        for act, amount in (("nested-folders", 1000), ("locked-folder", 0)):
            with self.subTest(act=act):
                done = self.run_one(act, amount)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.expect_nothing_happened()

    def test_an_input_has_three_strikes(self):
        done = self.run_one("crash", 0)
        self.expect_one_error(done, KILLED, "input 'source' is set aside: it cost 3 task hosts in node 'act'")
        if not SANITIZED:
            self.assertIn("= help: its last words: hostile: the picture is 7 lines too high\n", done.stderr)

    def asked(self, *words):
        done = subprocess.run([MILLRACE, words[0], "--state", str(self.dir / "state"), *words[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @unittest.skipIf(SILENT, "no handler names the call under this sanitizer")
    def test_a_poison_pill(self):
        """It fails its run, which says so ever after: signal, node, input, the host's last words, and how each of the three ended. Others go on."""
        why = "input 'source' is set aside: it cost 3 task hosts in node 'act'; the last one was killed by SIGSYS"
        words = "sandbox: a forbidden system call was made: socket"
        done = self.run_one("tcp", 0)
        self.expect_one_error(done, KILLED, why)
        self.assertIn(f"= help: its last words: {words}\n", done.stderr)
        self.expect_nothing_happened()
        [run] = json.loads(self.asked("runs", "--json"))
        self.assertEqual((run["state"], run["tasks"]), ("failed", 1))
        self.assertIn(why, run["reason"])
        self.assertIn(why, self.asked("runs"))
        one = self.asked("runs", run["run"])
        self.assertRegex(one, f"(?m)^why +{why}")
        self.assertRegex(one, f"(?m)^help +its last words: {words}$")
        logged = [json.loads(line) for line in self.asked("logs", "--json", run["run"]).splitlines()]
        retries = [event["reason"] for event in logged if event["event"] == "task.retry"]
        self.assertEqual(len(retries), 2, logged)
        self.assertTrue(all("the task host was killed by SIGSYS" in reason for reason in retries), retries)
        self.assertEqual([event["hint"] for event in logged if event["event"] == "run.failure"], [f"its last words: {words}"])
        self.assertEqual(self.run_one("emits", 1).returncode, 0)
        self.assertEqual([one["state"] for one in json.loads(self.asked("runs", "--json"))], ["succeeded", "failed"])

    def test_the_other_input_of_a_run(self):
        """A node that may be skipped is, when its input is set aside; what is made of the run's other input is made."""
        (self.dir / "other").write_text("other")
        done = subprocess.run([MILLRACE, "run", str(HERE / "two.yaml"), "--input", f"bad={self.source}", "--input", f"good={self.dir / 'other'}", "--output",
                               str(self.dir / "out"), "--state", str(self.dir / "state"), "--json"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=TIMEOUT, check=False, cwd=self.dir)
        self.assertEqual(done.returncode, 0, done.stderr)
        ended = {event["node"]: event for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "task.done"}
        self.assertEqual((ended["bad"]["state"], ended["good"]["state"]), ("skipped", "succeeded"))
        self.assertIn("input 'source' is set aside: it cost 3 task hosts in node 'bad'", ended["bad"]["reason"])
        self.expect_nothing_left()

    def test_a_kernel_that_lacks_a_part(self):
        """auto says it and goes on with the rest, require refuses."""
        cases = (("landlock_create_ruleset", "Landlock", "tcp", "read-passwd"), ("seccomp", "seccomp", "read-passwd", "tcp"))
        for call, layer, stopped, let_through in cases:
            with self.subTest(lacking=layer):
                done = self.run_it("one.yaml", "--param", f"act={let_through}", lacking=[call])
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stderr.count(f"this kernel lacks {layer}: "), 1, done.stderr)
                self.assertNotEqual(self.run_one(stopped, 0, "--no-cache", *ONCE, lacking=[call]).returncode, 0)
                done = self.run_one("emits", 1, "--set", "sandbox=require", lacking=[call])
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(f"the settings require the sandbox, but this kernel lacks {layer}\n", done.stderr)
        self.assertEqual(self.run_one("emits", 1, "--set", "sandbox=require").returncode, 0)

    @unittest.skipIf(SANITIZED, "sanitizers have threads of their own")
    def test_a_plugin_that_can_not_be_confined(self):
        done = self.run_it("eager.yaml", "-q", plugins=os.environ["EAGER"])
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("a task host could not get ready: sandbox: 2 threads run already", done.stderr)
        done = self.run_it("eager.yaml", "-q", "--set", "sandbox=off", plugins=os.environ["EAGER"])
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_host_ends_with_its_engine(self):
        """Also one that hears nothing, when the engine was killed and could tell it nothing."""
        words = self.words("one.yaml", "--json", "--set", "host.nice=3", "--param", "act=hang", "--param", "amount=600000")
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as engine:
            for line in engine.stdout:
                if json.loads(line)["event"] == "task.progress":
                    break
            try:
                hosts = children_of(engine.pid)
                self.assertTrue(hosts)
                for host in hosts:
                    self.assertEqual(os.getpriority(os.PRIO_PROCESS, host), min(19, os.getpriority(os.PRIO_PROCESS, engine.pid) + 3))
                ends = [os.pidfd_open(host) for host in hosts]
            finally:
                engine.kill()
        for end in ends:
            self.assertEqual(select.select([end], [], [], TIMEOUT)[0], [end])
            os.close(end)

    def test_hosts_and_what_they_are_forked_from_are_lost(self):
        words = self.words("one.yaml", "--json", "--param", "act=hang", "--param", "amount=600000")
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as engine:
            try:
                events = (json.loads(line)["event"] for line in engine.stdout)
                self.assertIn("task.progress", events)
                lost = children_of(engine.pid)
                for host in lost:
                    os.kill(host, signal.SIGKILL)
                self.assertIn("task.progress", events, "the task is tried again, in a host that comes from elsewhere")
                self.assertFalse(set(lost) & set(children_of(engine.pid)))
            finally:
                engine.kill()

    def test_the_engine_goes_on(self):
        """The same state folder, right after."""
        self.assertEqual(self.run_one("crash", 0, *ONCE).returncode, KILLED)
        done = self.run_one("emits", 100)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('"done":"emits"', done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
