# SPDX-License-Identifier: MIT
"""The web page as files: what its answers say to browsers and caches."""
import gzip
import re
import unittest

from serving import ServerCase


class Page(ServerCase):
    def policy(self, path):
        answer = self.expect(200, "GET", path)
        self.assertEqual(answer.headers["content-type"], "text/html; charset=utf-8")
        return dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))

    def test_the_policy_of_every_view(self):
        for path in ("/", "/watch/x", "/upload", "/admin", "/api/v1/docs"):
            policy = self.policy(path)
            self.assertEqual(policy["default-src"], "'self'")
            self.assertEqual(policy["object-src"], "'none'")
            self.assertEqual(policy["base-uri"], "'none'")
            self.assertEqual(policy["frame-ancestors"], "'none'")
            for name, value in policy.items():
                self.assertNotRegex(value, r"unsafe-|\*|https?:", name)
        self.assertEqual(self.policy("/embed/x")["frame-ancestors"], "*")

    def test_nothing_is_inline_and_nothing_of_other_hosts(self):
        for path in ("/", "/api/v1/docs"):
            text = self.expect(200, "GET", path).body.decode()
            self.assertNotRegex(text, r"<style|<script>|\sstyle=|\son\w+=|javascript:")
            for address in re.findall(r'(?:src|href)="([^"#]+)', text):
                self.assertTrue(address.startswith("/") and not address.startswith("//"), address)

    def test_what_browsers_are_told(self):
        home = self.expect(200, "GET", "/")
        self.assertEqual(home.headers["x-content-type-options"], "nosniff")
        self.assertEqual(home.headers["cache-control"], "no-cache")
        self.expect(304, "GET", "/", headers={"If-None-Match": home.headers["etag"]})
        script = re.search(r'src="(/assets/[^"]+\.js)"', home.body.decode())[1]
        self.assertEqual(self.expect(200, "GET", script).headers["cache-control"], "public, max-age=31536000, immutable")

    def test_it_is_sent_small(self):
        script = re.search(r'src="(/assets/[^"]+\.js)"', self.expect(200, "GET", "/").body.decode())[1]
        plain = self.expect(200, "GET", script)
        zipped = self.expect(200, "GET", script, headers={"Accept-Encoding": "gzip"})
        brotli = self.expect(200, "GET", script, headers={"Accept-Encoding": "gzip, deflate, br"})
        self.assertNotIn("content-encoding", plain.headers)
        self.assertEqual((zipped.headers["content-encoding"], brotli.headers["content-encoding"]), ("gzip", "br"))
        self.assertEqual(gzip.decompress(zipped.body), plain.body)
        self.assertLess(len(brotli.body), len(zipped.body))
        self.assertLess(len(zipped.body), len(plain.body) // 2)
        for answer in (plain, zipped, brotli):
            self.assertEqual(answer.headers["vary"], "Accept-Encoding")
        self.assertEqual(len({answer.headers["etag"] for answer in (plain, zipped, brotli)}), 3)
        self.expect(304, "GET", script, headers={"Accept-Encoding": "br", "If-None-Match": brotli.headers["etag"]})


if __name__ == "__main__":
    unittest.main()
