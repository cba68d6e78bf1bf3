#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Uploads to a real server: killed in the middle again and again, nothing that was acknowledged is lost; others' uploads aren't there; keys sign."""
import base64
import os
import random
import signal
import socket
import tempfile
import threading
import unittest

from serving import TIMEOUT, Server, ServerCase

SIZE = 12 << 20
KILLS = 10
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


def metadata(**pairs):
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in pairs.items())


class Killed(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.server = Server(self.folder.name).start()
        self.admin = self.server.set_up()

    def tearDown(self):
        self.server.stop()
        self.folder.cleanup()

    def offset(self, url):
        answer = self.server.ask("HEAD", url, token=self.admin, headers=TUS)
        self.assertEqual(answer.status, 200)
        return int(answer.headers["upload-offset"])

    def send_until_killed(self, url, data, at, seed):
        """Small PATCHes, and a kill at some moment of some of them. The offset that was acknowledged last."""
        chance = random.Random(seed)
        pieces = chance.randrange(1, 6)
        for number in range(pieces):
            piece = data[at : at + chance.randrange(1, SIZE // 50)]
            headers = {**BYTES, "Upload-Offset": str(at), "Authorization": f"Bearer {self.admin}", "Content-Length": str(len(piece)), "Host": "x"}
            head = f"PATCH {url} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
            with socket.create_connection(("localhost", self.server.port), timeout=TIMEOUT) as connection:
                if number == pieces - 1:
                    killer = threading.Thread(target=self.server.process.send_signal, args=(signal.SIGKILL,))
                    connection.sendall(head.encode() + piece[: chance.randrange(len(piece))])
                    killer.start()
                    try:
                        connection.sendall(piece)
                    except OSError:
                        pass
                    killer.join()
                    self.server.stop(signal.SIGKILL)
                    return at
                connection.sendall(head.encode() + piece)
                answer = connection.recv(4096)
                self.assertIn(b" 204 ", answer.split(b"\r\n")[0])
            at += len(piece)
        return at

    def test_nothing_acknowledged_is_lost(self):
        data = random.Random(1).randbytes(SIZE)
        created = self.server.ask("POST", "/api/v1/uploads/tus", token=self.admin, headers={**TUS, "Upload-Length": str(SIZE), "Upload-Metadata": metadata(filename="a.mp4")})
        self.assertEqual(created.status, 201, created.body)
        url = created.headers["location"]
        at = 0
        for kill in range(KILLS):
            acknowledged = self.send_until_killed(url, data, at, kill)
            self.server.start()
            at = self.offset(url)
            self.assertGreaterEqual(at, acknowledged)
        answer = self.server.ask("PATCH", url, data[at:], self.admin, {**BYTES, "Upload-Offset": str(at)})
        self.assertEqual(answer.status, 204, answer.body)
        self.assertEqual((self.server.data / "uploads" / url.rpartition("/")[2]).read_bytes(), data)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.offset(url), SIZE)


class Told(ServerCase):
    def test_a_size_that_was_not_told_is_not_bound(self):
        admin = self.server.set_up()
        data = random.Random(2).randbytes(1000)
        created = self.server.ask("POST", "/api/v1/videos", {"title": "x"}, admin)
        self.assertEqual(created.status, 201, created.body)
        upload = created.json["upload"]
        self.assertNotIn("Content-Length", upload["put"]["headers"])
        self.assertEqual(self.server.ask("HEAD", upload["tus"]["url"], token=admin, headers=TUS).headers["upload-defer-length"], "1")
        self.assertEqual(self.server.ask("PUT", "/" + upload["put"]["url"].split("/", 3)[3], data).status, 200)
        self.assertEqual(self.server.ask("GET", f"/api/v1/videos/{created.json['video']['id']}", token=admin).json["size"], len(data))


class Others(ServerCase):
    SETTINGS = ("server.upload_max=4MiB",)

    def test_theirs_are_not_there(self):
        admin = self.server.set_up()
        one, _ = self.server.add_user(admin, "one@example.org", "creator")
        two, _ = self.server.add_user(admin, "two@example.org", "creator")
        viewer, _ = self.server.add_user(admin, "viewer@example.org", "viewer")
        length = {**TUS, "Upload-Length": "10"}
        self.assertEqual(self.server.ask("POST", "/api/v1/uploads/tus", headers=length).status, 401)
        self.assertEqual(self.server.ask("POST", "/api/v1/uploads/tus", token=viewer, headers=length).status, 403)
        self.assertEqual(self.server.ask("POST", "/api/v1/uploads/tus", token=one, headers={**TUS, "Upload-Length": str(5 << 20)}).status, 413)
        created = self.server.ask("POST", "/api/v1/uploads/tus", token=one, headers=length)
        self.assertEqual(created.status, 201, created.body)
        url, video = created.headers["location"], created.headers["millrace-video"]
        for method, headers in (("HEAD", TUS), ("PATCH", {**BYTES, "Upload-Offset": "0"}), ("DELETE", TUS)):
            self.assertEqual(self.server.ask(method, url, None if method != "PATCH" else b"12345", two, headers).status, 404)
        theirs = {**length, "Upload-Metadata": metadata(video=video)}
        self.assertEqual(self.server.ask("POST", "/api/v1/uploads/tus", token=two, headers=theirs).status, 404)
        self.assertEqual(self.server.ask("POST", "/api/v1/uploads/sign", {"action": "put", "video": video, "filename": "a"}, two).status, 404)
        self.assertEqual(self.server.ask("DELETE", url, token=admin, headers=TUS).status, 204)
        self.keys_sign(one, two, video)

    def keys_sign(self, one, two, video):
        body = self.server.folder / "body"
        body.write_bytes(os.urandom(100000))
        words = ["put-object", "--bucket", "uploads", "--key", f"{video}/a.mp4", "--body", str(body)]
        mint = lambda token, scope: self.server.ask("POST", "/api/v1/keys", {"name": "s3", "scopes": [scope]}, token).json
        code, _, said = self.server.aws(mint(two, "videos:write"), *words)
        self.assertNotEqual(code, 0)
        self.assertIn("NoSuchKey", said)
        code, _, said = self.server.aws(mint(one, "videos:read"), *words)
        self.assertNotEqual(code, 0)
        self.assertIn("InvalidAccessKeyId", said)
        code, _, said = self.server.aws(mint(one, "videos:write"), *words)
        self.assertEqual(code, 0, said)


if __name__ == "__main__":
    unittest.main()
