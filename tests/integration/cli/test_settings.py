"""Settings: from the file and --set to what a run obeys, and how mistakes are told."""
import unittest

from command import Case


class Settings(Case):
    def values(self, *args):
        return {one["name"]: one for one in self.json_of("settings", "--json", *args)["settings"]}

    def test_defaults_files_and_set(self):
        self.assertEqual({one["from"] for one in self.values().values()}, {"default"})
        config = self.write("c.yaml", "# ours\nsandbox: off\nlimits:\n  duration: 90m\n")
        values = self.values("--config", config, "--set", "host.tasks=7", "--set", "host.tasks=8")
        self.assertEqual((values["sandbox"]["value"], values["sandbox"]["from"], values["sandbox"]["line"]), ("off", "file", 2))
        self.assertEqual((values["limits.duration"]["value"], values["limits.duration"]["line"]), (5400000000, 4))
        self.assertEqual((values["host.tasks"]["value"], values["host.tasks"]["from"], values["host.tasks"]["default"]), (8, "command", 64))
        text = self.expect(0, "settings", "--config", config, "--set", "host.tasks=8").stdout
        self.assertRegex(text, rf"(?m)^limits\.duration +90m +48h +{config}:4$")
        self.assertRegex(text, r"(?m)^host\.tasks +8 +64 +--set$")
        self.assertRegex(text, r"(?m)^host\.cpu +4h +4h +default$")

    def test_own_file_is_found(self):
        (self.dir / ".config/millrace").mkdir(parents=True)
        self.write(".config/millrace/config.yaml", "host: {tasks: 3}\n")
        self.assertEqual(self.values()["host.tasks"]["value"], 3)
        (self.dir / "xdg/millrace").mkdir(parents=True)
        self.write("xdg/millrace/config.yaml", "host: {tasks: 4}\n")
        self.env["XDG_CONFIG_HOME"] = str(self.dir / "xdg")
        self.assertEqual(self.values()["host.tasks"]["value"], 4)

    def test_mistakes(self):
        config = self.write("c.yaml", "limits: {duraton: 4h}\n")
        for verb in (["settings"], ["run", "x"], ["plan", "x"], ["probe", "x"]):
            done = self.expect(2, *verb, "--config", config)
            self.assertIn(f"{config}:1:10: error: unknown setting 'limits.duraton'", done.stderr)
            self.assertIn("did you mean 'limits.duration'?", done.stderr)
        self.assertIn("can't read 'none.yaml': No such file", self.expect(2, "settings", "--config", "none.yaml").stderr)
        self.assertIn("'host.tasks' is not NAME=VALUE", self.expect(2, "settings", "--set", "host.tasks").stderr)
        self.assertIn("'sandbox' can't be 'on'", self.expect(2, "settings", "--set", "sandbox=on").stderr)

    def test_a_file_that_can_not_be_read_is_not_passed_over(self):
        (self.dir / ".config/millrace/config.yaml").mkdir(parents=True)
        self.assertIn("it is a folder", self.expect(2, "settings").stderr)


if __name__ == "__main__":
    unittest.main()
