"""sandbox: what task hosts cost: CPU seconds of pipelines/vod.yaml with the sandbox, against the same with `sandbox: off`.

Both run at the same time, each on a processor of its own with one job, and change places in each round: what the machine does besides, and what two encoders
do to each other's caches, meets both alike. The bound is held against the upper end of the interval in which the median lies. A clip of some
seconds shows what a run costs once, which is most of it: loading the plugins a second time, for the hosts.
"""
from bench import peers

ROUNDS, SHORT_ROUNDS = 16, 10
MOST = 1.02


def rounds_of(s, clip, count):
    with s.work() as work:
        def run(name, setting):
            out, state = (peers.fresh(work / f"{kind}-{name}") for kind in ("out", "state"))
            return peers.millrace(clip.path, work, "--jobs", "1", "--param", "preset=veryfast", "--set", f"sandbox={setting}", out=out.name, state=state.name)

        def check():
            for name in ("on", "off"):
                peers.check_tree(work / f"out-{name}", clip)

        return s.beside(clip.name, {"millrace": lambda: run("on", "auto"), "sandbox off": lambda: run("off", "off")}, count, check)


def sandbox(s):
    rounds = rounds_of(s, s.excerpt(), ROUNDS)
    s.ratio(rounds, "sandbox off", "cpu")
    s.bound(rounds, "sandbox off", "cpu", MOST, "CPU")
    clip = s.short_clips()[0]
    s.ratio(rounds_of(s, clip, SHORT_ROUNDS), "sandbox off", "cpu", label=f"CPU, {clip.seconds:.0f} s of video")
