"""lua-filter: what a frame filter in Lua adds to a transcode: CPU seconds, against the same chain as text. The pictures are the same to the bit."""
from bench import measure, peers

CHAIN = "crop=w=in_w-64:h=in_h:x=32:y=0"
SCRIPT = f"""\
millrace.filter{{
  name = "bench.pan", help = "says anew for each frame where the window is", settings = {{"crop.x"}}, chain = "{CHAIN}",
  steer = function(frame, params, video)
    local phase = (frame.time / 10) % 1
    local x = math.floor(video.width * (phase < 0.5 and phase or 1 - phase))
    return {{["crop.x"] = x > video.width and x or 32}}
  end,
}}
"""
PIPELINE = """\
millrace: 1
name: filtered
{scripts}
inputs: {{source: {{type: media}}}}
nodes:
  probe: {{op: probe.media, in: {{source: inputs.source}}}}
  file: {{op: transcode.file, in: {{source: inputs.source, info: probe.info}}, with: {{height: 1080, preset: veryfast, filters: {filters}}}}}
  publish: {{op: storage.publish, in: {{files: file.file}}}}
outputs: {{video: publish.media}}
"""


def lua_filter(s):
    clip = s.excerpt()
    with s.work() as work:
        (work / "bench.lua").write_text(SCRIPT, encoding="utf-8")
        written = {"millrace": PIPELINE.format(scripts="scripts: [bench.lua]", filters="[{use: bench.pan}]"),
                   "as text": PIPELINE.format(scripts="", filters=f'["{CHAIN}"]')}
        sides, made = {}, {}
        for name, text in written.items():
            file = work / f"{name.replace(' ', '-')}.yaml"
            file.write_text(text, encoding="utf-8")

            def side(name=name, file=file):
                peers.fresh(work / "state")
                out = peers.fresh(work / "out")
                figures = measure.run([peers.MILLRACE, "run", file, "--input", clip.path, "--output", out, "--state", work / "state", "--quiet"])
                made[name] = (out / "video.mp4").read_bytes()
                return figures
            sides[name] = side
        rounds = s.alternate(clip.name, sides, warm=True)
    if made["millrace"] != made["as text"]:
        raise ValueError("the filter in Lua makes other pictures than its chain")
    s.ratio(rounds, "as text", "cpu", least=1.02, aim=1.01)
