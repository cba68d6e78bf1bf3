// What the docs say is so: every code block of the pages is compiled, checked or run, in the order in which a reader meets them, against an installation
// as a reader has it. Each page has a folder of its own, with a clip.mp4 in it; blocks find what earlier ones left there.
//
//   ```c      begins with /* NAME.c */: written, and built as a plugin, which must load. "/* NAME.c, continued */" adds to it. Without a name: statements
//             in a function that has host, task, batch and given (its params)
//   ```yaml   begins with # NAME: written. A pipeline is checked. "yaml in=PATH": a part of one, put into pipelines/vod.yaml there. "yaml config": settings
//   ```lua    begins with -- NAME.lua: written, for the blocks that follow
//   ```sh     run; it must succeed. ```sh not-run="why": it is not
//   ```text output: the lines that the block before printed, in this order; … stands for anything
//   ```json   is JSON; ```make, ```cmake, ```console-free words (```text, ```http, none): as they are, written where they begin with # NAME
import assert from "node:assert/strict";
import {spawnSync} from "node:child_process";
import {appendFileSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from "node:fs";
import {tmpdir} from "node:os";
import path from "node:path";
import {after, before, test} from "node:test";
import YAML from "yaml";

const {MILLRACE_SOURCE, MILLRACE_BUILD, MILLRACE_CMAKE, MILLRACE_CC} = process.env;
const FOLDERS = ["docs/guide", "docs/plugin-author", "docs/operations"];
const WORDS = new Set(["", "text", "http", "make", "cmake", "json", "c", "yaml", "lua", "sh"]);
const root = mkdtempSync(path.join(tmpdir(), "millrace-docs-"));
const prefix = path.join(root, "prefix");

function run(what, program, args, options) {
  const done = spawnSync(program, args, {encoding: "utf8", timeout: 120000, ...options});
  assert.equal(done.status, 0, `${what}\n${done.stdout}${done.stderr}${done.error ?? ""}`);
  return done.stdout + done.stderr;
}

// The blocks of a page: {lang, info, line, text}.
export function blocks(text) {
  const found = [];
  let open = null;
  text.split("\n").forEach((line, index) => {
    const fence = /^( *)```(.*)$/.exec(line);
    if (fence && !open) open = {lang: fence[2].split(" ")[0], info: fence[2].split(" ").slice(1).join(" "), line: index + 1, indent: fence[1].length, lines: []};
    else if (fence && open) {
      found.push({...open, text: `${open.lines.join("\n")}\n`});
      open = null;
    } else if (open) open.lines.push(line.slice(open.indent));
  });
  assert.equal(open, null, "a block is never closed");
  return found;
}

// "watermark.c" of "/* watermark.c */" or "# watermark.yaml"; continued: it is added to.
function nameOf(block) {
  const match = /^(?:\/\* ([A-Za-z_][\w./-]*?)(, continued)? \*\/|(?:#|--) ([A-Za-z_][\w./-]*?)(, continued)?)\n/.exec(block.text);
  return match ? {name: match[1] ?? match[3], continued: Boolean(match[2] ?? match[4])} : null;
}

class Page {
  constructor(file) {
    this.file = file;
    this.dir = path.join(root, file.replaceAll("/", "-"));
    mkdirSync(path.join(this.dir, "home"), {recursive: true});
    copyFileSync(path.join(MILLRACE_SOURCE, "kit/samples/media.mp4"), path.join(this.dir, "clip.mp4"));
    symlinkSync(path.join(prefix, "share/millrace/pipelines"), path.join(this.dir, "pipelines"));
    const libraries = [path.join(prefix, "lib/pkgconfig")];
    for (const entry of readdirSync(path.join(prefix, "lib"))) libraries.push(path.join(prefix, "lib", entry, "pkgconfig"));
    this.env = {
      PATH: `${path.join(prefix, "bin")}:${process.env.PATH}`,
      HOME: path.join(this.dir, "home"),
      XDG_STATE_HOME: path.join(this.dir, "home/state"),
      LANG: "C.UTF-8",
      CC: MILLRACE_CC,
      MILLRACE_PLUGIN_PATH: this.dir,
      CMAKE_PREFIX_PATH: prefix,
      PKG_CONFIG_LIBDIR: libraries.join(":"),
    };
    this.output = "";
    this.later = [];
  }

  at(block) {
    return `${this.file}:${block.line}`;
  }

  run(block, program, args) {
    return run(this.at(block), program, args, {cwd: this.dir, env: this.env});
  }

  write(block) {
    const file = nameOf(block);
    if (!file) return null;
    const to = path.join(this.dir, file.name);
    mkdirSync(path.dirname(to), {recursive: true});
    (file.continued ? appendFileSync : writeFileSync)(to, block.text);
    return file.name;
  }

  // A file is built when the last of its blocks is there.
  c(block, rest) {
    const flags = ["-std=gnu11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-fvisibility=hidden", `-I${prefix}/include`];
    const name = this.write(block);
    if (!name) {
      const file = path.join(this.dir, `fragment-${block.line}.c`);
      writeFileSync(
        file,
        `#include <millrace/plugin.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nmr_status fragment(const mr_host *host, const mr_batch *batch, ` +
          `mr_task *task, const struct given *given);\n` +
          `mr_status fragment(const mr_host *host, const mr_batch *batch, mr_task *task, const struct given *given)\n{\n#line ${block.line + 1} "${this.file}"\n${block.text}` +
          `    (void)host, (void)batch, (void)task, (void)given;\n    return MR_OK;\n}\n`,
      );
      writeFileSync(file, readFileSync(file, "utf8").replace("mr_status fragment", "struct given {\n    int64_t limit;\n    bool lines;\n};\nmr_status fragment"));
      this.run(block, MILLRACE_CC, [...flags, "-Wno-unused-variable", "-fsyntax-only", file]);
      return;
    }
    if (rest.some((later) => later.lang === "c" && nameOf(later)?.name === name)) return;
    const object = name.replace(/\.c$/, ".so");
    this.run(block, MILLRACE_CC, [...flags, "-shared", "-o", object, name]);
    if (readFileSync(path.join(this.dir, name), "utf8").includes("mr_plugin_entry")) this.run(block, "millrace", ["plugins", path.join(this.dir, object)]);
  }

  check(block, name) {
    const folders = readdirSync(this.dir, {withFileTypes: true}).filter((entry) => entry.isDirectory()).map((entry) => path.join(this.dir, entry.name));
    run(this.at(block), "millrace", ["check", name], {cwd: this.dir, env: {...this.env, MILLRACE_PLUGIN_PATH: [this.dir, ...folders].join(":")}});
  }

  yaml(block) {
    const into = /(?:^| )in=(\S*)/.exec(block.info);
    let name = this.write(block);
    let value = YAML.parse(block.text);
    if (block.info === "config") {
      writeFileSync(path.join(this.dir, "config-block.yaml"), block.text);
      this.run(block, "millrace", ["settings", "--config", "config-block.yaml"]);
      return;
    }
    if (into) {
      const keys = into[1].split(".").filter(Boolean);
      const whole = YAML.parse(readFileSync(path.join(MILLRACE_SOURCE, "pipelines/vod.yaml"), "utf8"));
      let place = whole;
      for (const key of keys) place = place[key] ??= {};
      for (const [key, part] of Object.entries(value ?? {}))
        place[key] = part && typeof part === "object" && !Array.isArray(part) && keys.length === 0 ? {...place[key], ...part} : part;
      name = `part-${block.line}.yaml`;
      value = whole;
      writeFileSync(path.join(this.dir, name), YAML.stringify(whole, {aliasDuplicateObjects: false}));
    }
    if (!name) writeFileSync(path.join(this.dir, (name = `block-${block.line}.yaml`)), block.text);
    if (value?.millrace) this.later.push(() => this.check(block, name)); // it may name a plugin that is built further down
    else assert.ok(nameOf(block), `${this.at(block)}: say what this is: a pipeline, a file ("# NAME"), "yaml in=PATH" or "yaml config"`);
  }

  sh(block) {
    if (/^not-run="[^"]{8,}"$/.test(block.info)) return;
    assert.equal(block.info, "", `${this.at(block)}: what is '${block.info}'?`);
    this.output = this.run(block, "bash", ["--norc", "-euo", "pipefail", "-c", block.text]);
  }

  words(block) {
    if (block.info === "output") {
      let rest = this.output;
      for (const line of block.text.split("\n").filter((one) => one.trim() && one.trim() !== "…")) {
        const pattern = line.trim().split("…").map((part) => part.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+")).join(".*?");
        const match = new RegExp(pattern, "s").exec(rest);
        assert.ok(match, `${this.at(block)}: '${line.trim()}' is not (or not there) in what was printed:\n${this.output}`);
        rest = rest.slice(match.index + match[0].length);
      }
    } else this.write(block);
  }

  try(block, rest) {
    assert.ok(WORDS.has(block.lang), `${this.at(block)}: a block in '${block.lang}'`);
    if (block.lang === "c") this.c(block, rest);
    else if (block.lang === "yaml") this.yaml(block);
    else if (block.lang === "sh") this.sh(block);
    else if (block.lang === "lua") assert.ok(this.write(block), `${this.at(block)}: begin with the name of the file: -- NAME.lua`);
    else if (block.lang === "json") JSON.parse(`[${block.text.replaceAll("}\n{", "},\n{")}]`); // one value after the other
    else this.words(block);
  }
}

before(() => run("the installation", MILLRACE_CMAKE, ["--install", MILLRACE_BUILD, "--prefix", prefix]));
after(() => rmSync(root, {recursive: true, force: true}));

const pages = ["README.md"];
for (const folder of FOLDERS)
  for (const name of readdirSync(path.join(MILLRACE_SOURCE, folder)).filter((one) => one.endsWith(".md")).sort()) pages.push(`${folder}/${name}`);
for (const folder of readdirSync(path.join(MILLRACE_SOURCE, "plugins"), {withFileTypes: true}))
  if (folder.isDirectory() && folder.name !== "example") pages.push(`plugins/${folder.name}/README.md`);

for (const file of pages)
  test(file, () => {
    const page = new Page(file);
    const all = blocks(readFileSync(path.join(MILLRACE_SOURCE, file), "utf8"));
    all.forEach((block, index) => page.try(block, all.slice(index + 1)));
    page.later.forEach((check) => check());
  });
