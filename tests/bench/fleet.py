#!/usr/bin/env python3
"""How a fleet of executors would do: the engine's scheduler and task store on a virtual clock (tests/bench/fleet), with tasks that take the CPU time
that is measured here first, op by op, on one clip.

    tests/bench/fleet.py [--clip FILE] [--preset NAME] [--costs FILE] [--build DIR]

Prints two tables and writes build/bench/fleet.json: one video of 10 s to 10 h on 1 to 1,000 executors, and an hour of uploads that come by chance.
An executor is one core of this machine. Not part of the model: transport of contents, and the start of machines."""
import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PIPELINE = ROOT / "pipelines" / "vod.yaml"
RUNGS = [(1080, "5M"), (720, "2.5M"), (480, "800k"), (240, "200k")]
EXECUTORS = [1, 2, 10, 100, 1000]
DURATIONS = [("10 s", 10), ("1 min", 60), ("10 min", 600), ("1 h", 3600), ("10 h", 36000)]
# Uploads in an hour, each this long, and the executors that take them.
UPLOADS_SECONDS = 600
UPLOADS = [(100, 50), (100, 100), (1000, 500), (1000, 1000)]


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def duration_of(clip):
    done = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", clip], capture_output=True, check=True)
    return float(done.stdout)


def node_costs(options, work, rungs, name):
    """CPU seconds by node of a run with these rungs."""
    ladder = json.dumps([{"height": height, "max_bitrate": bitrate} for height, bitrate in rungs])
    command = [options.build / "bin" / "millrace", "run", PIPELINE, "--input", options.clip, "--output", f"{work}/{name}", "--state", f"{work}/state",
               "--jobs", "1", "--param", f"preset={options.preset}", "--param", f"ladder={ladder}"]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}: {done.stderr.decode(errors='replace')}")
    report = json.loads(pathlib.Path(work, name, "run.json").read_text(encoding="utf-8"))
    return {node["node"]: node["cpu_ms"] / 1000 for node in report["nodes"]}


def decode_cost(clip):
    before = cpu_of_children()
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-i", clip, "-map", "0:v:0", "-f", "null", "-"], check=True)
    return cpu_of_children() - before


def measure_costs(options):
    seconds = duration_of(options.clip)
    decode = decode_cost(options.clip)
    with tempfile.TemporaryDirectory(prefix="millrace-fleet-") as work:
        # The first run makes what all have in common, with a rung that none of the others asks for; the others find it done.
        common = node_costs(options, work, [(240, "210k")], "common")
        alone = [node_costs(options, work, [rung], str(rung[0]))["video"] for rung in RUNGS]
    return {"probe": common["probe"], "plan": common["plan"] / seconds, "decode": decode / seconds,
            "analyse": max(common["analysis"] - decode, 0) / seconds, "rungs": [max(cost - decode, 0) / seconds for cost in alone],
            "audio": common["audio"] / seconds, "poster": common["poster"], "storyboard": common["storyboard"] / seconds}


def simulate(options, costs, executors, seconds, videos=1, spacing=0.0):
    environment = dict(os.environ, MILLRACE_PLUGIN_PATH=str(options.build / "lib" / "millrace" / "plugins"))
    command = [options.build / "tests" / "bench_fleet", costs, PIPELINE, executors, seconds, videos, spacing]
    done = subprocess.run([str(word) for word in command], env=environment, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}")
    return json.loads(done.stdout)


def time_text(seconds):
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def one_video(options, costs):
    results = []
    print("\n| video | " + " | ".join(f"{count} executor{'s' if count > 1 else ''}" for count in EXECUTORS) + " |")
    print("| --- |" + " --- |" * len(EXECUTORS))
    for name, seconds in DURATIONS:
        line = [simulate(options, costs, count, seconds) for count in EXECUTORS]
        results += line
        cells = [f"{time_text(one['playable_s']['median'])} / {time_text(one['complete_s']['median'])} / {one['busy']:.0%}" for one in line]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    print("\n(until it can be played / until all is done / how busy the executors are)")
    return results


def uploads(options, costs):
    results = []
    print(f"\n| uploads of {UPLOADS_SECONDS // 60} min in an hour | executors | playable, median | playable, 95 % | complete, 95 % | busy | engine's own time |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for count, executors in UPLOADS:
        one = simulate(options, costs, executors, UPLOADS_SECONDS, count, 3600 / count)
        results.append(one)
        print(f"| {count} | {executors} | {time_text(one['playable_s']['median'])} | {time_text(one['playable_s']['p95'])} | "
              f"{time_text(one['complete_s']['p95'])} | {one['busy']:.0%} | {one['engine_s']:.0f} s |", flush=True)
    return results


def main():
    media = pathlib.Path(os.environ.get("MILLRACE_MEDIA", ROOT.parent / "shared" / "media"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=pathlib.Path, default=media / "bench_bbb_1080p25_62s.mp4")
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--costs", type=pathlib.Path, help="costs as an earlier call wrote them, instead of measuring them")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(os.environ.get("MILLRACE_BUILD", ROOT / "build")))
    options = parser.parse_args()
    options.build = options.build.resolve()
    if not options.costs and not options.clip.is_file():
        sys.exit(f"{options.clip} is absent: name a clip with --clip")
    costs = json.loads(options.costs.read_text(encoding="utf-8")) if options.costs else measure_costs(options)
    out = ROOT / "build" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    costs_file = out / "fleet-costs.json"
    costs_file.write_text(json.dumps(costs, indent=1) + "\n", encoding="utf-8")
    print("CPU seconds a second of video: " + ", ".join(f"{name} {value:.3f}" for name, value in costs.items() if not isinstance(value, list)) +
          ", rungs " + " ".join(f"{value:.3f}" for value in costs["rungs"]))
    results = {"costs": costs, "preset": options.preset, "one_video": one_video(options, costs_file), "uploads": uploads(options, costs_file)}
    (out / "fleet.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
