# SPDX-License-Identifier: MIT
"""A POST that is sent again because its answer was lost."""
import unittest

from serving import ServerCase


class Repeat(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.set_up()
        cls.other, _ = cls.server.add_user(cls.admin, "c@example.org", "creator")

    def add(self, token, name, key, status=201):
        return self.expect(status, "POST", "/api/v1/keys", {"name": name, "scopes": ["videos:read"]}, token, {"Idempotency-Key": key})

    def test_one_answer(self):
        first = self.add(self.admin, "one", "a")
        again = self.add(self.admin, "one", "a")
        self.assertEqual(first.body, again.body)
        self.assertEqual(again.headers["idempotency-replayed"], "true")
        self.assertEqual([key["name"] for key in self.expect(200, "GET", "/api/v1/keys", token=self.admin).json["items"]].count("one"), 1)
        self.assertNotEqual(self.add(self.other, "one", "a").body, first.body, "keys are each user's own")

    def test_another_request_with_the_same_key(self):
        self.add(self.admin, "two", "b")
        self.assertEqual(self.add(self.admin, "three", "b", 422).json["type"], "urn:millrace:problem:idempotency-key-reused")

    def test_a_mistake_is_told_again(self):
        body = {"name": "x", "scopes": ["nothing"]}
        first = self.expect(422, "POST", "/api/v1/keys", body, self.admin, {"Idempotency-Key": "c"})
        self.assertEqual(self.expect(422, "POST", "/api/v1/keys", body, self.admin, {"Idempotency-Key": "c"}).body, first.body)

    def test_what_is_no_key(self):
        self.expect_problem(400, "bad-idempotency-key", "POST", "/api/v1/keys", {"name": "x", "scopes": ["videos:read"]}, self.admin, {"Idempotency-Key": "ä"})


if __name__ == "__main__":
    unittest.main()
