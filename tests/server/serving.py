# SPDX-License-Identifier: MIT
"""A real `millrace serve` on a free port, and a client that keeps what it saw, so that it can be held against the OpenAPI document."""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

MILLRACE = os.environ["MILLRACE"]
SOURCE = Path(os.environ["MILLRACE_SOURCE"])
TIMEOUT = 120  # seconds for what must come: of a machine that is slow, and busy with other tests
PASSWORD = "correct horse battery"


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        names = [name.lower() for name, _ in response.getheaders() if name.lower() != "set-cookie"]
        if len(names) != len(set(names)):
            raise AssertionError(f"a field stands twice: {response.getheaders()}")
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.cookies = response.headers.get_all("Set-Cookie") or []
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class Server:
    """Started anew on the same folder as often as a test wants."""

    def __init__(self, folder, *settings, jobs=2, host="localhost"):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.settings = settings
        self.jobs = jobs
        self.host = host
        self.process = None
        self.reader = None  # of what it says
        self.port = 0
        self.seen = self.folder / "exchanges.jsonl"

    def start(self):
        words = [MILLRACE, "serve", "--listen", f"{self.host}:{self.port}", "--data", str(self.data), "--jobs", str(self.jobs)]
        for setting in self.settings:
            words += ["--set", setting]
        environment = {**os.environ, "XDG_CONFIG_HOME": str(self.folder / "none")}
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
        for line in self.process.stderr:
            self.keep(line)
            if found := re.search(rb"listening on http://[^:/]+:(\d+)", line):
                self.port = int(found[1])
                self.reader = threading.Thread(target=self.keep_all, args=[self.process.stderr], daemon=True)
                self.reader.start()
                return self
        self.stop()
        raise AssertionError(f"the server did not start: {self.log.read_text(errors='replace')[-2000:]}")

    def keep(self, line):
        with open(self.log, "ab") as log:
            log.write(line)

    def keep_all(self, lines):
        with lines:
            for line in lines:
                self.keep(line)

    def stop(self, how=signal.SIGTERM):
        if not self.process:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(timeout=TIMEOUT)
        if self.reader:
            self.reader.join(timeout=TIMEOUT)
        else:
            self.process.stderr.close()
        self.process = self.reader = None
        return code

    def kill(self):
        return self.stop(signal.SIGKILL)

    def connect(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)

    def raw(self, data):
        """Bytes as they are, and all that comes back until the other end closes."""
        with socket.create_connection((self.host, self.port), timeout=TIMEOUT) as it:
            it.sendall(data)
            seen = b""
            try:
                while piece := it.recv(65536):
                    seen += piece
            except ConnectionResetError:
                pass
            return seen

    def ask(self, method, path, body=None, token=None, headers=None, connection=None):
        """One request. A dict or list becomes JSON."""
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        own = connection is None
        connection = connection or self.connect()
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            answer = Answer(response, response.read())
        finally:
            if own:
                connection.close()
        self.note(method, path, answer)
        return answer

    def note(self, method, path, answer):
        kind = answer.headers.get("content-type", "")
        if "json" not in kind or method == "HEAD":
            return
        with open(self.seen, "a") as out:
            out.write(json.dumps({"method": method, "path": path, "status": answer.status, "type": kind, "body": answer.json}) + "\n")

    def check_answers(self):
        """Everything that was answered is as the OpenAPI document says."""
        if self.seen.exists():
            subprocess.run(["node", str(SOURCE / "tests" / "server" / "validate.mjs"), str(SOURCE / "api-server" / "openapi.yaml"), str(self.seen)],
                           check=True, timeout=TIMEOUT)

    # ---- accounts ----

    def set_up(self, email="admin@example.org"):
        """The first administrator; its access token."""
        answer = self.ask("POST", "/api/v1/auth/setup", {"email": email, "password": PASSWORD, "name": "Admin"})
        if answer.status not in (200, 201):
            raise AssertionError(answer.body)
        return answer.json["access_token"]

    def add_user(self, admin, email, role):
        """A user of that role; its access token and id."""
        answer = self.ask("POST", "/api/v1/users", {"email": email, "password": PASSWORD, "name": role, "role": role}, admin)
        if answer.status != 201:
            raise AssertionError(answer.body)
        signed_in = self.ask("POST", "/api/v1/auth/login", {"email": email, "password": PASSWORD})
        return signed_in.json["access_token"], answer.json["id"]

    def aws(self, key, *words):
        """The AWS command line: its exit code, and what it said, on stdout and stderr."""
        environment = {
            "PATH": "/usr/bin:/bin", "HOME": str(self.folder), "AWS_ACCESS_KEY_ID": key["id"], "AWS_SECRET_ACCESS_KEY": key["secret"],
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        }
        command = ["/usr/bin/aws", "--endpoint-url", f"http://localhost:{self.port}/s3", "s3api", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
        return done.returncode, done.stdout, done.stderr

    # ---- videos ----

    def create(self, clip, token, **fields):
        """A video that the clip is to be sent to; its id, and where to."""
        made = self.ask("POST", "/api/v1/videos", {"title": "t", "filename": clip.name, "size": clip.stat().st_size, **fields}, token)
        if made.status != 201:
            raise AssertionError(made.body)
        return made.json["video"]["id"], made.json["upload"]["tus"]["url"]

    def send(self, clip, url, token):
        sent = self.ask("PATCH", url, clip.read_bytes(), token,
                        {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"})
        if sent.status != 204:
            raise AssertionError(sent.body)

    def upload(self, clip, token, **fields):
        """A video whose file has arrived; its id."""
        video, url = self.create(clip, token, **fields)
        self.send(clip, url, token)
        return video

    def follow(self, video, token):
        """(event, data) of a video as they come, until its run is over."""
        with contextlib.closing(self.connect()) as connection:
            connection.request("GET", f"/api/v1/videos/{video}/events", headers={"Authorization": f"Bearer {token}"})
            event = ""
            for line in connection.getresponse():
                if line.startswith(b"event: "):
                    event = line[7:].strip().decode()
                elif line.startswith(b"data: "):
                    data = json.loads(line[6:])
                    yield event, data
                    # The first event says how it stands: it may be over by now.
                    if event == "end" or data.get("status") in ("ready", "failed"):
                        return

    def ended(self, video, token):
        """The video once its run is over."""
        for _ in self.follow(video, token):
            pass
        return self.ask("GET", f"/api/v1/videos/{video}", token=token).json


class ServerCase(unittest.TestCase):
    """A class of tests shares a server, started with SETTINGS."""

    SETTINGS = ("server.access_log=false",)
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.dir = Path(tempfile.mkdtemp(prefix="millrace-server-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir, True)
        cls.server = Server(cls.dir, *cls.SETTINGS)
        cls.addClassCleanup(cls.server.check_answers)
        cls.addClassCleanup(cls.server.stop)
        cls.server.start()

    def expect(self, status, method, path, *args, **more):
        answer = self.server.ask(method, path, *args, **more)
        self.assertEqual(answer.status, status, f"{method} {path}: {answer.body[:600]}")
        return answer

    def expect_problem(self, status, code, *args, **more):
        answer = self.expect(status, *args, **more)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        self.assertEqual(answer.json["type"], f"urn:millrace:problem:{code}")
        self.assertEqual(answer.json["request_id"], answer.headers["x-request-id"])
        return answer


def make_clip(path, seconds=4, size="320x180"):
    """A moving picture with a counter and a tone, with its index in front."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={seconds}", "-f", "lavfi",
                    "-i", f"sine=d={seconds}:f=440", "-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-pix_fmt", "yuv420p", "-c:a", "aac",
                    "-movflags", "+faststart", str(path)], check=True, timeout=240)
    return path
