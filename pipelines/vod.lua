-- One source to HLS and DASH from one set of CMAF segments: the same pipeline as vod.yaml, in Lua.
local p = millrace.pipeline{
  name = "vod",
  description = "One source to HLS and DASH from one set of CMAF segments.",
}
local expr = millrace.expr

local source = p:input("source", {type = "media", help = "the video to publish"})

local segment_duration = p:param("segment_duration", {type = "duration", default = "4s", min = "1s", max = "15s", help = "length of a segment"})
local codec = p:param("codec", {type = "choice", choices = {"h264", "hevc", "av1", "vp9"}, default = "h264",
                                help = "of the picture; h264 plays everywhere"})
local preset = p:param("preset", {type = "text", default = "medium", help = "the encoder's speed: ultrafast … veryslow"})
local rungs = p:param("ladder", {
  type = "list",
  help = "the renditions wanted; those larger than the source are left out",
  default = {
    {height = 1080, max_bitrate = "5M"},
    {height = 720, max_bitrate = "2.5M"},
    {height = 480, max_bitrate = "800k"},
    {height = 240, max_bitrate = "200k"},
  },
})
local webhook = p:param("webhook", {type = "url", required = false, help = "told when the run has ended"})

-- What is in the source, which renditions it fills, and where segments begin.
local probe = p:node("probe", "probe.media", {from = {source = source}})
local ladder = p:node("ladder", "transcode.ladder", {from = {info = probe.info}, with = {rungs = rungs}})
local plan = p:node("plan", "segment.plan", {
  from = {source = source, info = probe.info},
  with = {segment_duration = segment_duration},
})

-- The picture: one task for each chunk and rung.
local init = p:node("init", "transcode.init", { -- what players load first, before anything is encoded
  each = {chunk = plan.opening},
  cross = {rung = ladder.rungs},
  with = {codec = codec, preset = preset},
})
local analysis = p:node("analysis", "transcode.analyse", {each = {chunk = plan.chunks}, from = {source = source}})
local video = p:node("video", "transcode.video", {
  each = {chunk = plan.chunks, analysis = analysis.stats}, -- items of one 'each' go in step …
  cross = {rung = ladder.rungs},                           -- … and 'cross' crosses: one task per chunk and rung
  from = {source = source},
  with = {codec = codec, preset = preset},
  timeout = "30m",
})

-- Sound and subtitles: no tracks, no tasks.
local audio = p:node("audio", "transcode.audio", {
  each = {chunk = plan.audio_chunks},
  cross = {track = probe.audio_tracks},
  from = {source = source},
})
local subtitles = p:node("subtitles", "transcode.subtitles", {
  cross = {track = probe.text_tracks},
  from = {source = source, plan = plan.plan},
})

-- Pictures for the page around the player, of what has any.
local function image(name, op, from)
  return p:node(name, op, {from = from, when = expr "info.video ~= nil"})
end
local poster = image("poster", "thumbnail.poster", {source = source, info = probe.info})
local sheets = image("sheets", "thumbnail.sheets", {info = probe.info})
local storyboard = p:node("storyboard", "thumbnail.storyboard", {each = {sheet = sheets.sheets}, from = {source = source, info = probe.info}})

-- Playlists grow as segments are made.
local package = p:node("package", "manifest.package", {
  from = {
    plan = plan.plan,
    ladder = ladder.rungs, -- nobody is shown a choice that lacks a rung
    segments = {init.segment, video.segments, audio.segments, subtitles.segments},
    images = {poster.image, storyboard.image},
  },
  with = {formats = {"hls", "dash"}},
})
local publish = p:node("publish", "storage.publish", {from = {files = {package.files, storyboard.track}}})
p:node("tell", "notify.webhook", {trigger = "always", with = {url = webhook}, when = expr "params.webhook ~= nil"})

p:output("hls", publish.hls)
p:output("dash", publish.dash)
