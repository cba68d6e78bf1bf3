-- A ladder for this video: moments of it are encoded fast at some qualities and measured, and what was measured decides which rungs there are, and
-- with what quality each is encoded. A cartoon gets by with a third of the bits that a match on wet grass takes.
local p = millrace.pipeline{
  name = "per-title",
  description = "One source to HLS and DASH, with the rungs and the quality that this video needs.",
  scripts = {"ops/per_title.lua"},
}
local expr = millrace.expr

local source = p:input("source", {type = "media", help = "the video to publish"})
local segment_duration = p:param("segment_duration", {type = "duration", default = "4s", min = "1s", max = "15s", help = "length of a segment"})
local preset = p:param("preset", {type = "text", default = "medium", help = "the encoder's speed: ultrafast … veryslow"})
local ssim = p:param("ssim", {type = "number", default = 0.97, min = 0.5, max = 0.9999, help = "how like the original each rung is to be"})
local samples = p:param("samples", {type = "int", default = 4, min = 1, max = 32, help = "moments that are tried"})

-- The most that the ladder may have, then one trial for each of its rungs, then the choice.
local probe = p:node("probe", "probe.media", {from = {source = source}})
local ladder = p:node("ladder", "transcode.ladder", {from = {info = probe.info}})
local trial = p:node("trial", "measure.trial", {
  cross = {rung = ladder.rungs},
  from = {source = source, info = probe.info},
  with = {samples = samples},
})
local choice = p:node("choice", "per_title.choose", {from = {trials = trial.trial}, with = {ssim = ssim}})

-- From here on as in vod.lua; the quality comes with the rung.
local plan = p:node("plan", "segment.plan", {from = {source = source, info = probe.info}, with = {segment_duration = segment_duration}})
local analysis = p:node("analysis", "transcode.analyse", {each = {chunk = plan.chunks}, from = {source = source}})
local video = p:node("video", "transcode.video", {
  each = {chunk = plan.chunks, analysis = analysis.stats},
  cross = {rung = choice.rungs},
  from = {source = source},
  with = {preset = preset, quality = expr "rung.quality"},
})
local audio = p:node("audio", "transcode.audio", {
  each = {chunk = plan.audio_chunks},
  cross = {track = probe.audio_tracks},
  from = {source = source},
})
local package = p:node("package", "manifest.package", {
  from = {plan = plan.plan, ladder = choice.rungs, segments = {video.segments, audio.segments}},
})
local publish = p:node("publish", "storage.publish", {from = {files = package.files}})

p:output("hls", publish.hls)
p:output("dash", publish.dash)
p:output("rungs", choice.rungs)
