"""What was measured, in words and as JSON. A row is one number with what it is held against; docs.py makes tables and the plot of them."""
import json
import os
import pathlib
import platform
import statistics
import subprocess

from bench import measure
from bench.peers import ROOT

FORMAT = 1
UNITS = {"x": "{:.3f}", "s": "{:.2f} s", "us": "{:.1f} µs", "%": "{:.2%}", "dB": "{:+.3f} dB", "ssim": "{:+.5f}", "MB": "{:.0f} MB", "B": "{:.0f} B", "/s": "{:.0f}/s", "": "{:.2f}"}


def value_text(row):
    return UNITS[row["unit"]].format(row["value"])


def target_text(row, which):
    if row[which] is None:
        return ""
    return "0" if row[which] == 0 else UNITS[row["unit"]].format(row[which])


def verdict(value, least, aim, higher):
    """How a value stands to what is asked for; nothing where nothing is asked for."""
    if least is None:
        return ""
    if (value >= aim) if higher else (value <= aim):
        return "aim"
    return "met" if ((value >= least) if higher else (value <= least)) else "missed"


def row(bench, what, values, against="", unit="x", least=None, aim=None, higher=False):
    """values: of each round. least and aim: what the value must reach, and what it is to; higher: more is better."""
    value = statistics.median(values)
    aim = least if aim is None else aim
    return {"bench": bench, "what": what, "against": against, "unit": unit, "value": value, "spread": measure.spread(values) if value else 0.0, "rounds": len(values),
            "least": least, "aim": aim, "higher": higher, "verdict": verdict(value, least, aim, higher)}


def line(row_):
    against = f" : {row_['against']}" if row_["against"] else ""
    text = f"  {row_['what'] + against:52} {value_text(row_):>12}"
    if row_["rounds"] > 1:
        text += f"  ± {row_['spread'] / 2:.1%} in {row_['rounds']} rounds"
    if row_["least"] is not None:
        bound = "at least" if row_["higher"] else "at most"
        text += f"  ({bound} {target_text(row_, 'least')}, aim {target_text(row_, 'aim')}: {row_['verdict']})"
    return text


def machine():
    models = [text.split(":")[1].strip() for text in pathlib.Path("/proc/cpuinfo").read_text("ascii").splitlines() if text.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cpus": len(os.sched_getaffinity(0)), "model": models[0] if models else platform.machine(), "memory_gib": round(memory), "kernel": platform.release()}


def commit():
    """Of the tree, with a plus where something in it is changed."""
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no", "--", "core", "plugins", "scripting", "pipelines") else "")


def write_json(path, value):
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    part.rename(path)


def read_json(path):
    """A result of this format; None where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if found.get("format") == FORMAT else None
