-- Chooses the moments of a video in which most happens, and writes on them where they are from: for pipelines/highlights.lua.

-- "1:02:03", "2:03"
local function clock(us)
  local s = us // 1000000
  if s >= 3600 then return string.format("%d:%02d:%02d", s // 3600, s // 60 % 60, s % 60) end
  return string.format("%d:%02d", s // 60, s % 60)
end

millrace.filter{
  name = "highlights.caption",
  help = "writes on joined moments where in the video each is from",
  params = {
    moments = {type = "list", help = "the moments, in their order", fields = {
      start_us = {type = "int", min = 0, required = true, help = "where it begins in the video"},
      duration_us = {type = "int", min = 0, required = true, help = "how long it is"},
    }},
  },
  settings = {"drawtext.text"},
  chain = function(params, video)
    local size = math.max(12, video.height // 18)
    return string.format("drawtext=text=x:fontcolor=white:fontsize=%d:box=1:boxcolor=black@0.6:boxborderw=%d:x=(w-text_w)/2:y=h-%d", size, size // 3, 2 * size)
  end,
  steer = function(frame, params, video)
    local now, number = (frame.time + 0.5 / video.frame_rate) * 1000000, 1 -- the time in the video that the moments are cut out of
    for i, moment in ipairs(params.moments) do
      if moment.start_us <= now then number = i end
    end
    local moment = params.moments[number]
    return {["drawtext.text"] = moment and string.format("%d of %d: from %s", number, #params.moments, clock(moment.start_us)) or ""}
  end,
}

millrace.op{
  name = "highlights.choose",
  help = "chooses the moments in which most moves\n\nA moment begins where its scene does, or as much later as it takes for most to happen within its length; each "
    .. "scene gives one. They are joined in the order of the video.",
  inputs = {scenes = {type = "json", help = "of measure.scenes"}},
  outputs = {
    cuts = {type = "json", help = "the moments, as transcode.file takes them: {cuts: [{start_us, duration_us}]}"},
  },
  params = {
    count = {type = "int", default = 5, min = 1, max = 100, help = "moments at most"},
    length = {type = "duration", default = "4s", min = "1s", max = "5m", help = "of a moment at most; shorter scenes are taken whole"},
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
  end,
}
