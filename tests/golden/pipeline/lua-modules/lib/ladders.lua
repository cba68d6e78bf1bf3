local M = {}

-- Each rung has two thirds of the lines of the one above it, and half of its bits.
function M.down_from(height, count)
  local rungs, bitrate = {}, 5000000
  for i = 1, count do
    rungs[i] = {height = height, max_bitrate = bitrate}
    height, bitrate = height * 2 // 3, bitrate // 2
  end
  return rungs
end

function M.add(p, probe, source)
  p:node("poster", "thumbnail.poster", {from = {source = source, info = probe.info}, when = millrace.expr "info.width > 0 and params.size"})
end

return M
