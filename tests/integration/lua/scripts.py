"""What the tests of ops and hooks share: a pipeline around one op in Lua."""
import json

from command import Case

PIPELINE = """\
    millrace: 1
    name: words
    scripts: [ops/words.lua]
    inputs:
      text: {type: text, help: a text}
    params:
      least: {type: int, default: 1}
    nodes:
      count: {op: words.count, in: {text: inputs.text}, with: {least: "${params.least}"}}
    outputs:
      words: count.words
    """

COUNT = """\
    local split = require "split"
    millrace.op{
      name = "words.count",
      help = "counts the words of a text\\n\\nWords are what spaces separate.",
      inputs = {text = {type = "text", help = "the text"}},
      outputs = {words = {type = "json", help = "how many: {words}"}},
      params = {least = {type = "int", default = 1, min = 1, max = 100, help = "letters that a word has at least"}},
      run = function(task)
        local count = 0
        for line in task.inputs.text:lines() do
          for _, word in ipairs(split(line)) do
            if #word >= task.params.least then count = count + 1 end
          end
        end
        task:emit("words", {words = count})
      end,
    }
    """

SPLIT = """\
    return function(line)
      local words = {}
      for word in line:gmatch("%S+") do words[#words + 1] = word end
      return words
    end
    """


class LuaCase(Case):
    def setUp(self):
        super().setUp()
        (self.dir / "ops").mkdir()
        self.write("ops/words.lua", COUNT)
        self.write("ops/split.lua", SPLIT)
        self.write("words.yaml", PIPELINE)
        self.write("text.txt", "one three\nfive seven\n")

    def body(self, body, **fields):
        """An op whose run function has this body."""
        extra = "".join(f"{name} = {value},\n" for name, value in fields.items())
        self.write("ops/words.lua", f"""\
millrace.op{{
  name = "words.count", help = "does what the test wants",
  inputs = {{text = {{type = "text", help = "a text"}}}},
  outputs = {{words = {{type = "json", help = "some", many = true}}}},
  params = {{least = {{type = "int", default = 1, help = "some"}}}},
  {extra}
  run = function(task)
{body}
  end,
}}
""")

    def run_words(self, code=0, *args):
        return self.expect(code, "run", "words.yaml", "-i", "text.txt", "-o", "out", "--state", "st", *args)

    def answer(self, *args):
        """What the run printed of its one output."""
        return [json.loads(line.split(": ", 1)[1]) for line in self.run_words(0, *args).stdout.splitlines()]
