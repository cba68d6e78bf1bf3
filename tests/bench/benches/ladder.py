"""ladder-veryfast, ladder-medium: 1080p to four rungs as HLS and DASH, against one FFmpeg process with four outputs and against one process per rung."""
from bench import ladders, measure, peers, session

TARGETS = {"veryfast": {"one process": (0.85, 0.77), "process per rung": (0.65, 0.60)}, "medium": {"one process": (0.90, 0.82), "process per rung": (0.65, 0.60)}}


def run(s, preset):
    clip = s.long_clip()
    with s.work() as work:
        bits = ladders.EqualBits(clip, work, peers.LADDER, lambda out, rates: peers.ffmpeg_h264(clip, out, peers.LADDER, rates, preset))

        def ours():
            figures = ladders.encode(clip, work, "--param", f"preset={preset}", memory=True)
            bits.ours_is_there()
            return figures

        def process_per_rung():
            total = measure.Figures(0)
            for rung in peers.LADDER:  # one of them makes the sound
                command = peers.ffmpeg_h264(clip, work / "rung", [rung], bits.targets, preset, audio=rung == peers.LADDER[0])
                total = total.after(measure.run(command))
            return total

        sides = {"millrace": ours, "one process": lambda: bits.run(memory=True)}
        if not s.options.quick:
            sides["process per rung"] = process_per_rung
        rounds = s.alternate(clip.name, sides, bits.correct)
        for peer, (least, aim) in TARGETS[preset].items():
            if peer in sides:
                s.ratio(rounds, peer, least=least, aim=aim)
        s.ratio(rounds, "one process", "cpu")
        s.ratio(rounds, "one process", "memory_mb", least=1.5, aim=1.0)
        s.row("utilisation", rounds.values("millrace", "utilisation"), unit="%", least=0.97, aim=0.98, higher=True)
        bits.settle(session.EQUAL_BITS)
        s.compare(clip, work, bits.ours, bits.theirs, peers.LADDER)


def veryfast(s):
    run(s, "veryfast")


def medium(s):
    run(s, "medium")
