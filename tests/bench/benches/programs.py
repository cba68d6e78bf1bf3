"""state, tasks, lua: the engine's own programs that measure (bench_state.c, bench_tasks.c, bench_lua.c). What they print becomes rows."""
import re
import subprocess

from bench.peers import BUILD


def lines_of(name, *arguments):
    with subprocess.Popen([BUILD / "tests" / name, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as program:
        yield from program.stdout
    if program.returncode != 0:
        raise ValueError(f"{name}: exit code {program.returncode}")


def state(s):
    """How fast a state folder takes what workers report, on the disk of --work."""
    for line in lines_of("bench_state", str(s.options.work), "0.5" if s.options.quick else "2"):
        what, threads, rate = re.match(r"(\w+)\s+(\d+) threads\s+(\d+) per second", line).groups()
        s.row(f"{what} stored, {threads} thread{'' if threads == '1' else 's'}", float(rate), unit="/s")


def tasks(s):
    """What a task costs the engine."""
    lines = lines_of("bench_tasks", *(["1000", "10000"] if s.options.quick else []))
    next(lines)  # the heads
    for line in lines:
        count, first, again, _, *each = line.split()
        s.row(f"{count} tasks", float(first), unit="/s")
        s.row(f"{count} tasks, all cached", float(again), unit="/s")
        if each:
            s.row(f"{count} tasks, bytes of memory for each", float(each[0]), unit="")


def lua(s):
    """What an expression costs, a task in Lua beside the same in C, a frame of a filter, and a hook."""
    for line in lines_of("bench_lua", *(["500"] if s.options.quick else [])):
        found = re.match(r"(.+?)\s+([0-9.]+) us", line)
        if found:
            s.row(found.group(1), float(found.group(2)), unit="us")
