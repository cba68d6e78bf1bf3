"""Pipelines in Lua: taken wherever those in YAML are, with the same results and errors as good."""
import json
import pathlib
import unittest

from command import SOURCE, Case, make_clip

LOOK = """\
    local p = millrace.pipeline{name = "look"}
    local source = p:input("source", {type = "media"})
    local probe = p:node("probe", "probe.media", {from = {source = source}})
    p:output("info", probe.info)
    """


def tree(folder):
    """All that was published, but for run.json, which tells times."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in pathlib.Path(folder).rglob("*") if path.is_file() and path.name != "run.json"}


class Lua(Case):
    def test_check_graph_and_plan_take_both_languages(self):
        path = self.write("look.lua", LOOK)
        self.assertEqual(self.expect(0, "check", path).stderr, "0 errors, 0 warnings\n")
        for shipped in sorted(SOURCE.glob("pipelines/*.lua")):
            self.assertEqual(self.expect(0, "check", str(shipped)).stderr, "0 errors, 0 warnings\n", shipped.name)
        self.assertIn("probe", self.expect(0, "graph", path).stdout)
        clip = make_clip(self.dir / "clip.mp4", size="64x64")
        plan = self.json_of("plan", path, "--input", clip, "--json")
        self.assertEqual([node["node"] for node in plan["nodes"]], ["probe"])

    def test_a_bare_name_finds_lua_after_yaml(self):
        self.write("only.lua", LOOK)
        folder = {"MILLRACE_PIPELINE_PATH": str(self.dir)}
        (self.dir / "elsewhere").mkdir()
        for name in ("only", "only.lua"):
            done = self.expect(0, "check", name, **folder)
            self.assertEqual(done.stderr, "0 errors, 0 warnings\n")
        self.write("both.lua", "error('not this one')")
        self.write("both.yaml", "millrace: 1\nnodes: {}\n")
        self.assertIn("both.yaml", self.expect(2, "graph", "both", **folder).stderr + self.expect(2, "graph", "both.lua", **folder).stderr)

    def test_vod_in_lua_is_vod_in_yaml(self):
        graphs = [self.expect(0, "graph", str(SOURCE / "pipelines" / name), "--format", "dot").stdout for name in ("vod.yaml", "vod.lua")]
        self.assertEqual(graphs[0], graphs[1])
        clip = make_clip(self.dir / "clip.mp4", size="192x108")
        for language in ("yaml", "lua"):
            self.expect(0, "run", str(SOURCE / "pipelines" / f"vod.{language}"), "--input", clip, "--output", language, "--param", "preset=ultrafast")
        made = tree(self.dir / "yaml")
        self.assertIn("master.m3u8", made)
        self.assertEqual(made, tree(self.dir / "lua"))
        report = json.loads((self.dir / "lua" / "run.json").read_text())
        nodes = {node["node"]: node for node in report["nodes"]}
        self.assertEqual(nodes["video"]["cached"], nodes["video"]["tasks"], nodes["video"])

    def test_convert_writes_the_same_pipeline_in_yaml(self):
        for path in sorted(SOURCE.glob("pipelines/*.lua")):
            written = self.expect(0, "convert", str(path), "--to", "yaml").stdout
            (self.dir / f"{path.stem}.yaml").write_text(written)
            for script in path.parent.glob("ops/*.lua"):
                (self.dir / "ops").mkdir(exist_ok=True)
                (self.dir / "ops" / script.name).write_text(script.read_text())
            here = str(self.dir / f"{path.stem}.yaml")
            self.assertEqual(self.expect(0, "check", here).stderr, "0 errors, 0 warnings\n", written)
            self.assertEqual(self.expect(0, "graph", here, "-f", "dot").stdout, self.expect(0, "graph", str(path), "-f", "dot").stdout)
            again = self.expect(0, "convert", here).stdout
            self.assertEqual(again, written, path.name)
        yaml = (self.dir / "vod.yaml").read_text()
        self.assertIn("  probe: {op: probe.media, in: {source: inputs.source}}\n", yaml)
        self.assertIn('"${params.ladder}"', yaml)
        bad = self.write("bad.lua", LOOK.replace("probe.media", "probe.meida"))
        done = self.expect(2, "convert", bad)
        self.assertEqual(done.stdout, "")
        self.assertIn("did you mean 'probe.media'?", done.stderr)
        self.assertIn("--to", self.expect(2, "convert", bad, "--to", "toml").stderr)
        vod = self.json_of("convert", str(SOURCE / "pipelines" / "vod.lua"), "--to", "json")
        self.assertEqual(vod["nodes"]["video"]["for"], {"rung": "ladder.rungs"})

    def test_mistakes_are_underlined_where_they_are_written(self):
        path = self.write("bad.lua", LOOK.replace("probe.info", "probe.inof").replace('type = "media"', 'type = "meda"').replace("from", "form"))
        done = self.expect(2, "check", path)
        for line in (r"bad\.lua:2:42: error: 'type' of input 'source' can't be 'meda'", r"bad\.lua:3:47: error: node 'probe' has no field 'form'",
                     r"bad\.lua:4:18: error: node 'probe' \(op 'probe.media'\) has no output port 'inof'"):
            self.assertRegex(done.stderr, line)
        self.assertEqual(done.stderr.splitlines()[-1], "3 errors, 0 warnings")
        told = json.loads(self.expect(2, "check", "--json", path).stdout)
        self.assertEqual([(one["line"], one["col"]) for one in told], [(2, 42), (3, 47), (4, 18)])

    def test_what_does_not_compile_and_what_describes_nothing(self):
        self.assertRegex(self.expect(2, "check", self.write("a.lua", "local p = = 2\n")).stderr, r"a\.lua:1:1: error: unexpected symbol near '='")
        self.assertIn("describes no pipeline", self.expect(2, "check", self.write("b.lua", "return {millrace = 1}\n")).stderr)
        self.assertIn("describes no pipeline", self.expect(2, "check", self.write("c.lua", "")).stderr)
        self.assertIn("bytecode", self.expect(2, "check", self.write("d.lua", "\x1bLua")).stderr)
        (self.dir / "e.lua").write_bytes(bytes(range(256)))
        self.expect(2, "check", str(self.dir / "e.lua"))
        self.assertIn("missing.lua", self.expect(2, "check", "./missing.lua").stderr)
        twice = "millrace.pipeline{name = 'a'}\nmillrace.pipeline{name = 'b'}\n"
        self.assertRegex(self.expect(2, "check", self.write("f.lua", twice)).stderr, r"f\.lua:2:1: error: a script describes one pipeline")
        self.assertIn("stand in scripts of their own", self.expect(2, "check", self.write("g.lua", "millrace.op{name = 'a.b'}\n")).stderr)

    def test_scripts_reach_nothing_but_the_modules_beside_them(self):
        self.write("rungs.lua", "return {{height = 720}}")
        self.write("inside.lua", 'local rungs = require "rungs"\n' + LOOK.replace("\n    ", "\n").strip())
        self.assertEqual(self.expect(0, "check", "inside.lua").stderr, "0 errors, 0 warnings\n")
        (self.dir / "deeper").mkdir()
        self.write("deeper/up.lua", 'require "../rungs"')
        self.assertIn("can't be a module's name", self.expect(2, "check", "deeper/up.lua").stderr)
        self.assertIn("no module 'os'", self.expect(2, "check", self.write("a.lua", 'require "os"')).stderr)
        for code in ("os.getenv('HOME')", "io.open('/etc/passwd')", "load('return 1')", "debug.getinfo(1)", "print(1)", "collectgarbage()"):
            self.assertIn("scripts have no", self.expect(2, "check", self.write("b.lua", code)).stderr, code)

    def test_a_script_that_takes_too_much_is_ended(self):
        hungry = "local t = {} while true do t[#t + 1] = string.rep('x', 100000) end"
        self.assertIn("needs more than 64 MiB of memory", self.expect(2, "check", self.write("a.lua", hungry)).stderr)
        deep = "local function f() return 1 + f() end f()"
        self.assertRegex(self.expect(2, "check", self.write("b.lua", deep)).stderr, "stack overflow|needs more than 64 MiB")
        many = LOOK + "    for i = 1, 2000 do p:node('n' .. i, 'probe.media', {from = {source = source}}) end\n"
        self.assertRegex(self.expect(2, "check", self.write("c.lua", many)).stderr, "more than|most|1,?000")

    def test_a_run_goes_on_with_the_script_that_it_began_with(self):
        self.write("parts.lua", 'return "probe.media"')
        path = self.write("look.lua", LOOK.replace('"probe.media"', 'require "parts"'))
        (self.dir / "clip.mp4").write_text("this is no video")
        first = self.expect(3, "run", path, "--input", "clip.mp4", "--output", "out")
        run = self.json_of("runs", "--json")[0]["run"]
        self.assertNotIn("has changed", self.expect(3, "resume", run).stderr)
        self.write("parts.lua", "error('of another day')")
        self.assertIn("of another day", self.expect(2, "check", path).stderr)
        again = self.expect(3, "resume", run)
        self.assertIn("look.lua' has changed since", again.stderr)
        self.assertNotIn("of another day", again.stderr)
        self.assertIn("clip.mp4", first.stderr)
        self.assertIn("clip.mp4", again.stderr)


if __name__ == "__main__":
    unittest.main()
