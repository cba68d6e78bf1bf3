-- Chooses the moments of a video in which most happens: for pipelines/highlights.lua.

local function clock(us)
  local ms = us // 1000
  return string.format("%02d:%02d:%02d.%03d", ms // 3600000, ms // 60000 % 60, ms // 1000 % 60, ms % 1000)
end

-- The moments as WebVTT: what is said while each of them plays.
local function captions(moments)
  local lines, at = {"WEBVTT", ""}, 0
  for number, moment in ipairs(moments) do
    lines[#lines + 1] = clock(at) .. " --> " .. clock(at + moment.duration_us)
    lines[#lines + 1] = string.format("%d of %d: from %s", number, #moments, clock(moment.start_us):match("^00:(.*)%.") or clock(moment.start_us))
    lines[#lines + 1] = ""
    at = at + moment.duration_us
  end
  return table.concat(lines, "\n")
end

millrace.op{
  name = "highlights.choose",
  help = "chooses the moments in which most moves\n\nA moment begins where its scene does, or as much later as it takes for most to happen within its length; each "
    .. "scene gives one. They are joined in the order of the video.",
  inputs = {scenes = {type = "json", help = "of measure.scenes"}},
  outputs = {
    cuts = {type = "json", help = "the moments, as transcode.file takes them: {cuts: [{start_us, duration_us}]}"},
    captions = {type = "file", help = "WebVTT that tells where in the video each is from"},
  },
  params = {
    count = {type = "int", default = 5, min = 1, max = 100, help = "moments at most"},
    length = {type = "duration", default = "4s", min = "1s", max = "5m", help = "of a moment at most; shorter scenes are taken whole"},
    path = {type = "text", default = "highlights.vtt", min = 1, max = 200, help = "of the captions in the published tree"},
  },
  run = function(task)
    local found = task.inputs.scenes.meta
    local length = math.floor(task.params.length * 1000000)

    -- The motion of so many seconds from the one on in which us lies.
    local function motion_from(us)
      local sum = 0
      for second = us // 1000000 + 1, (us + length) // 1000000 do
        sum = sum + (found.motion[second] or 0)
      end
      return sum
    end

    local moments = {}
    for _, scene in ipairs(found.scenes) do
      local best = {start_us = scene.start_us, duration_us = math.min(length, scene.end_us - scene.start_us), motion = motion_from(scene.start_us)}
      for start = scene.start_us + 1000000, scene.end_us - length, 1000000 do
        if motion_from(start) > best.motion then
          best = {start_us = start, duration_us = length, motion = motion_from(start)}
        end
      end
      moments[#moments + 1] = best
    end

    table.sort(moments, function(a, b) return a.motion > b.motion end)
    local chosen = table.move(moments, 1, math.min(#moments, task.params.count), 1, {})
    table.sort(chosen, function(a, b) return a.start_us < b.start_us end)
    local cuts = {}
    for i, moment in ipairs(chosen) do
      cuts[i] = {start_us = moment.start_us, duration_us = moment.duration_us}
    end
    task:emit("cuts", {cuts = cuts})
    task:emit("captions", {path = task.params.path, content_type = "text/vtt", replaceable = false, role = "text"}, captions(chosen))
  end,
}
