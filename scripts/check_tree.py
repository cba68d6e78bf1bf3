#!/usr/bin/env python3
"""The rules of the tree that no compiler knows: which layer may include which, banned functions and words, how long a file may be."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_LINES = 600

# Each layer, and what its files may include besides their own. base <- config <- scripting <- graph <- runtime <- cli.
LAYERS = ["core/include", "core/base", "core/config", "scripting", "core/graph", "core/runtime", "core/cli"]
# Static libraries that plugins share; none includes another.
SHARED = {"plugins/media", "plugins/http", "api-server/http"}
ALLOWED = {layer: set(LAYERS[: i + 1]) for i, layer in enumerate(LAYERS)}
# The program that ops run in stands beside the command, on the runtime.
LAYERS.append("core/task-host")
ALLOWED["core/task-host"] = ALLOWED["core/runtime"] | {"core/task-host"}
# A plugin that millrace test-plugin puts between an op and its host; the command knows what they share.
LAYERS.append("core/inspector")
ALLOWED["core/inspector"] = {"core/include", "core/inspector"}
ALLOWED["core/cli"] = ALLOWED["core/cli"] | {"core/inspector"}

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<(millrace/[^>]+)>)')
BANNED = re.compile(r"\b(atoi|atof|atol|strcpy|strcat|sprintf|vsprintf|system|popen|gets|strtok)\s*\(")
# Spelled in two parts, so that this file does not find itself.
MARKS = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b|\bst" r"ub\b")
TEST_SLEEP = re.compile(r"\b(usleep|nanosleep|sleep)\s*\(")


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def layer_of(path):
    """The layer or plugin folder that a file belongs to; None for tests and tools, which may include what they test."""
    parts = path.split("/")
    if "test" in parts[:-1] or parts[0] == "tests":
        return None
    if parts[0] == "plugins" and len(parts) > 2:
        return "/".join(parts[:2])
    if parts[0] == "api-server":
        return "api-server/http" if parts[1] == "http" else "api-server"
    for layer in LAYERS:
        if path.startswith(layer + "/"):
            return layer
    return None


def resolve(file, name):
    for base in (file.rpartition("/")[0], "core", "core/include", "plugins", ""):
        candidate = f"{base}/{name}" if base else name
        candidate = re.sub(r"[^/]+/\.\./", "", candidate)
        if (ROOT / candidate).is_file():
            return candidate
    return None


def check_includes(file, number, line):
    match = INCLUDE.match(line)
    layer = layer_of(file)
    if not match or not layer:
        return None
    target = resolve(file, match.group(1) or match.group(2))
    owner = layer_of(target) if target else None
    if owner is None or owner == layer:
        return None
    if layer.startswith(("plugins/", "api-server")):
        allowed = {"core/include"} | (SHARED if layer not in SHARED else set())
    else:
        allowed = ALLOWED[layer]
    if owner in allowed:
        return None
    return f"{file}:{number}: {layer} must not include {target}: only {', '.join(sorted(allowed - {layer})) or 'nothing'} stand below it"


def check_code(file):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    if len(lines) > MAX_LINES:
        yield f"{file}: {len(lines)} lines; more than {MAX_LINES} are hard to read: split it by what it does"
    is_c = file.endswith((".c", ".h"))
    if is_c and (not lines or "SPDX-License-Identifier: MIT" not in lines[0]):
        yield f"{file}:1: must begin with /* SPDX-License-Identifier: MIT */"
    for number, line in enumerate(lines, 1):
        if is_c:
            problem = check_includes(file, number, line)
            if problem:
                yield problem
            match = BANNED.search(line)
            if match:
                yield f"{file}:{number}: {match.group(1)}() is banned: it has no limit or tells no errors"
            if file.startswith("tests/") or "/test/" in file:
                if TEST_SLEEP.search(line):
                    yield f"{file}:{number}: a test waits for an event, not for a time"
        match = MARKS.search(line)
        if match:
            yield f"{file}:{number}: '{match.group(0)}': finish it, or open an issue"


def main():
    patterns = ("*.c", "*.h", "*.lua", "*.ts", "*.mjs", "*.js", "*.py", "*.sh", "*.cmake", "CMakeLists.txt", "**/CMakeLists.txt", "dev", ".ci/run")
    code = [file for file in tracked(*patterns) if not file.startswith("tests/fuzz/corpus/")]  # inputs, whatever they are called
    problems = [problem for file in code for problem in check_code(file)]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"rules of the tree: {len(code)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
