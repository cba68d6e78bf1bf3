# SPDX-License-Identifier: MIT
"""Videos that are processed while their upload goes on: what is played before the last byte was sent, and what comes of uploads that never end."""
import base64
import functools
import glob
import hashlib
import json
import re
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from serving import TIMEOUT, Server, make_clip

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}
PART = 5 << 20
LEAST_AHEAD = 8  # tasks, of those that two thirds of a long clip suffice for
PARAMS = {"preset": "ultrafast", "ladder": [{"height": 90, "max_bitrate": "200k"}], "segment_duration": "1s"}


def metadata(**pairs):
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in pairs.items())


def box(kind, content):
    return struct.pack(">I", 8 + len(content)) + kind + content


class Events:
    """What a video's stream says, as it says it."""

    def __init__(self, server, video, token):
        self.connection = server.connect()
        self.connection.request("GET", f"/api/v1/videos/{video}/events", headers={"Authorization": f"Bearer {token}"})
        self.stream = self.connection.getresponse()
        assert self.stream.status == 200, self.stream.read()

    def next(self):
        name = data = None
        for line in self.stream:
            line = line.decode().strip()
            if line.startswith("event:"):
                name = line[6:].strip()
            elif line.startswith("data:"):
                data = json.loads(line[5:])
            elif not line and name:
                return name, data
        raise AssertionError("the stream has ended")

    def until(self, wanted):
        """The data of the first event that is as wanted; what came before it in `seen`."""
        self.seen = []
        while True:
            name, data = self.next()
            self.seen.append((name, data))
            if wanted(name, data):
                return data

    def close(self):
        self.connection.close()


class Arriving(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.media = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.media.cleanup)
        cls.clip = make_clip(Path(cls.media.name) / "front.mp4", seconds=8, size="160x90")
        cls.behind = Path(cls.media.name) / "behind.mp4"
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(cls.clip), "-t", "2", "-c", "copy", str(cls.behind)], check=True, timeout=240)
        cls.long = {kind: Path(cls.media.name) / f"long.{kind}" for kind in ("mkv", "ts")}
        make = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=24", "-f", "lavfi", "-i",
                "sine=frequency=440:duration=24", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-b:v", "500k", "-c:a", "aac"]
        subprocess.run([*make, str(cls.long["mkv"])], check=True, timeout=120)
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(cls.long["mkv"]), "-c", "copy", str(cls.long["ts"])], check=True, timeout=240)
        cls.large = Path(cls.media.name) / "large.mov"  # parts have 5 MiB at least; with pictures that any bytes are
        subprocess.run([*make[:make.index("-c:v")], "-c:v", "rawvideo", "-pix_fmt", "uyvy422", "-c:a", "aac", "-movflags", "+faststart", str(cls.large)],
                       check=True, timeout=240)

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.server = Server(self.folder.name, "server.access_log=false")
        self.addCleanup(self.server.stop)
        self.server.start()
        self.token = self.server.set_up()

    def ask(self, status, method, path, *args, **more):
        answer = self.server.ask(method, path, *args, token=self.token, **more)
        self.assertEqual(answer.status, status, f"{method} {path}: {answer.body[:600]}")
        return answer

    def create(self, clip):
        created = self.ask(201, "POST", "/api/v1/videos", {"title": clip.name, "filename": clip.name, "size": clip.stat().st_size, "params": PARAMS}).json
        return created["video"]["id"], created["upload"]["tus"]["url"]

    def video(self, video):
        return self.ask(200, "GET", f"/api/v1/videos/{video}").json

    def send(self, url, data, at, end):
        path = "/" + url.split("/", 3)[3] if url.startswith("http") else url
        self.ask(204, "PATCH", path, data[at:end], headers={**BYTES, "Upload-Offset": str(at)})
        return end

    def playlist(self, video):
        """The media playlist of the picture, and where it lies."""
        url = self.ask(200, "GET", f"/api/v1/videos/{video}/playback").json["hls"]["url"]
        path = "/" + url.split("/", 3)[3] if url.startswith("http") else url
        master = self.ask(200, "GET", path).body.decode()
        rendition = re.search(r"^[^#].*m3u8$", master, re.M)[0]
        base = path.rsplit("/", 1)[0]
        media = self.ask(200, "GET", f"{base}/{rendition}").body.decode()
        folder = f"{base}/{rendition}".rsplit("/", 1)[0]
        return [f"{folder}/{line}" for line in media.splitlines() if line and not line.startswith("#")]

    def tree(self, video):
        """What was published: the report of the run is not, and what is hidden nobody can load."""
        folder = max((self.server.data / "media" / video).iterdir(), key=lambda it: int(it.name))
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("[!.]*"))
                if path.is_file() and path.name != "run.json"}

    @staticmethod
    @functools.cache
    def whole(clip):
        """What becomes of the clip when it is processed as a whole: on a server of its own, so that nothing is reused."""
        with tempfile.TemporaryDirectory() as folder:
            other = Arriving("whole")
            other.server = Server(folder, "server.access_log=false", "server.early_runs=0").start()
            try:
                other.token = other.server.set_up()
                video, url = other.create(clip)
                events = Events(other.server, video, other.token)
                data = clip.read_bytes()
                middle = other.send(url, data, 0, len(data) // 2)
                other.assertEqual(other.video(video)["run"], None)
                other.send(url, data, middle, len(data))
                events.until(lambda name, data: name == "end")
                events.close()
                return other.tree(video)
            finally:
                other.server.stop()

    def test_it_plays_before_the_last_byte_is_sent(self):
        video, url = self.create(self.clip)
        data = self.clip.read_bytes()
        events = Events(self.server, video, self.token)
        at = self.send(url, data, 0, len(data) // 2)
        said = []
        events.until(lambda name, data: said.append(data.get("progress", 0)) or name == "ready")
        if not any(said):
            events.until(lambda name, data: name == "node" and data["progress"] > 0)
        seen = self.video(video)
        self.assertEqual((seen["status"], seen["playable"], seen["complete"]), ("uploading", True, False))
        self.assertGreater(seen["progress"], 0, "a page that is opened now is told how much there is")
        segments = self.playlist(video)
        self.ask(200, "GET", segments[0])
        at = self.send(url, data, at, len(data) - 1)
        self.assertEqual(self.video(video)["status"], "uploading")
        self.send(url, data, at, len(data))
        events.until(lambda name, data: name == "end")
        events.close()
        seen = self.video(video)
        self.assertEqual((seen["status"], seen["playable"], seen["complete"], seen["reason"]), ("ready", True, True, None))
        self.assertEqual(self.tree(video), self.whole(self.clip))
        again = self.ask(202, "POST", f"/api/v1/videos/{video}/process", {}).json["run"]
        events = Events(self.server, video, self.token)
        events.until(lambda name, data: name == "end")
        events.close()
        run = self.ask(200, "GET", f"/api/v1/runs/{again}").json
        self.assertEqual({node["node"] for node in run["nodes"] if node["done"] > node["cached"]} - {"package", "publish", "tell"}, set(), run["nodes"])

    def until(self, wanted, what):
        """For what no event tells."""
        end = time.monotonic() + TIMEOUT
        while not wanted():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    def playable(self, clip):
        """Half of it is sent, and can be watched."""
        video, url = self.create(clip)
        data = clip.read_bytes()
        events = Events(self.server, video, self.token)
        at = self.send(url, data, 0, len(data) // 2)
        events.until(lambda name, data: name == "ready")
        events.close()
        return video, url, data, at

    def finish(self, video, url, data, at):
        events = Events(self.server, video, self.token)
        self.send(url, data, at, len(data))
        events.until(lambda name, data: name == "end")
        events.close()
        return self.video(video)

    def is_gone(self, video):
        folder = self.server.data / "media" / video
        self.until(lambda: not glob.glob(f"{folder}/*"), "what was made of an upload that was given up is still there")

    def test_an_upload_that_is_given_up(self):
        video, url, data, at = self.playable(self.clip)
        run = self.video(video)["run"]
        self.ask(204, "DELETE", url, headers=TUS)
        seen = self.video(video)
        self.assertEqual((seen["status"], seen["playable"], seen["complete"], seen["run"], seen["reason"]), ("created", False, False, None, None))
        self.until(lambda: self.ask(200, "GET", f"/api/v1/runs/{run}").json["state"] != "running", "its run goes on")
        self.is_gone(video)
        again = self.ask(201, "POST", "/api/v1/uploads/tus", headers={**TUS, "Upload-Length": str(len(data)), "Upload-Metadata": metadata(video=video)})
        self.assertEqual(self.finish(video, again.headers["location"], data, 0)["status"], "ready")

    def test_a_video_that_is_removed_meanwhile(self):
        video, url, data, at = self.playable(self.clip)
        self.ask(204, "DELETE", f"/api/v1/videos/{video}")
        self.ask(404, "PATCH", url, data[at:], headers={**BYTES, "Upload-Offset": str(at)})
        self.is_gone(video)

    def test_a_server_that_is_killed_meanwhile(self):
        video, url, data, at = self.playable(self.clip)
        run = self.video(video)["run"]
        self.server.kill()
        self.server.start()
        self.assertEqual(int(self.ask(200, "HEAD", url, headers=TUS).headers["upload-offset"]), at)
        seen = self.finish(video, url, data, at)
        self.assertEqual((seen["status"], seen["complete"], seen["run"]), ("ready", True, run))
        nodes = self.ask(200, "GET", f"/api/v1/runs/{run}").json["nodes"]
        self.assertGreater(sum(node["cached"] for node in nodes), 0)
        self.assertEqual(self.tree(video), self.whole(self.clip))

    def test_an_index_at_the_end_is_waited_for(self):
        video, url = self.create(self.behind)
        data = self.behind.read_bytes()
        at = self.send(url, data, 0, len(data) - 1)
        self.assertEqual(self.video(video)["run"], None)
        self.assertEqual(self.finish(video, url, data, at)["status"], "ready")

    def test_a_rule_for_uploads_is_asked_first(self):
        rules = Path(self.media.name) / "rules.lua"
        rules.write_text('millrace.hooks{on_upload = function(upload) return {veto = "not here"} end}')
        self.server.stop()
        self.server = Server(self.folder.name, "server.access_log=false", f"hooks.file={rules}")
        self.addCleanup(self.server.stop)
        self.server.start()
        video, url = self.create(self.clip)
        data = self.clip.read_bytes()
        events = Events(self.server, video, self.token)
        at = self.send(url, data, 0, len(data) // 2)
        self.send(url, data, at, len(data))
        said = events.until(lambda name, data: name == "status" and data["status"] == "failed")
        events.close()
        self.assertEqual(said["reason"]["message"], "not here")
        self.assertEqual(self.ask(200, "GET", "/api/v1/runs").json["items"], [])

    def test_what_fails_early_is_no_failure_before_the_end(self):
        broken = Path(self.media.name) / "broken.mp4"
        broken.write_bytes(box(b"ftyp", b"isom\0\0\2\0isomiso2") + box(b"moov", bytes(4000)) + box(b"mdat", bytes(100000)))
        video, url = self.create(broken)
        data = broken.read_bytes()
        at = self.send(url, data, 0, 50000)
        self.until(lambda: any(run["state"] == "failed" for run in self.ask(200, "GET", "/api/v1/runs").json["items"]), "nothing was begun")
        self.until(lambda: self.video(video)["run"] in (None, ""), "the run that failed is still the video's")
        seen = self.video(video)
        self.assertEqual((seen["status"], seen["playable"], seen["reason"]), ("uploading", False, None))
        at = self.send(url, data, at, 60000)
        seen = self.finish(video, url, data, at)
        self.assertEqual((seen["status"], seen["reason"]["code"]), ("failed", "processing-failed"))
        self.assertEqual(len(self.ask(200, "GET", "/api/v1/runs").json["items"]), 2)

    # Containers whose length is known at their end: nothing is published before that, but what can be is done ahead.

    def ahead(self):
        """How many tasks were done ahead of their uploads."""
        page = self.server.ask("GET", "/metrics", token=self.token).body.decode()
        return int(re.search(r"^millrace_tasks_ahead_total (\d+)", page, re.M)[1])

    def rehearsed(self):
        """The runs that worked ahead, once none of them is under way and they have done something."""
        self.until(lambda: self.ahead() > 0, "nothing was done ahead")
        runs = []

        def over():
            runs[:] = self.ask(200, "GET", "/api/v1/runs").json["items"]
            return runs and all(run["state"] != "running" for run in runs)
        self.until(over, "what is done ahead does not end")
        return runs

    def check_reused(self, video, ahead):
        """The run for the whole has found what was done ahead, and what it published is what it publishes without."""
        run = self.video(video)["run"]
        cached = {node["node"]: node["cached"] for node in self.ask(200, "GET", f"/api/v1/runs/{run}").json["nodes"]}
        self.assertGreaterEqual(cached["analysis"] + cached["video"] + cached["audio"], ahead, cached)
        self.assertGreater(cached["video"], 2)
        self.assertGreater(cached["audio"], 0)

    def test_matroska_and_transport_streams_are_worked_ahead_of(self):
        for clip in self.long.values():
            with self.subTest(clip=clip.name):
                before = self.ahead()
                video, url = self.create(clip)
                data = clip.read_bytes()
                at = self.send(url, data, 0, len(data) * 2 // 3)
                self.until(lambda before=before: self.ahead() >= before + LEAST_AHEAD, "too little was done ahead")
                self.rehearsed()
                seen = self.video(video)
                self.assertEqual((seen["status"], seen["playable"], seen["run"]), ("uploading", False, None))
                self.assertFalse((self.server.data / "media" / video).exists())
                ahead = self.ahead() - before
                self.assertEqual(self.finish(video, url, data, at)["status"], "ready")
                self.check_reused(video, ahead)
                self.assertEqual(self.tree(video), self.whole(clip))

    def test_a_put_is_worked_ahead_of(self):
        clip = self.long["mkv"]
        data = clip.read_bytes()
        created = self.ask(201, "POST", "/api/v1/videos", {"title": "put", "filename": clip.name, "size": len(data), "params": PARAMS}).json
        video, target = created["video"]["id"], created["upload"]["put"]
        connection = self.server.connect()
        connection.putrequest("PUT", "/" + target["url"].split("/", 3)[3])
        for name, value in {**target["headers"], "Content-Length": str(len(data))}.items():
            connection.putheader(name, value)
        connection.endheaders()
        at = len(data) * 2 // 3
        connection.send(data[:at])

        def one_more():
            nonlocal at
            if at < len(data) - 1:
                connection.send(data[at:at + 1])
                at += 1
            return self.ahead() >= LEAST_AHEAD
        self.until(one_more, "too little was done ahead")
        self.rehearsed()
        ahead = self.ahead()
        events = Events(self.server, video, self.token)
        connection.send(data[at:])
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        events.until(lambda name, data: name == "end")
        events.close()
        self.check_reused(video, ahead)
        self.assertEqual(self.tree(video), self.whole(clip))

    # Parts that S3 puts together at the end: what is there from the beginning, whole, is worked ahead of.

    def begin_parts(self, more=b""):
        data = self.large.read_bytes() + more
        created = self.ask(201, "POST", "/api/v1/videos", {"title": "parts", "filename": self.large.name, "size": len(data), "params": PARAMS}).json
        return created["video"]["id"], data

    def sign(self, video, action, **more):
        url = self.ask(200, "POST", "/api/v1/uploads/sign", {"video": video, "filename": "large.mov", "action": action, **more}).json["url"]
        return "/" + url.split("/", 3)[3]

    def initiate(self, video):
        return re.search(rb"<UploadId>([^<]+)", self.server.ask("POST", self.sign(video, "initiate"), b"").body)[1].decode()

    def put_part(self, video, upload, number, data):
        answer = self.server.ask("PUT", self.sign(video, "part", upload_id=upload, part_number=number), data)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.headers["etag"]

    def complete(self, video, upload, etags):
        rows = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in sorted(etags.items()))
        events = Events(self.server, video, self.token)
        answer = self.server.ask("POST", self.sign(video, "complete", upload_id=upload), f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode())
        self.assertIn(b"<ETag>", answer.body)
        events.until(lambda name, data: name == "end")
        events.close()
        seen = self.video(video)
        self.assertEqual((seen["status"], seen["reason"]), ("ready", None))

    def cached(self, video):
        run = self.video(video)["run"]
        return {node["node"]: node["cached"] for node in self.ask(200, "GET", f"/api/v1/runs/{run}").json["nodes"]}["video"]

    def test_parts_of_aws_are_worked_ahead_of(self):
        video, data = self.begin_parts()
        key = self.ask(201, "POST", "/api/v1/keys", {"name": "s3", "scopes": ["videos:write"]}).json
        place = ["--bucket", "uploads", "--key", f"{video}/large.mov"]

        def aws(*words):
            code, said, wrong = self.server.aws(key, words[0], *place, *words[1:])
            self.assertEqual(code, 0, wrong)
            return json.loads(said)
        upload = aws("create-multipart-upload")["UploadId"]
        etags = {}

        def part(number):
            piece = self.server.folder / "part"
            piece.write_bytes(data[(number - 1) * PART:number * PART])
            etags[number] = aws("upload-part", "--upload-id", upload, "--part-number", str(number), "--body", str(piece))["ETag"]
        for number in (2, 3, 1):  # in any order; with the first there are three from the beginning
            part(number)
        self.until(lambda: self.ahead() >= LEAST_AHEAD, "too little was done ahead")
        self.rehearsed()
        seen = self.video(video)
        self.assertEqual((seen["status"], seen["playable"], seen["run"]), ("uploading", False, None))
        self.assertFalse((self.server.data / "media" / video).exists())
        part(4)
        events = Events(self.server, video, self.token)
        aws("complete-multipart-upload", "--upload-id", upload, "--multipart-upload",
            json.dumps({"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in sorted(etags.items())]}))
        events.until(lambda name, data: name == "end")
        events.close()
        self.assertGreaterEqual(self.cached(video), LEAST_AHEAD // 2)
        self.assertEqual(self.tree(video), self.whole(self.large))

    def test_parts_that_come_again(self):
        """The same ones, after a kill: what was done ahead is found. Others: it is not, although place, size and file are the same."""
        for others in (False, True):
            with self.subTest(others=others):
                video, data = self.begin_parts(bytes(others))  # another length than before: nothing is known of it
                upload = self.initiate(video)
                parts = {number: data[(number - 1) * PART:number * PART] for number in (1, 2, 3, 4)}
                wrong = bytes(255 - byte for byte in parts[2]) if others else parts[2]
                etags = {3: self.put_part(video, upload, 3, parts[3]), 2: self.put_part(video, upload, 2, wrong), 1: self.put_part(video, upload, 1, parts[1])}
                self.until(lambda: self.ahead() >= LEAST_AHEAD, "too little was done ahead")
                self.rehearsed()
                self.server.kill()
                self.server.start()
                etags |= {2: self.put_part(video, upload, 2, parts[2]), 4: self.put_part(video, upload, 4, parts[4])}
                self.complete(video, upload, etags)
                if others:
                    self.assertEqual(self.cached(video), 0)
                else:
                    self.assertGreaterEqual(self.cached(video), LEAST_AHEAD // 2)
                self.assertEqual(self.tree(video), self.whole(self.large))

    def test_work_ahead_of_an_upload_that_is_given_up(self):
        for given_up in (lambda video, url: self.ask(204, "DELETE", url, headers=TUS), lambda video, url: self.ask(204, "DELETE", f"/api/v1/videos/{video}")):
            before = self.ahead()
            clip = self.long["mkv"]
            video, url = self.create(clip)
            self.send(url, clip.read_bytes(), 0, clip.stat().st_size // 2)
            self.until(lambda before=before: self.ahead() > before, "nothing was done ahead")
            given_up(video, url)
            self.rehearsed()
            self.until(lambda: not list((self.server.data / "uploads").iterdir()), "the file is still there")
            self.assertFalse((self.server.data / "media" / video).exists())


if __name__ == "__main__":
    unittest.main()
