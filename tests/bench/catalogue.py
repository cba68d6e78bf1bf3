"""The benches there are."""
import dataclasses
import typing

from bench.benches import codecs, efficiency, first_frame, first_segment, fleet, ladder, lua_filter, memory, package, programs, rate_control, rerun, sandbox, server, storyboard


@dataclasses.dataclass(frozen=True)
class Bench:
    name: str
    what: str
    run: typing.Callable
    once_s: float   # what it takes on two cores: besides its rounds,
    round_s: float  # and for each of them
    main: bool = True


ALL = [
    Bench("ladder-veryfast", "1080p to four rungs, against FFmpeg", ladder.veryfast, 100, 95),
    Bench("ladder-medium", "the same, encoded more slowly", ladder.medium, 100, 190),
    Bench("efficiency", "CPU against x264 alone on raw pictures", efficiency.efficiency, 25, 40),
    Bench("first-segment", "until every rung can be played", first_segment.first_segment, 15, 12),
    Bench("first-frame", "from the last byte uploaded to a picture in a browser", first_frame.first_frame, 180, 120),
    Bench("package", "encoded media to HLS and DASH, against a copy", package.package, 25, 22),
    Bench("storyboard", "a picture per 10 s, against decoding everything", storyboard.storyboard, 80, 60),
    Bench("rerun", "the same again, ten minutes of source", rerun.rerun, 110, 1),
    Bench("add-rung", "a rung more, against encoding it alone", rerun.add_rung, 60, 30),
    Bench("scaling", "one slot, two slots", efficiency.scaling, 0, 80),
    Bench("short", "clips of 8 s", ladder.short, 40, 20),
    Bench("codecs", "HEVC, AV1 and VP9, against FFmpeg", codecs.codecs, 40, 45),
    Bench("server-requests", "the server's answers, against nginx", server.requests, 15, 25),
    Bench("server-segments", "segments of 1 MB, against nginx", server.segments, 100, 2),
    Bench("server-uploads", "2 GB, against dd and the reference server of tus; 200 uploads at a time", server.uploads, 40, 60),
    Bench("server-idle", "memory of 5,000 connections that rest", server.idle, 5, 5),
    Bench("sandbox", "what task hosts cost", sandbox.sandbox, 20, 25, main=False),
    Bench("memory", "whether memory grows with the length of a source", memory.memory, 20, 240, main=False),
    Bench("rate-control", "capped quality beside constant quality", rate_control.rate_control, 240, 0, main=False),
    Bench("fleet", "the scheduler and the store for a fleet, on a virtual clock", fleet.fleet, 300, 0, main=False),
    Bench("state", "tasks and contents that a state folder takes in a second", programs.state, 26, 0, main=False),
    Bench("tasks", "what a task costs the engine", programs.tasks, 60, 0, main=False),
    Bench("lua", "what expressions, tasks, frames and hooks cost in Lua", programs.lua, 10, 0, main=False),
    Bench("lua-filter", "what a frame filter in Lua adds to a transcode", lua_filter.lua_filter, 30, 25, main=False),
]
BY_NAME = {one.name: one for one in ALL}
