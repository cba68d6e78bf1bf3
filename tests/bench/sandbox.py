#!/usr/bin/env python3
"""What task hosts cost: CPU seconds of pipelines/vod.yaml on a 1080p clip with the sandbox, against the same with `sandbox: off`, in turns.

    tests/bench/sandbox.py [--clip FILE] [--rounds N] [--param NAME=VALUE]… [--build DIR]

CPU seconds are those of the command and all its children (getrusage), so that hosts count. Prints each round, the ratio of the means and the 95 %
interval of the ratios of the pairs (Student's t)."""
import argparse
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Two-sided 95 % points of Student's t, by degrees of freedom.
T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228, 11: 2.201, 12: 2.179, 13: 2.160, 14: 2.145}


def default_clip():
    media = pathlib.Path(os.environ.get("MILLRACE_MEDIA", ROOT.parent / "shared" / "media"))
    return media / "bench_tos_1080p2997_8s.mp4"


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(options, sandbox):
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as work:
        before = cpu_of_children()
        command = [options.build / "bin" / "millrace", "run", ROOT / "pipelines" / "vod.yaml", "--input", options.clip, "--output", f"{work}/out",
                   "--state", f"{work}/state", "--set", f"sandbox={sandbox}"]
        for param in options.param:
            command += ["--param", param]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            sys.exit(f"sandbox={sandbox}: exit code {done.returncode}: {done.stderr.decode(errors='replace')}")
        return cpu_of_children() - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=pathlib.Path, default=default_clip())
    parser.add_argument("--rounds", type=int, default=5, choices=range(2, 16), metavar="2…15")
    parser.add_argument("--param", action="append", default=[])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(os.environ.get("MILLRACE_BUILD", ROOT / "build")))
    options = parser.parse_args()
    if not options.clip.is_file():
        sys.exit(f"{options.clip} is absent: name a 1080p clip with --clip")
    run(options, "auto")  # the file cache, and what else is slower the first time
    pairs = []
    for turn in range(options.rounds):
        # A B, B A, …: what drifts with time meets both alike.
        order = ("auto", "off") if turn % 2 == 0 else ("off", "auto")
        seconds = {sandbox: run(options, sandbox) for sandbox in order}
        pairs.append(seconds)
        print(f"round {turn + 1}: sandbox {seconds['auto']:.2f} s, off {seconds['off']:.2f} s of CPU, ratio {seconds['auto'] / seconds['off']:.4f}", flush=True)
    ratios = [pair["auto"] / pair["off"] for pair in pairs]
    mean = statistics.mean(ratios)
    half = T95[len(ratios) - 1] * statistics.stdev(ratios) / len(ratios) ** 0.5
    print(f"sandbox / off: {mean:.4f}, 95 % interval {mean - half:.4f} … {mean + half:.4f} ({options.clip.name}, {options.rounds} pairs, load {os.getloadavg()[0]:.1f})")


if __name__ == "__main__":
    main()
