"""storyboard: one picture per 10 s, against FFmpeg decoding everything: of ten minutes, and of a clip so short that most of it is starting."""
import math

from bench import clips, measure, peers

SECONDS = 600
EVERY_S = 10

PIPELINE = """millrace: 1
name: storyboard
inputs: {source: {type: media}}
nodes:
  probe: {op: probe.media, in: {source: inputs.source}}
  sheets: {op: thumbnail.sheets, in: {info: probe.info}, with: {interval: 10s}}
  board: {op: thumbnail.storyboard, each: {sheet: sheets.sheets}, in: {source: inputs.source, info: probe.info}}
  publish: {op: storage.publish, in: {files: [board.track]}}
outputs: {track: publish.published}
"""


def against_full_decode(s, clip):
    with s.work() as work:
        pipeline = work / "storyboard.yaml"
        pipeline.write_text(PIPELINE, encoding="utf-8")

        def ours():
            peers.fresh(work / "state")
            out = peers.fresh(work / "out")
            figures = measure.run(peers.millrace(clip.path, work, pipeline=pipeline))
            if not list(out.glob("**/*.vtt")):
                raise ValueError(f"{out} has no storyboard")
            return figures

        def full_decode():
            boards = peers.fresh(work / "boards")
            boards.mkdir()
            figures = measure.run([peers.FFMPEG, "-v", "error", "-nostdin", "-y", "-i", clip.path, "-map", "0:v:0",
                                   "-vf", f"fps=1/{EVERY_S},scale=320:-2,tile=5x5", boards / "%05d.jpg"])
            made, wanted = len(list(boards.iterdir())), math.ceil(int(clip.seconds / EVERY_S) / 25)
            if made < wanted:  # it ended before the end
                raise ValueError(f"FFmpeg made {made} sheets of {wanted}")
            return figures

        return s.alternate(clip.name, {"millrace": ours, "full decode": full_decode}, warm=True)


def storyboard(s):
    short = s.long_clip()
    long = short if s.options.quick or s.options.clip else clips.looped(short, SECONDS)
    rounds = against_full_decode(s, long)
    s.ratio(rounds, "full decode", least=0.05, aim=0.035)
    s.ratio(rounds, "full decode", "cpu")
    s.row("seconds", rounds.values("millrace"), unit="s")
    if long is not short:
        s.ratio(against_full_decode(s, short), "full decode", label=f"wall, {short.seconds:.0f} s of video")
