"""rerun: the same again, on a source of ten minutes; then moved, touched, and with another tail. add-rung: a rung more for a run that is there."""
import json
import os
import shutil

from bench import clips, ladders, measure, peers, session

MINUTES = 10
ALWAYS = {"package", "publish"}  # they look at what is there
SMALL = (("240p", 240, 200_000), ("216p", 216, 150_000), ("180p", 180, 120_000), ("144p", 144, 100_000))


def made(out):
    """How many tasks did work that could have been there."""
    nodes = json.loads((out / "run.json").read_text(encoding="utf-8"))["nodes"]
    return sum(node["tasks"] - node["cached"] for node in nodes if node["node"] not in ALWAYS)


def rerun(s):
    short = s.excerpt()
    clip = clips.looped(short, 60 if s.options.quick else 60 * MINUTES)
    with s.work() as work:
        source = work / "source.mp4"
        shutil.copyfile(clip.path, source)

        def again(path=source):
            return measure.run(peers.millrace(path, work, "--param", "preset=ultrafast", "--param", peers.ladder_param(SMALL)))

        first = again()
        s.row("the first time, four small rungs", first.wall, unit="s")

        def counted(path=source):
            figures = again(path)
            if made(work / "out"):
                raise ValueError(f"{made(work / 'out')} tasks were done again")
            return figures

        rounds = s.alternate(clip.name, {"millrace": counted}, warm=True)
        s.row("again", rounds.values("millrace"), unit="s", least=1.0, aim=0.2)
        moved = source.rename(work / "moved.mp4")
        s.row("moved", counted(moved).wall, unit="s")
        os.utime(moved)
        s.row("touched", counted(moved).wall, unit="s")
        with open(moved, "r+b") as file:
            file.seek(-1000, os.SEEK_END)
            file.write(bytes(1000))
        s.row("another tail", again(moved).wall, unit="s")
        s.row("another tail: tasks done again", made(work / "out"), unit="")


def add_rung(s):
    clip = s.excerpt()
    rung = ("360p", 360, 500_000)
    for preset in ("veryfast", "medium"):
        with s.work() as work:
            words = ["--param", f"preset={preset}", "--param", peers.ladder_param([*peers.LADDER, rung])]
            ladders.encode(clip, work, "--param", f"preset={preset}")
            for folder in ("state", "out"):
                (work / folder).rename(work / f"{folder}-4")
            bits = ladders.EqualBits(clip, work, [rung], lambda out, rates: peers.ffmpeg_h264(clip, out, [rung], rates, preset, audio=False))

            def ours():
                for folder in ("state", "out"):
                    shutil.copytree(work / f"{folder}-4", peers.fresh(work / folder), symlinks=True)
                figures = measure.run(peers.millrace(clip.path, work, *words))
                peers.check_tree(work / "out", clip)
                bits.ours_is_there()
                return figures

            rounds = s.alternate(preset, {"millrace": ours, "360p alone": bits.run}, bits.correct)
            bits.settle(session.EQUAL_BITS)
            s.compare(clip, work, bits.ours, bits.theirs, [rung], preset)
        s.ratio(rounds, "360p alone", label=f"wall, {preset}", least=1.05, aim=0.95)
        s.ratio(rounds, "360p alone", "cpu", label=f"CPU, {preset}")
    s.quality_rows()
