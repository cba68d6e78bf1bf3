"""The plugins that come with Millrace keep what plugins promise: every op that does not act on the world passes millrace test-plugin."""
import json
import os
import pathlib
import subprocess
import unittest

from command import MILLRACE, SOURCE, Case

PLUGINS = pathlib.Path(MILLRACE).parent.parent / "lib/millrace/plugins"


class Shipped(Case):
    def clip(self):
        """A picture, a sound and a text track: the sample's, with cues."""
        path = str(self.dir / "clip.mp4")
        subprocess.run(
            ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-i", str(SOURCE / "kit/samples/media.mp4"), "-i",
             str(SOURCE / "tests/fuzz/corpus/media/words.srt"), "-map", "0", "-map", "1", "-c", "copy", "-c:s", "mov_text", path], check=True, timeout=240)
        return path

    def artifacts(self, clip):
        """What a run of vod made of it, by node and port: files that hold metadata and content."""
        out = {}
        state = self.dir / "state"
        events = self.expect(0, "run", str(SOURCE / "pipelines/vod.yaml"), "--input", clip, "--output", "out", "--state", str(state), "--json").stdout
        for number, event in enumerate(map(json.loads, events.splitlines())):
            if event["event"] != "output":
                continue
            detail = event["detail"]
            meta = self.dir / f"{number}.json"
            meta.write_text(json.dumps(detail["meta"]))
            digest = detail.get("digest", "").removeprefix("sha256:")
            content = str(state / "objects" / digest[:2] / digest[2:]) if digest else ""
            out.setdefault(f"{event['node']}.{detail['port']}", []).append((str(meta), content))
        return out

    def test_every_op(self):
        clip = self.clip()
        made = self.artifacts(clip)
        source = {"source": [(None, clip)]}
        info = {"info": made["probe.info"]}
        plan = {"plan": made["plan.plan"]}
        inputs = {
            "manifest.package": {**plan, "ladder": made["ladder.rungs"], "images": made["storyboard.image"],
                                 "segments": made["video.segments"] + made["audio.segments"] + made["subtitles.segments"]},
            "measure.scenes": {**source, **info},
            "measure.trial": {**source, **info, "rung": made["ladder.rungs"]},
            "probe.media": source,
            "segment.mpegts": {**plan, "video": made["video.segments"], "audio": made["audio.segments"], "rung": made["ladder.rungs"]},
            "segment.plan": {**source, **info},
            "segment.remux": {**source, **info},
            "thumbnail.poster": {**source, **info},
            "thumbnail.preview": {**source, **info},
            "thumbnail.sheets": info,
            "thumbnail.storyboard": {**source, **info, "sheet": made["sheets.sheets"]},
            "transcode.analyse": {**source, "chunk": made["plan.chunks"]},
            "transcode.audio": {**source, "chunk": made["plan.audio_chunks"], "track": made["probe.audio_tracks"]},
            "transcode.file": {**source, **info},
            "transcode.init": {"chunk": made["plan.opening"], "rung": made["ladder.rungs"]},
            "transcode.ladder": info,
            "transcode.loudness": {**source, "track": made["probe.audio_tracks"]},
            "transcode.subtitles": {**source, **plan, "track": made["probe.text_tracks"]},
            "transcode.video": {**source, "chunk": made["plan.chunks"], "analysis": made["analysis.stats"], "rung": made["ladder.rungs"]},
        }
        ops = {op["name"]: op for op in self.json_of("ops", "--json")}
        self.assertEqual(set(inputs), {name for name, op in ops.items() if not op["effect"]})
        if os.access("/dev/shm", os.W_OK):
            self.env["TMPDIR"] = "/dev/shm"
        for op, given in inputs.items():
            args = []
            for port, artifacts in given.items():
                for meta, content in artifacts:
                    args += ["--input", f"{port}={content}"] + (["--meta", f"{port}={meta}"] if meta else [])
            with self.subTest(op=op):
                done = self.run_it("test-plugin", str(PLUGINS / f"{op.split('.')[0]}.so"), "--op", op, *args)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertRegex(done.stdout, r"ok +deterministic")
                self.assertRegex(done.stdout, r"ok +hostile")


if __name__ == "__main__":
    unittest.main()
