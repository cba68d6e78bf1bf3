#!/usr/bin/env python3
"""What a long source costs in memory: the peak over all processes of `millrace run pipelines/vod.yaml`, for a short and a long source made alike.

    tests/bench/memory.py [--short SECONDS] [--long SECONDS] [--jobs N] [--build DIR]

The sources are two pictures a second of 64x36 and a whole sound track (stereo at 48 kHz, AAC), so that two hours take minutes. Memory is
the proportional set size (smaps_rollup), summed over the command and its task hosts, looked at twenty times a second. Prints both peaks and their ratio; ends with 1 when it is above 1.2."""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOST = 1.2


def make_source(path, seconds):
    """A loop of two minutes, encoded once."""
    loop = path.with_name("loop.mp4")
    if not loop.exists():
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", "testsrc2=size=64x36:rate=2:duration=120", "-f", "lavfi", "-i",
                        "anoisesrc=duration=120:sample_rate=48000:color=pink:seed=7:amplitude=0.4,aformat=channel_layouts=stereo", "-c:v", "libx264", "-preset",
                        "ultrafast", "-g", "8", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "128k", str(loop)], check=True)
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-stream_loop", str(max(0, -(-seconds // 120) - 1)), "-i", str(loop), "-t", str(seconds),
                    "-c", "copy", str(path)], check=True)


def children_of(pid):
    try:
        return [int(word) for task in pathlib.Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()]
    except OSError:
        return []


def tree_of(pid):
    found = [pid]
    for parent in found:
        found += children_of(parent)
    return found


def memory_of(pid):
    """KiB of one process; 0 when it is gone."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def peak_of(options, source, work):
    command = [options.build / "bin" / "millrace", "run", ROOT / "pipelines" / "vod.yaml", "--input", source, "--output", work / "out", "--state",
               work / "state", "--jobs", str(options.jobs), "--param", "preset=ultrafast"]
    began = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = (0, 0, 0)
    while child.poll() is None:
        own = memory_of(child.pid)
        hosts = sum(memory_of(pid) for pid in tree_of(child.pid)[1:])
        peak = max(peak, (own + hosts, own, hosts))
        time.sleep(0.05)
    words = child.stderr.read().decode(errors="replace")
    if child.returncode != 0:
        sys.exit(f"exit code {child.returncode}: {words}")
    return peak, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", type=int, default=120)
    parser.add_argument("--long", type=int, default=7200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(os.environ.get("MILLRACE_BUILD", ROOT / "build")))
    options = parser.parse_args()
    options.build = options.build.resolve()
    totals = []
    print(f"{'seconds':>8} {'peak MiB':>10} {'command':>10} {'hosts':>10} {'took s':>8}")
    for seconds in (options.short, options.long):
        with tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder:
            work = pathlib.Path(folder)
            make_source(work / "source.mp4", seconds)
            (total, own, hosts), took = peak_of(options, work / "source.mp4", work)
        totals.append(total)
        print(f"{seconds:8d} {total / 1024:10.1f} {own / 1024:10.1f} {hosts / 1024:10.1f} {took:8.1f}", flush=True)
    ratio = totals[1] / totals[0]
    print(f"{ratio:.3f} times as much (limit {MOST})")
    sys.exit(ratio > MOST)


if __name__ == "__main__":
    main()
