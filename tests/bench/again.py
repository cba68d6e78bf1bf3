#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What doing the same again costs: pipelines/vod.yaml on a long source, then once more, moved, touched, and with another tail.

    tests/bench/again.py [--clip FILE] [--minutes N] [--build DIR]

Without --clip a small one of N minutes (10) is generated. Prints seconds and the tasks that ran; the second run must do no media work and end within a second."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALWAYS = {"package", "publish"}


def make_clip(path, minutes):
    seconds = minutes * 60
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", f"testsrc2=size=192x108:rate=25:duration={seconds}", "-f", "lavfi", "-i",
                    f"anoisesrc=d={seconds}:r=48000:seed=5:a=0.3", "-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-pix_fmt", "yuv420p",
                    "-c:a", "aac", "-b:a", "64k", "-movflags", "+faststart", str(path)], check=True)


def run(options, what, source, work):
    began = time.monotonic()
    done = subprocess.run([options.build / "bin" / "millrace", "run", ROOT / "pipelines" / "vod.yaml", "--input", source, "--output", f"{work}/out", "--state",
                           f"{work}/state", "--param", "ladder=[{height: 90, max_bitrate: 200k}]", "--param", "preset=ultrafast", "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    seconds = time.monotonic() - began
    if done.returncode != 0:
        sys.exit(f"{what}: exit code {done.returncode}: {done.stderr.decode(errors='replace')}")
    ends = [event for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "task.done"]
    ran = [event["node"] for event in ends if event["state"] == "succeeded" and event["node"] not in ALWAYS]
    print(f"{what:16} {seconds:8.2f} s  {len(ran)} of {len(ends)} tasks did media work")
    return seconds, len(ran)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=pathlib.Path)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(os.environ.get("MILLRACE_BUILD", ROOT / "build")))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as work:
        source = pathlib.Path(work, "a.mp4")
        if options.clip:
            shutil.copyfile(options.clip, source)
        else:
            make_clip(source, options.minutes)
        print(f"source: {source.stat().st_size / 1e6:.1f} MB")
        run(options, "first", source, work)
        seconds, ran = run(options, "again", source, work)
        source = source.rename(source.with_name("b.mp4"))
        run(options, "moved", source, work)
        os.utime(source)
        run(options, "touched", source, work)
        with open(source, "r+b") as file:
            file.seek(-1000, os.SEEK_END)
            file.write(bytes(1000))
        run(options, "another tail", source, work)
        if ran or seconds > 1:
            sys.exit(f"the second run did {ran} tasks and took {seconds:.2f} s")


if __name__ == "__main__":
    main()
