"""first-segment: from the start of the command until every rung has its first segment, of 2 s on both sides, whole and under its name."""
from bench import ladders, measure, peers


def first_segment(s):
    clip = s.excerpt()
    lowest = []
    with s.work() as work:
        ladders.encode(clip, work, "--param", "preset=veryfast")  # for the bit rates
        rates = peers.bitrates(work / "out")

        def ours():
            peers.fresh(work / "state")
            out = peers.fresh(work / "out") / "video"
            began = []

            def there(seconds):
                if not began and (out / peers.LADDER[0][0] / "00000.m4s").exists():
                    began.append(seconds)
                return all((out / name / "00000.m4s").exists() for name, _, _ in peers.LADDER)

            figures = measure.run(peers.millrace(clip.path, work, "--param", "preset=veryfast"), until=there)
            lowest.append(began[0])
            return figures

        def theirs():
            # FFmpeg writes a segment under another name until it is whole.
            return measure.run(peers.ffmpeg_h264(clip, work / "one", peers.LADDER, rates, "veryfast", segment=peers.FIRST_SEGMENT_S),
                               until=lambda _: all((work / "one" / f"chunk-stream{i}-00001.m4s").exists() for i in range(len(peers.LADDER))))

        rounds = s.alternate(clip.name, {"millrace": ours, "one process": theirs})
    s.ratio(rounds, "one process", label="all rungs", least=0.65, aim=0.55)
    s.row("all rungs", rounds.values("millrace"), unit="s")
    s.row("lowest rung", lowest, unit="s", least=1.0)
