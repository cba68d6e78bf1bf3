"""Words that are wrong get a sentence that helps, on stderr, and exit code 2; help goes to stdout."""
import unittest

from command import Case


class Usage(Case):
    def refused(self, *args):
        done = self.expect(2, *args)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def test_nothing_lists_the_verbs_as_an_error(self):
        self.assertIn("Usage: millrace VERB", self.refused())

    def test_help_lists_the_verbs(self):
        for word in ("--help", "-h", "help"):
            done = self.expect(0, word)
            self.assertEqual(done.stderr, "")
            for verb in ("run", "check", "plan", "graph", "ops", "plugins", "schema", "settings", "probe", "help", "completion"):
                self.assertRegex(done.stdout, rf"(?m)^  {verb}\s")

    def test_version(self):
        for word in ("--version", "-V"):
            self.assertRegex(self.expect(0, word).stdout, r"^millrace \d+\.\d+\.\d+\n$")

    def test_unknown_verb(self):
        self.assertIn("unknown verb 'rnu'; did you mean 'run'?", self.refused("rnu"))
        self.assertIn("'millrace --help' lists them", self.refused("zzzzzzzz"))

    def test_unknown_option(self):
        self.assertIn("unknown option '--inptu'; did you mean '--input'?", self.refused("run", "--inptu", "x"))
        self.assertIn("unknown option '--verison'; did you mean '--version'?", self.refused("run", "--verison"))
        self.assertIn("--help", self.refused("graph", "--zzzzzzzzzz"))
        self.assertIn("unknown option '--jsno'", self.refused("--jsno"))

    def test_an_option_like_value_is_a_value(self):
        stderr = self.refused("run", "--param", "--inptu", "vod")
        self.assertIn("'--inptu' is not NAME=VALUE", stderr)

    def test_missing_argument(self):
        self.assertIn("which pipeline?", self.refused("run"))
        self.assertIn("which pipeline?", self.refused("check"))
        self.assertIn("which pipeline?", self.refused("plan"))
        self.assertIn("which pipeline?", self.refused("graph"))
        self.assertIn("which file?", self.refused("probe"))
        self.assertIn("which shell?", self.refused("completion"))

    def test_too_many_arguments(self):
        self.assertIn("unexpected argument 'b'", self.refused("run", "a", "b"))
        self.assertIn("unexpected argument 'b'", self.refused("probe", "a", "b"))
        self.assertIn("unexpected argument 'a'", self.refused("schema", "a"))

    def test_bad_values(self):
        for text in ("0", "-1", "many", "1x", "99999999999999999999", ""):
            self.assertIn("--jobs", self.refused("run", "--jobs", text, "vod"))
        self.assertIn("'segment' is not NAME=VALUE", self.refused("run", "--param", "segment", "vod"))
        self.assertIn("did you mean 'mermaid'?", self.refused("graph", "--format", "mermiad", "vod"))
        self.assertIn("did you mean 'fish'?", self.refused("completion", "fisch"))

    def test_unknown_topic(self):
        self.assertIn("did you mean 'check'?", self.refused("help", "chekc"))


if __name__ == "__main__":
    unittest.main()
