-- Ops in Lua. This one, example.count, counts the bytes and the lines of a text.
millrace.op{
  name = "example.count",
  help = "counts the bytes and the lines of a text",
  inputs = {source = {type = "text", help = "what to count"}},
  outputs = {count = {type = "json", help = '{"bytes": 12, "lines": 1}; lines only when they were asked for'}},
  params = {
    lines = {type = "bool", default = false, help = "count lines too"},
    limit = {type = "size", default = "1GiB", min = "1", help = "the largest input that is counted"},
  },
  run = function(task)
    local source, params = task.inputs.source, task.params
    if source.size > params.limit then
      task:fail("the input has " .. source.size .. " bytes, the limit is " .. params.limit, {param = "limit", hint = "raise 'limit', or give a smaller input"})
    end
    local count = {bytes = source.size}
    if params.lines then
      count.lines = 0
      for _ in source:lines() do
        count.lines = count.lines + 1
      end
    end
    task:emit("count", count)
  end,
}
