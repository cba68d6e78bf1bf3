"""The benches there are."""
import dataclasses
import typing

from bench.benches import ladder, programs


@dataclasses.dataclass(frozen=True)
class Bench:
    name: str
    what: str
    run: typing.Callable
    once_s: float   # what it takes on two cores: besides its rounds,
    round_s: float  # and for each of them
    main: bool = True


ALL = [
    Bench("ladder-veryfast", "1080p to four rungs, against FFmpeg", ladder.veryfast, 110, 160),
    Bench("ladder-medium", "the same, encoded more slowly", ladder.medium, 110, 370),
    Bench("state", "tasks and contents that a state folder takes in a second", programs.state, 26, 0, main=False),
    Bench("tasks", "what a task costs the engine", programs.tasks, 60, 0, main=False),
]
BY_NAME = {one.name: one for one in ALL}
