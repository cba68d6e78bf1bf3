-- The moments of a video in which most happens, as one short file: scenes are found and scored, the best are cut out, joined, and captioned: in the
-- picture stands where in the video each is from.
local p = millrace.pipeline{
  name = "highlights",
  description = "The liveliest moments of one source as one MP4, with captions.",
  scripts = {"ops/highlights.lua"},
}

local source = p:input("source", {type = "media", help = "the video to make highlights of"})
local count = p:param("count", {type = "int", default = 5, min = 1, max = 100, help = "moments at most"})
local length = p:param("length", {type = "duration", default = "4s", min = "1s", max = "5m", help = "of a moment at most"})
local height = p:param("height", {type = "int", default = 720, min = 16, max = 8192, help = "lines of the picture; a smaller source is not enlarged"})
local preset = p:param("preset", {type = "text", default = "medium", help = "the encoder's speed: ultrafast … veryslow"})

local probe = p:node("probe", "probe.media", {from = {source = source}})
local scenes = p:node("scenes", "measure.scenes", {from = {source = source, info = probe.info}})
local moments = p:node("moments", "highlights.choose", {from = {scenes = scenes.scenes}, with = {count = count, length = length}})
local file = p:node("file", "transcode.file", {
  from = {source = source, info = probe.info, cuts = moments.cuts},
  with = {
    height = height, preset = preset, path = "highlights.mp4",
    filters = {{use = "highlights.caption", with = {moments = millrace.expr("cuts.cuts")}}},
  },
})
local publish = p:node("publish", "storage.publish", {from = {files = file.file}})

p:output("cuts", moments.cuts)
p:output("video", publish.media)
