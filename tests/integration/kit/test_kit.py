"""millrace test-plugin: every check can fail, says why, and leaves alone what is right. millrace new: what it writes, and what it refuses to."""
import json
import os
import unittest

from command import SOURCE, Case

BROKEN = os.environ["BROKEN"]
TABLES = os.environ["TABLES"]

# What is wrong with each op of broken.c: the check that must fail, and what it must say.
FOUND = {
    "refuses": ("runs", "this is not what it wants"),
    "crashes": ("runs", "was killed by SIGABRT"),
    "keeps_content": ("runs", "1 content was neither emitted nor freed"),
    "tells_pid": ("deterministic", "differs in its meta"),
    "tells_garbage": ("deterministic", "differs in its content"),
    "counts_tasks": ("batches", "differs in its meta"),
    "is_deaf": ("cancels", "did not stop when its run was cancelled"),
    "blames_input": ("cancels", "returned -1 when it was told, not MR_ERR_CANCELLED"),
    "trusts_malloc": ("memory", "when allocation 1 is refused (broken.so+0x"),
    "makes_do": ("memory", "said that it succeeded, but made something else"),
    "ignores_errors": ("disk", "when call 1 to its host fails: said that it succeeded"),
    "trusts_input": ("hostile", "port 'source', empty: "),
    "is_mute": ("hostile", "failed without a word"),
    "blames_itself": ("hostile", "called it a defect of its own"),
}
ORDER = ["tables", "runs", "deterministic", "batches", "cancels", "memory", "disk", "hostile"]


class TestPlugin(Case):
    def setUp(self):
        super().setUp()
        if os.access("/dev/shm", os.W_OK):  # thousands of small runs need not reach a disk
            self.env["TMPDIR"] = "/dev/shm"

    def rows(self, code, *args):
        done = self.expect(code, "test-plugin", *args, "--json")
        self.assertEqual(done.stderr, "")
        report = json.loads(done.stdout)
        self.assertEqual(report["failed"], sum(row["verdict"] == "failed" for row in report["checks"]))
        return report["checks"]

    def test_what_keeps_all_promises_passes_all_checks(self):
        rows = self.rows(0, BROKEN, "--op", "broken.good")
        own = {row["check"]: row for row in rows if row["op"] == "broken.good"}
        self.assertEqual(list(own), ORDER)
        for check, row in own.items():
            self.assertEqual(row["verdict"], "passed", row)
        self.assertIn("4 at a time", own["batches"]["words"])
        self.assertIn("1 of its 1 allocations", own["memory"]["words"])

    def test_every_broken_promise_is_found(self):
        for op, (check, words) in FOUND.items():
            with self.subTest(op=op):
                more = ["--input", "source=" + self.write("slow.txt", "slow")] if op == "is_deaf" else []
                rows = [row for row in self.rows(1, BROKEN, "--op", f"broken.{op}", *more) if row["op"] == f"broken.{op}"]
                failed = [row for row in rows if row["verdict"] == "failed"]
                self.assertIn(check, [row["check"] for row in failed], rows)
                row = next(row for row in failed if row["check"] == check)
                self.assertIn(words, row["words"])
                # What comes before it is in order: it fails for what is wrong with it.
                self.assertEqual(failed[0]["check"], check, failed)

    def test_tables_that_load_may_be_poor(self):
        rows = self.rows(1, TABLES)
        words = {row["op"]: row["words"] for row in rows if row["verdict"] == "failed" and row["check"] in ("plugin", "tables")}
        self.assertEqual(set(words), {"", "other.op", "tables.unborn", "tables.light", "tables.idle"})
        self.assertIn("licence", words[""])
        self.assertIn("does not begin with its plugin's name", words["other.op"])
        self.assertIn("version 0", words["tables.unborn"])
        self.assertIn("needs no memory", words["tables.light"])
        self.assertIn("makes nothing", words["tables.idle"])

    def test_the_report_for_people_says_the_same(self):
        done = self.expect(1, "test-plugin", BROKEN, "--op", "broken.is_mute")
        self.assertRegex(done.stdout, r"ok +memory|- +memory")
        self.assertRegex(done.stdout, r"FAILED hostile +port 'source', empty: failed without a word")
        self.assertRegex(done.stdout, r"\d+ passed, 1 failed\n$")

    def test_what_is_no_plugin_is_refused(self):
        path = self.write("not.so", "not a plugin\n")
        self.assertIn("can't load plugin", self.expect(1, "test-plugin", path).stderr)
        self.assertIn("can't read plugin", self.expect(1, "test-plugin", "absent.so").stderr)
        self.assertIn("has no op 'broken.none'", self.expect(2, "test-plugin", BROKEN, "--op", "broken.none").stderr)
        self.assertIn("which plugin?", self.expect(2, "test-plugin").stderr)

    def test_nothing_is_left_behind(self):
        folder = self.dir / "tmp"
        folder.mkdir()
        self.expect(0, "test-plugin", BROKEN, "--op", "broken.good", TMPDIR=str(folder))
        self.assertEqual(list(folder.iterdir()), [])

    # ---- cases ----

    def cases(self, code, text):
        return self.expect(code, "test-plugin", BROKEN, "--op", "broken.good", "--cases", self.write("cases.yaml", text))

    def test_cases_pass_and_fail(self):
        self.write("given.txt", "from a file\n")
        done = self.cases(1, """\
            - {name: same, op: broken.good, in: {source: {text: abc}}, out: {text: {text: abc, size: 3}}}
            - {name: file, op: broken.good, in: {source: {file: given.txt}}, out: {text: {file: given.txt}}}
            - {name: other, op: broken.good, in: {source: {text: abc}}, out: {text: {text: abd}}}
            - {name: meta, op: broken.good, in: {source: {text: abc}}, out: {text: {meta: {a: 1}}}}
            - {name: size, op: broken.good, in: {source: {text: abc}}, out: {text: {size: 4}}}
            - {name: count, op: broken.good, in: {source: {text: abc}}, out: {text: [{size: 3}, {size: 3}]}}
            - {name: fails, op: broken.good, in: {source: {text: abc}}, fails: nothing}
            - {name: long, op: broken.good, in: {source: {text: x, repeat: 1048577}}, fails: longer than 1 MiB}
            - {name: words, op: broken.good, in: {source: {text: x, repeat: 1048577}}, fails: shorter}
            - {name: works, op: broken.good, in: {source: {text: x, repeat: 1048577}}, out: {text: {size: 1}}}
            """)
        verdicts = {}
        for line in done.stdout.split("cases.yaml\n")[1].splitlines()[:-1]:
            verdict, _, words = line.split(None, 2)
            verdicts[words.split(":")[0]] = verdict
        self.assertEqual(
            verdicts,
            {"same": "ok", "file": "ok", "other": "FAILED", "meta": "FAILED", "size": "FAILED", "count": "FAILED", "fails": "FAILED", "long": "ok",
             "words": "FAILED", "works": "FAILED"})
        self.assertIn("its metadata is {}, not {\"a\":1}", done.stdout)
        self.assertIn("gave 1 artifacts, not 2", done.stdout)

    def test_mistakes_in_cases_have_a_place(self):
        for text, place, words in (
                ("- {op: broken.good, inn: {}}\n", "1:21", "did you mean 'in'?"),
                ("- {op: broken.best, in: {}}\n", "1:8", "no op 'broken.best'"),
                ("- {op: broken.good, in: {sauce: {text: a}}}\n", "1:26", "no input port 'sauce'"),
                ("- {op: broken.good, in: {source: {text: a}}, out: {txt: {size: 1}}}\n", "1:52", "no output port 'txt'"),
                ("- {op: broken.good, in: {source: {text: a, repeat: 0}}}\n", "1:52", "'repeat' takes"),
                ("name: no list\n", "1:1", "cases are a list")):
            with self.subTest(text=text):
                errors = self.cases(2, text).stderr
                self.assertIn(f"cases.yaml:{place}: error:", errors)
                self.assertIn(words, errors)


class New(Case):
    def test_what_is_written_speaks_of_nothing_else(self):
        self.expect(0, "new", "plugin", "tally")
        files = sorted(str(path.relative_to(self.dir)) for path in (self.dir / "tally").rglob("*") if path.is_file())
        self.assertEqual(files, ["tally/CMakeLists.txt", "tally/Makefile", "tally/README.md", "tally/tally.c", "tally/test/cases.yaml"])
        for name in files:
            text = (self.dir / name).read_text()
            self.assertNotIn("example", text)
            original = (SOURCE / "plugins/example" / name.partition("/")[2].replace("tally.c", "example.c")).read_text()
            self.assertEqual(text, original.replace("example", "tally"))

    def test_a_plugin_in_lua_works_as_it_is(self):
        self.expect(0, "new", "plugin", "tally", "--lua")
        for name in ("README.md", "tally.lua", "test/cases.yaml"):
            self.assertNotIn("example", (self.dir / "tally" / name).read_text())
        done = self.expect(0, "test-plugin", "tally/tally.lua", "--cases", "tally/test/cases.yaml")
        self.assertRegex(done.stdout, r"ok +deterministic(.|\n)*- +memory +it is in Lua(.|\n)*ok +hostile(.|\n)*ok +case +larger than the limit")
        script = (self.dir / "tally/tally.lua").read_text()
        (self.dir / "tally/tally.lua").write_text(script.replace("count.lines + 1", "count.lines + 2"))
        self.assertRegex(self.expect(1, "test-plugin", "tally/tally.lua", "--cases", "tally/test/cases.yaml").stdout, r'FAILED case +bytes and lines: .*"lines":6')

    def test_nothing_is_written_over(self):
        (self.dir / "tally").mkdir()
        self.assertIn("exists already", self.expect(1, "new", "plugin", "tally").stderr)
        self.assertEqual(list((self.dir / "tally").iterdir()), [])
        self.expect(0, "new", "plugin", "tally", "--dir", "elsewhere")
        self.assertTrue((self.dir / "elsewhere/tally/tally.c").is_file())

    def test_names(self):
        for name, words in (("Tally", "lower case"), ("1st", "begins with a letter"), ("a-b", "lower case"), ("a" * 33, "at most 32"), ("../x", "lower case"),
                            ("test", "have a target of that name"), ("probe", "is installed"), ("", "lower case")):
            with self.subTest(name=name):
                self.assertIn(words, self.expect(2, "new", "plugin", name).stderr)
        self.assertIn("which name?", self.expect(2, "new", "plugin").stderr)
        self.assertIn("there is 'plugin'", self.expect(2, "new", "pipeline", "x").stderr)


if __name__ == "__main__":
    unittest.main()
