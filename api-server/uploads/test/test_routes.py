#!/usr/bin/python3
"""tus and S3 over HTTP against the server's own routes (serve_uploads): what the protocols say, what is refused, what is left after a cut."""
import base64
import concurrent.futures
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import queue
import random
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import zlib

MAX = 300 << 20
QUOTA = 2 << 30
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"
BLOCK = 262144
WAIT = 120  # seconds for what must come; a test that waits that long fails


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def leaves_digest(data):
    """What serve_uploads makes of the leaves of core/base/block_tree.h."""
    blocks = [data[i : i + BLOCK] for i in range(0, len(data), BLOCK)]
    return hashlib.sha256(b"".join(hashlib.sha256(b"\0" + block).digest() for block in blocks)).hexdigest()


class Server:
    def __init__(self, folder, max_bytes=MAX, quota=QUOTA):
        self.folder = pathlib.Path(folder)
        self.process = subprocess.Popen([os.environ["SERVE_UPLOADS"], folder, str(max_bytes), str(quota)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.address = urllib.parse.urlsplit(self.url)
        self.lines = queue.SimpleQueue()
        self.seen = {}
        threading.Thread(target=self.read_lines, daemon=True).start()

    def read_lines(self):
        for line in self.process.stdout:
            self.lines.put(line.split())

    def connect(self):
        return http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=WAIT)

    def ask(self, method, path, headers=None, body=None, tus=True):
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers={**(TUS if tus else {}), **(headers or {})})
            reply = connection.getresponse()
            return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
        finally:
            connection.close()

    def completed(self, upload):
        """The line about a complete upload."""
        while upload not in self.seen:
            line = self.lines.get(timeout=WAIT)
            self.seen[line[1]] = line
        return self.seen[upload]

    def file(self, upload):
        return self.folder / "uploads" / upload

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(WAIT)
        self.process.stdout.close()
        return code


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.server = Server(cls.temporary.name)

    @classmethod
    def tearDownClass(cls):
        code = cls.server.close()
        cls.temporary.cleanup()
        if code != 0:
            raise AssertionError(f"serve_uploads ended with {code}")

    def create(self, length=None, headers=None, expect=201, body=None):
        fields = {} if length is None else {"Upload-Length": str(length)}
        status, reply, content = self.server.ask("POST", "/api/v1/uploads/tus", {**fields, **(headers or {})}, body)
        self.assertEqual(status, expect, content)
        return reply.get("location") if expect == 201 else content

    def patch(self, url, offset, data, headers=None, expect=204):
        fields = {"Upload-Offset": str(offset), "Content-Type": BYTES, **(headers or {})}
        status, reply, content = self.server.ask("PATCH", url, fields, data)
        self.assertEqual(status, expect, content)
        return reply

    def offset(self, url):
        status, reply, _ = self.server.ask("HEAD", url)
        self.assertEqual(status, 200)
        return int(reply["upload-offset"])

    def check_complete(self, url, data):
        upload = url.rpartition("/")[2]
        line = self.server.completed(upload)
        self.assertEqual(int(line[3]), len(data))
        self.assertEqual(self.server.file(upload).read_bytes(), data)
        self.assertEqual(line[4], leaves_digest(data))
        self.assertFalse(self.server.file(upload + ".leaves").exists())
        return line


class Tus(Case):
    def test_pieces_of_any_size(self):
        data = random.Random(1).randbytes(3 * BLOCK + 12345)
        url = self.create(len(data), {"Upload-Metadata": f"filename {b64('ü.mp4')},video {b64('v_mine')}"})
        at = 0
        for size in (1, 100, BLOCK - 101, 5, BLOCK, len(data)):
            piece = data[at : at + size]
            self.assertEqual(self.patch(url, at, piece)["upload-offset"], str(at + len(piece)))
            at += len(piece)
            self.assertEqual(self.offset(url), at)
        self.assertEqual(self.check_complete(url, data)[2], "v_mine")
        self.patch(url, at, b"x", expect=409)
        self.assertEqual(self.server.ask("DELETE", url)[0], 409)

    def test_options(self):
        status, reply, _ = self.server.ask("OPTIONS", "/api/v1/uploads/tus", tus=False)
        self.assertEqual(status, 204)
        self.assertEqual(reply["tus-version"], "1.0.0")
        self.assertEqual(reply["tus-max-size"], str(MAX))
        for extension in ("creation", "creation-with-upload", "creation-defer-length", "checksum", "expiration", "termination", "concatenation"):
            self.assertIn(extension, reply["tus-extension"].split(","))

    def test_what_is_refused(self):
        url = self.create(100)
        self.assertEqual(self.server.ask("HEAD", url, tus=False)[0], 412)
        self.assertEqual(self.server.ask("PATCH", url, {"Tus-Resumable": "0.2.2"}, b"x")[1]["tus-version"], "1.0.0")
        self.patch(url, 5, b"x", expect=409)
        self.patch(url, 0, b"x", {"Content-Type": "text/plain"}, expect=415)
        self.patch(url, 0, b"x" * 101, expect=413)
        self.patch(url, "-1", b"x", expect=400)
        self.assertEqual(self.server.ask("PATCH", url, {"Content-Type": BYTES}, b"x")[0], 400)
        self.assertEqual(self.offset(url), 0)
        self.assertEqual(self.server.ask("HEAD", "/api/v1/uploads/tus/f_" + "0" * 22)[0], 404)
        self.assertEqual(self.server.ask("HEAD", "/api/v1/uploads/tus/..%2f..")[0], 400)
        self.assertEqual(self.server.ask("HEAD", "/api/v1/uploads/tus/etc")[0], 404)
        self.create(None, expect=400)
        self.create("1x", expect=400)
        self.create(5, {"Upload-Defer-Length": "1"}, expect=400)
        self.create(5, {"Upload-Metadata": "filename ???"}, expect=400)
        self.create(5, {"Upload-Metadata": f"filetype {b64('text/html')}"}, expect=415)
        self.create(5, {"Upload-Metadata": f"video {b64('v_none')}"}, expect=404)
        problem = json.loads(self.create(MAX + 1, expect=413))
        self.assertIn(str(MAX), problem["detail"])
        self.assertEqual(problem["type"], "urn:millrace:problem:upload-too-large")

    def test_quota(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(folder, quota=1000)
            try:
                ask = lambda length: server.ask("POST", "/api/v1/uploads/tus", {"Upload-Length": str(length)})
                self.assertEqual(ask(600)[0], 201)
                status, _, content = ask(600)
                self.assertEqual(status, 413)
                self.assertEqual(json.loads(content)["type"], "urn:millrace:problem:quota-exceeded")
                self.assertEqual(len(list((server.folder / "uploads").iterdir())), 1)
            finally:
                self.assertEqual(server.close(), 0)

    def test_creation_with_upload(self):
        data = random.Random(2).randbytes(BLOCK + 7)
        url = self.create(len(data), {"Content-Type": BYTES}, body=data[:1000])
        self.assertEqual(self.offset(url), 1000)
        self.patch(url, 1000, data[1000:])
        self.check_complete(url, data)
        whole = self.create(len(data), {"Content-Type": BYTES}, body=data)
        self.check_complete(whole, data)

    def test_deferred_length(self):
        data = random.Random(3).randbytes(70000)
        url = self.create(None, {"Upload-Defer-Length": "1"})
        status, reply, _ = self.server.ask("HEAD", url)
        self.assertEqual((status, reply["upload-defer-length"]), (200, "1"))
        self.assertNotIn("upload-length", reply)
        self.patch(url, 0, data[:30000])
        self.patch(url, 30000, b"", {"Upload-Length": "29999"}, expect=400)
        self.patch(url, 30000, b"", {"Upload-Length": str(MAX + 1)}, expect=413)
        self.patch(url, 30000, data[30000:], {"Upload-Length": str(len(data))})
        self.check_complete(url, data)

    def test_checksums(self):
        data = random.Random(4).randbytes(2 * BLOCK)
        sums = {
            "sha1": hashlib.sha1(data).digest(),
            "sha256": hashlib.sha256(data).digest(),
            "md5": hashlib.md5(data).digest(),
            "crc32": zlib.crc32(data).to_bytes(4, "big"),
        }
        for name, value in sums.items():
            url = self.create(len(data))
            wrong = bytes([value[0] ^ 1]) + value[1:]
            self.patch(url, 0, data, {"Upload-Checksum": f"{name} {b64(wrong)}"}, expect=460)
            self.assertEqual(self.offset(url), 0)
            self.patch(url, 0, data, {"Upload-Checksum": f"{name} {b64(value)}"})
            self.check_complete(url, data)
        url = self.create(len(data))
        self.patch(url, 0, data, {"Upload-Checksum": "sha512 QQ=="}, expect=400)
        self.patch(url, 0, data, {"Upload-Checksum": "sha1 QQ=="}, expect=400)
        # A body that was refused leaves nothing behind that another one's digest could be wrong by.
        other = random.Random(5).randbytes(2 * BLOCK)
        self.patch(url, 0, data, {"Upload-Checksum": f"sha1 {b64(b'0' * 20)}"}, expect=460)
        self.patch(url, 0, other)
        self.check_complete(url, other)

    def test_expires_and_terminates(self):
        url = self.create(10)
        _, reply, _ = self.server.ask("HEAD", url)
        self.assertTrue(reply["upload-expires"].endswith(" GMT"))
        self.assertEqual(self.server.ask("DELETE", url)[0], 204)
        self.assertEqual(self.server.ask("HEAD", url)[0], 404)
        self.assertEqual(self.server.ask("DELETE", url)[0], 404)
        self.assertFalse(self.server.file(url.rpartition("/")[2]).exists())

    def test_method_override(self):
        url = self.create(10)
        fields = {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0", "Content-Type": BYTES}
        self.assertEqual(self.server.ask("POST", url, fields, b"12345")[0], 204)
        self.assertEqual(self.offset(url), 5)
        self.assertEqual(self.server.ask("POST", url, {"X-HTTP-Method-Override": "DELETE"})[0], 204)
        self.assertEqual(self.server.ask("HEAD", url)[0], 404)
        self.assertEqual(self.server.ask("POST", url)[0], 405)

    def test_concatenation(self):
        data = random.Random(6).randbytes(BLOCK * 2 + 999)
        cuts = [0, BLOCK + 3, BLOCK * 2, len(data)]
        urls = [self.create(b - a, {"Upload-Concat": "partial"}) for a, b in zip(cuts, cuts[1:])]
        self.create(None, {"Upload-Concat": "final;" + " ".join(urls)}, expect=409)  # they are not done
        for url, (a, b) in zip(urls, zip(cuts, cuts[1:])):
            self.patch(url, 0, data[a:b])
            self.assertEqual(self.server.ask("HEAD", url)[1]["upload-concat"], "partial")
        final = self.create(None, {"Upload-Concat": "final;" + " ".join(self.server.url + url for url in urls)})
        self.check_complete(final, data)
        reply = self.server.ask("HEAD", final)[1]
        self.assertEqual(reply["upload-length"], str(len(data)))
        self.assertTrue(reply["upload-concat"].startswith("final;"))
        self.patch(final, len(data), b"x", expect=403)
        for url in urls:
            self.assertEqual(self.server.ask("HEAD", url)[0], 404)
        self.create(None, {"Upload-Concat": "final;/api/v1/uploads/tus/f_" + "1" * 22}, expect=404)
        self.create(5, {"Upload-Concat": "other"}, expect=400)


class Cut(Case):
    """Connections that break."""

    def begin(self, url, offset, length, data, extra=""):
        connection = socket.create_connection((self.server.address.hostname, self.server.address.port), timeout=WAIT)
        head = f"PATCH {url} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\nContent-Type: {BYTES}\r\nContent-Length: {length}\r\n{extra}\r\n"
        connection.sendall(head.encode() + data)
        return connection

    def wait_for(self, upload, size):
        """Until the server has written so many bytes."""
        end = time.monotonic() + WAIT
        while self.server.file(upload).stat().st_size < size:
            self.assertLess(time.monotonic(), end)

    def test_a_cut_keeps_what_came(self):
        data = random.Random(7).randbytes(BLOCK * 2)
        url = self.create(len(data))
        connection = self.begin(url, 0, len(data), data[:300000])
        self.wait_for(url.rpartition("/")[2], 300000)
        connection.close()
        end = time.monotonic() + WAIT
        while self.offset(url) != 300000:
            self.assertLess(time.monotonic(), end)
        self.patch(url, 300000, data[300000:])
        self.check_complete(url, data)

    def test_a_cut_with_a_checksum_keeps_nothing(self):
        data = random.Random(8).randbytes(BLOCK)
        url = self.create(len(data))
        connection = self.begin(url, 0, len(data), data[:100000], f"Upload-Checksum: sha1 {b64(hashlib.sha1(data).digest())}\r\n")
        self.wait_for(url.rpartition("/")[2], 100000)
        connection.close()
        end = time.monotonic() + WAIT
        while self.server.ask("PATCH", url, {"Upload-Offset": "0", "Content-Type": BYTES}, data)[0] == 423:
            self.assertLess(time.monotonic(), end)
        self.check_complete(url, data)

    def test_one_at_a_time_and_the_silent_one_loses(self):
        data = random.Random(9).randbytes(BLOCK * 3)
        url = self.create(len(data))
        first = self.begin(url, 0, len(data), data[:400000])
        self.wait_for(url.rpartition("/")[2], 400000)
        self.patch(url, 0, data, expect=423)
        # The first one's plug was pulled: it says nothing more. What it brought is kept for the one that comes after.
        end = time.monotonic() + WAIT
        while self.offset(url) != 400000:
            self.assertLess(time.monotonic(), end)
        self.patch(url, 400000, data[400000:])
        self.check_complete(url, data)
        first.sendall(data[400000:])  # and when it wakes up, it is told
        self.assertIn(b" 409 ", first.recv(4096).split(b"\r\n")[0])
        first.close()

    def test_many_at_a_time_in_little_memory(self):
        data = random.Random(10).randbytes(BLOCK)
        count = 200
        urls = [self.create(len(data)) for _ in range(count)]
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status")
        resident = lambda: next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS")) << 10
        before = resident()
        connections = [self.begin(url, 0, len(data), data[:200000]) for url in urls]
        for url in urls:
            self.wait_for(url.rpartition("/")[2], 200000)
        grown = resident() - before
        if "SANITIZED" not in os.environ:
            self.assertLess(grown, 64 << 20)
        for connection in connections:
            connection.sendall(data[200000:])
        for connection in connections:
            self.assertIn(b" 204 ", connection.recv(4096).split(b"\r\n")[0])
            connection.close()
        for url in urls:
            self.check_complete(url, data)


class S3(Case):
    """awscli as anybody has it."""

    def aws(self, *words, secret="secret", fails=None):
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": self.temporary.name,
            "AWS_ACCESS_KEY_ID": "k_test",
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        words = ["/usr/bin/aws", "--endpoint-url", self.server.url + "/s3", "--output", "json", "s3api", *words]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=WAIT)
        if fails:
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(f"({fails})", done.stderr)
            return None
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def write(self, name, data):
        path = pathlib.Path(self.temporary.name) / name
        path.write_bytes(data)
        return str(path)

    def test_put_and_head(self):
        data = random.Random(11).randbytes(BLOCK + 1)
        body = self.write("body", data)
        place = ["--bucket", "uploads", "--key", "v_put/a b+ü.mp4"]
        etag = self.aws("put-object", *place, "--body", body, "--content-type", "video/mp4", "--content-md5", b64(hashlib.md5(data).digest()))["ETag"]
        head = self.aws("head-object", *place)
        self.assertEqual((head["ContentLength"], head["ETag"], head["ContentType"]), (len(data), etag, "video/mp4"))
        self.aws("put-object", *place, "--body", body, secret="wrong", fails="SignatureDoesNotMatch")
        self.aws("put-object", *place, "--body", body, "--content-md5", b64(b"0" * 16), fails="BadDigest")
        self.aws("put-object", "--bucket", "other", "--key", "v_a/b", "--body", body, fails="NoSuchBucket")

    def test_multipart(self):
        parts = [random.Random(n).randbytes(5 << 20) for n in (1, 2)] + [random.Random(3).randbytes(12345)]
        place = ["--bucket", "uploads", "--key", "v_multi/a.mp4"]
        upload = self.aws("create-multipart-upload", *place)["UploadId"]
        place += ["--upload-id", upload]
        etags = {}
        for number in (2, 3, 1, 2):  # in any order, and one twice
            body = self.write("part", parts[number - 1])
            etags[number] = self.aws("upload-part", *place, "--part-number", str(number), "--body", body)["ETag"]
        listed = self.aws("list-parts", *place)["Parts"]
        self.assertEqual([(part["PartNumber"], part["Size"], part["ETag"]) for part in listed], [(n, len(parts[n - 1]), etags[n]) for n in (1, 2, 3)])
        wish = lambda numbers: json.dumps({"Parts": [{"PartNumber": n, "ETag": etags[n]} for n in numbers]})
        self.aws("complete-multipart-upload", *place, "--multipart-upload", wish([2, 1]), fails="InvalidPartOrder")
        self.aws("complete-multipart-upload", *place, "--multipart-upload", wish([1]).replace(etags[1].strip('"'), "x"), fails="InvalidPart")
        self.aws("complete-multipart-upload", *place, "--multipart-upload", wish([1, 2, 3]))
        self.check_complete(upload, b"".join(parts))
        self.assertEqual([name.name for name in self.server.file("").iterdir() if upload in name.name], [upload])

    def test_abort(self):
        place = ["--bucket", "uploads", "--key", "v_abort/a.mp4"]
        place += ["--upload-id", self.aws("create-multipart-upload", *place)["UploadId"]]
        self.aws("upload-part", *place, "--part-number", "1", "--body", self.write("part", b"x" * 1000))
        self.aws("abort-multipart-upload", *place)
        self.aws("list-parts", *place, fails="NoSuchUpload")
        self.assertEqual([name for name in self.server.file("").iterdir() if place[-1] in name.name], [])


class Presigned(Case):
    def sign(self, **wish):
        status, _, content = self.server.ask("POST", "/api/v1/uploads/sign", {"Content-Type": "application/json"}, json.dumps(wish), tus=False)
        self.assertEqual(status, 200, content)
        return json.loads(content)

    def send(self, url, method, body=b"", headers=None):
        path = url.removeprefix(self.server.url)
        return self.server.ask(method, path, headers, body, tus=False)

    def test_put_is_bound(self):
        data = b"x" * 5000
        target = self.sign(action="put", video="v_signed", filename="a.mp4", size=len(data), type="video/mp4")
        self.assertEqual(target["headers"], {"Content-Length": "5000", "Content-Type": "video/mp4"})
        url, headers = target["url"], {"Content-Type": "video/mp4"}
        for body, fields in ((data[:-1], headers), (data, {"Content-Type": "video/webm"}), (data, {**headers, "x-amz-acl": "public-read"})):
            self.assertEqual(self.send(url, "PUT", body, fields)[0], 403)
        for tampered in (url.replace("v_signed", "v_other"), url.replace("X-Amz-Expires=21600", "X-Amz-Expires=99999"), url[:-1] + ("0" if url[-1] != "0" else "1")):
            self.assertEqual(self.send(tampered, "PUT", data, headers)[0], 403)
        self.assertIn(b"<Code>SignatureDoesNotMatch</Code>", self.send(url[:-1] + ("0" if url[-1] != "0" else "1"), "PUT", data, headers)[2])
        self.assertEqual(self.send(url, "PUT", data, headers)[0], 200)

    def test_parts_of_different_sizes(self):
        sizes = [5 << 20, 6 << 20, (5 << 20) + 1, 100]
        parts = [random.Random(size).randbytes(size) for size in sizes]
        key = {"video": "v_odd", "filename": "a.mp4"}
        status, _, content = self.send(self.sign(action="initiate", **key)["url"], "POST")
        self.assertEqual(status, 200, content)
        upload = content.decode().partition("<UploadId>")[2].partition("</UploadId>")[0]
        etags = []
        for number, part in enumerate(parts, 1):
            status, reply, content = self.send(self.sign(action="part", upload_id=upload, part_number=number, size=len(part), **key)["url"], "PUT", part)
            self.assertEqual(status, 200, content)
            etags.append(reply["etag"])
        picked = [0, 2, 3]  # not all of them
        listed = "".join(f"<Part><PartNumber>{i + 1}</PartNumber><ETag>{etags[i]}</ETag></Part>" for i in picked)
        complete = self.sign(action="complete", upload_id=upload, **key)["url"]
        status, _, content = self.send(complete, "POST", f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode())
        self.assertEqual(status, 200, content)
        self.check_complete(upload, b"".join(parts[i] for i in picked))
        self.assertEqual([name.name for name in self.server.file("").iterdir() if upload in name.name], [upload])

    def test_parts_at_a_time(self):
        parts = [random.Random(n).randbytes(5 << 20) for n in range(6)]
        key = {"video": "v_fast", "filename": "a.mp4"}
        content = self.send(self.sign(action="initiate", **key)["url"], "POST")[2]
        upload = content.decode().partition("<UploadId>")[2].partition("</UploadId>")[0]
        put = lambda n: self.send(self.sign(action="part", upload_id=upload, part_number=n + 1, **key)["url"], "PUT", parts[n])[1]["etag"]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            etags = list(pool.map(put, range(6)))
        listed = "".join(f"<Part><PartNumber>{i + 1}</PartNumber><ETag>{etag}</ETag></Part>" for i, etag in enumerate(etags))
        complete = self.sign(action="complete", upload_id=upload, **key)["url"]
        self.assertEqual(self.send(complete, "POST", f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode())[0], 200)
        self.check_complete(upload, b"".join(parts))


class Chunked(Case):
    """aws-chunked bodies, signed by a second implementation of Signature Version 4."""

    def put(self, key, data, payload, chunks, extra=None, spoil=None):
        """chunks: sizes. spoil: what is done to the body before it goes."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        scope = f"{now[:8]}/us-east-1/s3/aws4_request"
        path = f"/s3/uploads/{key}"
        headers = {"host": self.server.address.netloc, "x-amz-content-sha256": payload, "x-amz-date": now, "x-amz-decoded-content-length": str(len(data)), **(extra or {})}
        names = ";".join(sorted(headers))
        canonical = "\n".join(["PUT", path, "", *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names, payload])
        signing_key = b"AWS4secret"
        for part in scope.split("/"):
            signing_key = hmac.digest(signing_key, part.encode(), "sha256")
        sign = lambda *lines: hmac.digest(signing_key, "\n".join(lines).encode(), "sha256").hex()
        digest = lambda content: hashlib.sha256(content).hexdigest()
        previous = sign("AWS4-HMAC-SHA256", now, scope, digest(canonical.encode()))
        authorization = f"AWS4-HMAC-SHA256 Credential=k_test/{scope},SignedHeaders={names},Signature={previous}"
        signed = payload.startswith("STREAMING-AWS4")
        body, at = b"", 0
        for size in [*chunks, 0]:
            piece = data[at : at + size]
            at += size
            head = f"{len(piece):x}"
            if signed:
                previous = sign("AWS4-HMAC-SHA256-PAYLOAD", now, scope, previous, digest(b""), digest(piece))
                head += f";chunk-signature={previous}"
            body += head.encode() + b"\r\n" + piece + (b"\r\n" if size else b"")
        if "x-amz-trailer" in headers:
            name = headers["x-amz-trailer"]
            line = f"{name}:{b64(zlib.crc32(data).to_bytes(4, 'big'))}"
            body += line.encode() + b"\r\n"
            if signed:
                body += f"x-amz-trailer-signature:{sign('AWS4-HMAC-SHA256-TRAILER', now, scope, previous, digest(line.encode() + bytes([10])))}\r\n".encode()
        body += b"\r\n"
        return self.server.ask("PUT", path, {**headers, "authorization": authorization, "content-encoding": "aws-chunked"}, spoil(body) if spoil else body, tus=False)

    def test_each_kind(self):
        data = random.Random(12).randbytes(BLOCK * 2 + 5)
        chunks = [65536] * (len(data) // 65536) + [len(data) % 65536]
        trailer = {"x-amz-trailer": "x-amz-checksum-crc32"}
        kinds = [
            ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", None, b"SignatureDoesNotMatch"),
            ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", trailer, b"SignatureDoesNotMatch"),
            ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", trailer, b"BadDigest"),
        ]
        for number, (payload, extra, code) in enumerate(kinds):
            flip = lambda body: body[:70000] + bytes([body[70000] ^ 1]) + body[70001:]
            status, _, content = self.put(f"v_chunked{number}/a.mp4", data, payload, chunks, extra, flip)
            self.assertIn(code, content)
            self.assertGreaterEqual(status, 400)
            self.assertEqual(list(self.server.file("").glob("*.leaves")), [])
            status, _, content = self.put(f"v_chunked{number}/a.mp4", data, payload, chunks, extra)
            self.assertEqual(status, 200, content)
            line = self.server.lines.get(timeout=WAIT)
            self.assertEqual((line[2], int(line[3]), line[4]), (f"v_chunked{number}", len(data), leaves_digest(data)))
            self.assertEqual(self.put(f"v_chunked{number}/a.mp4", data, payload, chunks, extra, lambda body: body[:-2])[0], 400)
        self.assertIn(b"NotImplemented", self.put("v_chunked/a.mp4", data, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", chunks)[2])


if __name__ == "__main__":
    unittest.main()
