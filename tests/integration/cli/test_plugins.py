"""millrace plugins: what is loaded, and one clear message for each that can't be."""
import unittest

from command import Case


class Plugins(Case):
    def test_lists_what_is_loaded(self):
        listed = self.json_of("plugins", "--json")
        names = [plugin["name"] for plugin in listed]
        self.assertIn("probe", names)
        self.assertEqual(len(names), len(set(names)))
        text = self.expect(0, "plugins").stdout
        for plugin in listed:
            self.assertIn(plugin["path"], text)
            self.assertIn(plugin["summary"], text)
        ops = {op for plugin in listed for op in plugin["ops"]}
        self.assertEqual(ops, set(self.expect(0, "ops", "--names").stdout.split()))

    def test_a_bad_one_is_named_and_the_rest_still_loads(self):
        folder = self.dir / "plugins"
        folder.mkdir()
        (folder / "broken.so").write_text("not a shared object\n")
        done = self.expect(0, "plugins", MILLRACE_PLUGIN_PATH=str(folder))
        self.assertIn("broken.so", done.stderr)
        self.assertEqual(done.stderr.count("error:") + done.stderr.count("warning:"), 1, done.stderr)
        self.assertIn("probe", done.stdout)

    def test_one_file_is_tried(self):
        path = self.write("broken.so", "not a shared object\n")
        done = self.expect(1, "plugins", path)
        self.assertIn("broken.so", done.stderr)
        self.assertIn("missing.so", self.expect(1, "plugins", "./missing.so").stderr)


if __name__ == "__main__":
    unittest.main()
