-- Chooses the rungs of a ladder by what trial encodes have measured: for pipelines/per-title.lua.

-- The point of a trial where the SSIM is wanted, between those that were measured: its quality and bitrate.
local function point_at(points, wanted)
  local function loss(ssim) return -math.log(1 - math.min(ssim, 0.9999)) end
  local goal = loss(wanted)
  for i = 1, #points - 1 do
    local better, worse = points[i], points[i + 1]
    local from, to = loss(better.ssim), loss(worse.ssim)
    if goal >= to and from > to then
      local part = math.max(0, math.min(1, (from - goal) / (from - to)))
      return better.quality + part * (worse.quality - better.quality),
             math.exp(math.log(better.bitrate) + part * (math.log(worse.bitrate) - math.log(better.bitrate)))
    end
  end
  return points[#points].quality, points[#points].bitrate
end

local function round(value, step)
  return math.floor(value / step + 0.5) * step
end

millrace.op{
  name = "per_title.choose",
  help = "chooses rungs and their quality by trial encodes\n\nEach rung gets the encoder's quality with which it looks as good as wanted, and a ceiling "
    .. "that fits. A rung that would take nearly as many bits as the one above it is left out: whoever has them watches that one.",
  inputs = {trials = {type = "json", many = true, help = "of measure.trial, one for each rung, lowest first"}},
  outputs = {rungs = {type = "json", many = true, help = "as transcode.ladder's, with the field quality"}},
  params = {
    ssim = {type = "number", default = 0.97, min = 0.5, max = 0.9999, help = "how like the original each rung is to be"},
    apart = {type = "number", default = 1.5, min = 1, max = 10, help = "how many times the bits of the next lower rung a rung takes at least"},
    headroom = {type = "number", default = 2, min = 1, max = 10, help = "the ceiling, as a multiple of the bits that were measured"},
  },
  run = function(task)
    local above = math.huge
    local chosen = {}
    for i = #task.inputs.trials, 1, -1 do
      local trial = task.inputs.trials[i]
      local rung = trial.meta.rung
      table.sort(trial.meta.points, function(a, b) return a.quality < b.quality end)
      local quality, bitrate = point_at(trial.meta.points, task.params.ssim)
      if above / bitrate >= task.params.apart then
        above = bitrate
        local ceiling = math.floor(round(bitrate * task.params.headroom, 10000))
        rung.max_bitrate = math.max(50000, math.min(rung.max_bitrate, ceiling))
        rung.quality = round(quality, 0.5)
        table.insert(chosen, 1, rung)
      end
    end
    for _, rung in ipairs(chosen) do task:emit("rungs", rung) end
  end,
}
