#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
The server is killed (SIGKILL) at random instants while clients upload, write and watch and while runs process, and started again: what was
acknowledged is there, what was not is there or not and nothing in between, every video ends ready with the tree that an undisturbed server publishes,
and nothing is left behind. MILLRACE_CRASHES: how many kills (10); MILLRACE_TEST_SEED: which instants. ./dev crash --server N does many.
"""
import contextlib
import hashlib
import os
import random
import re
import signal
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

from serving import SOURCE, Server, make_clip

sys.path.insert(0, str(SOURCE / "tests" / "integration" / "crash"))
sys.path.insert(0, str(SOURCE / "tests" / "integration" / "robustness"))
import remains  # noqa: E402
from crowd import API, PARAMS, Crowd  # noqa: E402
from victim import wait_until_gone  # noqa: E402

KILLS = int(os.environ.get("MILLRACE_CRASHES") or 10)
SEED = int(os.environ.get("MILLRACE_TEST_SEED") or random.SystemRandom().randrange(1 << 30))
ROUND = 10  # kills between two looks at what all of it became
SETTINGS = ("server.access_log=false", "server.rate_api=0", "server.rate_sign_in=0")
LONGEST = 2.0  # seconds that a server lives
CLIPS = ("160x90", "120x90")


class Crash(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        print(f"MILLRACE_TEST_SEED={SEED} MILLRACE_CRASHES={KILLS}", flush=True)
        cls.dir = Path(tempfile.mkdtemp(prefix="millrace-server-crash-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir, True)
        cls.clips = [make_clip(cls.dir / f"{size}.mp4", 2, size).read_bytes() for size in CLIPS]
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=64x36:duration=1:rate=1", "-frames:v", "1",
                        str(cls.dir / "poster.jpg")], check=True, timeout=240)
        cls.picture = (cls.dir / "poster.jpg").read_bytes()
        cls.trees = cls.undisturbed()

    @classmethod
    def undisturbed(cls):
        """What is published of each clip when nothing happens."""
        server = Server(cls.dir / "undisturbed", *SETTINGS)
        server.folder.mkdir()
        server.start()
        try:
            admin = server.set_up()
            videos = []
            for clip in cls.clips:
                made = server.ask("POST", f"{API}/videos", {"title": "t", "filename": "a.mp4", "size": len(clip), "type": "video/mp4", "params": PARAMS}, admin).json
                target = made["upload"]["put"]
                server.ask("PUT", re.sub(r"^http://[^/]+", "", target["url"]), clip, headers=target["headers"])
                videos.append(made["video"]["id"])
            outputs = []
            for video in videos:
                wait_for_end(server, video, admin)
                outputs += remains.rows(server.data, "SELECT output FROM videos WHERE id = ?", video)
            return [remains.published(server.data / output) for (output,) in outputs]
        finally:
            server.stop()

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="millrace-crash-", dir=self.dir))
        self.addCleanup(lambda: shutil.rmtree(self.folder, True))

    def say(self, words):
        return f"MILLRACE_TEST_SEED={SEED}: {words}\n{self.server.log.read_text(errors='replace')[-3000:]}"

    def kill_in_the_middle(self, chance):
        """The clients work; after some time, or in the first moments of a start, the server dies."""
        if chance.random() < 0.15:
            self.kill_while_it_starts(chance)
        stop = threading.Event()
        for sender in self.crowd.senders:
            sender.budget = 1
        self.crowd.chooser.budget = 1
        threads, wrong = self.crowd.work(stop)
        stop.wait(chance.random() ** 1.5 * LONGEST)  # the instant is what is tried
        pid = self.server.process.pid
        self.server.stop(signal.SIGTERM if chance.random() < 0.1 else signal.SIGKILL)  # now and then it is asked to go
        for thread in threads:
            thread.join()
        if wrong:
            raise wrong[0]
        self.assertEqual(wait_until_gone(pid), [], self.say("task hosts outlive the server"))
        self.assertEqual(remains.problems(self.server.data), [], self.say("after a kill"))

    def kill_while_it_starts(self, chance):
        self.server.kill()
        killer = threading.Timer(chance.random() * 0.2, lambda: self.server.process and self.server.process.kill())
        killer.start()
        with contextlib.suppress(AssertionError):  # it died before it listened
            self.server.start()
        killer.join()
        self.server.kill()
        self.server.start()

    def test_at_any_instant(self):
        chance = random.Random(SEED)
        for first in range(0, KILLS, ROUND):
            self.server = Server(self.folder / str(first), *SETTINGS)
            self.server.folder.mkdir()
            self.addCleanup(self.server.stop)
            self.server.start()
            self.crowd = Crowd(self.server, self.clips, self.picture, f"{SEED} {first}")
            try:
                self.a_life(chance, min(ROUND, KILLS - first))
            except Exception as error:
                raise AssertionError(self.say(f"kills {first} …: {error}")) from error
            self.server.stop()
            shutil.rmtree(self.server.folder)

    def a_life(self, chance, kills):
        for _ in range(kills):
            self.kill_in_the_middle(chance)
            self.server.start()
            self.crowd.check(remains.captions(self.server.data))
        self.crowd.finish()
        self.crowd.check(remains.captions(self.server.data))
        self.check_videos()
        self.check_runs()
        print(f"{kills} ends; {len(self.crowd.whole)} uploads, {sum(client.asked for client in self.crowd.clients)} changes", flush=True)
        self.server.stop()
        self.server.start()  # what a start finds to tidy up it does before it stops
        self.server.stop()
        self.assertEqual(remains.problems(self.server.data), [])
        self.assertEqual(remains.orphans(self.server.data), [])

    def check_videos(self):
        """Each that has arrived is ready, as if nothing had happened; each was made once."""
        for video, it in self.crowd.whole.items():
            if it["gone"].value:
                continue
            seen = wait_for_end(self.server, video, self.crowd.key)
            self.assertEqual((seen["status"], seen["complete"], seen["playable"], seen["reason"]), ("ready", True, True, None), seen)
            self.assertAlmostEqual(seen["duration"], 2, delta=0.2, msg=seen)
            self.assertEqual((seen["width"], seen["height"]), tuple(int(side) for side in CLIPS[it["clip"]].split("x")))
            self.assertIsNotNone(seen["poster_url"])
            ((output, source),) = remains.rows(self.server.data, "SELECT output, source FROM videos WHERE id = ?", video)
            self.assertEqual(remains.published(self.server.data / output), self.trees[it["clip"]], f"{output} of clip {it['clip']}")
            self.assertEqual(hashlib.sha256((self.server.data / source).read_bytes()).hexdigest(), it["digest"])
        titles = [title for (title,) in remains.rows(self.server.data, "SELECT title FROM videos")]
        self.assertEqual(len(titles), len(set(titles)), "something was made twice")

    def check_runs(self):
        """Every run that somebody was told of has ended well, or was replaced by another."""
        for video, it in self.crowd.whole.items():
            for run in [] if it["gone"].value else it["processed"]:
                state = self.state_of(run)
                self.assertIn(state, ("succeeded", "cancelled", "interrupted"), run)
            if it["processed"] and not it["gone"].value:
                ((run,),) = remains.rows(self.server.data, "SELECT run FROM videos WHERE id = ?", video)
                self.assertEqual(self.state_of(run), "succeeded")
        for video, runs in self.crowd.chooser.posters.items():
            for run in [] if self.crowd.whole[video]["gone"].value else runs:
                self.assertEqual(self.state_of(run, wait=True), "succeeded", f"poster run {run} of {video}")

    def state_of(self, run, wait=False):
        for _ in range(600):
            answer = self.server.ask("GET", f"{API}/runs/{run}", token=self.crowd.key)
            self.assertEqual(answer.status, 200, answer.body)
            state = answer.json["state"]
            if not wait or state != "running":
                break
            threading.Event().wait(0.05)
        return state


def wait_for_end(server, video, token):
    """The video once the stream of its events has said that its run is over."""
    with contextlib.closing(server.connect()) as connection:
        connection.request("GET", f"{API}/videos/{video}/events", headers={"Authorization": f"Bearer {token}"})
        for line in connection.getresponse():
            if line.strip() == b"event: end" or re.search(rb'"status": ?"(ready|failed)"', line):
                break
    return server.ask("GET", f"{API}/videos/{video}", token=token).json


if __name__ == "__main__":
    unittest.main()
