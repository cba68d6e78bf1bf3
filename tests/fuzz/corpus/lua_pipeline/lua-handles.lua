-- Handles take part in texts; streams that cross are given in their order.
local p = millrace.pipeline{name = "handles"}
local source = p:input("source", {type = "media"})
local size = p:param("size", {type = "int", default = 64})
local speed = p:param("speed", {type = "text", default = "fast"})
local probe = p:node("probe", "probe.media", {from = {source = source}})
local ladder = p:node("ladder", "transcode.ladder", {from = {info = probe.info}})
local plan = p:node("plan", "segment.plan", {from = {source = source, info = probe.info}})
local video = p:node("video", "transcode.video", {
  from = {source = source},
  cross = {{rung = ladder.rungs}, {chunk = plan.chunks}},
  with = {
    preset = "very-" .. speed .. "-" .. 1,
    filters = {"scale=" .. size, millrace.expr "tostring(params.size * 2)"},
    options = {list = {}, map = millrace.object(), half = 720 / 2, third = 1 / 3, yes = true, text = "5"},
  },
})
p:output("video", video.segments)
