"""Parser, --help, man page, reference and completion are made from one table: this proves that they agree."""
import json
import pathlib
import re
import subprocess
import unittest

from command import MILLRACE, Case

# A value that the parser takes, by how the help calls it.
SAMPLES = {"ADDR:PORT": "localhost:0", "NAME=PATH": "a=b", "NAME=VALUE": "a=b", "DIR": "dir", "FILE": "file", "N": "2", "AGE": "30d", "SIZE": "50G", "OP": "a.b",
           "PORT=FILE": "a=b", "MAP": "{}", "NAME": "Ada"}


def sample(option):
    return option["arg"].split("|")[0] if "|" in option["arg"] else SAMPLES[option["arg"]]


def bash_complete(script, *words):
    """What bash offers when TAB is pressed after these words."""
    quoted = " ".join("'" + word + "'" for word in words)
    driver = f"""
        compopt() {{ :; }}
        {script}
        COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}
        _millrace
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", driver], capture_output=True, text=True, timeout=240, check=True)
    return set(done.stdout.split())


class Tables(Case):
    def setUp(self):
        super().setUp()
        tables = self.json_of("help", "--json")
        self.verbs = tables["verbs"]
        self.common = tables["common"]
        self.assertGreaterEqual(len(self.verbs), 10)

    def each_option(self):
        for verb in self.verbs:
            for option in verb["options"] + self.common:
                yield verb["verb"], option

    def test_parser_knows_every_option(self):
        for verb, option in self.each_option():
            with self.subTest(verb=verb, option=option["name"]):
                name = "--" + option["name"]
                if option["arg"]:
                    self.assertRegex(self.expect(2, verb, name).stderr, "requires an argument")
                    # Options are taken in order: a parser that does not know this one would never reach --help.
                    done = self.expect(0, verb, f"{name}={sample(option)}", "--help")
                    self.assertNotIn("PROGRAM ERROR", done.stderr)
                else:
                    self.assertRegex(self.expect(2, verb, name + "=x").stderr, "doesn't allow an argument")
                    done = self.expect(0, verb, name, "--help")
                    self.assertNotIn("PROGRAM ERROR", done.stderr)
                if option["letter"]:
                    words = ["-" + option["letter"]] + ([sample(option)] if option["arg"] else [])
                    self.expect(0, verb, *words, "--help")

    def test_help_shows_every_option_and_no_other(self):
        for verb in self.verbs:
            shown = set(re.findall(r"(?m)^ +(?:-.,)? +--([a-z-]+)", self.expect(0, verb["verb"], "--help").stdout))
            known = {option["name"] for option in verb["options"] + self.common}
            self.assertEqual(shown, known, verb["verb"])

    def test_pages_show_every_option_and_no_other(self):
        for verb in self.verbs:
            known = {option["name"] for option in verb["options"] + self.common}
            man = self.expect(0, "help", "--man", verb["verb"]).stdout
            options = man[man.index(".SH OPTIONS"):]
            shown = set(re.findall(r"(?m)^\\fB(?:\\-., )?\\-\\-((?:[a-z]|\\-)+)", options))
            self.assertEqual({name.replace("\\", "") for name in shown}, known, verb["verb"])
            page = self.expect(0, "help", "--markdown", verb["verb"]).stdout
            self.assertEqual(set(re.findall(r"(?m)^- `(?:-., )?--([a-z-]+)", page)), known, verb["verb"])

    def test_bash_completes_verbs_options_and_values(self):
        script = self.expect(0, "completion", "bash").stdout
        names = {verb["verb"] for verb in self.verbs}
        self.assertEqual(bash_complete(script, "millrace", ""), names | {"--help", "--version"})
        for verb in self.verbs:
            known = {"--" + option["name"] for option in verb["options"] + self.common}
            self.assertEqual(bash_complete(script, "millrace", verb["verb"], "--"), known, verb["verb"])
            for option in verb["options"]:
                if "|" in option["arg"]:
                    words = set(option["arg"].split("|"))
                    self.assertEqual(bash_complete(script, "millrace", verb["verb"], "--" + option["name"], ""), words)
                    self.assertEqual(bash_complete(script, "millrace", verb["verb"], "--" + option["name"], "=", ""), words)

    def test_zsh_and_fish_know_the_same(self):
        zsh = self.expect(0, "completion", "zsh").stdout
        fish = self.expect(0, "completion", "fish").stdout
        for verb in self.verbs:
            branch = re.search(rf"(?ms)^    {verb['verb']}\)\n(.*?)\n        ;;", zsh).group(1)
            known = {option["name"] for option in verb["options"] + self.common}
            self.assertEqual(set(re.findall(r"--([a-z-]+)=?[\[}]", branch)), known, verb["verb"])
            lines = [line for line in fish.splitlines() if f"__fish_seen_subcommand_from {verb['verb']}'" in line]
            self.assertEqual({match.group(1) for match in (re.search(r" -l ([a-z-]+)", line) for line in lines) if match}, known, verb["verb"])
        for shell, text in (("bash", self.expect(0, "completion", "bash").stdout), ("zsh", zsh), ("fish", fish)):
            path = self.write(f"completion.{shell}", text)
            subprocess.run([shell, "-n", path], check=True, timeout=240)

    def test_fish_completes(self):
        script = self.write("millrace.fish", self.expect(0, "completion", "fish").stdout)

        def complete(line):
            done = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], capture_output=True, text=True, check=True,
                                  timeout=240, env={**self.env, "PATH": f"{pathlib.Path(MILLRACE).parent}:{self.env['PATH']}"})
            return {row.split("\t")[0] for row in done.stdout.splitlines()}

        self.assertEqual(complete("millrace gra"), {"graph"})
        self.assertEqual(complete("millrace graph --format "), {"text", "dot", "mermaid", "svg"})
        self.assertEqual(complete("millrace run --in"), {"--input"})
        self.assertEqual(complete("millrace ops probe.me"), {"probe.media"})

    def test_man_pages_are_clean(self):
        self.expect(0, "help", "--man", "--write", "man")
        pages = sorted((self.dir / "man").glob("*.1"))
        self.assertEqual({page.name for page in pages}, {"millrace.1"} | {f"millrace-{verb['verb']}.1" for verb in self.verbs})
        for page in pages + sorted((self.dir / "man").glob("*.[57]")):
            done = subprocess.run(["groff", "-K", "utf8", "-man", "-Tutf8", "-ww", "-z", str(page)], capture_output=True, text=True, check=True, timeout=240)
            self.assertEqual(done.stderr, "", page.name)

    def test_ops_have_pages_and_json(self):
        names = self.expect(0, "ops", "--names").stdout.split()
        self.assertIn("probe.media", names)
        self.assertEqual(names, sorted(names))
        self.assertEqual([op["name"] for op in self.json_of("ops", "--json")], names)
        for name in names:
            op = self.json_of("ops", name, "--json")
            page = self.expect(0, "ops", name).stdout
            self.assertTrue(page.startswith(f"{name}: {op['summary']}\n"), page[:200])
            for item in op["inputs"] + op["outputs"] + op["params"]:
                self.assertRegex(page, rf"(?m)^  {item['name']}  ", f"{name}: {item['name']}")
        self.assertIn("did you mean 'probe.media'?", self.expect(2, "ops", "probe.meida").stderr)

    def test_schema_knows_every_op(self):
        text = self.expect(0, "schema").stdout
        json.loads(text)
        for name in self.expect(0, "ops", "--names").stdout.split():
            self.assertIn(f'"{name}"', text)


if __name__ == "__main__":
    assert MILLRACE
    unittest.main()
