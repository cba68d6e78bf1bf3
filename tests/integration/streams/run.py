# SPDX-License-Identifier: MIT
"""
Runs pipelines/vod.yaml on clips and checks what comes out (checker.py).
    run.py --millrace BIN --pipeline FILE --work DIR clip NAME…       generated clips of clips.py; all without a name
    run.py --millrace BIN --pipeline FILE --work DIR media [FILE…]    real files of MILLRACE_MEDIA or ../shared/media, by media.tsv
"""
import argparse
import csv
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import checker
import clips

# Two low rungs (the upper is as large as most clips) and a fast preset: what is tested here is the stream's shape, and there are many clips.
CEILINGS = {"180p": 900_000, "90p": 250_000}
RUNGS = f"[{', '.join(f'{{height: {name[:-1]}, max_bitrate: {ceiling}}}' for name, ceiling in CEILINGS.items())}]"
PARAMS = ["--param", f"ladder={RUNGS}", "--param", "preset=veryfast", "--param", "segment_duration=2s"]


def millrace(options, source, tree, extra=()):
    shutil.rmtree(tree, ignore_errors=True)
    return subprocess.run([options.millrace, "run", options.pipeline, "--input", str(source), "--output", str(tree), "--state", str(options.work / "state"),
                           *PARAMS, *options.param, *extra], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False)


def plain(name):
    """ffprobe takes what follows a '?' in a playlist's path for a query."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def judge(name, begun, problems):
    print(f"{'ok  ' if not problems else 'FAIL'} {name} ({time.monotonic() - begun:.1f} s)", flush=True)
    for problem in problems:
        print(f"       {problem}")
    return not problems


def try_source(options, name, source, expect):
    begun = time.monotonic()
    tree = options.work / "trees" / plain(name)
    done = millrace(options, source, tree)
    if done.returncode != 0:
        return judge(name, begun, [f"exit code {done.returncode}: {done.stderr.strip()[-600:]}"])
    passed = judge(name, begun, checker.check_stream(source, tree, replace(expect, ceilings=CEILINGS)))
    if passed:
        shutil.rmtree(tree)
    return passed


def run_clips(options, names):
    results = [try_source(options, name, clips.make(name, options.work / "clips"), clips.CLIPS[name][0]) for name in names or clips.CLIPS]
    return results


def refused(options, name, source):
    """Exit code 3, one sentence, and nothing that could be taken for a stream; or a stream, if it made one."""
    begun = time.monotonic()
    tree = options.work / "trees" / plain(name)
    done = millrace(options, source, tree)
    problems = []
    if done.returncode not in (0, 3):
        problems.append(f"exit code {done.returncode}: {done.stderr.strip()[-400:]}")
    if done.returncode == 3:
        sentences = [line for line in done.stderr.splitlines() if "error:" in line]
        if len(sentences) != 1:
            problems.append(f"{len(sentences)} error sentences: {done.stderr.strip()[-400:]}")
        if (tree / "master.m3u8").exists() or (tree / "manifest.mpd").exists():
            problems.append("a manifest was left behind")
    return judge(f"{name} (exit {done.returncode})", begun, problems)


def expectation(row):
    video = bool(row["video"]) and " 0x0" not in row["video"]
    audio = len([t for t in row["audio"].split(";") if t.strip() and "0ch" not in t])
    subtitles = [t for t in row["subs_other"].split(";") if "subtitle:" in t]
    # A track whose codec this ffprobe does not know ("None") may still be WebVTT that we read.
    text = None if any("None" in t for t in subtitles) else len([t for t in subtitles if "pgs" not in t])
    damaged = "msgs" in row["decode51"] or row["file"].startswith("bad_")
    return checker.Expect(video=video if row["file"] != "audio_flac_cover.flac" else False, audio=audio, text=text, exact_frames=False, steady=False, rungs=1,
                          damaged=damaged)


def run_media(options, files):
    folder = Path(os.environ.get("MILLRACE_MEDIA") or Path(__file__).resolve().parents[4] / "shared" / "media")
    table = folder.parent / "media.tsv"
    if not table.exists():
        print(f"{table} is not here: real media are not tested (set MILLRACE_MEDIA to a folder of them)")
        return [True]
    results = []
    with open(table, newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE))
    part, parts = map(int, options.part.split("/"))
    for row in rows[part - 1::parts]:
        name = row["file"]
        if files and name not in files or not files and name.startswith(("bench_", "sub_")):
            continue
        good = row["decode51"].startswith("whole") and (row["video"] or row["audio"])
        if good:
            results.append(try_source(options, name, folder / name, expectation(row)))
        else:
            results.append(refused(options, name, folder / name))
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--part", default="1/1", help="media: the K-th of N parts, K/N")
    parser.add_argument("--codec", help="instead of H.264")
    parser.add_argument("what", choices=["clip", "media"])
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    options.param = ["--param", f"codec={options.codec}"] if options.codec else []
    shutil.rmtree(options.work / "state", ignore_errors=True)  # of a former build: its results would be taken for this one's
    options.work.mkdir(parents=True, exist_ok=True)
    results = run_clips(options, options.names) if options.what == "clip" else run_media(options, options.names)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
