"""millrace repl: expressions and ops, line by line, from a pipe."""
import subprocess
import unittest

from command import MILLRACE, Case, make_clip

LOOK = """\
    millrace: 1
    name: look
    inputs:
      source: {type: media}
    params:
      height: {type: int, default: 720, min: 2}
      names: {type: list, default: [{id: a}, {id: b}]}
      wait: {type: duration, default: 1500ms}
    nodes:
      probe: {op: probe.media, in: {source: inputs.source}}
      ladder: {op: transcode.ladder, in: {info: probe.info}, with: {rungs: [{height: "${params.height}"}]}, when: "${params.wait > 1 and #params.names > 0}"}
      publish: {op: storage.publish, in: {files: package.files}}
      plan: {op: segment.plan, in: {source: inputs.source, info: probe.info}}
      package: {op: manifest.package, in: {plan: plan.plan}}
    outputs:
      rungs: ladder.rungs
      hls: publish.hls
    """


class Repl(Case):
    def setUp(self):
        super().setUp()
        self.pipeline = self.write("look.yaml", LOOK)

    def repl(self, *lines, args=(), code=0):
        done = subprocess.run([MILLRACE, "repl", self.pipeline, *args], cwd=self.dir, env=self.env, capture_output=True, text=True, timeout=120, check=False,
                              input="\n".join(lines) + "\n")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def answers(self, *lines, args=()):
        return self.repl(*lines, args=args).stdout.splitlines()

    def test_expressions_and_names(self):
        self.assertEqual(self.answers("params.height // 2", "params.names[2].id", "params.wait", '"${params.height}p"', "nil", "-- nothing", "", "1 < 2"),
                         ["360", '"b"', "1.5", '"720p"', "nil", "true"])
        self.assertEqual(self.answers("half = params.height // 2", "half + 1", "half == 360"), ["361", "true"])
        self.assertEqual(self.answers("params.height", args=("--param", "height=480")), ["480"])
        self.assertEqual(self.answers("params.height", ":set height=1080", "params.height"), ["720", "1080"])

    def test_a_line_that_fails_is_told_and_the_rest_goes_on(self):
        for line, said in (("params.hight", "did you mean 'params.height'"), ("1 +", "ends too early"), (":set height=tall", "height"), (":set height=1", "too small"),
                           (":set height", "NAME=VALUE"), (":rnu probe", "did you mean ':run'"), (":run prob", "did you mean 'probe'"), (":run publish", "acts on the world"),
                           (":run probe", ":input source=PATH"), (":try probe.meda", "unknown op"), (":try probe.media", "not connected"), (":input x=y", "no input 'x'"),
                           ("params = 1", ":set"), (":op nothing", "unknown op"), ("x" * 9000, "8191 bytes")):
            done = self.repl(line, "1 + 1", code=1)
            self.assertIn(said, done.stderr, line)
            self.assertEqual(done.stdout.splitlines()[-1], "2", line)

    def test_what_there_is(self):
        self.assertIn(":try OP", self.repl(":help").stdout)
        self.assertIn("transcode.ladder", self.repl(":nodes").stdout)
        self.assertEqual([line.split()[0] for line in self.answers(":ops loud")], ["transcode.loudness"])
        self.assertIn("max_bitrate", self.repl(":op transcode.ladder").stdout)
        self.assertEqual(self.answers("a = 1", ":names"), ["  params", "  a"])
        self.assertIn('"height": 720', self.repl(":params").stdout)
        self.assertEqual(self.answers("1", ":quit", "2"), ["1"])

    def test_nodes_and_ops_are_run(self):
        clip = make_clip(self.dir / "clip.mp4", size="128x96")
        lines = self.answers(":run ladder", "ladder.rungs[1].height", "#ladder.rungs == 1", ":run probe", "info = probe.info", "info.video.width", f":try probe.media source={clip} loudness=true",
                             "it.info.audio[1].loudness ~= nil", args=("--input", clip))
        self.assertTrue(lines[0].startswith("ladder.rungs = "))
        self.assertIn("96", lines)
        self.assertIn("128", lines)
        self.assertEqual(lines[-1], "true")
        again = self.repl(":set wait=500ms", ":run ladder", "#ladder.rungs", args=("--input", f"source={clip}"))
        self.assertEqual(again.stdout.splitlines(), ["ladder.rungs = []", "0"])

    def test_a_pipeline_with_mistakes_is_not_opened(self):
        self.pipeline = self.write("bad.yaml", LOOK.replace("probe.media", "probe.meda"))
        self.assertIn("did you mean 'probe.media'", self.repl("1", code=2).stderr)
        self.pipeline = self.write("look.lua", 'local p = millrace.pipeline{}\np:param("height", {type = "int", default = 3})\np:node("l", "notify.webhook", {with = {url = "http://x/"}})')
        self.assertEqual(self.answers("params.height * 2"), ["6"])


if __name__ == "__main__":
    unittest.main()
