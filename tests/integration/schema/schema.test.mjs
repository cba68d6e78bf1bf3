// The JSON Schema of pipelines, as an editor uses it: read by ajv, over YAML that is read by somebody else's reader.
// Every pipeline that comes with Millrace is valid against it, and those with mistakes are not, but for what no schema can know.
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {existsSync, readdirSync, readFileSync} from "node:fs";
import path from "node:path";
import test from "node:test";
import Ajv from "ajv/dist/2020.js";
import YAML from "yaml";

const {MILLRACE, GOLDEN_PIPELINE, MILLRACE_SOURCE} = process.env;
const golden = path.join(MILLRACE_SOURCE, "tests/golden/pipeline");

// Golden cases with mistakes that the schema lets through, and why it must. One that it finds after all does not belong here.
const BEYOND = {
  "bad-given": "what is given on the command line is not in the file",
  cycle: "the way that edges take through the nodes",
  "cycle-of-three": "the way that edges take through the nodes",
  "expression-gives-wrong-type": "what expressions give",
  "expression-wrong-value": "what expressions give",
  "expressions-bad": "the language of expressions",
  "given-defaults": "what expressions give",
  "many-input": "how many artifacts an input holds: said at the input, needed at the node",
  "nil-param-to-required": "what expressions give",
  "param-out-of-range": "the value of a text with a unit",
  "required-param": "what is given on the command line is not in the file",
  "stream-to-one": "how many artifacts another node makes",
  "trigger-feeds": "what another node says",
  "unconnected-port-in-expression": "the language of expressions",
  "unknown-input": "the names of inputs in the file",
  "unknown-node": "the names of nodes in the file",
};

function compile(program, ...args) {
  const schema = JSON.parse(execFileSync(program, args, {encoding: "utf8", maxBuffer: 1 << 26, env: {...process.env, MILLRACE_PLUGIN_PATH: ""}}));
  return new Ajv({strict: true, strictTypes: false, strictRequired: false, allErrors: true}).compile(schema);
}

// What is wrong with a file: "" for nothing.
function wrong(validate, file) {
  let value;
  try {
    value = YAML.parse(readFileSync(file, "utf8"), {merge: true});
  } catch (error) {
    return `not YAML: ${error.message}`;
  }
  return validate(value) ? "" : validate.errors.map((error) => `${error.instancePath} ${error.message}`).join("\n");
}

test("every pipeline that comes with Millrace is valid", () => {
  const validate = compile(MILLRACE, "schema");
  const folder = path.join(MILLRACE_SOURCE, "pipelines");
  const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  assert.ok(files.length >= 6, `${files}`);
  for (const name of files) assert.equal(wrong(validate, path.join(folder, name)), "", name);
});

test("of the golden pipelines it accepts the good and rejects the bad", () => {
  const validate = compile(GOLDEN_PIPELINE, "--schema");
  const unknown = new Set(Object.keys(BEYOND));
  let rejected = 0;
  for (const entry of readdirSync(golden, {withFileTypes: true})) {
    if (!entry.isDirectory() || !existsSync(path.join(golden, entry.name, "pipeline.yaml"))) continue; // others are in Lua
    const bad = /: error: |^error: /m.test(readFileSync(path.join(golden, entry.name, "expected.txt"), "utf8"));
    const why = wrong(validate, path.join(golden, entry.name, "pipeline.yaml"));
    if (!bad || BEYOND[entry.name]) assert.equal(why, "", entry.name);
    else assert.notEqual(why, "", `${entry.name} has mistakes, and the schema sees none`);
    rejected += why !== "";
    unknown.delete(entry.name);
  }
  assert.deepEqual([...unknown], [], "these are not there any more");
  assert.ok(rejected >= 25, `${rejected} rejected`);
});

test("references are to ports that give what is wanted", () => {
  const validate = compile(MILLRACE, "schema");
  const pipeline = (bind) => ({
    millrace: 1,
    inputs: {source: {type: "media"}},
    nodes: {probe: {op: "probe.media", in: {source: "inputs.source"}}, plan: {op: "segment.plan", in: {source: "inputs.source", info: "probe.info"}, ...bind}},
  });
  assert.ok(validate(pipeline({})));
  for (const [what, bind] of Object.entries({
    "a port that no op has": {in: {source: "inputs.source", info: "probe.infos"}},
    "a port of another type": {in: {source: "inputs.source", info: "plan.chunks"}},
    "media from an op": {in: {source: "probe.info", info: "probe.info"}},
    "a port that is not bound": {in: {source: "inputs.source"}},
    "a port that is bound twice": {each: {info: "probe.info"}},
    "an empty list": {in: {source: "inputs.source", info: []}},
  }))
    assert.ok(!validate(pipeline(bind)), what);
  assert.ok(validate(pipeline({in: {source: "inputs.source"}, each: {info: "probe.info"}})));
});

test("with scripts there may be ops and ports that nobody knows here, and what is known is checked", () => {
  const validate = compile(MILLRACE, "schema");
  const pipeline = (more, node) => ({millrace: 1, ...more, inputs: {source: {type: "media"}}, nodes: {own: {op: "own.op", in: {it: "inputs.source"}}, ...node}, outputs: {x: "own.out"}});
  assert.ok(!validate(pipeline({}, {})));
  assert.ok(validate(pipeline({scripts: ["own.lua"]}, {})), JSON.stringify(validate.errors));
  const plan = (over) => ({plan: {op: "segment.plan", in: {source: "own.media", info: ["own.info"]}, with: {segment_duration: "4s"}, ...over}});
  assert.ok(validate(pipeline({scripts: ["own.lua"]}, plan({}))));
  assert.ok(!validate(pipeline({scripts: ["own.lua"]}, plan({with: {segment_duratio: "4s"}}))));
  assert.ok(!validate(pipeline({scripts: ["own.lua"]}, plan({whith: {}}))));
  assert.ok(!validate(pipeline({scripts: "own.lua"}, {})));
});

test("with scripts there may be filters that nobody knows here", () => {
  const validate = compile(MILLRACE, "schema");
  const pipeline = (filters, more = {}) => ({millrace: 1, ...more, inputs: {source: {type: "media"}}, nodes: {
    probe: {op: "probe.media", in: {source: "inputs.source"}},
    file: {op: "transcode.file", in: {source: "inputs.source", info: "probe.info"}, with: {filters}}}});
  const scripts = {scripts: ["own.lua"]};
  const own = {use: "own.clock", with: {size: 20}};
  assert.ok(validate(pipeline("hflip")));
  assert.ok(validate(pipeline(["hflip", "eq=gamma=1.1"])));
  for (const filters of [own, [own], ["hflip", {use: "own.clock"}]]) {
    assert.ok(!validate(pipeline(filters)), JSON.stringify(filters));
    assert.ok(validate(pipeline(filters, scripts)), JSON.stringify(validate.errors));
  }
  for (const filters of [{use: "clock"}, {with: {}}, {...own, whith: {}}, [own, 5], {use: "own.clock", with: 5}])
    assert.ok(!validate(pipeline(filters, scripts)), JSON.stringify(filters));
});
