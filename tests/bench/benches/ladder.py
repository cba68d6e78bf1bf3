"""ladder-veryfast, ladder-medium: 1080p to four rungs as HLS and DASH, against one FFmpeg process with four outputs and against one process per rung.
short: the same on clips of 8 seconds, which have fewer chunks than a machine would like."""
import statistics

from bench import ladders, measure, peers, session

TARGETS = {"veryfast": {"one process": (0.85, 0.77), "process per rung": (0.65, 0.60)}, "medium": {"one process": (0.90, 0.82), "process per rung": (0.65, 0.60)}}


def encode_both(s, clip, work, preset, per_rung=False):
    """Rounds of ours and theirs, and the quality of both; the caller makes rows of the rounds."""
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
    if per_rung:
        sides["process per rung"] = process_per_rung
    rounds = s.alternate(clip.name, sides, bits.correct)
    bits.settle(session.EQUAL_BITS)
    s.compare(clip, work, bits.ours, bits.theirs, peers.LADDER)
    return rounds


def ladder(s, preset):
    with s.work() as work:
        rounds = encode_both(s, s.long_clip(), work, preset, per_rung=not s.options.quick)
    for peer, (least, aim) in TARGETS[preset].items():
        if peer in rounds.sides:
            s.ratio(rounds, peer, least=least, aim=aim)
    s.ratio(rounds, "one process", "cpu")
    s.ratio(rounds, "one process", "memory_mb", least=1.5, aim=1.0)
    s.row("utilisation", rounds.values("millrace", "utilisation"), unit="%", least=0.97, aim=0.98, higher=True)
    s.quality_rows(least=0.0)


def veryfast(s):
    ladder(s, "veryfast")


def medium(s):
    ladder(s, "medium")


def short(s):
    """The median of the clips, and the worst of them."""
    found = {}
    for clip in s.short_clips():
        with s.work() as work:
            rounds = encode_both(s, clip, work, "veryfast")
        s.ratio(rounds, "one process", label=f"wall, {clip.name}")
        found[clip.name] = statistics.median(rounds.ratios("millrace", "one process"))
    s.row("wall, median of the clips", statistics.median(found.values()), against="one process", least=1.0, aim=0.9)
    s.row("wall, worst clip", max(found.values()), against="one process", least=1.0, aim=0.9)
    s.quality_rows()
