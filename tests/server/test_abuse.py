#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What strangers try at the wire: heads and bodies that never end, that are too large, that two servers would read in two ways; JSON that explodes."""
import json
import re
import socket
import struct
import threading
import time
import unittest

from serving import PASSWORD, TIMEOUT, ServerCase

TUS = {"Tus-Resumable": "1.0.0"}
FIELDS = b"Host: a\r\n"


def statuses(answer):
    """Of all the responses that came."""
    return [int(found) for found in re.findall(rb"(?:^|\r\n\r\n|\})HTTP/1\.1 (\d{3}) ", answer)]


class Named(ServerCase):
    """Every request has an id, whoever answers it: in the answer, in its problem, and in the log."""

    SETTINGS = ("server.rate_api=0",)

    def refuse(self, status, head):
        answer = self.server.raw(head)
        fields, _, body = answer.partition(b"\r\n\r\n")
        self.assertEqual(statuses(answer), [status], answer)
        name = re.search(rb"\r\nX-Request-Id: ([0-9a-v]{16})(?:\r\n|$)", fields)[1].decode()
        self.assertEqual(json.loads(body)["request_id"], name)
        return name

    def test_its_id_is_everywhere(self):
        wrong = {"why": {
            self.refuse(400, b"GET /a/../b HTTP/1.1\r\n" + FIELDS + b"\r\n"): "the path is not plain",
            self.refuse(501, b"NONSENSE / HTTP/1.1\r\n" + FIELDS + b"\r\n"): "this method is not known",
            self.refuse(400, b"GET / HTTP/1.1\r\n\r\n"): "there is no Host",
            self.refuse(505, b"GET / HTTP/3.0\r\n" + FIELDS + b"\r\n"): "only HTTP/1.0",
        }, "paths": {
            self.refuse(413, b"GET /login HTTP/1.1\r\nContent-Length: 9\r\n" + FIELDS + b"\r\n"): "/login",
            self.refuse(403, b"GET /media/x/y/z HTTP/1.1\r\nConnection: close\r\n" + FIELDS + b"\r\n"): "/media/x/y/z",
            self.refuse(404, b"GET /api/v1/x HTTP/1.1\r\nConnection: close\r\n" + FIELDS + b"\r\n"): "/api/v1/x",
        }}
        self.assertEqual(len(wrong["why"] | wrong["paths"]), 7, "no two are the same")
        self.server.stop()
        lines = [json.loads(line)["fields"] for line in self.server.log.read_text().splitlines() if '"event":"request"' in line]
        self.server.start()
        refused = {line["id"]: line["refused"] for line in lines if "refused" in line}
        self.assertEqual({name: why for name, why in refused.items() if not why.startswith(wrong["why"][name])}, {})
        self.assertEqual(set(refused), set(wrong["why"]))
        seen = {line["id"]: line["path"] for line in lines if "path" in line}
        self.assertEqual(seen, wrong["paths"])
        self.assertTrue(all(len(str(line["ms"])) < 10 for line in lines if "ms" in line), "sensible digits")


class Slow(ServerCase):
    SETTINGS = (*ServerCase.SETTINGS, "server.head_timeout=1s", "server.stall_timeout=1s", "server.idle_timeout=1s", "server.rate_api=0",
                "server.rate_sign_in=0")

    def trickle(self, first, piece, ends):
        """Sends a byte now and then, as long as it is let; how long that was goes to `ends`, with what was answered."""
        began = time.monotonic()
        answer = b""
        with socket.create_connection(("localhost", self.server.port), timeout=TIMEOUT) as it:
            try:
                it.sendall(first)
                it.settimeout(0.1)
                while True:
                    try:
                        got = it.recv(65536)
                        answer += got
                        if not got:
                            break
                    except TimeoutError:
                        it.sendall(piece)  # however alive it looks
            except OSError:
                pass
        ends.append((time.monotonic() - began, answer))

    def crowd(self, count, first, piece):
        ends = []
        threads = [threading.Thread(target=self.trickle, args=(first, piece, ends)) for _ in range(count)]
        for thread in threads:
            thread.start()
        self.assertEqual(self.server.ask("GET", "/healthz").status, 200)  # nobody else waits for them
        for thread in threads:
            thread.join()
        self.assertEqual(len(ends), count)
        return ends

    def test_heads_have_a_deadline(self):
        for first in (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ", b"G"):
            for seconds, answer in self.crowd(20, first, b"a"):
                self.assertLess(seconds, TIMEOUT)
                self.assertIn(statuses(answer), ([408], []), answer[:200])

    def test_bodies_have_a_least_rate(self):
        admin = self.server.set_up()
        made = self.expect(201, "POST", "/api/v1/uploads/tus", token=admin, headers={**TUS, "Upload-Length": "1000000"})
        url = made.headers["location"]
        head = (f"PATCH {url} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {admin}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
                "Content-Type: application/offset+octet-stream\r\nContent-Length: 1000000\r\n\r\n")
        ((seconds, answer),) = self.crowd(1, head.encode(), b"a" * 10)
        self.assertLess(seconds, TIMEOUT)
        self.assertIn(statuses(answer), ([408], []))
        offset = int(self.expect(200, "HEAD", url, token=admin, headers=TUS).headers["upload-offset"])
        self.assertLess(offset, 10000)  # what has come counts
        login = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        for seconds, answer in self.crowd(20, login, b" "):
            self.assertLess(seconds, TIMEOUT)
            self.assertIn(statuses(answer), ([408], []))

    def test_idle_connections_end(self):
        with socket.create_connection(("localhost", self.server.port), timeout=TIMEOUT) as it:
            it.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            seen = b""
            while piece := it.recv(65536):
                seen += piece
            self.assertEqual(statuses(seen), [200])

    def test_readers_that_do_not_read(self):
        """An answer that nobody takes holds its connection no longer than it may stall."""
        with socket.socket() as it:
            it.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            it.settimeout(TIMEOUT)
            it.connect(("localhost", self.server.port))
            it.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"
            with self.assertRaises((ConnectionResetError, BrokenPipeError)):
                for _ in range(100000):
                    it.sendall(one)


class Wire(ServerCase):
    SETTINGS = (*ServerCase.SETTINGS, "server.rate_api=0", "server.rate_sign_in=0")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.set_up()

    def refused(self, *expected, raw):
        """One answer, with one of these statuses, and then the end, whatever else was sent."""
        answer = self.server.raw(raw)
        self.assertEqual(len(statuses(answer)), 1, (raw[:300], answer[:600]))
        self.assertIn(statuses(answer)[0], expected, (raw[:300], answer[:600]))
        self.assertNotIn(b"admin@example.org", answer)
        return answer

    def test_two_readings_of_one_request(self):
        second = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        login = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        for fields in (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
                       b"Content-Length: 4\r\nContent-Length: 5\r\n", b"Content-Length: 4\r\nContent-Length: 4\r\n", b"Content-Length: 4, 4\r\n",
                       b"Content-Length: +4\r\n", b"Content-Length: -1\r\n", b"Content-Length: 0x4\r\n", b"Content-Length: 4 4\r\n", b"Content-Length:\r\n",
                       b"Content-Length: 99999999999999999999\r\n", b"Content-Length : 4\r\n", b"Content\x00-Length: 4\r\n", b" Content-Length: 4\r\n",
                       b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: xchunked\r\n",
                       b"Transfer-Encoding: \x0bchunked\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding:\r\n chunked\r\n",
                       b"X: a\r\n folded\r\n", b"X: a\rY: b\r\n", b"X: a\nY: b\r\n", b"X: a\x00b\r\n", b"X\r\n", b": x\r\n", b"X Y: z\r\n", b"Host: b\r\n", b"X: \x7f\r\n"):
            with self.subTest(fields=fields):
                self.refused(400, 501, raw=login + fields + b"\r\n" + second)

    def test_request_lines(self):
        for line in (b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b" GET / HTTP/1.1", b"GET /\tHTTP/1.1", b"GET / HTTP/1.2", b"GET / HTTP/2.0", b"GET /", b"GET / http/1.1",
                     b"GET /a b HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET /\xff HTTP/1.1", b"G\x00T / HTTP/1.1", b"GET http://a/ HTTP/1.1", b"GET /#x HTTP/1.1",
                     b"GET ../x HTTP/1.1", b"CONNECT a:1 HTTP/1.1", b"PRI * HTTP/2.0", b"\x16\x03\x01\x02", b"GET / HTTP/1.1\r\nX: y"):
            with self.subTest(line=line):
                self.refused(400, 405, 505, raw=line + b"\r\n\r\n" + b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        for fields in (b"", b"Host:\r\n", b"Host: a\r\nHost: a\r\n", b"Host: a b\r\n", b"Host: a/b\r\n", b"Host: a\"><script>\r\n", b"Host: a@b\r\n"):
            with self.subTest(fields=fields):
                self.refused(400, raw=b"GET / HTTP/1.1\r\n" + fields + b"\r\n")

    def test_fields_without_a_value(self):
        """They are lawful (RFC 9110, 5.5), wherever they stand, and what follows is read as ever."""
        me = f"Authorization: Bearer {self.admin}\r\n".encode()
        for empty in (b"X-A:\r\n", b"X-A: \r\n", b"Accept-Encoding:\t \r\n", b"Accept:\r\nAccept-Language:\r\n"):
            for fields in (empty + FIELDS + me, FIELDS + empty + me, FIELDS + me + empty):
                with self.subTest(fields=fields):
                    answer = self.server.raw(b"GET /api/v1/users/me HTTP/1.1\r\n" + fields + b"Connection: close\r\n\r\n")
                    self.assertEqual(statuses(answer), [200], answer[:300])
                    self.assertIn(b"admin@example.org", answer)
        self.refused(401, raw=b"GET /api/v1/users/me HTTP/1.1\r\nHost: a\r\nAuthorization:\r\nConnection: close\r\n\r\n")

    def test_chunks(self):
        head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        after = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        for body in (b"g\r\n{}\r\n0\r\n\r\n", b"-2\r\n{}\r\n0\r\n\r\n", b"2\n{}\r\n0\r\n\r\n", b"2\r\n{}X0\r\n\r\n", b"fffffffffffffffff\r\n", b"0x2\r\n{}\r\n0\r\n\r\n",
                     b"2 \r\n{}\n0\r\n\r\n", b"\r\n2\r\n{}\r\n0\r\n\r\n", b"2;\x00\r\n{}\r\n0\r\n\r\n"):
            with self.subTest(body=body):
                self.refused(400, raw=head + body + after)
        self.refused(400, 413, raw=head + b"2;" + b"x" * 300000 + b"\r\n{}\r\n0\r\n\r\n")
        self.refused(413, raw=head + b"ffffff\r\n" + b" " * 20000)
        self.refused(400, 413, 431, raw=head + b"2\r\n{}\r\n0\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(20000)) + b"\r\n")

    def test_too_much(self):
        self.refused(431, raw=b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100000 + b"\r\n\r\n")
        self.refused(431, raw=b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(1000)) + b"\r\n")
        self.refused(414, raw=b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        self.refused(414, 431, 400, raw=b"a" * 100000)
        for path, size in (("/api/v1/auth/login", 9000), ("/api/v1/users", 9000), ("/api/v1/videos", 2 << 20)):
            answer = self.server.ask("POST", path, b" " * size, self.admin, {"Content-Type": "application/json"})
            self.assertEqual((path, answer.status), (path, 413), answer.body[:200])
        said = self.server.raw(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n")
        self.assertEqual(statuses(said), [413])

    def test_json_that_explodes(self):
        for body in ('{"title":' + "[" * 100000, '{"title":' * 5000, "[" * 500000, '{"metadata":' + '{"a":' * 3000 + "1" + "}" * 3001, '{"title":"\\u0000"}',
                     '{"title":"\\ud800"}', '{"title":"a","title":"b"}', '{"size":1e99999}', '{"size":' + "9" * 5000 + "}", "\ufeff{}", "{}{}", "nul", '{"title":NaN}',
                     '{"title":"' + "x" * 900000 + '"}', '{"tags":[' + '"a",' * 100000 + '"a"]}', '{"metadata":{' + ",".join(f'"k{i}":1' for i in range(20000)) + "}}"):
            with self.subTest(body=body[:40]):
                answer = self.server.ask("POST", "/api/v1/videos", body.encode(), self.admin, {"Content-Type": "application/json"})
                self.assertIn(answer.status, (400, 422), answer.body[:300])
        bytes_of = b'{"title":"\xff\xfe"}'
        self.assertEqual(self.server.ask("POST", "/api/v1/videos", bytes_of, self.admin, {"Content-Type": "application/json"}).status, 400)
        self.assertEqual(self.expect(200, "GET", "/api/v1/videos", token=self.admin).json["items"], [])  # none of them was made

    def test_other_sites_forms(self):
        """What a page of another site may send without being asked first changes nothing."""
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", ""):
            for path in ("/api/v1/videos", "/api/v1/keys", "/api/v1/auth/login", "/api/v1/auth/logout"):
                headers = {"Content-Type": kind, "Origin": "https://evil.example"} if kind else {"Origin": "https://evil.example"}
                answer = self.server.ask("POST", path, json.dumps({"email": "admin@example.org", "password": PASSWORD}).encode(), self.admin, headers)
                self.assertEqual((path, kind, answer.status), (path, kind, 415), answer.body[:200])
        answer = self.server.ask("OPTIONS", "/api/v1/videos", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"})
        self.assertNotIn("access-control-allow-origin", answer.headers)


if __name__ == "__main__":
    unittest.main()
