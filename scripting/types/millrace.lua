---@meta
-- What scripts of Millrace find, for the Lua language server: completion, and warnings where a field is misspelled. A test compares this file with
-- what there is. Put beside your pipelines a .luarc.json like the one beside this file; 'workspace.library' names this folder.

---@class millracelib
millrace = {}

---------------------------------------------------------------------------------------------------- Pipelines

---@class millrace.PipelineFields
---@field name? string            of the pipeline; default: the file's name
---@field description? string
---@field scripts? string[]       scripts with ops and filters in Lua, by their paths from the pipeline's folder down: {"ops/captions.lua"}

---@class millrace.Pipeline
local Pipeline = {}

---A stream that is known when the pipeline runs: an input, or an output of a node.
---@class millrace.Stream

---A value that is known when the pipeline runs: a param, or an expression. Joins texts with '..'.
---@class millrace.Expression
---@operator concat(string|number|millrace.Expression): string

---A node. Its fields are its outputs: probe.info
---@class millrace.Node
---@field [string] millrace.Stream

---@alias millrace.Type "media"|"chunk"|"segment"|"image"|"text"|"json"|"file"
---@alias millrace.Streams millrace.Stream|millrace.Stream[]
---@alias millrace.Value string|number|boolean|table|millrace.Expression

---Describes the pipeline of this script, which has one.
---@param fields millrace.PipelineFields
---@return millrace.Pipeline
function millrace.pipeline(fields) end

---${code}: sees params and, by the names of its ports, the inputs of the node that it stands in.
---@param code string
---@return millrace.Expression
function millrace.expr(code) end

---Makes a map of a table, also of an empty one: {} is a list.
---@param table? table
---@return table
function millrace.object(table) end

---@class millrace.InputFields
---@field type millrace.Type
---@field help? string
---@field required? boolean       default: true
---@field many? boolean           takes several files

---A file that is given with --input NAME=PATH.
---@param name string
---@param fields millrace.InputFields
---@return millrace.Stream
function Pipeline:input(name, fields) end

---@class millrace.PipelineParamFields
---@field type "bool"|"int"|"number"|"text"|"choice"|"duration"|"bitrate"|"size"|"ratio"|"url"|"list"|"map"|"any"
---@field help? string
---@field default? millrace.Value
---@field required? boolean       false: may be missing; without a default it must be given otherwise
---@field choices? string[]
---@field min? number|string
---@field max? number|string

---A value that is given with --param NAME=VALUE.
---@param name string
---@param fields millrace.PipelineParamFields
---@return millrace.Expression
function Pipeline:param(name, fields) end

---@class millrace.RetryFields
---@field attempts? integer       1 to 10
---@field delay? string           before the second attempt; it doubles each time

---@class millrace.NodeFields
---@field help? string
---@field each? table<string, millrace.Stream>   a task for each item; several streams go in step
---@field cross? table<string, millrace.Stream>|table<string, millrace.Stream>[]   a task for each combination: YAML's 'for'. Several are a list, in their order
---@field from? table<string, millrace.Streams>  whole streams: YAML's 'in'
---@field with? table<string, millrace.Value>    params of the op
---@field when? millrace.Expression|string       where it is false, the node is skipped
---@field retry? millrace.RetryFields
---@field timeout? string|number
---@field on_error? "fail"|"skip"
---@field trigger? "success"|"failure"|"always"  runs when all nodes without one have ended

---A node that runs an op: 'millrace ops' lists them.
---@param name string
---@param op string
---@param fields? millrace.NodeFields
---@return millrace.Node
function Pipeline:node(name, op, fields) end

---What a run has made: printed at its end, and in run.json.
---@param name string
---@param stream millrace.Stream
function Pipeline:output(name, stream) end

---------------------------------------------------------------------------------------------------- Ops

---@class millrace.PortFields
---@field name? string            where ports are given as a list
---@field type millrace.Type|"any"|millrace.Type[]
---@field help string
---@field many? boolean
---@field optional? boolean
---@field streaming? boolean      of an input: gives its items while they are made, by task:next()

---@class millrace.ParamFields
---@field name? string            where params are given as a list
---@field type "bool"|"int"|"number"|"text"|"choice"|"duration"|"bitrate"|"size"|"ratio"|"url"|"json"|"list"
---@field help string
---@field default? millrace.Value
---@field min? number|string
---@field max? number|string
---@field choices? string[]
---@field required? boolean
---@field secret? boolean         never printed
---@field silent? boolean         does not change the result
---@field items? string           of a list: the type of its items
---@field fields? table<string, millrace.ParamFields>  of a list: those of its maps

---@class millrace.OpFields
---@field name string             plugin.verb; all ops of a script share what stands before the dot
---@field help string             a line; after a line break, paragraphs
---@field version? integer
---@field inputs? table<string, millrace.PortFields>|millrace.PortFields[]
---@field outputs? table<string, millrace.PortFields>|millrace.PortFields[]
---@field params? table<string, millrace.ParamFields>|millrace.ParamFields[]
---@field cpu? integer
---@field memory? string
---@field run fun(task: millrace.Task)

---Offers an op.
---@param fields millrace.OpFields
function millrace.op(fields) end

---------------------------------------------------------------------------------------------------- Frame filters

---@class millrace.Video
---@field width integer
---@field height integer
---@field frame_rate number

---@class millrace.Frame
---@field number integer          from 0, on the grid of the whole video
---@field time number             seconds from the start

---@class millrace.FilterFields
---@field name string             plugin.noun; all that a script offers shares what stands before the dot
---@field help string             a line; after a line break, paragraphs
---@field version? integer
---@field params? table<string, millrace.ParamFields>|millrace.ParamFields[]
---@field settings string[]       what steer sets: "filter.option", or "filter@name.option"
---@field chain string|fun(params: table<string, any>, video: millrace.Video): string   of libavfilter
---@field steer fun(frame: millrace.Frame, params: table<string, any>, video: millrace.Video): table<string, string|number>

---Offers a frame filter: it sets options of a chain of libavfilter for each frame.
---@param fields millrace.FilterFields
function millrace.filter(fields) end

---What came in.
---@class millrace.Artifact
---@field meta table
---@field type millrace.Type
---@field index integer           from 0
---@field size integer            bytes of its content
---@field digest string
---@field name string
local Artifact = {}

---@param offset integer
---@param count integer           up to 1 MiB
---@return string                 fewer bytes at the end
function Artifact:read(offset, count) end

---@return string                 all of it, up to 16 MiB
function Artifact:text() end

---@return fun(): string?
function Artifact:lines() end

---A content that grows.
---@class millrace.Content
local Content = {}

---@param ... string
---@return millrace.Content
function Content:write(...) end

---@class millrace.Task
---@field inputs table<string, any>
---@field params table<string, any>
local Task = {}

---@param port string
---@param meta? table
---@param content? string|millrace.Content|millrace.Artifact
function Task:emit(port, meta, content) end

---@return millrace.Content
function Task:content() end

---@param fraction number         0 to 1
function Task:progress(fraction) end

---@return boolean
function Task:cancelled() end

---@param text string
function Task:log(text) end

---@param text string
function Task:warn(text) end

---@class millrace.FailFields
---@field param? string
---@field hint? string

---Ends the task: the input can't be used, or the param.
---@param text string
---@param fields? millrace.FailFields
function Task:fail(text, fields) end

---The next item of a streaming input; nothing when all have ended.
---@return string? port
---@return millrace.Artifact? item
function Task:next() end

---------------------------------------------------------------------------------------------------- Hooks

---@class millrace.Answer
---@field veto? string            why
---@field params? table<string, millrace.Value>   of on_run_start and choose_pipeline: instead of what was given
---@field pipeline? string        of choose_pipeline: its name
---@field notify? table           of on_run_start: params of notify.webhook, and 'on'

---@class millrace.Hooks
---@field on_run_start? fun(run: table): millrace.Answer?
---@field on_node_done? fun(node: table): millrace.Answer?
---@field on_task_failed? fun(task: table): millrace.Answer?
---@field on_run_done? fun(run: table)
---@field authorize_upload? fun(upload: table): millrace.Answer?
---@field on_upload? fun(upload: table): millrace.Answer?
---@field choose_pipeline? fun(upload: table): millrace.Answer?
---@field authorize_playback? fun(viewer: table): millrace.Answer?
---@field on_ready? fun(video: table)

---Tells what is to be called while runs go on.
---@param hooks millrace.Hooks
function millrace.hooks(hooks) end
