"""fleet: how a fleet of executors would do: the engine's scheduler and task store on a virtual clock (tests/bench/fleet), with tasks that take the CPU time
that is measured here first, op by op, on one clip: one video of 10 s to 10 h on 1 to 1,000 executors, and an hour of uploads that come by chance.
An executor is one core of this machine. Not part of the model: transport of contents, and the start of machines."""
import json
import os
import subprocess

from bench import measure, peers, report

EXECUTORS = (1, 2, 10, 100, 1000)
DURATIONS = (("10 s", 10), ("1 min", 60), ("10 min", 600), ("1 h", 3600), ("10 h", 36000))
# Uploads in an hour, each this long, and the executors that take them.
UPLOADS_SECONDS = 600
UPLOADS = ((100, 50), (100, 100), (1000, 500), (1000, 1000))
PRESET = "medium"


def node_costs(clip, work, rungs, name):
    """CPU seconds by node of a run with these rungs."""
    measure.run(peers.millrace(clip.path, work, "--jobs", 1, "--param", f"preset={PRESET}", "--param", peers.ladder_param(rungs), out=name))
    nodes = json.loads((work / name / "run.json").read_text(encoding="utf-8"))["nodes"]
    return {node["node"]: node["cpu_ms"] / 1000 for node in nodes}


def measured_costs(clip, work):
    decode = measure.run([peers.FFMPEG, "-nostdin", "-v", "error", "-threads", 1, "-i", clip.path, "-map", "0:v:0", "-f", "null", "-"]).cpu
    # The first run makes what all have in common, with a rung that none of the others asks for; the others find it done.
    common = node_costs(clip, work, [("240p", 240, 210_000)], "common")
    alone = [node_costs(clip, work, [rung], rung[0])["video"] for rung in reversed(peers.LADDER)]
    return {"probe": common["probe"], "plan": common["plan"] / clip.seconds, "decode": decode / clip.seconds,
            "analyse": max(common["analysis"] - decode, 0) / clip.seconds, "rungs": [max(cost - decode, 0) / clip.seconds for cost in alone],
            "audio": common.get("audio", 0) / clip.seconds, "poster": common["poster"], "storyboard": common["storyboard"] / clip.seconds}  # a picture a second: thumbnail.sheets of up to 100 s


def simulate(costs, executors, seconds, videos=1, spacing=0.0):
    environment = dict(os.environ, MILLRACE_PLUGIN_PATH=str(peers.BUILD / "lib" / "millrace" / "plugins"))
    command = [peers.BUILD / "tests" / "bench_fleet", costs, peers.ROOT / "pipelines" / "vod.yaml", executors, seconds, videos, spacing]
    return json.loads(subprocess.run([str(word) for word in command], env=environment, stdout=subprocess.PIPE, check=True).stdout)


def time_text(seconds):
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def fleet(s):
    with s.work() as work:
        costs = measured_costs(s.excerpt() if s.options.quick else s.long_clip(), work)
        s.note("CPU seconds a second of video: " + ", ".join(f"{name} {value:.3f}" for name, value in costs.items() if not isinstance(value, list)) +
               ", rungs " + " ".join(f"{value:.3f}" for value in costs["rungs"]))
        file = work / "costs.json"
        report.write_json(file, costs)
        lines = []
        for name, seconds in DURATIONS:
            found = [simulate(file, count, seconds) for count in EXECUTORS]
            lines.append([name, *(f"{time_text(one['playable_s']['median'])} / {time_text(one['complete_s']['median'])} / {one['busy']:.0%}" for one in found)])
            s.show(lines[-1])
        s.table("One video: until it can be played / until all is done / how busy the executors are.",
                ["video", *(f"{count} executor{'s' if count > 1 else ''}" for count in EXECUTORS)], lines)
        lines = []
        for count, executors in UPLOADS:
            one = simulate(file, executors, UPLOADS_SECONDS, count, 3600 / count)
            lines.append([str(count), str(executors), time_text(one["playable_s"]["median"]), time_text(one["playable_s"]["p95"]), time_text(one["complete_s"]["p95"]),
                          f"{one['busy']:.0%}", f"{one['engine_s']:.0f} s"])
            s.show(lines[-1])
        s.table(f"An hour of uploads of {UPLOADS_SECONDS // 60} min each.",
                ["uploads in an hour", "executors", "playable, median", "playable, 95 %", "complete, 95 %", "busy", "engine's own time"], lines)
