"""Whole commands, measured from outside: wall clock, CPU seconds, peak of memory; and ratios of rounds that alternate.

CPU seconds are user + system of the command and of everything that it started: this process adopts what a command leaves behind (as the reaper of its
descendants) and waits for it, so that the kernel adds all of it up (getrusage of the children). Task hosts count.

Memory is the sum of the proportional set sizes (PSS: a page that several processes share counts once) of the command and its descendants. Reading
the PSS of a large process takes milliseconds, so the cheap resident sizes are read every 50 ms and the PSS only where they stand higher than ever.
"""
import ctypes
import dataclasses
import math
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import tempfile
import threading
import time

SAMPLE_S = 0.05
POLL_S = 0.005
TREE_EVERY = 5  # samples; a process that lives shorter than these is not seen
PAGE = os.sysconf("SC_PAGE_SIZE")
PR_SET_CHILD_SUBREAPER = 36
PATIENCE_S = 20  # for what a command leaves behind


class CommandFailed(Exception):
    pass


@dataclasses.dataclass
class Figures:
    wall: float
    cpu: float = 0.0
    memory_mb: float = 0.0

    @property
    def utilisation(self):
        return self.cpu / (self.wall * os.cpu_count()) if self.wall > 0 else 0.0

    def after(self, other):
        """Both, one after the other."""
        return Figures(self.wall + other.wall, self.cpu + other.cpu, max(self.memory_mb, other.memory_mb))

    def as_json(self):
        return {"wall_s": round(self.wall, 4), "cpu_s": round(self.cpu, 3), "memory_mb": round(self.memory_mb, 1), "utilisation": round(self.utilisation, 3)}


def adopt_orphans():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl: can't become the reaper of what commands leave behind")


def read_words(path):
    try:
        return pathlib.Path(path).read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return []  # ended meanwhile


def descendants(pid):
    found = [pid]
    for each in found:
        try:
            threads = os.listdir(f"/proc/{each}/task")
        except OSError:
            continue
        for thread in threads:
            found += [int(word) for word in read_words(f"/proc/{each}/task/{thread}/children")]
    return found


def resident(pids):
    return sum(int(words[1]) * PAGE for words in (read_words(f"/proc/{pid}/statm") for pid in pids) if len(words) > 1)


def proportional(pids):
    total = 0
    for pid in pids:
        words = read_words(f"/proc/{pid}/smaps_rollup")
        if "Pss:" in words:
            total += int(words[words.index("Pss:") + 1]) * 1024
    return total


class MemoryWatch:
    """Follows the memory of a process and its descendants until it is closed."""

    def __init__(self, pid):
        self.pid, self.peak, self.over = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self):
        highest, samples, pids = 0, 0, [self.pid]
        while not self.over.wait(SAMPLE_S):
            if samples % TREE_EVERY == 0:
                pids = descendants(self.pid)
            samples += 1
            now = resident(pids)
            if now > highest * 1.01:
                highest = now
                self.peak = max(self.peak, proportional(pids))

    def close(self):
        self.over.set()
        self.thread.join()
        return self.peak / 2**20


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def reap_orphans():
    """What is still there after its command has ended is waited for, and ended when it takes too long."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            if time.monotonic() > until:
                for orphan in descendants(os.getpid())[1:]:
                    try:
                        os.kill(orphan, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            time.sleep(POLL_S)


def end(process):
    """Ended as Ctrl-C would; killed when that takes too long."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run(command, memory=False, until=None, cwd=None, env=None):
    """Runs the command to its end, or until `until(seconds since its start)` is true; then it is ended. CommandFailed says what the command said."""
    words = [str(word) for word in command]
    with tempfile.TemporaryFile() as said:
        before, began = cpu_of_children(), time.monotonic()
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, cwd=cwd, env=env)
        watch = MemoryWatch(process.pid) if memory else None
        try:
            reached = False
            if until:
                while not (reached := until(time.monotonic() - began)) and process.poll() is None:
                    time.sleep(POLL_S)
                reached = reached or until(time.monotonic() - began)
            else:
                process.wait()
            wall = time.monotonic() - began
        finally:
            if process.poll() is None:
                end(process)
            peak = watch.close() if watch else 0.0
            reap_orphans()
        if not reached and (process.returncode != 0 or until):
            said.seek(0)
            text = said.read().decode(errors="replace")[-3000:]
            raise CommandFailed(f"{' '.join(words)}\nexit code {process.returncode}\n{text}")
    return Figures(wall, cpu_of_children() - before, peak)


def beside(commands):
    """Runs the commands at the same time, each on a processor of its own, to their ends. CPU: of each and of all that it has started and waited for."""
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < len(commands):
        raise ValueError(f"{len(commands)} commands beside each other need as many processors, and there are {len(processors)}")
    running = []
    for command, processor in zip(commands, processors):
        words = ["taskset", "-c", str(processor), *(str(word) for word in command)]
        said = tempfile.TemporaryFile()
        running.append((words, said, time.monotonic(), subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said)))
    figures, failed = [], None
    for words, said, began, process in running:
        with said:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            figures.append(Figures(time.monotonic() - began, used.ru_utime + used.ru_stime))
            if process.returncode != 0 and not failed:
                said.seek(0)
                failed = f"{' '.join(words)}\nexit code {process.returncode}\n{said.read().decode(errors='replace')[-3000:]}"
    if failed:
        raise CommandFailed(failed)
    return figures


def spread(values):
    """From the lowest to the highest of the values, as a part of their median; the farthest quarter at either end does not count."""
    if len(values) < 2:
        return 0.0
    ordered = sorted(values)
    aside = (len(ordered) - 1) // 4
    return (ordered[-1 - aside] - ordered[aside]) / statistics.median(ordered)


INTERVAL_LEAST = 6  # values: of fewer, none has 95 % of certainty


def interval(values):
    """(from, to): where the median of all that could be measured lies, with 95 % of certainty at least, whatever their distribution (order statistics: the
    number of values below the median is binomial)."""
    ordered, count, below, aside = sorted(values), len(values), 0.0, 0
    while below + math.comb(count, aside) / 2**count <= 0.025:
        below += math.comb(count, aside) / 2**count
        aside += 1
    if aside == 0:
        raise ValueError(f"{count} values tell too little")
    return ordered[aside - 1], ordered[-aside]


class Rounds:
    """The figures of several sides, round by round."""

    def __init__(self, label, sides):
        self.label = label
        self.sides = {name: [] for name in sides}

    def __len__(self):
        return min(len(values) for values in self.sides.values())

    def ratios(self, one, other, what="wall"):
        return [getattr(a, what) / getattr(b, what) for a, b in zip(self.sides[one], self.sides[other])]

    def values(self, name, what="wall"):
        return [getattr(one, what) for one in self.sides[name]]

    def settled(self, wanted):
        """Whether the first side's ratios to all others vary by no more than wanted."""
        first, *others = self.sides
        if not others:
            return spread(self.values(first)) <= wanted
        return all(spread(self.ratios(first, other)) <= wanted for other in others)

    def as_json(self):
        return {"label": self.label, "sides": {name: [one.as_json() for one in values] for name, values in self.sides.items()}}


def alternate(rounds, sides, least, most, wanted=0.03, each=None):
    """sides: {name: function() -> Figures}. A B C, C B A, …: what drifts with time meets all alike. `least` rounds, and more until they settle or `most`."""
    names = list(sides)
    while len(rounds) < least or (len(rounds) < most and not rounds.settled(wanted)):
        for name in names if len(rounds) % 2 == 0 else reversed(names):
            rounds.sides[name].append(sides[name]())
        if each:
            each(rounds)
    return rounds
