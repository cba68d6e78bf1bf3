"""sandbox: what task hosts cost: CPU seconds of pipelines/vod.yaml with the sandbox, against the same with `sandbox: off`.

Some seconds of real 1080p video, on which what a run costs once weighs most. Both run at the same time, each on a processor of its own with one job, and change
places in each round: what the machine does besides, and what two encoders do to each other's caches, meets both alike. The bound is held against the
upper end of the interval in which the median lies.
"""
from bench import measure, peers

ROUNDS = 20
MOST = 1.02


def sandbox(s):
    for clip in s.short_clips():
        with s.work() as work:
            def run(name, setting):
                out, state = (peers.fresh(work / f"{kind}-{name}") for kind in ("out", "state"))
                return peers.millrace(clip.path, work, "--jobs", "1", "--param", "preset=veryfast", "--set", f"sandbox={setting}", out=out.name, state=state.name)

            def check():
                for name in ("on", "off"):
                    peers.check_tree(work / f"out-{name}", clip)

            rounds = s.beside(clip.name, {"millrace": lambda: run("on", "auto"), "sandbox off": lambda: run("off", "off")}, ROUNDS, check)
        ratios = rounds.ratios("millrace", "sandbox off", "cpu")
        s.ratio(rounds, "sandbox off", "cpu", label=f"CPU, {clip.name}")
        if len(ratios) >= measure.INTERVAL_LEAST:
            s.row(f"CPU, {clip.name}, upper end of the 95 % interval", measure.interval(ratios)[1], against="sandbox off", least=MOST)
