# SPDX-License-Identifier: MIT
"""Many at a time: idle connections, uploads that are all under way at once, and more connections than there is room for. How fast that is, ./dev bench says."""
import hashlib
import os
import resource
import socket
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor

from serving import TIMEOUT, ServerCase

IDLE = 5000
SPARE = 200  # files of this process and of the server that are no such connections
UPLOADS = 200
SIZE = 300_000


def idle_connections():
    """As many as the machine lets both ends have; the server leaves a quarter of its files, and 256, to others."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return min(IDLE, most - most // 4 - 256 - SPARE)


class Load(ServerCase):
    SETTINGS = ("server.access_log=false", "server.rate_api=0")

    def open_one(self):
        connection = self.server.connect()
        connection.request("GET", "/healthz")
        self.assertEqual(connection.getresponse().read(), b"ok\n")
        return connection

    def test_idle_connections_are_in_nobodys_way(self):
        kept = []
        try:
            for _ in range(idle_connections()):
                kept.append(self.open_one())
            self.expect(200, "GET", "/api/v1/server")
            for connection in kept[::97]:  # those that have rested longest, too
                self.expect(200, "GET", "/api/v1/server", connection=connection)
        finally:
            for connection in kept:
                connection.close()
        self.expect(200, "GET", "/api/v1/server")

    def begin_upload(self, token):
        answer = self.expect(201, "POST", "/api/v1/uploads/tus", token=token,
                             headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(SIZE), "Upload-Concat": "partial"})  # so no run begins
        return answer.headers["location"]

    def upload(self, token, url, content, all_are_here):
        """Half of it, and the rest when every other one has come that far."""
        head = (f"PATCH {url} HTTP/1.1\r\nHost: localhost:{self.server.port}\r\nAuthorization: Bearer {token}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
                f"Content-Type: application/offset+octet-stream\r\nContent-Length: {SIZE}\r\n\r\n").encode()
        with socket.create_connection((self.server.host, self.server.port), timeout=TIMEOUT) as it:
            it.sendall(head + content[:SIZE // 2])
            all_are_here.wait()
            it.sendall(content[SIZE // 2:])
            answer = it.recv(4096)
        self.assertTrue(answer.startswith(b"HTTP/1.1 204 "), answer)
        self.assertIn(f"\r\nUpload-Offset: {SIZE}\r\n".encode(), answer)
        file = self.server.data / "uploads" / url.rpartition("/")[2]
        self.assertEqual(hashlib.sha256(file.read_bytes()).digest(), hashlib.sha256(content).digest())

    def test_uploads_at_a_time(self):
        token = self.server.set_up()
        urls = [self.begin_upload(token) for _ in range(UPLOADS)]
        all_are_here = threading.Barrier(UPLOADS, timeout=TIMEOUT)
        with ThreadPoolExecutor(UPLOADS) as pool:
            for done in [pool.submit(self.upload, token, url, os.urandom(SIZE), all_are_here) for url in urls]:
                done.result()
        self.expect(200, "GET", "/api/v1/server")


if __name__ == "__main__":
    unittest.main()
