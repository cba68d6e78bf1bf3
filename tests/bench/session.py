"""What a bench works with: the options, the clips, a folder to work in, rounds, and rows. What it has found so far is always there."""
import contextlib
import os
import pathlib
import statistics
import tempfile
import time

from bench import clips, measure, peers, quality, report

EQUAL_BITS = 0.02


class Session:
    """One bench's run."""

    def __init__(self, name, options):
        self.name, self.options = name, options
        self.rows, self.measured, self.quality, self.tables, self.notes = [], [], [], [], []
        self.began, self.rounds_s, self.load = time.monotonic(), 0.0, os.getloadavg()[0]

    # ---- what is measured on ----
    def long_clip(self):
        if self.options.clip:
            return clips.look(self.options.clip)
        return clips.excerpt(clips.long_clip()) if self.options.quick else clips.long_clip()

    def excerpt(self):
        return clips.look(self.options.clip) if self.options.clip else clips.excerpt(clips.long_clip())

    def short_clips(self):
        if self.options.clip:
            return [clips.look(self.options.clip)]
        found = clips.short_clips()
        return found[:1] if self.options.quick else found

    @contextlib.contextmanager
    def work(self, memory=False):
        """A folder that is gone afterwards. memory: on a file system that lies in memory, where there is one."""
        folder = "/dev/shm" if memory and os.access("/dev/shm", os.W_OK) else self.options.work
        with tempfile.TemporaryDirectory(prefix="millrace-bench-", dir=folder) as work:
            yield pathlib.Path(work)

    # ---- rounds ----
    def alternate(self, label, sides, each=None, warm=False, least=0):
        """Rounds of all sides; what they took is printed and kept, also when they are interrupted. warm: each side once before, not counted. least: as many
        rounds at any rate, where they are short and differ."""
        for side in sides.values() if warm else ():
            side()
        rounds = measure.Rounds(label, sides)
        self.measured.append(rounds)
        began = time.monotonic()

        def after(so_far):
            if each:
                each()
            walls = ", ".join(f"{name} {values[-1].wall:.2f} s" for name, values in so_far.sides.items())
            print(f"  {label}, round {len(so_far)}: {walls}", flush=True)

        try:
            least = max(least, self.options.rounds)
            return measure.alternate(rounds, sides, least, max(least, self.options.limit), self.options.spread / 100, after)
        finally:
            self.rounds_s += time.monotonic() - began

    def beside(self, label, sides, count, each):
        """`count` rounds in which all sides run at once, on processors that they change from round to round. sides: {name: function() -> command}."""
        rounds = measure.Rounds(label, sides)
        self.measured.append(rounds)
        began = time.monotonic()
        names = list(sides)
        for _ in range(1 if self.options.quick else count):
            figures = measure.beside([sides[name]() for name in names])
            each()
            for name, one in zip(names, figures):
                rounds.sides[name].append(one)
            cpus = ", ".join(f"{name} {rounds.sides[name][-1].cpu:.2f} s" for name in sides)
            print(f"  {label}, round {len(rounds)}: CPU {cpus}", flush=True)
            names.reverse()
        self.rounds_s += time.monotonic() - began
        return rounds

    # ---- rows ----
    def row(self, what, values, **words):
        """See report.row; a value or one of each round."""
        found = report.row(self.name, what, values if isinstance(values, list) else [values], **words)
        self.rows.append(found)
        print(report.line(found), flush=True)

    def ratio(self, rounds, other, what="wall", label=None, one="millrace", **words):
        names = {"wall": "wall", "cpu": "CPU", "memory_mb": "memory, peak"}
        self.row(label or names[what], rounds.ratios(one, other, what), against=other, **words)

    def bound(self, rounds, other, what, least, label):
        """A bound that is held against the upper end of the interval in which the median lies: of what differs from round to round, whatever is done."""
        if len(rounds) >= measure.INTERVAL_LEAST:
            upper = measure.interval(rounds.ratios("millrace", other, what))[1]
            self.row(f"{label}, upper end of the 95 % interval", upper, against=other, least=least)

    def table(self, title, heads, lines):
        """What is not one number; cells are texts."""
        self.tables.append({"title": title, "heads": heads, "lines": lines})

    def show(self, cells):
        print("  " + "  ".join(f"{cell:>14}" for cell in cells), flush=True)

    def note(self, text):
        self.notes.append(text)
        print(f"  {text}", flush=True)

    # ---- quality ----
    def compare(self, clip, work, ours, theirs, rungs, label=""):
        """Of each rung: our bits and quality, and theirs. ours and theirs: rung -> (init segment, segments)."""
        shifts = None
        for name, _, _ in rungs:
            files = [peers.joined(*side(name), work / f"{side_name}.mp4") for side_name, side in (("ours", ours), ("theirs", theirs))]
            seconds = clip.frames / clip.fps
            bits = [8 * sum(path.stat().st_size for path in side(name)[1]) / seconds for side in (ours, theirs)]
            shifts = shifts or [quality.alignment(clip, path) for path in files]  # the same for all rungs
            values = quality.compare(clip, files, shifts)
            found = {side: {"bitrate": round(bits[i]), **values[i]} for i, side in enumerate(("ours", "peer"))}
            self.quality.append({"label": label, "clip": clip.name, "rung": name, **found})
            texts = [" ".join([f"{side} {one['bitrate'] / 1000:.0f} kbit/s", *(f"{what} {one[what]['mean']:.4g}/{one[what]['p5']:.4g}" for what in quality.VALUES if what in one)])
                     for side, one in found.items()]
            print(f"  {name:>6}: {', '.join(texts)}", flush=True)
            for path in files:
                path.unlink()

    def quality_rows(self, what="", label=None, least=None):
        """Of what was compared (under a label): the worst rung of each value, ours less the peer's. least: 0 where it must not be worse."""
        compared = [one for one in self.quality if label in (None, one["label"])]
        off = max((one["ours"]["bitrate"] / one["peer"]["bitrate"] - 1 for one in compared), key=abs)
        self.row(f"{what}bits of the farthest rung, off by", abs(off), unit="%", least=EQUAL_BITS)
        for measured in quality.VALUES:
            for part, words in (("mean", "mean"), ("p5", "5th percentile")):
                found = [one["ours"][measured][part] - one["peer"][measured][part] for one in compared if measured in one["ours"]]
                if found:
                    self.row(f"{what}{measured.upper()} {words}, worst rung: more", min(found), unit="ssim" if measured == "ssim" else "dB" if measured == "psnr" else "",
                             least=least, higher=True)

    # ---- results ----
    def result(self, versions, complete):
        """All of it, as build/bench/NAME.json keeps it."""
        medians = {"wall_s": "wall", "cpu_s": "cpu", "memory_mb": "memory_mb", "utilisation": "utilisation"}
        sides = [{"label": rounds.label, "side": name, **{key: statistics.median(rounds.values(name, what)) for key, what in medians.items()}}
                 for rounds in self.measured for name, values in rounds.sides.items() if values]
        count = max((len(one) for one in self.measured), default=0)
        clip = self.options.clip.name if self.options.clip else ""
        return {"format": report.FORMAT, "bench": self.name, "complete": complete, "date": time.strftime("%Y-%m-%d", time.gmtime()), "commit": report.commit(),
                "machine": report.machine(), "load": round(self.load, 1), "versions": versions,
                "options": {"rounds": self.options.rounds, "limit": self.options.limit, "quick": self.options.quick, "clip": clip},
                "seconds": {"all": round(time.monotonic() - self.began, 1), "rounds": round(self.rounds_s, 1), "count": count},
                "rows": self.rows, "sides": sides, "quality": self.quality, "tables": self.tables, "notes": self.notes,
                "measured": [one.as_json() for one in self.measured]}
