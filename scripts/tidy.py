#!/usr/bin/env python3
"""Runs clang-tidy on every tracked C file of compile_commands.json, and remembers what was clean.

A verdict is remembered by a hash of all that decides it: the preprocessed file with its comments (NOLINT is one), the file itself, .clang-tidy,
and clang-tidy's version. Only clean files are remembered, in the user's cache folder, so that a fresh checkout is quick too.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Tests are programs of one thread, their numbers are small and known, and they hold tables of adjacent literals.
RELAXED = "-concurrency-mt-unsafe,-bugprone-implicit-widening-of-multiplication-result,-bugprone-suspicious-missing-comma"


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = pathlib.Path(base) / "millrace" / "tidy"
    path.mkdir(parents=True, exist_ok=True)
    return path


def command_words(entry):
    words = entry.get("arguments") or shlex.split(entry["command"])
    if os.path.basename(words[0]) == "ccache":
        words = words[1:]
    return words


def preprocessed(entry):
    words = command_words(entry)
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MT", "-MQ"):
            skip = True
        elif word not in ("-c", "-MD", "-MMD"):
            kept.append(word)
    done = subprocess.run(kept + ["-E", "-C", "-P"], cwd=entry["directory"], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def key_of(entry, salt):
    text = preprocessed(entry)
    if text is None:
        return None
    digest = hashlib.sha256(salt)
    digest.update(pathlib.Path(entry["file"]).read_bytes())
    # The checkout's own path must not matter.
    digest.update(text.replace(str(ROOT).encode(), b"."))
    return digest.hexdigest()


def is_test(file):
    parts = pathlib.Path(file).relative_to(ROOT).parts
    return parts[0] == "tests" or "test" in parts


def check(entry, build, salt, cache):
    key = key_of(entry, salt)
    if key and (cache / key).exists():
        return entry["file"], 0, "", True
    relaxed = [f"--checks={RELAXED}"] if is_test(entry["file"]) else []
    done = subprocess.run(
        ["clang-tidy", "--quiet", "--extra-arg=-Wno-unknown-warning-option", *relaxed, "-p", str(build), entry["file"]],
        capture_output=True, text=True, check=False)
    if done.returncode == 0 and key:
        (cache / key).touch()
    return entry["file"], done.returncode, done.stdout + (done.stderr if done.returncode else ""), False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="the folder with compile_commands.json")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--list", action="store_true", help="only say which files would be checked")
    parser.add_argument("files", nargs="*", help="only these (default: all)")
    args = parser.parse_args()
    build = pathlib.Path(args.build).resolve()
    listed = subprocess.run(["git", "ls-files", "*.c"], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = {str(ROOT / name) for name in listed.stdout.split()}
    wanted = {str(pathlib.Path(name).resolve()) for name in args.files}
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = str(pathlib.Path(entry["directory"], entry["file"]).resolve())
        if file in tracked and (not wanted or file in wanted):
            entries.setdefault(file, dict(entry, file=file))
    if args.list:
        print("\n".join(sorted(entries)))
        return 0
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    rules = subprocess.run(["git", "ls-files", "*.clang-tidy"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    salt = version + RELAXED.encode() + b"".join((ROOT / name).read_bytes() for name in rules)
    cache = cache_dir()
    bad = reused = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for file, status, text, cached in pool.map(lambda e: check(e, build, salt, cache), entries.values()):
            reused += cached
            if status:
                bad += 1
                print(f"{os.path.relpath(file, ROOT)}:\n{text}", file=sys.stderr)
    print(f"clang-tidy: {len(entries)} files, {reused} unchanged since they were found clean, {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
