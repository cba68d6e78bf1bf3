"""The generated parts of docs/performance.md and the plot beside it. They are made of docs/performance.json, which is what the results in build/bench come to;
so the tables can be checked without measuring, and are never written by hand."""
import html
import re

from bench import catalogue, report
from bench.peers import ROOT

JSON = ROOT / "docs" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "performance.svg"
KEPT = ("date", "commit", "machine", "load", "versions", "options", "rows", "sides", "quality", "tables", "notes")
COLOURS = {"aim": "#2a9d5c", "met": "#8ab17d", "missed": "#d1495b"}
BAR_TOP, BAR_STEP, BAR_LEFT, BAR_WIDTH, BAR_MOST = 34, 26, 400, 240, 1.75


def condensed(folder, earlier):
    """What the results in a folder come to; where there is none for a bench, the earlier one stays. Results of --quick or of another clip don't count."""
    found = {}
    for name in catalogue.BY_NAME:
        result = report.read_json(folder / f"{name}.json")
        if result and result["complete"] and not result["options"]["quick"] and not result["options"]["clip"]:
            found[name] = {key: result[key] for key in KEPT}
        elif earlier and name in earlier["benches"]:
            found[name] = earlier["benches"][name]
    return {"format": report.FORMAT, "benches": found}


def table(heads, lines):
    if not lines:
        return "Not measured yet."
    return "\n".join(["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads), *("| " + " | ".join(map(str, line)) + " |" for line in lines)])


def all_rows(results):
    return [row for result in results["benches"].values() for row in result["rows"]]


def row_name(row):
    return f"{row['what']} : {row['against']}" if row["against"] else row["what"]


def spread_text(row):
    return f"{row['spread']:.1%}, {row['rounds']}" if row["rounds"] > 1 else ""


def targets(results):
    lines = [(f"`{row['bench']}`", row_name(row), report.value_text(row), spread_text(row), ("≥ " if row["higher"] else "≤ ") + report.target_text(row, "least"),
              report.target_text(row, "aim"), row["verdict"]) for row in all_rows(results) if row["least"] is not None]
    return table(("bench", "what", "measured", "spread, rounds", "must be", "aim", ""), lines)


def others(results):
    lines = [(f"`{row['bench']}`", row_name(row), report.value_text(row), spread_text(row)) for row in all_rows(results) if row["least"] is None]
    return table(("bench", "what", "measured", "spread, rounds"), lines)


def sides(results):
    lines = [(f"`{name}`", side["label"], side["side"], f"{side['wall_s']:.2f}", f"{side['cpu_s']:.2f}", f"{side['utilisation']:.0%}",
              f"{side['memory_mb']:.0f}" if side["memory_mb"] else "")
             for name, result in results["benches"].items() for side in result["sides"]]
    return table(("bench", "on", "who", "wall s", "CPU s", "utilisation", "peak MB"), lines)


def quality(results):
    def both(one, measured, digits):
        return " ".join(f"{one['ours'][measured][part]:.{digits}f} : {one['peer'][measured][part]:.{digits}f}" + (" /" if part == "mean" else "")
                        for part in ("mean", "p5")) if measured in one["ours"] else ""

    lines = [(f"`{name}`", f"{one['label']} {one['clip']}".strip(), one["rung"], f"{one['ours']['bitrate'] / 1000:.0f} : {one['peer']['bitrate'] / 1000:.0f}",
              both(one, "psnr", 2), both(one, "ssim", 4), both(one, "vmaf", 1)) for name, result in results["benches"].items() for one in result["quality"]]
    return table(("bench", "clip", "rung", "kbit/s", "PSNR mean / 5th percentile", "SSIM", "VMAF"), lines)


def fleet(results):
    tables = results["benches"].get("fleet", {}).get("tables", [])
    return "\n\n".join(f"{one['title']}\n\n{table(one['heads'], one['lines'])}" for one in tables) or table((), ())


def machines(results):
    """Where, when and with what each was measured; those that share it in one line."""
    groups = {}
    for name, result in results["benches"].items():
        machine, versions = result["machine"], result["versions"]
        text = (f"{machine['cpus']} x {machine['model']}, {machine['memory_gib']} GiB, Linux {machine['kernel']}; {'; '.join(versions.values())}; "
                f"{result['date']}, commit {result['commit']}")
        groups.setdefault(text, []).append((name, result["load"]))
    lines = [(text, ", ".join(f"`{name}` ({load})" for name, load in names)) for text, names in groups.items()]
    return table(("measured on", "benches (load when they began)"), lines)


BLOCKS = {"targets": targets, "sides": sides, "quality": quality, "others": others, "fleet": fleet, "machines": machines}


def page(text, results):
    """The page with its generated parts made anew."""
    for name, make in BLOCKS.items():
        begin, end = f"<!-- bench: {name} -->\n", f"<!-- end: {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"{PAGE.name} must have '{begin.strip()}' and '{end}' once")
        text = re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _, b=begin, e=end, m=make: f"{b}{m(results)}\n{e}", text, flags=re.DOTALL)
    return text


def plot(rows):
    """A bar for each target: how much of it was taken. Left of the line is good."""
    rows = [row for row in rows if row["least"] and row["value"] > 0]
    height = BAR_TOP + BAR_STEP * len(rows) + 8
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="{height}" viewBox="0 0 900 {height}" font-family="sans-serif" font-size="13" role="img">',
             "<title>Measured values as parts of what they must reach</title>",
             "<style>text{fill:#222}line{stroke:#888}@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>"]
    for i, row in enumerate(rows):
        share = row["least"] / row["value"] if row["higher"] else row["value"] / row["least"]
        y, width = BAR_TOP + BAR_STEP * i, min(share, BAR_MOST) * BAR_WIDTH
        parts.append(f'<text x="8" y="{y + 14}">{html.escape(row["bench"])}: {html.escape(row_name(row))}</text>')
        parts.append(f'<rect x="{BAR_LEFT}" y="{y}" width="{width:.1f}" height="18" fill="{COLOURS[row["verdict"]]}"/>')
        parts.append(f'<text x="{BAR_LEFT + width + 6:.1f}" y="{y + 14}">{report.value_text(row)}</text>')
    x = BAR_LEFT + BAR_WIDTH
    parts.append(f'<line x1="{x}" y1="{BAR_TOP - 8}" x2="{x}" y2="{height - 4}" stroke-dasharray="4"/>')
    parts.append(f'<text x="{x}" y="18" text-anchor="middle">what it must be</text></svg>')
    return "\n".join(parts) + "\n"


def write(folder):
    results = condensed(folder, report.read_json(JSON))
    report.write_json(JSON, results)
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    PLOT.write_text(plot(all_rows(results)), encoding="utf-8")


def differences():
    """What of the page and the plot is not what docs/performance.json says."""
    results = report.read_json(JSON)
    if not results:
        return [f"{JSON.name} is not a file of format {report.FORMAT}"]
    text = PAGE.read_text(encoding="utf-8")
    found = [] if page(text, results) == text else [f"{PAGE.name}: its tables are not those of {JSON.name}"]
    return found + ([] if PLOT.read_text(encoding="utf-8") == plot(all_rows(results)) else [f"{PLOT.name} is not the plot of {JSON.name}"])
