-- A variable that is not there ends the script: the calls that led to it are told.
local p = millrace.pipeline{name = "raises"}
local source = p:input("source", {type = "media"})

local function look(name)
  return p:node(name, "probe.media", {from = {source = sorce}})
end

look("probe")
