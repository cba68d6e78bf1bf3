-- Parts of a pipeline can come from a module beside it; its lines are quoted, too.
local p = millrace.pipeline{name = "modules", description = "a ladder of a formula"}
local ladders = require "lib.ladders"
local source = p:input("source", {type = "media"})
local probe = p:node("probe", "probe.media", {from = {source = source}})
local ladder = p:node("ladder", "transcode.ladder", {from = {info = probe.info}, with = {rungs = ladders.down_from(1080, 4)}})
ladders.add(p, probe, source)
p:output("rungs", ladder.rungs)
