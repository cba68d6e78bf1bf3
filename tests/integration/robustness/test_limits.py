# SPDX-License-Identifier: MIT
"""What media may ask for: sources made to do harm, through `millrace run`. One sentence that names the setting, exit code 3, and little memory."""
import os
import struct
import subprocess
import unittest
import zlib
from pathlib import Path

from kit import MILLRACE, TIMEOUT, Case, events_of, make_clip

SANITIZED = b"__asan_init" in Path(MILLRACE).read_bytes() or b"__tsan_init" in Path(MILLRACE).read_bytes()
MEMORY_KIB = 400 * 1024  # of the largest process; sanitizers need more for themselves

UPSTREAM = """
millrace: 1
name: upstream
inputs: {source: {type: media}}
nodes:
  probe: {op: probe.media, in: {source: inputs.source}}
  ladder: {op: transcode.ladder, in: {info: probe.info}, with: {rungs: [{height: 90, max_bitrate: 250k}]}}
  plan: {op: segment.plan, in: {source: inputs.source, info: probe.info}, with: {segment_duration: 1s}}
  sheets: {op: thumbnail.sheets, in: {info: probe.info}}
"""
# Each opens the source anew, with what others found out about it.
OPENERS = """
  remux: {op: segment.remux, in: {source: inputs.source, info: probe.info}, on_error: skip}
  poster: {op: thumbnail.poster, in: {source: inputs.source, info: probe.info}, on_error: skip}
  preview: {op: thumbnail.preview, in: {source: inputs.source, info: probe.info}, on_error: skip}
  storyboard: {op: thumbnail.storyboard, each: {sheet: sheets.sheets}, in: {source: inputs.source, info: probe.info}, on_error: skip}
  file: {op: transcode.file, in: {source: inputs.source, info: probe.info}, on_error: skip}
  analyse: {op: transcode.analyse, each: {chunk: plan.chunks}, in: {source: inputs.source}, on_error: skip}
  video: {op: transcode.video, each: {chunk: plan.chunks}, for: {rung: ladder.rungs}, in: {source: inputs.source}, on_error: skip}
  audio: {op: transcode.audio, each: {chunk: plan.audio_chunks}, for: {track: probe.audio_tracks}, in: {source: inputs.source}, on_error: skip}
  loudness: {op: transcode.loudness, for: {track: probe.audio_tracks}, in: {source: inputs.source}, on_error: skip}
  subtitles: {op: transcode.subtitles, for: {track: probe.text_tracks}, in: {source: inputs.source, plan: plan.plan}, on_error: skip}
"""
SUBTITLES = "1\n00:00:00,000 --> 00:00:01,000\nOne\n\n2\n00:00:01,000 --> 00:00:02,000\nTwo\n"


def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, args)], check=True, timeout=TIMEOUT)


def written(data, box, offset, value):
    """data with value written behind the first box of that type, which is not looked for among the brands."""
    at = data.index(box, data.index(b"moov")) + offset
    return data[:at] + value + data[at + len(value):]


def with_tracks(data, count):
    """The first track of an MP4 whose 'moov' comes last, count times more."""
    moov = data.index(b"moov") - 4
    trak = data.index(b"trak", moov) - 4
    size = struct.unpack(">I", data[trak:trak + 4])[0]
    return data[:moov] + struct.pack(">I", len(data) - moov + count * size) + data[moov + 4:] + data[trak:trak + size] * count


def black_png(side):
    """One bit a pixel, and nothing but zeros: a thousand times smaller than its pixels."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + side // 8) * 256) for _ in range(side // 256)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def with_samples(data, samples):
    """A QuickTime file of stills: its samples replaced by one, to which all of them point. Its 'moov' comes last, so no other place moves."""
    mdat = data.index(b"mdat") - 4
    size = struct.unpack(">I", data[mdat:mdat + 4])[0]
    data = data[:mdat] + struct.pack(">I4s", 8 + len(samples), b"mdat") + samples + data[mdat + size:]
    table = data.index(b"stsz")
    count = struct.unpack(">I", data[table + 12:table + 16])[0]
    data = data[:table + 16] + struct.pack(">I", len(samples)) * count + data[table + 16 + 4 * count:]
    table = data.index(b"stco")
    chunks = struct.unpack(">I", data[table + 8:table + 12])[0]
    return data[:table + 12] + struct.pack(">I", data.index(b"mdat") + 4) * chunks + data[table + 12 + 4 * chunks:]


class Limits(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.small = make_clip(cls.shared / "small.mp4", seconds=2, size="160x90").read_bytes()

    def wait_for(self, words):
        """(exit code, stdout, stderr, KiB of the largest process among its children and theirs)"""
        with open(self.dir / "stdout", "w+", encoding="utf-8") as stdout, open(self.dir / "stderr", "w+", encoding="utf-8") as stderr:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, cwd=self.dir)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            stdout.seek(0)
            stderr.seek(0)
            return process.returncode, stdout.read(), stderr.read(), usage.ru_maxrss

    def refused(self, name, content, *words, extra=()):
        source = self.dir / name
        if content is not None:
            source.write_bytes(content)
        code, stdout, stderr, memory = self.wait_for(self.words(source, "out", "state", *extra))
        self.assertEqual(code, 3, stdout + stderr)
        self.expect_sentence(subprocess.CompletedProcess([], code, stdout, stderr), name, *words)
        self.expect_nothing_half_made()
        if not SANITIZED:
            self.assertLess(memory, MEMORY_KIB)

    def test_the_largest_picture_that_a_header_can_say(self):
        at = self.small.index(b"avc1", self.small.index(b"stsd")) + 28
        self.refused("wide.mp4", self.small[:at] + b"\xff\xff\xff\xff" + self.small[at + 4:], "65535x65535", "limits.picture_side allows (16384)")

    def test_a_thousand_streams(self):
        self.refused("many.mp4", with_tracks(self.small, 1000), "has 1002 streams", "limits.streams allows (128)")

    def test_tables_that_promise_billions(self):
        self.refused("alike.mp4", written(self.small, b"stsz", 8, b"\0\0\0\1\xff\xff\xff\xff"), "4294967295 packets", "limits.packets")
        self.refused("million.mp4", written(self.small, b"stsz", 8, struct.pack(">II", 1, 30000000)), "30000000 packets", "bytes")
        self.refused("table.mp4", written(self.small, b"stsz", 12, b"\x40\0\0\0"), "'stsz'", "1073741824 entries")
        for table in (b"stts", b"stsc", b"stco", b"stss"):
            self.refused("table.mp4", written(self.small, table, 8, b"\xff\xff\xff\xff"), table.decode(), "4294967295 entries")

    def test_a_fragment_that_promises_millions(self):
        ffmpeg("-i", self.shared / "small.mp4", "-c", "copy", "-movflags", "frag_keyframe+empty_moov+default_base_moof", self.dir / "parts.mp4")
        self.refused("long.mp4", written((self.dir / "parts.mp4").read_bytes(), b"trun", 4, struct.pack(">II", 1, 30000000)), "30000000 packets")

    def test_a_million_pictures_a_second(self):
        """With the clock 40,000 times as fast as it was."""
        clip = make_clip(self.dir / "clip.mp4", seconds=24, size="64x36").read_bytes()
        scale = clip.index(b"mdhd") + 16
        fast = struct.unpack(">I", clip[scale:scale + 4])[0] * 40000
        clip = clip[:scale] + struct.pack(">I", fast) + clip[scale + 4:]
        self.refused("fast.mp4", clip, "1000000 pictures a second", "limits.frame_rate allows (480)")

    def test_weeks(self):
        """Ten hours for each picture; without the edit list, which would cut the rest off."""
        long = written(self.small.replace(b"edts", b"free"), b"stts", 16, struct.pack(">I", 460800000))
        self.refused("long.mp4", long, " s long", "limits.duration allows (48 h)")

    def test_a_still_that_is_a_bomb(self):
        """A hundred kilobytes, 150 million pixels; the container says nothing of that."""
        ffmpeg("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=1", "-c:v", "png", self.dir / "stills.mov")
        bomb = with_samples((self.dir / "stills.mov").read_bytes(), black_png(12288))
        self.refused("bomb.mov", bomb, "larger than its header says", "limits.picture_pixels")

    def test_little_that_decodes_to_much(self):
        ffmpeg("-f", "lavfi", "-i", "color=size=320x180:rate=25:duration=4", "-c:v", "libx264", "-preset", "ultrafast", self.dir / "still.mp4")
        self.refused("still.mp4", None, "decode to", "limits.decoded_ratio allows (100 times as much)",
                     extra=["--set", "limits.decoded_floor=1MiB", "--set", "limits.decoded_ratio=100"])

    def test_the_operator_decides(self):
        source = self.dir / "small.mp4"
        config = self.dir / "config.yaml"
        config.write_text("limits:\n  duration: 1s\n")
        self.refused("small.mp4", self.small, "2 s long", "limits.duration allows (1 s)", extra=["--config", str(config)])
        config.write_text("limits:\n  duration: 3s\n")
        self.expect(0, source, "out", "state", "--config", str(config))

    def test_every_op_that_opens_media(self):
        """What is known of a source does not open it to those who come later."""
        (self.dir / "words.srt").write_text(SUBTITLES)
        ffmpeg("-i", self.shared / "small.mp4", "-i", self.dir / "words.srt", "-map", "0", "-map", "1", "-c", "copy", self.dir / "all.mkv")
        (self.dir / "upstream.yaml").write_text(UPSTREAM)
        (self.dir / "all.yaml").write_text(UPSTREAM + OPENERS)
        openers = {line.split(":")[0].strip() for line in OPENERS.strip().splitlines()}

        def run(pipeline, *extra):
            words = [MILLRACE, "run", pipeline, "--input", "all.mkv", "--state", "state", "--output", "out", "--json", *extra]
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False, cwd=self.dir)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            return events_of(done.stdout)

        run("upstream.yaml")
        events = run("all.yaml", "--set", "limits.picture_side=100")
        ended = {event["node"]: event for event in events if event["event"] == "task.done"}
        self.assertEqual({node for node, event in ended.items() if event["state"] == "cached"}, {"probe", "ladder", "plan", "sheets"})
        self.assertEqual({node for node, event in ended.items() if event["state"] == "skipped"}, openers)  # on_error
        for node in openers:
            self.assertIn("limits.picture_side allows (100)", ended[node]["reason"], node)
        events = run("all.yaml")
        self.assertEqual({event["state"] for event in events if event["event"] == "task.done"}, {"cached", "succeeded"})


if __name__ == "__main__":
    unittest.main()
