-- Every mistake of a pipeline in Lua is told in one go, each at its own words.
local p = millrace.pipeline{name = "misspelled", descripton = "x"}
local source = p:input("source", {type = "media", helpp = "the video"})
local preset = p:param("preset", {type = "txt", default = "medium"})

local probe = p:node("probe", "probe.medai", {from = {source = source}})
local plan = p:node("plan", "segment.plan", {
  from = {source = source, inof = probe.info},
  ["for"] = {x = source},
  with = {segment_duration = "40s"},
})
local video = p:node("video", "transcode.video", {
  eahc = {chunk = plan.chunks},
  each = {chunk = plan.chonks, analysis = plan.plan},
  from = {source = source},
  with = {
    presett = preset,
    quality = 0.5 + 1, -- too much
    filters = {"a", "${rung.height}", "${params.presett}"},
  },
  when = millrace.expr "rung.height > param.x",
  retry = {attempts = 30},
})
p:node("probe", "probe.media", {from = {source = source}})
p:output("video", video.segment)
