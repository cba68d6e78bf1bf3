"""Frame filters in Lua: named by a pipeline, applied to every frame, part of the identity, and no danger."""
import json
import subprocess
import unittest

from command import Case

WIDTH, HEIGHT, RATE, SECONDS = 320, 240, 10, 6

# A white bar that is a letter longer with each second: what a frame shows tells when it is.
CLOCK = """\
    local steps = require "steps"
    millrace.filter{
      name = "titles.clock",
      help = "a bar that grows\\n\\nBy a letter each second.",
      params = {size = {type = "int", default = 20, min = 8, max = 100, help = "of a letter"},
                note = {type = "text", default = "", help = "changes nothing"}},
      settings = {"drawtext.text"},
      chain = function(params, video)
        return "drawtext=text=x:x=0:y=0:fontcolor=white:box=1:boxcolor=white:fontsize=" .. params.size
      end,
      steer = function(frame, params, video)
        assert(frame.number == math.floor(frame.time * video.frame_rate + 0.5), "number and time differ")
        return {["drawtext.text"] = ("M"):rep(steps(frame.time))}
      end,
    }
    """
STEPS = "return function(time) return 1 + time // 1 | 0 end\n"

FILE = """\
    millrace: 1
    name: clock
    scripts: [filters/titles.lua]
    inputs:
      source: {type: media}
    params:
      size: {type: int, default: 20}
    nodes:
      probe: {op: probe.media, in: {source: inputs.source}}
      file:
        op: transcode.file
        in: {source: inputs.source, info: probe.info}
        with: {height: 240, preset: ultrafast, filters: [{use: titles.clock, with: {size: "${params.size}"}}]}
      publish: {op: storage.publish, in: {files: file.file}}
    outputs:
      video: publish.media
    """

CHUNKS = """\
    millrace: 1
    name: chunks
    scripts: [filters/titles.lua]
    inputs:
      source: {type: media}
    nodes:
      probe: {op: probe.media, in: {source: inputs.source}}
      ladder: {op: transcode.ladder, in: {info: probe.info}, with: {rungs: [{height: 240, max_bitrate: 500k}]}}
      plan: {op: segment.plan, in: {source: inputs.source, info: probe.info}, with: {segment_duration: 1s, chunk_segments: 2}}
      analysis: {op: transcode.analyse, each: {chunk: plan.chunks}, in: {source: inputs.source}, with: {filters: [{use: titles.clock}]}}
      video:
        op: transcode.video
        each: {chunk: plan.chunks, analysis: analysis.stats}
        for: {rung: ladder.rungs}
        in: {source: inputs.source}
        with: {preset: ultrafast, filters: [{use: titles.clock}]}
      package: {op: manifest.package, in: {plan: plan.plan, ladder: ladder.rungs, segments: video.segments}, with: {formats: [hls]}}
      publish: {op: storage.publish, in: {files: package.files}}
    outputs:
      hls: publish.hls
    """


def bars(path):
    """How many columns of the first lines are white, frame by frame."""
    options = ["-allowed_extensions", "ALL"] if path.suffix == ".m3u8" else []
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", *options, "-i", str(path), "-vf", f"crop={WIDTH}:2:0:8,scale={WIDTH}:1,format=gray",
                           "-f", "rawvideo", "-"], check=True, capture_output=True, timeout=240)
    rows = [done.stdout[at:at + WIDTH] for at in range(0, len(done.stdout), WIDTH)]
    return [sum(1 for sample in row if sample > 180) for row in rows]


class Filters(Case):
    def setUp(self):
        super().setUp()
        (self.dir / "filters").mkdir()
        self.write("filters/titles.lua", CLOCK)
        self.write("filters/steps.lua", STEPS)
        self.write("clock.yaml", FILE)
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", f"color=black:s={WIDTH}x{HEIGHT}:r={RATE}:d={SECONDS}",
                        "-c:v", "libx264", "-preset", "ultrafast", str(self.dir / "black.mp4")], check=True, timeout=240)

    def run_clock(self, code=0, *args, pipeline="clock.yaml"):
        return self.expect(code, "run", pipeline, "-i", "black.mp4", "-o", "out", "--state", "st", *args)

    def why(self):
        plan = self.json_of("plan", "clock.yaml", "-i", "black.mp4", "--state", "st", "--json")
        return [(why["reason"], why.get("name", "")) for node in plan["nodes"] if node["node"] == "file" for why in node.get("why", [])]

    def check_bars(self, found):
        """Each second its own length, each longer than the one before; the same for all frames of a second."""
        self.assertEqual(len(found), RATE * SECONDS)
        letters = [found[second * RATE + RATE // 2] for second in range(SECONDS)]
        for second in range(SECONDS):
            for width in found[second * RATE:(second + 1) * RATE]:
                self.assertLessEqual(abs(width - letters[second]), 2, found)
        for before, after in zip(letters, letters[1:]):
            self.assertGreater(after - before, 8, letters)
        return letters

    def test_each_frame_gets_its_text(self):
        self.run_clock()
        letters = self.check_bars(bars(self.dir / "out" / "video.mp4"))
        self.run_clock(0, "-p", "size=30")
        self.assertGreater(self.check_bars(bars(self.dir / "out" / "video.mp4"))[5], letters[5] + 8)

    def test_chunks_fit_together(self):
        self.write("chunks.yaml", CHUNKS)
        playlist = self.run_clock(pipeline="chunks.yaml").stdout.split("hls: ")[1].split("\n")[0]
        self.check_bars(bars(self.dir / playlist))

    def test_the_script_is_part_of_what_is_made(self):
        self.run_clock()
        self.assertIn("2 cached", self.run_clock().stderr)
        self.assertEqual(self.why(), [])
        self.write("filters/steps.lua", STEPS + "-- the same\n")
        self.assertEqual(self.why(), [("param", "filters")])

    def test_it_is_listed_and_found_on_the_plugin_path(self):
        env = {"MILLRACE_PLUGIN_PATH": str(self.dir / "filters")}
        page = self.expect(0, "filters", "titles.clock", **env).stdout
        for part in ("a bar that grows", "By a letter each second.", "8 to 100", "of a letter"):
            self.assertIn(part, page)
        self.assertIn("titles.clock", self.expect(0, "filters", "--names", **env).stdout)
        self.assertIn("titles.clock", self.expect(0, "schema", **env).stdout)
        self.write("plain.yaml", (self.dir / "clock.yaml").read_text().replace("scripts: [filters/titles.lua]\n", ""))
        self.expect(0, "check", "plain.yaml", **env)
        self.assertIn("unknown filter 'titles.clock'", self.expect(2, "check", "plain.yaml").stderr)

    def test_mistakes_are_found_before_anything_runs(self):
        text = (self.dir / "clock.yaml").read_text()
        for old, new, said in (("size: \"${params.size}\"", "sise: 3", "did you mean 'size'?"), ("size: \"${params.size}\"", "size: 3", "8"),
                               ("titles.clock", "titles.clok", "did you mean 'titles.clock'?")):
            self.write("clock.yaml", text.replace(old, new))
            done = self.expect(2, "check", "clock.yaml")
            self.assertIn(said, done.stderr)
            self.assertIn("clock.yaml:", done.stderr)
        self.write("clock.yaml", text)
        for old, new, said in (("settings =", "setings =", "did you mean 'settings'?"), ("settings = {\"drawtext.text\"}", "settings = {}", "'settings' takes"),
                               ("\"drawtext.text\"}", "\"drawtext\"}", "filter.option"), ("steer = function(frame, params, video)", "steer = 5, run = function()", "run"),
                               ("steer = function", "stear = function", "did you mean 'steer'?"), ("name = \"titles.clock\"", "name = \"clock\"", "clock"),
                               ("size = {type = \"int\"", "size = {type = \"intt\"", "did you mean 'int'?")):
            self.write("filters/titles.lua", CLOCK.replace(old, new))
            done = self.expect(2, "check", "clock.yaml")
            self.assertIn(said, done.stderr)
            self.assertIn("filters/titles.lua:", done.stderr)

    def steer(self, body):
        self.write("filters/titles.lua", "millrace.filter{name = 'titles.clock', help = 'x', settings = {'drawtext.text'}, chain = 'drawtext=text=x',\n"
                   "  params = {size = {type = 'int', help = 'x'}},\n  steer = function(frame)\n"
                   f"    {body}\n    return {{['drawtext.text'] = frame.number}}\n  end}}\n")

    def test_what_goes_wrong_has_a_line(self):
        for body, said in (("if frame.number == 7 then error('seven') end", "filters/titles.lua:4: seven"),
                           ("if frame.number == 7 then return {} end", "no text or number for 'drawtext.text'"),
                           ("while true do end", "it takes more than 500ms of processor time"),
                           ("local t = {} while true do t[#t + 1] = {} end", "the script needs more than 8 MiB of memory")):
            self.steer(body)
            done = self.run_clock(1, "--set", "scripts.time=500ms", "--set", "scripts.memory=8MiB")
            self.assertIn(said, done.stderr)

    def test_a_pattern_that_takes_for_ever_ends_only_its_task(self):
        self.steer("if frame.number == 7 then return ('a'):rep(40):find(('a?'):rep(40) .. ('.-'):rep(40) .. 'b') end")
        for sandbox in ("auto", "off"): # scripts are in no case run in the engine
            done = self.run_clock(1, "--set", "scripts.time=500ms", "--set", f"sandbox={sandbox}", "--json")
            events = [json.loads(line) for line in done.stdout.splitlines()]
            self.assertEqual(sum(1 for event in events if event["event"] == "task.started" and event.get("node") == "file"), 1)
            said = done.stdout + done.stderr
            self.assertIn("filters/titles.lua:1: filter 'titles.clock' was ended: it was in one call of Lua's library for 500ms", said)
            self.assertIn("a pattern may take for ever", said)


if __name__ == "__main__":
    unittest.main()
