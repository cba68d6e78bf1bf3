# SPDX-License-Identifier: MIT
"""
Hostile files through `millrace run`: those that are bad as they are, and mutations of good ones. Each must end as a right stream or as one clear
sentence, with no process and no temporary file left, and the engine never dies.
    mutate.py --millrace BIN --work DIR [--count N] [--seed S] [--part K/N] [--jobs J] [--clips DIR] [--pipeline NAME]
    mutate.py --millrace BIN --work DIR --case NAME:SEED      one of them again; NAME alone: the file as it is
    mutate.py --millrace BIN --work DIR --found               those of found.txt that go through the pipeline
The same seed makes the same cases. What failed stays in DIR/failed, each with its file and what was said.
"""
import argparse
import collections
import ctypes
import multiprocessing
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import judge
import mutations
import sources

FOUND = Path(__file__).resolve().parent / "found.txt"
FOLDER = Path(__file__).resolve().parents[3] / "pipelines"
RUNG = "ladder=[{height: 90, max_bitrate: 200k}]"
PARAMS = {
    "vod": [RUNG, "preset=ultrafast", "segment_duration=1s"],
    "hls-ts": [RUNG, "segment_duration=1s"],
    "remux": ["segment_duration=1s"],
    "audio-only": ["segment_duration=1s"],
    "social-square": ["size=240"],
    "thumbnails": [],
}
# A clip of a second that says it lasts for days is refused, not made.
SETTINGS = ["limits.duration=2m", "host.hang=20s", "host.memory=2GiB"]
SECONDS = 60          # for a case that takes one, on a machine that does much else
DYING_SECONDS = 2     # from the engine's end to that of its children
PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Case:
    name: str
    seed: int | None  # None: as it is
    path: Path

    def __str__(self):
        return self.name if self.seed is None else f"{self.name}:{self.seed}"

    def make(self):
        data = self.path.read_bytes()
        return (data, []) if self.seed is None else mutations.mutate(random.Random(str(self)), data)


@dataclass
class Outcome:
    case: str
    changes: list
    code: int | None = None
    words: str = ""
    seconds: float = 0
    problems: list = field(default_factory=list)


def children():
    """Processes that are this one's: orphans, too, once it is their reaper."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        found += [int(pid) for pid in (task / "children").read_text().split()]
    return found


def process_name(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "?"


def reap_orphans():
    """What the engine started and left: reaped. Names of those that had to be killed."""
    survivors = []
    for pid in children():
        name = process_name(pid)
        process = os.pidfd_open(pid)
        try:
            if not select.select([process], [], [], DYING_SECONDS)[0]:
                survivors.append(f"{name} ({pid})")
                signal.pidfd_send_signal(process, signal.SIGKILL)
            os.waitpid(pid, 0)
        finally:
            os.close(process)
    return survivors


def run_engine(options, source, folder):
    words = [options.millrace, "run", str(FOLDER / f"{options.pipeline}.yaml"), "--input", str(source), "--output", str(folder / "out"), "--state", str(folder / "state")]
    words += [word for param in PARAMS[options.pipeline] for word in ("--param", param)] + [word for setting in SETTINGS + options.set for word in ("--set", setting)]
    environment = dict(os.environ, TMPDIR=str(folder / "tmp"))
    with open(folder / "words.txt", "w+", encoding="utf-8", errors="replace") as said:
        engine = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, env=environment, start_new_session=True)
        try:
            code = engine.wait(SECONDS)
        except subprocess.TimeoutExpired:
            engine.kill()
            engine.wait()
            code = None
    return code, (folder / "words.txt").read_text(encoding="utf-8", errors="replace")


def judge_case(options, outcome, folder):
    tree, problems = folder / "out", outcome.problems
    survivors = reap_orphans()
    if survivors:
        problems.append(f"outlived the engine: {', '.join(survivors)}")
    if outcome.code is None:
        problems.append(f"did not end within {SECONDS} s")
        return
    if outcome.code < 0:
        problems.append(f"the engine was killed by {signal.Signals(-outcome.code).name}")
    elif outcome.code == 0:
        problems += judge.check_tree(tree, copied=options.pipeline == "remux")
    elif outcome.code in (1, 3):
        problems += judge.check_refusal(outcome.code, outcome.words, tree, outcome.case.partition(":")[0])
    else:
        problems.append(f"exit code {outcome.code}")
    problems += judge.check_leftovers(tree, folder / "state", folder / "tmp")


def try_case(job):
    options, case = job
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    folder = options.work / "cases" / re.sub(r"[^A-Za-z0-9._-]", "_", str(case))
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    data, changes = case.make()
    source = folder / case.name
    source.write_bytes(data)
    outcome = Outcome(str(case), changes)
    began = time.monotonic()
    try:
        outcome.code, outcome.words = run_engine(options, source, folder)
        judge_case(options, outcome, folder)
    except Exception as error:  # pylint: disable=broad-except  # what the judge can't read is wrong, too
        outcome.problems.append(f"{type(error).__name__}: {error}")
    outcome.seconds = time.monotonic() - began
    if outcome.problems:
        kept = options.work / "failed" / folder.name
        shutil.rmtree(kept, ignore_errors=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, kept)
    else:
        shutil.rmtree(folder)
    return outcome


def one_case(text, files):
    name, _, seed = text.partition(":")
    return Case(name, int(seed) if seed else None, files[name]) if name in files else None


def found_cases(options, files):
    lines = [line.partition("#")[0].split() for line in FOUND.read_text().splitlines()]
    cases = {line[1]: one_case(line[1], files) for line in lines if line and line[0] == options.pipeline}
    for text in [text for text, case in cases.items() if not case]:
        print(f"{text} is left out: the file is not here")
    return [case for case in cases.values() if case]


def plan_cases(options, good, bad):
    if options.found:
        return found_cases(options, {**good, **bad})
    if options.case:
        return [one_case(options.case, {**good, **bad}) or sys.exit(f"mutate: there is no file '{options.case}' here")]
    cases = [Case(name, None, path) for name, path in bad.items()]
    pool = sorted({**good, **bad}.items())
    order = random.Random(options.seed)
    order.shuffle(pool)
    while len(cases) < options.count:
        name, path = pool[len(cases) % len(pool)]
        cases.append(Case(name, options.seed * 1_000_000 + len(cases), path))
    part, parts = map(int, options.part.split("/"))
    return cases[: options.count][part - 1::parts]


def tell(options, outcome):
    for problem in outcome.problems:
        print(f"FAIL {outcome.case} ({', '.join(outcome.changes)}): {problem}")
    if outcome.problems:
        print(f"     kept in {options.work / 'failed'}; again: mutate.py --millrace {options.millrace} --work {options.work} --pipeline {options.pipeline} "
              f"--case {outcome.case}", flush=True)
    if options.verbose:
        error = next((line for line in outcome.words.splitlines() if line.startswith("error:")), "")
        print(f"{outcome.code} {outcome.seconds:5.1f} s  {outcome.case} ({', '.join(outcome.changes)}) {error}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--clips", type=Path, help="where the generated clips are, or will be (DIR/clips)")
    parser.add_argument("--pipeline", choices=PARAMS, default="vod")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", default="1/1", help="the K-th of N parts, K/N")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], help="a setting of the engine: NAME=VALUE")
    parser.add_argument("--case", help="NAME:SEED")
    parser.add_argument("--found", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    options.work = options.work.resolve()
    clips = (options.clips or options.work / "clips").resolve()
    sources.make_clips(clips)
    good, bad = sources.find(clips)
    if not bad:
        print("no real media here (MILLRACE_MEDIA, or ../shared/media): only generated clips are mutated")
    cases = plan_cases(options, good, bad)
    codes = collections.Counter()
    failed = 0
    slowest = (0.0, "")
    with multiprocessing.Pool(options.jobs) as pool:
        for outcome in pool.imap_unordered(try_case, [(options, case) for case in cases]):
            codes["a stream" if outcome.code == 0 else "a sentence" if outcome.code in (1, 3) else "neither"] += 1
            codes["task hosts lost"] += "task host" in outcome.words
            failed += bool(outcome.problems)
            slowest = max(slowest, (outcome.seconds, outcome.case))
            tell(options, outcome)
    print(f"{len(cases)} cases, seed {options.seed}: {', '.join(f'{count} {what}' for what, count in sorted(codes.items()))}; "
          f"{failed} failed; the slowest took {slowest[0]:.1f} s ({slowest[1]})")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
