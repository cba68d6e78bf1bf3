# SPDX-License-Identifier: MIT
"""Sources that can't be used: exit code 3 and one sentence, or a stream of what is there. Nothing that they name is ever opened."""
import os
import re
import struct
import unittest

from kit import Case, digests, make_clip


def boxes(data):
    """(type, start, end) of the boxes in data."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if size < 8:
            return
        yield kind, at, at + size
        at += size


CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"dinf"}


def replace_box(data, wanted, content):
    """data with the payload of each box of that type replaced; the sizes of what holds it follow."""
    out = b""
    for kind, start, end in boxes(data):
        body = data[start + 8:end]
        if kind == wanted:
            body = content(body)
        elif kind in CONTAINERS:
            body = replace_box(body, wanted, content)
        out += struct.pack(">I4s", len(body) + 8, kind) + body
    return out


def data_reference(kind, payload):
    entry = struct.pack(">I4s", 12 + len(payload), kind) + bytes(4) + payload
    return struct.pack(">II", 0, 1) + entry


def alias_record(path):
    """A Macintosh alias as QuickTime files hold it: fixed fields, then tagged strings; 2 is the absolute path."""
    name = path.encode()
    padded = name + bytes(len(name) % 2)
    record = bytes(10) + bytes([1]) + b"v".ljust(27, b"\0") + bytes(12) + bytes([1]) + b"f".ljust(63, b"\0") + bytes(16) + bytes(4) + bytes(16)
    return record + struct.pack(">HH", 2, len(name)) + padded + struct.pack(">HH", 0xffff, 0)


class Input(Case):
    def refused(self, source, *names, **options):
        done = self.expect(3, source, **options)
        self.expect_sentence(done, *(names or [source.name]))
        self.expect_nothing_half_made()

    def file(self, name, content):
        path = self.dir / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def test_empty(self):
        self.refused(self.file("empty.mp4", b""))

    def test_text_with_a_videos_name(self):
        self.refused(self.file("words.mp4", "Dear diary,\ntoday nobody sent a video.\n" * 50))

    def test_noise_with_a_videos_name(self):
        noise = b"".join(struct.pack(">I", (i * 2654435761) & 0xffffffff) for i in range(20000))
        self.refused(self.file("noise.mp4", noise))

    def test_not_there(self):
        self.refused(self.dir / "missing.mp4")
        self.refused(self.clip / "below.mp4")

    def test_a_folder(self):
        self.refused(self.dir)

    def test_a_pipe_does_not_hang(self):
        os.mkfifo(self.dir / "pipe.mp4")
        self.refused(self.dir / "pipe.mp4")

    def test_a_device(self):
        done = self.expect(3, "/dev/zero")
        self.expect_sentence(done, "/dev/zero")

    def test_not_allowed_to_read(self):
        path = self.file("private.mp4", self.clip.read_bytes())
        path.chmod(0)
        # root reads everything, unless it goes without that right
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
        self.refused(path, path.name, "Permission denied", prefix=prefix)
        path.chmod(0o600)
        self.expect(0, path)

    def test_without_its_index(self):
        whole = self.clip.read_bytes()
        self.refused(self.file("cut.mp4", whole[:len(whole) // 2]))

    def test_cut_after_its_index(self):
        whole = make_clip(self.dir / "front.mp4", extra=["-movflags", "+faststart"]).read_bytes()
        source = self.file("cut.mp4", whole[:len(whole) * 6 // 10])
        done = self.run_it(source)
        self.assertIn(done.returncode, (0, 3), done.stderr)
        if done.returncode == 3:
            self.expect_sentence(done, "cut.mp4")
            self.expect_nothing_half_made()
            return
        playlist = (self.dir / "out" / "video" / "180p" / "index.m3u8").read_text()
        seconds = sum(float(length) for length in re.findall(r"#EXTINF:([0-9.]+)", playlist))
        self.assertIn("#EXT-X-ENDLIST", playlist)
        self.assertTrue(1 < seconds <= 5.1, seconds)
        for name in re.findall(r"(?m)^[^#\n].*$", playlist):
            self.assertGreater((self.dir / "out" / "video" / "180p" / name).stat().st_size, 0)
        self.expect_no_leftovers()

    def test_a_table_larger_than_the_file(self):
        """It is the file that is wrong, not the machine: exit code 3, not 1."""
        whole = self.clip.read_bytes()
        source = self.file("huge.mp4", whole.replace(b"stts\0\0\0\0\0\0", b"stts\0\0\0\0\x1f\xff"))
        self.assertNotEqual(source.read_bytes(), whole)
        self.refused(source, "huge.mp4", "'stts'", "no room")

    def test_every_beginning_of_a_file(self):
        """Wherever it is cut, it is a stream or a sentence, never anything else."""
        whole = make_clip(self.dir / "front.mp4", seconds=1, extra=["-movflags", "+faststart"]).read_bytes()
        for part in range(1, 16):
            done = self.run_it(self.file("cut.mp4", whole[:len(whole) * part // 16]), f"out{part}", preset="ultrafast")
            self.assertIn(done.returncode, (0, 3), f"{part}/16: {done.stderr}")
            if done.returncode == 3:
                self.expect_sentence(done, "cut.mp4")
                self.expect_nothing_half_made(f"out{part}")

    def test_lists_of_files(self):
        """Two of each: one names a file that is not media, the other one that would play if it were opened."""
        for target in ("file:///etc/passwd", f"file://{self.clip}"):
            self.refused(self.file("list.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"))
            self.refused(self.file("list.mp4", f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"))
            self.refused(self.file("list.txt", f"ffconcat version 1.0\nfile '{target}'\n"))
            self.refused(self.file("list.mpd", '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
                                   f"<AdaptationSet><Representation id='a' bandwidth='1'><BaseURL>{target}</BaseURL></Representation></AdaptationSet>"
                                   "</Period></MPD>\n"))
            self.refused(self.file("list.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5000 RTP/AVP 96\n"
                                   f"a=rtpmap:96 H264/90000\na=control:{target}\n"))
            self.refused(self.file("list.pls", f"[playlist]\nFile1={target}\nNumberOfEntries=1\n"))

    def test_media_that_lies_elsewhere(self):
        """An index whose samples are in another file: with its own bytes gone, a stream could only come from there."""
        whole = self.clip.read_bytes()
        elsewhere = self.file("elsewhere.mp4", whole)
        hollow = replace_box(whole, b"mdat", lambda body: bytes(len(body)))
        self.assertEqual(len(hollow), len(whole))
        for kind, payload in ((b"url ", f"file://{elsewhere}".encode() + b"\0"), (b"url ", b"file:///etc/passwd\0"),
                              (b"alis", alias_record(str(elsewhere))), (b"alis", alias_record("/etc/passwd"))):
            source = self.file("hollow.mp4", replace_box(hollow, b"dref", lambda _: data_reference(kind, payload)))
            with self.subTest(kind=kind, payload=payload[-40:]):
                self.refused(source)

    def test_afterwards_all_is_well(self):
        """Bad sources leave nothing in the state or output folder that a good one could stumble over."""
        tree = self.undisturbed(self.clip)
        for name, content in (("empty.mp4", b""), ("words.mp4", b"words"), ("cut.mp4", self.clip.read_bytes()[:30000])):
            self.expect(3, self.file(name, content))
        self.expect(0, self.clip)
        self.assertEqual(digests(self.dir / "out"), tree)

    def test_a_source_that_changed_is_another(self):
        """Same path, same size: what was cached of the former bytes is not used."""
        source = self.file("clip.mp4", self.clip.read_bytes())
        self.expect(0, source)
        former = digests(self.dir / "out")
        other = make_clip(self.dir / "other.mp4", extra=["-vf", "negate"]).read_bytes()
        source.write_bytes(other)
        self.expect(0, source)
        tree = digests(self.dir / "out")
        self.assertNotEqual(tree["video/180p/00000.m4s"], former["video/180p/00000.m4s"])
        source.write_bytes(self.clip.read_bytes())
        self.expect(0, source)
        self.assertEqual(digests(self.dir / "out"), former)


if __name__ == "__main__":
    unittest.main()
