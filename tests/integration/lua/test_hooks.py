"""Hooks: what they are told, what they may say, and what becomes of a run whose hooks fail."""
import http.server
import json
import threading
import time
import unittest

from scripts import LuaCase


class Hooks(LuaCase):
    def hooks(self, text):
        self.write("hooks.lua", f"millrace.hooks{{\n{text}\n}}\n")

    def run_hooked(self, code=0, *args):
        return self.run_words(code, "--hooks", "hooks.lua", *args)

    def test_a_start_is_told_and_may_be_vetoed(self):
        self.hooks("""
            on_run_start = function(run)
              assert(run.pipeline == "words" and run.file == "words.yaml" and run.output == "out" and not run.resumed)
              assert(run.inputs[1].name == "text" and run.inputs[1].path == "text.txt")
              if run.params.least > 5 then return {veto = "more than five letters"} end
            end,""")
        self.run_hooked()
        done = self.run_hooked(1, "-p", "least=6")
        self.assertIn("error: hook 'on_run_start' vetoes: more than five letters", done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(json.loads(self.expect(0, "runs", "--state", "st", "--json").stdout)), 1)

    def test_params_are_changed_and_checked(self):
        self.hooks("on_run_start = function(run) return {params = {least = run.params.least + 2}} end")
        self.assertEqual(self.answer("--hooks", "hooks.lua", "-p", "least=2"), [{"words": 3}])
        self.assertEqual(self.answer("-p", "least=4"), [{"words": 3}])
        self.hooks("on_run_start = function(run) return {params = {leest = 2}} end")
        self.assertIn("did you mean 'least'?", self.run_hooked(1).stderr)
        self.hooks("on_run_start = function(run) return {params = {least = 'many'}} end")
        self.assertIn("hook 'on_run_start', param least:1:1: error", self.run_hooked(1).stderr)

    def test_a_notification_is_a_node(self):
        seen = []

        class Server(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                seen.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Server)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}/x"
        self.hooks(f"""on_run_start = function(run)
            return {{notify = {{{{url = "{url}", on = "success"}}, {{url = "{url}", on = "failure"}}}}}}
        end""")
        done = self.run_hooked()
        self.assertIn("notify_1: succeeded", done.stderr)
        self.assertIn("notify_2: skipped", done.stderr)
        self.assertEqual([one["type"] for one in seen], ["run.succeeded"])
        self.hooks("on_run_start = function(run) return {notify = {uri = 'x'}} end")
        self.assertIn("has no param 'uri'", self.run_hooked(1).stderr)
        self.hooks("on_run_start = function(run) return {notify = {url = 'http://x', on = 'never'}} end")
        self.assertIn("'on' is one of success, failure and always", self.run_hooked(1).stderr)
        self.hooks("on_run_start = function(run) return {notify = {url = 'http://x/${params.least}'}} end")
        self.assertIn("there are no expressions here", self.run_hooked(1).stderr)

    def test_what_happens_is_told_in_order(self):
        self.body("task:fail('a bad text')")
        self.hooks("""
            on_node_done = function(node) seen = (rawget(_G, "seen") or "") .. node.node .. " " .. node.state .. ", " .. node.tasks .. " tasks; " end,
            on_task_failed = function(task) failed = task.node .. ": " .. task.reason end,
            on_run_done = function(run)
              assert(run.pipeline == "words" and run.seconds > 0 and #run.run > 10)
              error(seen .. failed .. "; " .. run.state .. ": " .. run.reason, 0)
            end""")
        done = self.run_hooked(3)
        self.assertIn("count failed, 1 tasks; count: a bad text; failed: a bad text", done.stderr)

    def test_a_veto_ends_a_run_that_goes_on(self):
        self.write("ops/long.lua", """\
            millrace.op{name = "long.first", help = "is short", outputs = {o = {type = "json", help = "o"}}, run = function(task) task:emit("o", {}) end}
            millrace.op{name = "long.second", help = "never ends", inputs = {i = {type = "json", help = "i"}}, outputs = {o = {type = "json", help = "o"}},
              run = function(task) while true do end end}
            """)
        self.write("words.yaml", """\
            millrace: 1
            scripts: [ops/long.lua]
            nodes:
              first: {op: long.first}
              second: {op: long.second, in: {i: first.o}}
            outputs: {o: second.o}
            """)
        self.hooks("""
            on_node_done = function(node) if node.node == "first" then return {veto = "enough"} end end,
            on_run_done = function(run) error("ended: " .. run.state, 0) end""")
        began = time.monotonic()
        done = self.expect(1, "run", "words.yaml", "-o", "out", "--state", "st", "--hooks", "hooks.lua")
        self.assertLess(time.monotonic() - began, 30)
        self.assertIn("error: hook 'on_node_done' vetoes: enough", done.stderr)
        self.assertIn("ended: failed", done.stderr)

    def test_a_hook_that_fails_is_fatal_or_ignored(self):
        for body, said in (("error('no')", "hooks.lua:2:"), ("return run.a.b", "attempt to index a nil value (field 'a')"),
                           ("while true do end", "300ms"),
                           ("return ('a'):rep(40):find(('a?'):rep(40) .. ('.-'):rep(40) .. 'b')", "it took longer than 300ms"),
                           ("local t = {} while true do t[#t + 1] = {} end", "the script needs more than 8 MiB of memory"),
                           ("return {vto = 'x'}", "answered 'vto', which it can't"), ("return 5", "neither nil nor a table"),
                           ("return {params = 5}", "params that are not a table"), ("return {veto = true}", "a veto that is not a reason"),
                           ("return {notify = 5}", "answered a notify"), ("return {x = print_}", "there is no variable 'print_'")):
            self.hooks(f"on_run_start = function(run) {body} end")
            limits = ("--set", f"hooks.timeout={'300ms' if '300ms' in said else '30s'}", "--set", "scripts.memory=8MiB")
            self.assertIn(said, self.run_hooked(1, *limits).stderr)
            done = self.run_hooked(0, *limits, "--set", "hooks.on_error=ignore")
            self.assertIn(said, done.stderr)
            self.assertIn("warning:", done.stderr)
            self.assertIn("words", done.stdout)

    def test_what_is_only_told_is_fatal_or_ignored_too(self):
        self.hooks("on_node_done = function(node) error('no') end, on_run_done = function(run) error('nor this') end")
        self.assertIn("nor this", self.run_hooked(1).stderr)
        done = self.run_hooked(0, "--set", "hooks.on_error=ignore")
        self.assertIn("warning: no", done.stderr)
        self.assertIn("warning: nor this", done.stderr)
        # One that may only be told has no say.
        self.hooks("on_run_done = function(run) return {veto = 'late'} end")
        self.assertIn("it is told, and has no say", self.run_hooked(1).stderr)

    def test_a_file_that_is_none(self):
        self.assertIn("can't read", self.run_hooked(2).stderr)
        self.write("hooks.lua", "millrace.hooks{on_run_strat = function() end}")
        self.assertIn("hooks.lua:1:16: error: millrace.hooks has no field 'on_run_strat'; did you mean 'on_run_start'?", self.run_hooked(2).stderr)
        self.write("hooks.lua", "millrace.hooks{on_run_start = 5}")
        self.assertIn("'on_run_start' takes a function, not a number", self.run_hooked(2).stderr)
        self.write("hooks.lua", "local x = = 3")
        self.assertIn("hooks.lua:1:1: error: unexpected symbol near '='", self.run_hooked(2).stderr)

    def test_settings_name_the_file(self):
        (self.dir / "etc").mkdir()
        self.write("etc/hooks.lua", "local lib = require 'lib' millrace.hooks{on_run_start = lib.start}")
        self.write("etc/lib.lua", "return {start = function() return {veto = 'by the settings'} end}")
        self.write("etc/config.yaml", "hooks: {file: hooks.lua}\n")
        self.assertIn("by the settings", self.run_words(1, "--config", "etc/config.yaml").stderr)
        # What is given with the command goes over it, and is taken from where it was given.
        self.write("hooks.lua", "millrace.hooks{on_run_start = function() return {veto = 'by the command'} end}")
        self.assertIn("by the command", self.run_words(1, "--config", "etc/config.yaml", "--hooks", "hooks.lua").stderr)
        self.run_words(0, "--config", "etc/config.yaml", "--set", "hooks.file=")

    def test_a_resumed_run_has_its_hooks_and_keeps_its_params(self):
        self.body("if task.params.least == 4 then task:fail('four') end task:emit('words', {least = task.params.least})")
        self.hooks("""on_run_start = function(run)
            if run.resumed then assert(run.params.least == 4) end
            return {params = {least = run.params.least + 3}}
        end""")
        self.run_hooked(3, "-p", "least=1")
        run = json.loads(self.expect(0, "runs", "--state", "st", "--json").stdout)[0]["run"]
        done = self.expect(3, "resume", run, "--state", "st")
        self.assertIn("error: four", done.stderr)
        self.hooks("on_run_start = function(run) return {veto = 'not again'} end")
        self.assertIn("not again", self.expect(1, "resume", run, "--state", "st").stderr)


if __name__ == "__main__":
    unittest.main()
