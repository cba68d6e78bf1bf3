-- A branch for each language: what is made of a sound track depends on what it is in. The main language keeps its 5.1, the others are stereo, all at
-- the same loudness; whatever else there is gets fewer bits. Change the table, and the graph changes.
local p = millrace.pipeline{
  name = "multi-language",
  description = "One source to HLS and DASH, each language's sound made in its own way.",
}
local expr = millrace.expr

local voices = {
  {name = "english", language = "en", bitrate = "192k", surround = "keep"},
  {name = "german", language = "de", bitrate = "160k", surround = "downmix"},
  {name = "french", language = "fr", bitrate = "160k", surround = "downmix"},
}

local source = p:input("source", {type = "media", help = "the video to publish, with its sound tracks"})
local preset = p:param("preset", {type = "text", default = "medium", help = "the encoder's speed: ultrafast … veryslow"})
local loudness = p:param("loudness", {type = "number", default = -16, min = -40, max = -5, help = "LUFS that every track is played at"})

local probe = p:node("probe", "probe.media", {from = {source = source}})
local plan = p:node("plan", "segment.plan", {from = {source = source, info = probe.info}})
local ladder = p:node("ladder", "transcode.ladder", {
  from = {info = probe.info},
  with = {rungs = {{height = 1080, max_bitrate = "5M"}, {height = 540, max_bitrate = "1.2M"}, {height = 270, max_bitrate = "300k"}}},
})
local video = p:node("video", "transcode.video", {
  each = {chunk = plan.chunks},
  cross = {rung = ladder.rungs},
  from = {source = source},
  with = {preset = preset},
})
local measured = p:node("measured", "transcode.loudness", {cross = {track = probe.audio_tracks}, from = {source = source}})

-- A node for each voice: of all tracks it takes those for which 'when' is true.
local segments = {video.segments}
local function branch(name, with, when)
  with.loudness = loudness
  local node = p:node("audio_" .. name, "transcode.audio", {
    each = {chunk = plan.audio_chunks},
    cross = {track = probe.audio_tracks},
    from = {source = source, loudness = measured.loudness},
    with = with,
    when = expr(when),
  })
  segments[#segments + 1] = node.segments
end

local known = {}
for _, voice in ipairs(voices) do
  local spoken = string.format("track.language == '%s'", voice.language)
  branch(voice.name, {bitrate = voice.bitrate, surround = voice.surround}, spoken)
  known[#known + 1] = spoken
end
branch("others", {bitrate = "96k", surround = "downmix"}, "not (" .. table.concat(known, " or ") .. ")")

local subtitles = p:node("subtitles", "transcode.subtitles", {cross = {track = probe.text_tracks}, from = {source = source, plan = plan.plan}})
segments[#segments + 1] = subtitles.segments

local package = p:node("package", "manifest.package", {from = {plan = plan.plan, ladder = ladder.rungs, segments = segments}})
local publish = p:node("publish", "storage.publish", {from = {files = package.files}})
p:output("hls", publish.hls)
p:output("dash", publish.dash)
