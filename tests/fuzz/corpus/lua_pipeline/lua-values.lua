-- What can't be a value, and where it is told when it was made elsewhere.
local p = millrace.pipeline{name = "values"}
local source = p:input("source", {type = "media"})
local probe = p:node("probe", "probe.media", {from = {source = source}})
local rungs = {}
for i, height in ipairs{1080, 720, 10} do
  rungs[i] = {height = height, max_bitrate = "1M"}
end
local ladder = p:node("ladder", "transcode.ladder", {from = {info = probe.info}, with = {rungs = rungs}})
local function video(name, with)
  return p:node(name, "transcode.video", {
    from = {source = source},
    cross = {rung = ladder.rungs},
    with = with,
  })
end
video("a", {options = {1, 2, x = 3}, quality = 1 / 0})
video("b", {options = {print_it = function() end}, preset = probe})
p:node("poster", "thumbnail.poster", {from = {source = source, info = probe}, with = {[1.5] = 2}})
p:node("empty", "probe.media", {from = {}, with = {}, retry = {}})
