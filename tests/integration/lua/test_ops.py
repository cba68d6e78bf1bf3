"""Ops in Lua are ops: tables, docs, schema, params, caching, errors; and what scripts can't do."""
import json
import os
import signal
import subprocess
import time
import unittest

from command import MILLRACE
from scripts import COUNT, LuaCase


class Ops(LuaCase):
    def test_it_runs_is_cached_and_done_again_when_the_script_changes(self):
        self.assertEqual(self.answer(), [{"words": 4}])
        self.assertIn("1 cached", self.run_words().stderr)
        self.assertEqual(self.answer("-p", "least=4"), [{"words": 3}])
        # A module is part of the script, a comment in it too: what was read counts, not what it means.
        self.write("ops/split.lua", "return function(line) return {line} end\n")
        plan = self.json_of("plan", "words.yaml", "-i", "text.txt", "--state", "st", "--json")
        self.assertEqual([why["reason"] for why in plan["nodes"][0]["why"]], ["script"])
        self.assertIn("the script of the op has changed", self.expect(0, "plan", "words.yaml", "-i", "text.txt", "--state", "st").stdout)
        self.assertEqual(self.answer(), [{"words": 2}])

    def test_where_it_lies_does_not_matter(self):
        self.assertEqual(self.answer(), [{"words": 4}])
        os.rename(self.dir / "ops", self.dir / "elsewhere")
        self.write("words.yaml", (self.dir / "words.yaml").read_text().replace("ops/words.lua", "elsewhere/words.lua"))
        self.assertIn("1 cached", self.run_words().stderr)

    def test_a_resumed_run_has_the_scripts_that_it_began_with(self):
        self.body("if task.params.least == 2 then task:fail('two') end task:emit('words', {v = 1})")
        self.run_words(3, "-p", "least=2")
        run = json.loads(self.expect(0, "runs", "--state", "st", "--json").stdout)[0]["run"]
        self.body("task:emit('words', {v = 2})")
        self.assertIn("error: two", self.expect(3, "resume", run, "--state", "st").stderr)
        os.remove(self.dir / "ops" / "words.lua")
        self.assertIn("error: two", self.expect(3, "resume", run, "--state", "st").stderr)

    def test_the_tables_are_tables(self):
        env = {"MILLRACE_PLUGIN_PATH": str(self.dir / "ops")}
        page = self.expect(0, "ops", "words.count", **env).stdout
        for part in ("counts the words of a text", "Words are what spaces separate", "letters that a word has at least", "1 to 100"):
            self.assertIn(part, page)
        self.assertIn("words.count", self.expect(0, "schema", **env).stdout)
        listed = json.loads(self.expect(0, "plugins", "--json", **env).stdout)
        self.assertEqual([one["ops"] for one in listed if one["name"] == "words"], [["words.count"]])
        # split.lua lies there too: a module is no plugin, and no mistake.
        self.assertEqual(self.expect(0, "ops", "words.count", **env).stderr, "")
        self.write("plain.yaml", (self.dir / "words.yaml").read_text().replace("scripts: [ops/words.lua]\n", ""))
        self.expect(0, "check", "plain.yaml", **env)
        self.assertIn("unknown op 'words.count'", self.expect(2, "check", "plain.yaml").stderr)

    def test_params_are_checked_before_anything_runs(self):
        self.write("words.yaml", (self.dir / "words.yaml").read_text().replace('least: "${params.least}"', "leest: 3"))
        self.assertIn("did you mean 'least'?", self.expect(2, "check", "words.yaml").stderr)
        self.write("words.yaml", (self.dir / "words.yaml").read_text().replace("leest: 3", "least: 300"))
        self.assertIn("100", self.expect(2, "check", "words.yaml").stderr)

    def test_all_kinds_of_params(self):
        self.body("task:emit('words', {p = task.params.p})", params="""{p = {type = "list", help = "all kinds", fields = {
            d = {type = "duration", help = "x"}, r = {type = "ratio", help = "x"}, s = {type = "size", help = "x"}, b = {type = "bitrate", help = "x"},
            c = {type = "choice", choices = {"one", "two"}, help = "x"}, y = {type = "bool", help = "x"}, n = {type = "number", help = "x"},
            l = {type = "list", items = "int", help = "x"}, j = {type = "json", help = "x"}, t = {type = "text", default = "none", help = "x"}}}}""")
        self.write("words.yaml", (self.dir / "words.yaml").read_text().replace(
            '{least: "${params.least}"}', "{p: [{d: 1m30s, r: 16:9, s: 1KiB, b: 2M, c: two, y: true, n: 0.5, l: [1, 2], j: {a: [true]}}]}"))
        self.assertEqual(self.answer("-p", "least=1"), [{"p": [{
            "d": 90, "r": 16 / 9, "s": 1024, "b": 2000000, "c": "two", "y": True, "n": 0.5, "l": [1, 2], "j": {"a": [True]}, "t": "none"}]}])

    def test_content_goes_in_pieces_and_comes_out_as_it_went_in(self):
        text = "".join(f"line {i}\r\n" for i in range(30000))
        (self.dir / "text.txt").write_text(text, newline="")
        self.body("""
            local text, lines, copy, offset = task.inputs.text, 0, task:content(), 0
            for line in text:lines() do assert(line == "line " .. lines) lines = lines + 1 end
            repeat
              local piece = text:read(offset, 100000)
              copy:write(piece)
              offset = offset + #piece
            until piece == ""
            assert(text:text():sub(-4) == "99\\r\\n")
            task:emit("words", {lines = lines, size = offset, name = text.name, type = text.type, given = text.size}, copy)
            task:emit("words", {}, text)
            task:emit("words", {}, "short")
        """)
        answer = self.answer()
        self.assertEqual(answer[0], {"lines": 30000, "size": len(text), "name": "text.txt", "type": "text", "given": len(text)})
        self.assertEqual(answer[1:], [{}, {}])
        stored = [path.read_bytes() for path in (self.dir / "st" / "objects").rglob("*") if path.is_file()]
        self.assertEqual(stored.count(text.encode()), 1)
        self.assertIn(b"short", stored)

    def test_streams_and_lists(self):
        self.write("ops/many.lua", """\
            local port = {type = "json", many = true, help = "numbers"}
            millrace.op{name = "many.make", help = "makes some", outputs = {numbers = port},
              run = function(task) for i = 1, 5 do task:emit("numbers", {n = i}) end end}
            millrace.op{name = "many.add", help = "adds them", inputs = {numbers = port}, outputs = {sum = {type = "json", help = "it"}},
              run = function(task)
                local sum = 0
                for i, one in ipairs(task.inputs.numbers) do sum = sum + one.meta.n assert(one.index == i - 1) end
                task:emit("sum", {sum = sum})
              end}
            millrace.op{name = "many.follow", help = "follows them", inputs = {numbers = {type = "json", streaming = true, help = "numbers"}},
              outputs = {seen = {type = "json", help = "it"}},
              run = function(task)
                local seen = {}
                for port, item in task.next, task do seen[#seen + 1] = port .. item.meta.n end
                task:emit("seen", {seen = seen})
              end}
            """)
        self.write("many.yaml", """\
            millrace: 1
            scripts: [ops/many.lua]
            nodes:
              make: {op: many.make}
              add: {op: many.add, in: {numbers: make.numbers}}
              follow: {op: many.follow, in: {numbers: make.numbers}}
            outputs: {sum: add.sum, seen: follow.seen}
            """)
        done = self.expect(0, "run", "many.yaml", "-o", "out", "--state", "st").stdout
        self.assertIn('sum: {"sum":15}', done)
        self.assertIn('"seen":["numbers1","numbers2","numbers3","numbers4","numbers5"]', done)

    def test_what_it_says_is_seen(self):
        self.body("task:log('a note') task:warn('a warning') task:progress(0.5) task:emit('words', {})")
        events = [json.loads(line) for line in self.run_words(0, "--json").stdout.splitlines()]
        said = [(one["severity"], one["reason"]) for one in events if one["event"] == "task.report"]
        self.assertEqual(said, [("note", "a note"), ("warning", "a warning")])

    def test_a_task_knows_nothing_of_the_one_before(self):
        self.write("ops/state.lua", """\
            local calls = 0
            seen = rawget(_G, "seen") or 0
            millrace.op{name = "state.make", help = "makes some", outputs = {n = {type = "json", many = true, help = "n"}},
              run = function(task) for i = 1, 4 do task:emit("n", {n = i}) end end}
            millrace.op{name = "state.count", help = "counts", inputs = {n = {type = "json", help = "n"}}, outputs = {o = {type = "json", help = "o"}},
              run = function(task)
                calls, seen = calls + 1, seen + 1
                string.seen = (rawget(string, "seen") or 0) + 1
                task:emit("o", {calls = calls, seen = seen, lib = string.seen, random = math.random(1000000)})
              end}
            """)
        self.write("state.yaml", """\
            millrace: 1
            scripts: [ops/state.lua]
            nodes:
              make: {op: state.make}
              count: {op: state.count, each: {n: make.n}}
            outputs: {o: count.o}
            """)
        lines = self.expect(0, "run", "state.yaml", "-o", "out", "--state", "st", "-j", "1").stdout.splitlines()
        self.assertEqual(len(lines), 4)
        self.assertEqual(len(set(lines)), 1)
        self.assertIn('"calls":1,"lib":1,', lines[0])

    def test_it_is_the_same_every_time(self):
        self.body("""
            local order, t = {}, {}
            for i = 1, 50 do t["key" .. i * 7919 % 101] = i end
            for k in pairs(t) do order[#order + 1] = k end
            local items = {}
            for i = 1, 200 do items[i] = {k = math.random(5), i = i} end
            table.sort(items, function(a, b) return a.k < b.k end)
            for _, item in ipairs(items) do order[#order + 1] = item.i end
            task:emit("words", {order = order, text = tostring(t) .. tostring(task.emit), random = math.random()})
        """)
        first = self.run_words(0).stdout
        for _ in range(3):
            self.assertEqual(self.run_words(0, "--no-cache").stdout, first)

    def test_sandbox_off_does_not_bring_scripts_into_the_engine(self):
        self.body("while true do end")
        done = self.run_words(1, "--set", "sandbox=off", "--set", "scripts.time=100ms")
        self.assertIn("it takes more than 100ms of processor time", done.stderr)
        self.body("return ('a'):rep(40):find(('a?'):rep(40) .. ('.-'):rep(40) .. 'b')")
        self.assertIn("in one call of Lua's library", self.run_words(1, "--set", "sandbox=off", "--set", "host.hang=2s").stderr)


class Mistakes(LuaCase):
    def says(self, text, *parts, code=2):
        self.write("ops/words.lua", text)
        done = self.expect(code, "check", "words.yaml")
        for part in parts:
            self.assertIn(part, done.stderr)

    def test_in_the_script(self):
        self.says("local x =\n", "ops/words.lua:2:1: error: unexpected symbol near <eof>")
        self.says("\nmillrace.opp{}", "ops/words.lua:2:10: error: millrace has no 'opp'; did you mean 'op'?")
        self.says("local t = {}\nreturn t.a.b", "ops/words.lua:2:10: error: attempt to index a nil value (field 'a')", "2 | return t.a.b")
        self.says("-- nothing\n", "the script offers no op")
        self.says("local function f()\n  error('no')\nend\nf()", "ops/words.lua:2:3: error: no", "ops/words.lua:4:1", "'f' was called here")
        self.says("\x1bLua", "it is bytecode; only text is taken")
        self.says("return require '../../etc/passwd'", "'../../etc/passwd' can't be a module's name")
        self.says("return require 'nowhere'", "there is no module 'nowhere' beside 'words.lua'")
        self.write("ops/words.lua", "while true do end") # a machine that has much else to do ends it by the clock
        self.assertRegex(self.expect(2, "check", "words.yaml").stderr, "it takes more than 2.0s of processor time|it took longer than 10.0s")
        self.says("local t = {} while true do t[#t + 1] = ('x'):rep(65536) .. #t end", "the script needs more than 64 MiB of memory")
        self.says("return os.execute('true')", "scripts have no 'os'")
        self.says("return io.open('/etc/passwd')", "scripts have no 'io'")

    def test_in_the_tables(self):
        def op(fields, *parts):
            self.says(COUNT.replace('name = "words.count",', fields), *parts)

        op('nam = "words.count",', "an op needs a name")
        op('name = "words.count", inptus = {},', "op 'words.count' has no field 'inptus'; did you mean 'inputs'?")
        op('name = "words",', "has the name 'words'; it takes one like 'plugin.verb'")
        self.says(COUNT.replace('type = "text", help = "the text"', 'type = "txt", help = "the text"'), "unknown type 'txt'", "did you mean 'text'?")
        self.says(COUNT.replace('type = "int"', 'type = "numbr"'), "unknown type 'numbr'", "did you mean 'number'?")
        self.says(COUNT.replace("default = 1", "default = 0"), "ops/words.lua:2:1: error", "'least' has a default that it would not accept")
        self.says(COUNT.replace("default = 1", "defualt = 1"), "param 'least' of op 'words.count' has no field 'defualt'; did you mean 'default'?")
        self.says(COUNT.replace("run = function", "run_ = function"), "did you mean 'run'?")
        self.says(COUNT + COUNT.replace("local split", "split").replace("words.count", "other.count").replace('split = require "split"', ""),
                  "what a file offers shares what stands before the dot")
        self.says(COUNT + COUNT.replace('local split = require "split"', ""), "it has two ops 'words.count'")

    def test_in_scripts(self):
        def scripts(value, *parts):
            self.write("bad.yaml", (self.dir / "words.yaml").read_text().replace("[ops/words.lua]", value))
            done = self.expect(2, "check", "bad.yaml")
            for part in parts:
                self.assertIn(part, done.stderr)

        scripts("[../words.lua]", "'../words.lua' is not a script's path")
        scripts("[/etc/passwd]", "'/etc/passwd' is not a script's path")
        scripts("[words.txt]", "'words.txt' is not a script's path")
        scripts("ops/words.lua", "'scripts' takes a list of files")
        scripts("[ops/none.lua]", "No such file", "it is named here", "bad.yaml:3:11")
        self.write("ops/other.lua", COUNT.replace("counts the words", "counts all words"))
        scripts("[ops/words.lua, ops/other.lua]", "bad.yaml:3:26: error: what script 'ops/other.lua' offers begins with 'words.'")
        self.write("ops/other.lua", COUNT.replace("words.count", "probe.media"))
        scripts("[ops/words.lua, ops/other.lua]", "begins with 'probe.'")

    def test_two_pipelines_with_scripts_of_one_name_are_two(self):
        (self.dir / "b" / "ops").mkdir(parents=True)
        self.write("b/words.yaml", (self.dir / "words.yaml").read_text())
        self.write("b/ops/words.lua", COUNT.replace('local split = require "split"', "local split = tostring"))
        self.expect(0, "check", "words.yaml", "b/words.yaml", "words.yaml")

    def test_while_it_runs(self):
        def fails(body, *parts, code=1):
            self.body(body)
            done = self.run_words(code)
            for part in parts:
                self.assertIn(part, done.stderr)

        fails("local function deep() return task.inputs.text.meta.a.b end\n  local x = deep()",
              "node 'count': ops/words.lua:8: attempt to index a nil value (field 'a'); called from ops/words.lua:9")
        fails("task.imputs()", "a task has no 'imputs'; did you mean 'inputs'?")
        fails("return task.inputs.texxt", "op 'words.count' has no input 'texxt'; did you mean 'text'?")
        fails("return task.params.leest", "op 'words.count' has no param 'leest'; did you mean 'least'?")
        fails("task:emit('word', {})", "op 'words.count' has no output 'word'; did you mean 'words'?")
        fails("return task.inputs.text.mata", "an artifact has no 'mata'; did you mean 'meta'?")
        fails("task:emit('words', {1, 2})", "it is a list, not a table with named fields")
        fails("task:emit('words', {f = print_})", "there is no variable 'print_'")
        fails("task:emit('words', {f = task.emit})", "a function is not a value")
        fails("task:emit('words', {}, 3)", "a content is a text, an artifact, or what task:content() gave")
        fails("local c = task:content() task:emit('words', {}, c) task:emit('words', {}, c)", "this content has been emitted")
        fails("task.emit('words', {})", "called with a colon")
        fails("error({code = 1})", "an error that is no text, but a table")
        fails("task:fail('the text is too short', {hint = 'write more'})", "error: the text is too short", "write more", code=3)
        fails("pcall(task.fail, task, 'no way') task:emit('words', {})", "error: no way", code=3)
        fails("task:fail('too many', {param = 'least'})", "words.yaml:9", "too many")


class Hostile(LuaCase):
    def fails(self, body, *parts, args=()):
        self.body(body)
        done = self.run_words(1, *args)
        for part in parts:
            self.assertIn(part, done.stderr)
        return done

    def test_loops(self):
        few = ("--set", "scripts.time=200ms")
        for body in ("while true do end", "while true do pcall(function() while true do end end) end",
                     "local function f() return f() end f()",
                     "coroutine.wrap(function() while true do pcall(coroutine.wrap(function() while true do end end)) end end)()",
                     "table.sort({3, 2, 1}, function() while true do end end)",
                     "setmetatable({}, {__close = 1}) local t <close> = setmetatable({}, {__close = function() while true do end end})"):
            self.fails(body, "it takes more than 200ms of processor time", args=few)

    def test_memory(self):
        small = ("--set", "scripts.memory=8MiB")
        for body in ("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end", "return ('x'):rep(1 << 30)", "local s = 'x' while true do s = s .. s end",
                     "return table.concat({('x'):rep(1 << 20), ('y'):rep(1 << 20)}, ('z'):rep(7 << 20))"):
            self.fails(body, "the script needs more than 8 MiB of memory", args=small)
        self.fails("return string.format('%099999d', 1)", "invalid conversion")

    def test_recursion(self):
        self.fails("local function f(n) return 1 + f(n + 1) end return f(1)", "ops/words.lua:")
        self.fails("local t = {} for i = 1, 100 do t = {t} end task:emit('words', {t = t})", "nested more than 32 levels deep")
        self.fails("local t = {} t.t = t task:emit('words', t)", "nested more than 32 levels deep")

    def test_a_pattern_that_takes_for_ever_ends_only_its_task(self):
        done = self.fails("return ('a'):rep(40):find(('a?'):rep(40) .. ('.-'):rep(40) .. 'b')",
                          "the script was ended: it was in one call of Lua's library for 2.0s", args=("--set", "host.hang=2s"))
        self.assertEqual(done.stderr.count("the script was ended"), 1)

    def test_what_it_emits_is_limited(self):
        self.fails("for i = 1, 100 do task:emit('words', {}, ('x'):rep(1 << 20)) end", "host.file_size", args=("--set", "host.file_size=8MiB"))
        self.fails("local out = task:content() for i = 1, 100 do out:write(('x'):rep(1 << 20)) end task:emit('words', {}, out)", "host.file_size",
                   args=("--set", "host.file_size=8MiB"))
        self.fails("for i = 1, 100000 do task:log('x') end", "a task says at most 100 things")
        self.fails("task:log(('x'):rep(3000))", "a message has at most 2000 bytes")

    def test_a_wish_to_end_is_heard_within_a_second(self):
        for body in ("task:progress(0.1) while true do end", "task:progress(0.1) while true do pcall(function() while true do end end) end",
                     "task:progress(0.1) return ('a'):rep(40):find(('a?'):rep(40) .. ('.-'):rep(40) .. 'b')"):
            self.body(body)
            command = subprocess.Popen(
                [MILLRACE, "run", "words.yaml", "-i", "text.txt", "-o", "out", "--state", "st", "--json"], cwd=self.dir, env=self.env,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for line in command.stdout:
                if json.loads(line)["event"] == "task.progress":
                    break
            began = time.monotonic()
            command.send_signal(signal.SIGINT)
            self.assertEqual(command.wait(timeout=120), 130)
            self.assertLess(time.monotonic() - began, 20)  # the promise is one second, on a machine that has nothing else to do
            command.stdout.close()


if __name__ == "__main__":
    unittest.main()
