# SPDX-License-Identifier: MIT
"""What the server says of itself, what it refuses, and how it ends."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
import unittest.mock
from pathlib import Path

from serving import MILLRACE, TIMEOUT, Server, ServerCase

TUS = {"Tus-Resumable": "1.0.0"}


class About(ServerCase):
    def test_itself(self):
        self.assertEqual(self.expect(200, "GET", "/healthz").body, b"ok\n")
        self.assertEqual(self.expect(200, "HEAD", "/healthz").body, b"")
        about = self.expect(200, "GET", "/api/v1/server").json
        self.assertEqual(about["name"], "Millrace")
        self.assertFalse(about["registration"])
        text = self.expect(200, "GET", "/metrics").body.decode()
        self.assertRegex(text, r'millrace_http_requests_total\{method="GET",route="/healthz",status="2xx"\} [1-9]')
        self.assertIn("millrace_uploads_completed_total 0", text)

    def test_what_is_not_there(self):
        self.expect_problem(404, "not-found", "GET", "/api/v1/nothing")
        self.expect_problem(404, "not-found", "POST", "/api/v1/nothing")
        self.expect_problem(404, "not-found", "GET", "/assets/none.js")
        for status, code, path in ((400, "bad-request", "/api/v1/../x"), (400, "bad-request", "/api/v1/videos?owner=me%00"), (403, "url-not-signed", "/media/x/v_a/1/m"),
                                   (422, "invalid", "/api/v1/videos?q=" + "x" * 2000)):
            answer = self.expect(status, "GET", path)
            self.assertEqual((answer.headers["content-type"], answer.json["type"]), ("application/problem+json", f"urn:millrace:problem:{code}"))
        refused = self.expect_problem(405, "method-not-allowed", "DELETE", "/healthz")
        self.assertEqual(refused.headers["allow"], "GET")

    def test_strangers_are_not_let_in(self):
        answer = self.expect_problem(401, "unauthenticated", "GET", "/api/v1/runs")
        self.assertEqual(answer.headers["www-authenticate"].split()[0], "Bearer")

    def test_a_folder_has_one_server(self):
        done = subprocess.run([MILLRACE, "serve", "--listen", "localhost:0", "--data", str(self.server.data)], capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is served by another process already", done.stderr)

    def test_a_port_has_one_server(self):
        other = tempfile.mkdtemp(prefix="millrace-server-")
        self.addCleanup(shutil.rmtree, other)
        done = subprocess.run([MILLRACE, "serve", "--listen", f"localhost:{self.server.port}", "--data", other], capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Address already in use", done.stderr)
        self.assertIn("say --listen with another port", done.stderr)


class Full(unittest.TestCase):
    """A disk without room: said at once, and of no harm to what came before."""

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="millrace-server-")
        self.addCleanup(self.dir.cleanup)

    def serve(self, *settings):
        server = Server(self.dir.name, "server.access_log=false", *settings).start()
        self.addCleanup(server.stop)
        return server

    def expect_full(self, answer):
        self.assertEqual((answer.status, answer.json["type"]), (507, "urn:millrace:problem:disk-full"), answer.body)
        self.assertIn("no room", answer.json["detail"])

    def test_it_says_so(self):
        server = self.serve()
        token = server.set_up()
        self.assertEqual(server.ask("GET", "/readyz").status, 200)
        url = server.ask("POST", "/api/v1/uploads/tus", token=token, headers={**TUS, "Upload-Length": "1000"}).headers["location"]
        bytes_at = lambda at: {**TUS, "Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}
        self.assertEqual(server.ask("PATCH", url, b"x" * 100, token, bytes_at(0)).status, 204)
        server.stop()
        full = self.serve("server.keep_free=16TiB")
        self.assertEqual(full.ask("GET", "/healthz").status, 200)
        ready = full.ask("GET", "/readyz")
        self.assertEqual((ready.status, ready.json["type"], ready.headers["retry-after"]), (503, "urn:millrace:problem:disk-full", "60"))
        self.expect_full(full.ask("PATCH", url, b"x" * 900, token, bytes_at(100)))
        self.expect_full(full.ask("POST", "/api/v1/uploads/tus", token=token, headers={**TUS, "Upload-Length": "10"}))
        self.expect_full(full.ask("POST", "/api/v1/videos", {"title": "t", "size": 10}, token))
        self.assertEqual(full.ask("HEAD", url, token=token, headers=TUS).headers["upload-offset"], "100")
        self.assertEqual(len(full.ask("GET", "/api/v1/videos", token=token).json["items"]), 1, "the one that was begun before")
        full.stop()
        warnings = [line for line in full.log.read_text().splitlines() if '"level":"warning"' in line and '"event":"disk"' in line]
        self.assertEqual(len(warnings), 1, "once, at the start")
        full.check_answers()
        again = self.serve()
        self.assertEqual(again.ask("PATCH", url, b"x" * 900, token, bytes_at(100)).status, 204)


class Settings(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="millrace-server-"))
        self.addCleanup(shutil.rmtree, self.dir, True)

    def print_config(self, *words, **environment):
        (self.dir / "config.yaml").write_text("server:\n  name: From the file\n  pipeline: thumbnails\n  upload_max: 1GiB\n")
        return subprocess.run([MILLRACE, "serve", "--print-config", "--config", str(self.dir / "config.yaml"), "--data", str(self.dir / "data"), *words],
                              capture_output=True, text=True, timeout=240, env={**os.environ, **environment})

    def test_file_environment_flags(self):
        done = self.print_config("--set", "server.upload_max=3GiB", MILLRACE_SERVER_UPLOAD_MAX="2GiB", MILLRACE_SERVER_PIPELINE="vod")
        self.assertEqual(done.returncode, 0, done.stderr)
        for line in ('  name: "From the file"', '  pipeline: "vod"', '  upload_max: 3GiB'):
            self.assertIn(line, done.stdout.splitlines())
        self.assertFalse((self.dir / "data").exists(), "printing makes nothing")
        again = self.dir / "again.yaml"
        again.write_text(done.stdout)
        self.assertEqual(subprocess.run([MILLRACE, "serve", "--print-config", "--config", str(again), "--data", str(self.dir)], capture_output=True, timeout=240).returncode, 0)

    def test_mistakes(self):
        done = self.print_config("--set", "server.upload_max=big", "--set", "server.nam=x")
        self.assertEqual(done.returncode, 2)
        self.assertIn("upload_max", done.stderr)
        self.assertIn("did you mean 'name'", done.stderr)

    def test_what_nobody_could_use(self):
        for words, said in ((["--set", "server.pipeline=nothing"], "there is no pipeline 'nothing'"), (["--listen", "127.0.0.1:65536"], "is not an address to listen at")):
            done = subprocess.run([MILLRACE, "serve", "--listen", "localhost:0", "--data", str(self.dir / "data"), *words], capture_output=True, text=True, timeout=240)
            self.assertEqual((done.returncode, said in done.stderr), (2, True), done.stderr)

    def test_whoever_started_it_is_told(self):
        """As systemd wants it (sd_notify): ready when it answers, stopping when it does not take more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind(str(self.dir / "told"))
            told.settimeout(TIMEOUT)
            with unittest.mock.patch.dict(os.environ, NOTIFY_SOCKET=str(self.dir / "told")):
                server = Server(self.dir)
                self.addCleanup(server.stop)
                server.start()
            self.assertEqual(told.recv(100), b"READY=1")
            self.assertEqual(server.ask("GET", "/readyz").status, 200)
            server.stop()
            self.assertEqual(told.recv(100), b"STOPPING=1")

    def test_what_is_under_way_ends_well(self):
        """Told to stop, it takes nothing new, and lets a request that has begun come to its answer."""
        server = Server(self.dir, "server.access_log=false", "server.drain=2m")
        self.addCleanup(server.stop)
        server.start()
        token = server.set_up()
        url = server.ask("POST", "/api/v1/uploads/tus", token=token, headers={**TUS, "Upload-Length": "2000"}).headers["location"]
        idle = socket.create_connection(("localhost", server.port), timeout=TIMEOUT)
        self.addCleanup(idle.close)
        with contextlib.closing(server.connect()) as connection:
            connection.putrequest("PATCH", url)
            for name, value in {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream", "Content-Length": "2000",
                                "Authorization": f"Bearer {token}"}.items():
                connection.putheader(name, value)
            connection.endheaders(b"x" * 1000)
            self.assertEqual(server.ask("GET", "/healthz").status, 200)
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(idle.recv(1), b"", "who has asked nothing is let go")
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT).close()
            connection.send(b"x" * 1000)
            answer = connection.getresponse()
            self.assertEqual((answer.status, answer.headers["Upload-Offset"]), (204, "2000"))
        self.assertEqual(server.stop(), 0)

    def test_the_end_is_clean(self):
        server = Server(self.dir)
        server.start()
        server.ask("GET", "/healthz")
        self.assertEqual(server.stop(), 0)
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        self.assertFalse([line for line in lines if line["level"] == "error"])


if __name__ == "__main__":
    unittest.main()
