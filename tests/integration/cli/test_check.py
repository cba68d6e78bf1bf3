"""millrace check and graph: mistakes are found before anything runs, all of them in one go."""
import json
import unittest

from command import PROBE, SOURCE, Case


class Check(Case):
    def test_good_pipelines(self):
        done = self.expect(0, "check", self.write("good.yaml", PROBE))
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr, "0 errors, 0 warnings\n")
        for path in sorted(SOURCE.glob("pipelines/*.yaml")):
            self.assertEqual(self.expect(0, "check", str(path)).stderr, "0 errors, 0 warnings\n", path.name)

    def test_a_bare_name_that_is_none(self):
        path = {"MILLRACE_PIPELINE_PATH": str(SOURCE / "pipelines")}
        (self.dir / "vod").mkdir()  # a folder is no pipeline
        self.expect(0, "check", "vod", **path)
        for name, hint in (("vdo", "did you mean 'vod'?"), ("zzzzzzzz", "name a file")):
            done = self.expect(2, "check", name, **path)
            self.assertIn(f"error: there is no pipeline '{name}'", done.stderr)
            self.assertIn(hint, done.stderr)
        (self.dir / "vod").rmdir()

    def test_a_bare_name_finds_what_comes_with_millrace(self):
        self.expect(0, "check", "vod", MILLRACE_PIPELINE_PATH=f"/nonexistent::{SOURCE}/pipelines")
        self.expect(0, "check", "vod.yaml", MILLRACE_PIPELINE_PATH=str(SOURCE / "pipelines"))
        self.assertIn("no-such-pipeline", self.expect(2, "check", "no-such-pipeline").stderr)

    def test_every_mistake_of_every_file(self):
        one = self.write("one.yaml", PROBE.replace("probe.media", "probe.meida").replace("type: media", "type: mdia"))
        two = self.write("two.yaml", PROBE.replace("in: {source: inputs.source}", "in: {sorce: inputs.source}"))
        done = self.expect(2, "check", one, two)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"one\.yaml:6:15: error: unknown op 'probe\.meida'")
        self.assertIn("did you mean 'probe.media'?", done.stderr)
        self.assertIn("^~~~", done.stderr)
        self.assertRegex(done.stderr, r"one\.yaml:4:\d+: error: .*mdia")
        self.assertRegex(done.stderr, r"two\.yaml:6:\d+: error: .*sorce")
        self.assertRegex(done.stderr.splitlines()[-1], r"^[3-9] errors, \d+ warnings?$")

    def test_json_is_for_editors(self):
        path = self.write("bad.yaml", PROBE.replace("probe.media", "probe.meida"))
        done = self.expect(2, "check", "--json", path)
        first = json.loads(done.stdout)[0]
        self.assertEqual((first["severity"], first["code"], first["line"]), ("error", "unknown-op", 6))
        self.assertTrue(first["file"].endswith("bad.yaml"))
        self.assertEqual(json.loads(self.expect(0, "check", "--json", self.write("good.yaml", PROBE)).stdout), [])

    def test_unreadable_files(self):
        self.assertIn("missing.yaml", self.expect(2, "check", "./missing.yaml").stderr)
        self.assertEqual(self.expect(2, "check", str(self.dir)).stdout, "")
        (self.dir / "binary.yaml").write_bytes(bytes(range(256)))
        self.expect(2, "check", str(self.dir / "binary.yaml"))
        self.expect(2, "check", self.write("empty.yaml", ""))

    def test_no_colour_where_nobody_sees_it(self):
        self.assertNotIn("\033", self.expect(2, "check", self.write("bad.yaml", "millrace: 2\n")).stderr)

    def test_graph_in_every_format(self):
        path = self.write("good.yaml", PROBE)
        self.assertIn("probe", self.expect(0, "graph", path).stdout)
        self.assertTrue(self.expect(0, "graph", path, "--format=dot").stdout.startswith("digraph"))
        self.assertIn("flowchart", self.expect(0, "graph", path, "-f", "mermaid").stdout)
        self.assertIn("</svg>", self.expect(0, "graph", path, "--format", "svg").stdout)
        self.assertEqual(self.expect(2, "graph", self.write("bad.yaml", "millrace: 1\n")).stdout, "")


if __name__ == "__main__":
    unittest.main()
