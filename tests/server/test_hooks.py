# SPDX-License-Identifier: MIT
"""The operator's rules in Lua: who may upload and watch, and what uploads go through."""
import shutil
import tempfile
import unittest
from pathlib import Path

from serving import ServerCase, make_clip

RULES = """
local seen = {}

millrace.hooks{
  authorize_upload = function(upload)
    if upload.filename and upload.filename:sub(-4) == ".exe" then return {veto = "programs are no videos"} end
    if upload.title == "slow" then while true do end end
  end,
  on_upload = function(upload)
    seen[upload.video] = (seen[upload.video] or 0) + 1
    if upload.attempt > 1 then return {veto = "once is enough"} end
  end,
  choose_pipeline = function(upload)
    assert(upload.pipeline == "vod")
    return {pipeline = "thumbnails"}
  end,
  authorize_playback = function(viewer)
    if viewer.role ~= "admin" then return {veto = "only for " .. "the house"} end
  end,
  on_ready = function(video)
    if not seen[video.video] then error("ready before it was uploaded") end
  end,
}
"""


class Hooks(ServerCase):
    @classmethod
    def setUpClass(cls):
        rules = Path(tempfile.mkdtemp(prefix="millrace-rules-"))
        cls.addClassCleanup(shutil.rmtree, rules, True)
        (rules / "house.lua").write_text(RULES)
        cls.SETTINGS = (*ServerCase.SETTINGS, f"hooks.file={rules / 'house.lua'}", "hooks.timeout=5s")
        super().setUpClass()
        cls.admin = cls.server.set_up()
        cls.creator, _ = cls.server.add_user(cls.admin, "c@example.org", "creator")

    def test_who_may_upload(self):
        veto = self.expect_problem(403, "vetoed", "POST", "/api/v1/videos", {"title": "x", "filename": "virus.exe"}, self.creator)
        self.assertIn("programs are no videos", veto.json["detail"])
        slow = self.expect_problem(403, "vetoed", "POST", "/api/v1/videos", {"title": "slow"}, self.creator)
        self.assertEqual(slow.json["detail"], "a rule of this server could not be asked")
        self.expect(201, "POST", "/api/v1/videos", {"title": "fine"}, self.creator)

    def test_what_it_goes_through(self):
        video = self.server.upload(make_clip(self.dir / "clip.mp4", 2), self.creator)
        ready = self.server.ended(video, self.creator)
        self.assertEqual(ready["status"], "ready", ready)
        run = self.expect(200, "GET", f"/api/v1/runs/{ready['run']}", token=self.creator).json
        self.assertEqual(run["pipeline"], "thumbnails")
        self.assertEqual(run["video"], video)
        self.assertNotIn("ready before it was uploaded", self.server.log.read_text())

    def test_who_may_watch(self):
        made = self.expect(201, "POST", "/api/v1/videos", {"title": "w"}, self.creator).json["video"]["id"]
        veto = self.expect_problem(403, "vetoed", "GET", f"/api/v1/videos/{made}/playback", token=self.creator)
        self.assertIn("only for the house", veto.json["detail"])
        self.expect_problem(409, "not-playable", "GET", f"/api/v1/videos/{made}/playback", token=self.admin)


if __name__ == "__main__":
    unittest.main()
