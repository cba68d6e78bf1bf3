# SPDX-License-Identifier: MIT
"""The test of the test: mutations are the same for the same seed, and each thing that an engine may do wrong is seen."""
import argparse
import os
import random
import shutil
import tempfile
import unittest
from pathlib import Path

import mutate
import mutations
import sources

LEAVES_A_CHILD = """
import os, select, sys
if os.fork() == 0:
    os.setsid()
    select.select([], [], [], 60)
    os._exit(0)
print("error: 'source.mp4' is damaged", file=sys.stderr)
sys.exit(3)
"""

SENTENCE = "echo \"error: 'source.mp4' is damaged\" >&2; "


class Mutations(unittest.TestCase):
    def test_the_same_seed_gives_the_same(self):
        box = b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x20moov" + b"\0\0\0\x18trak" + b"\0\0\0\x10stsz" + bytes(8) + b"\0\0\1\0mdat" + bytes(248)
        for data in (box, b"\x1aE\xdf\xa3\x84abcd" + bytes(500), b"G" + bytes(187) + b"G" + bytes(1000), b"x" * 1000, b"x", b""):
            made = [mutations.mutate(random.Random(seed), data) for seed in range(200)]
            self.assertEqual(made, [mutations.mutate(random.Random(seed), data) for seed in range(200)])
            if len(data) > 1:
                self.assertGreater(len({bytes(changed) for changed, _ in made}), 100)

    def test_every_change_fits_somewhere(self):
        used = set()
        for data in (b"\0\0\0\x08ftyp" * 20, b"\x1aE\xdf\xa3\x84abcd" * 20, (b"G" + bytes(187)) * 20):
            for seed in range(2000):
                used.update(mutations.mutate(random.Random(seed), data)[1])
        wanted = {change.__name__ for change in mutations.ANYWHERE + mutations.BOXES + mutations.ELEMENTS + mutations.PACKETS}
        self.assertEqual(used, wanted)


class Engines(unittest.TestCase):
    """Each of these engines does one thing wrong."""

    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="millrace-mutate-"))
        self.addCleanup(shutil.rmtree, self.dir, True)
        (self.dir / "source.mp4").write_bytes(b"words")

    def outcome(self, script, interpreter="/bin/sh"):
        engine = self.dir / "engine"
        engine.write_text(f"#!{interpreter}\n{script}\n")
        engine.chmod(0o755)
        options = argparse.Namespace(millrace=str(engine), work=self.dir / "work", set=[], pipeline="vod")
        outcome = mutate.try_case((options, mutate.Case("source.mp4", None, self.dir / "source.mp4")))
        if outcome.problems:
            self.assertEqual((self.dir / "work" / "failed" / "source.mp4" / "source.mp4").read_bytes(), b"words")
        return outcome

    def expect(self, script, problem, **options):
        problems = self.outcome(script, **options).problems
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(problem, problems[0])

    def test_a_sentence_is_right(self):
        self.assertEqual(self.outcome("echo \"error: 'source.mp4' is damaged\" >&2; exit 3").problems, [])

    def test_a_limit_is_right(self):
        self.assertEqual(self.outcome("echo \"error: 'source.mp4' lasts longer than limits.duration allows\" >&2; exit 1").problems, [])

    def test_the_machine_is_not_to_blame(self):
        self.expect('echo "error: Cannot allocate memory" >&2; exit 1', "blames the machine")

    def test_the_file_is_named(self):
        self.expect('echo "error: something is damaged" >&2; exit 3', "does not say what is wrong with the file")

    def test_no_sentence(self):
        self.expect("exit 3", "0 error sentences")

    def test_two_sentences(self):
        self.expect(SENTENCE + SENTENCE + "exit 3", "2 error sentences")

    def test_killed(self):
        self.expect("kill -SEGV $$", "killed by SIGSEGV")

    def test_another_code(self):
        self.expect('echo "error: x" >&2; exit 70', "exit code 70")

    def test_no_stream(self):
        self.expect("exit 0", "nothing was published")

    def test_a_process_is_left(self):
        self.expect(LEAVES_A_CHILD, "outlived the engine", interpreter=shutil.which("python3"))
        self.assertEqual(mutate.children(), [])

    def test_a_temporary_file_is_left(self):
        self.expect(SENTENCE + 'touch "$TMPDIR/left"; exit 3', "left behind: left")

    def test_a_manifest_is_left(self):
        self.expect(SENTENCE + 'mkdir -p "$6"; : >"$6/manifest.mpd"; exit 3', "manifest.mpd was left behind")


class Streams(unittest.TestCase):
    """A published tree that is not whole is seen."""

    MASTER = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="mp4a.40.2"\nsound/index.m3u8\n'
    MEDIA = '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:1.0,\n00000.m4s\n'

    def test_what_is_missing_is_seen(self):
        folder = Path(tempfile.mkdtemp(prefix="millrace-mutate-"))
        self.addCleanup(shutil.rmtree, folder, True)
        (folder / "sound").mkdir()
        (folder / "master.m3u8").write_text(self.MASTER)
        (folder / "sound" / "index.m3u8").write_text(self.MEDIA)
        problems = "\n".join(mutate.judge.check_stream(folder))
        for part in ("has no ENDLIST", "names init.mp4, which is missing", "names 00000.m4s, which is missing", "does not decode", "0.000 s of sound",
                     "manifest.mpd can't be read"):
            self.assertIn(part, problems)


class Files(unittest.TestCase):
    def test_clips_are_made_once(self):
        folder = Path(os.environ["MUTATE_CLIPS"])
        before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
        sources.make_clips(folder)
        self.assertEqual({name: (folder / name).stat().st_mtime_ns for name in sources.CLIPS}, {name: before[name] for name in sources.CLIPS})


if __name__ == "__main__":
    unittest.main()
