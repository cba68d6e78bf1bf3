# SPDX-License-Identifier: MIT
"""A source is its content: moved, copied or touched it is the same, changed it never is, and a change costs only what reads it."""
import os
import shutil
import subprocess
import unittest

from kit import STREAMING, Case, digests, events_of, make_clip, tasks


def in_place(path, at, data):
    """As if nothing had been: the times that can be put back are."""
    info = path.stat()
    with open(path, "r+b") as file:
        file.seek(at, os.SEEK_SET if at >= 0 else os.SEEK_END)
        file.write(data)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def wide_clip(path):
    """Pictures that are whole each by themselves and plain samples of sound, index first: every second lies in blocks of its own."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=8", "-f", "lavfi", "-i",
                    "anoisesrc=d=8.4:r=48000:seed=3", "-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p", "-threads", "1", "-c:a", "pcm_s16le", "-ac", "2",
                    "-movflags", "+faststart", "-fflags", "+bitexact", str(path)], check=True, timeout=120)
    return path


class Sources(Case):
    def setUp(self):
        super().setUp()
        self.source = self.dir / "a.mp4"
        shutil.copyfile(self.clip, self.source)

    def again(self, source):
        """Nothing but what always runs, and the same tree."""
        events = self.expect_events(0, source)
        self.assertEqual({node for node, _ in tasks(events, "succeeded")}, STREAMING)
        self.assertEqual(digests(self.dir / "out"), self.tree)

    def test_moved_copied_touched(self):
        self.expect(0, self.source)
        self.tree = digests(self.dir / "out")
        other = self.dir / "b.mp4"
        self.source.rename(other)
        self.again(other)
        shutil.copyfile(other, self.source)
        self.again(self.source)
        os.utime(other)
        self.again(other)

    def test_changed_under_its_name(self):
        self.expect(0, self.source)
        before = digests(self.dir / "out")
        at = self.source.read_bytes().index(b"mdat") + 4
        in_place(self.source, at + (self.source.stat().st_size - at) // 2, bytes(64))
        fresh = self.undisturbed(self.source)
        self.assertNotEqual(fresh, before)
        self.expect(0, self.source)
        self.assertEqual(digests(self.dir / "out"), fresh)

    def test_changed_tail(self):
        source = wide_clip(self.dir / "wide.mov")
        first = self.expect_events(0, source)
        in_place(source, -2000, bytes(2000))
        second = self.expect_events(0, source)
        made = tasks(first, "succeeded", {"video"})
        again = tasks(second, "succeeded", {"video"})
        last = max(int(item.split(",")[0]) for _, item in made)
        self.assertGreater(last, 2)
        self.assertEqual({int(item.split(",")[0]) for _, item in again} - {last}, set())
        self.assertEqual(tasks(second, "cached", {"video"}), made - again)
        self.assertEqual(len(tasks(second, "succeeded", {"audio"})), 1)
        self.assertEqual(digests(self.dir / "out"), self.undisturbed(source))

    def spoiled(self, spoil, source, **options):
        """Does it when the run has begun."""
        process = subprocess.Popen([*self.words(source, **options), "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(process.kill)
        text = process.stdout.readline() + process.stdout.readline()
        spoil()
        rest, words = process.communicate(timeout=120)
        return process.returncode, events_of(text + rest), words

    def changes_while_it_is_read(self, spoil, says):
        """Of a source whose run would take far longer than it takes to change it: so it is read meanwhile, on any machine."""
        source = make_clip(self.source, seconds=60)
        size = source.stat().st_size
        code, events, words = self.spoiled(lambda: spoil(source, size), source, preset="veryslow")
        self.assertEqual(code, 3, words)
        errors = [line for line in words.splitlines() if line.startswith("error:")]
        self.assertEqual(len(errors), 1, words)
        self.assertIn("input 'source' changed while it was read: " + says.format(size, size // 2), errors[0])
        self.assertEqual(events[-1]["state"], "failed")
        self.expect_nothing_half_made()

    def test_written_to_while_it_is_read(self):
        self.changes_while_it_is_read(lambda source, size: in_place(source, size // 2, bytes(64)), "its size is the same, its times are not")

    def test_cut_while_it_is_read(self):
        self.changes_while_it_is_read(lambda source, size: os.truncate(source, size // 2), "it had {} bytes, and has {} now")

    def test_moved_while_it_is_read(self):
        code, events, words = self.spoiled(lambda: self.source.rename(self.dir / "b.mp4"), self.source)
        self.assertEqual(code, 0, words)
        self.assertEqual(events[-1]["state"], "succeeded")


if __name__ == "__main__":
    unittest.main()
