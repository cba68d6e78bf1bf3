# SPDX-License-Identifier: MIT
"""
The checker must fail on what is wrong. One right tree, and the same with a part taken from a tree of another source: a seam that shows,
a segment one frame late, sound 60 ms late, an end that is missing.
    test_checker.py --millrace BIN --pipeline FILE --work DIR
"""
import argparse
import shutil
import sys
from pathlib import Path

import checker
import clips
import playlists
import run

SOURCES = {  # what is done to the clip's picture and sound
    "right": [],
    "blurred_at_seam": ["-vf", "boxblur=6:enable='between(n\\,48\\,51)'"],
    "one_frame_late": ["-vf", "tpad=start=1:start_mode=clone"],
    "sound_late": ["-af", "adelay=60:all=1"],
}


def make_sources(folder):
    plain = clips.make("plain.mp4", folder)
    made = {}
    for name, filters in SOURCES.items():
        made[name] = folder / f"{name}.mkv"
        if not made[name].exists():
            clips.ffmpeg(["-i", str(plain), *filters, *clips.X264, "-qp", "10", "-c:a", "pcm_s16le", "-t", "5"], made[name])
    return made


def publish(options, source, tree):
    done = run.millrace(options, source, tree)
    if done.returncode != 0:
        sys.exit(f"millrace run failed: {done.stderr}")
    return tree


def broken_trees(options, made, right):
    """(name, tree, a word that the checker's sentence must hold)"""
    def copy(name):
        tree = options.work / "broken" / name
        shutil.rmtree(tree, ignore_errors=True)
        return Path(shutil.copytree(right, tree))

    for name, word in (("blurred_at_seam", "the seam at"), ("one_frame_late", "fits better one frame")):
        other = publish(options, made[name], options.work / "trees" / name)
        tree = copy(name)
        for rung in ("180p", "90p"):
            for index in (0, 1) if name == "blurred_at_seam" else (1,):
                shutil.copy(other / "video" / rung / f"0000{index}.m4s", tree / "video" / rung / f"0000{index}.m4s")
        yield name, tree, word
    other = publish(options, made["sound_late"], options.work / "trees" / "sound_late")
    tree = copy("sound_late")
    for path in (other / "audio").rglob("*.m4s"):
        shutil.copy(path, tree / path.relative_to(other))
    yield "sound_late", tree, "later than in the source"
    tree = copy("end_missing")
    for path in tree.glob("video/*/index.m3u8"):
        lines = path.read_text().splitlines()
        path.write_text("\n".join(lines[:-3] + lines[-1:]) + "\n")
    yield "end_missing", tree, "frames decode"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--work", required=True, type=Path)
    options = parser.parse_args()
    options.param = []
    shutil.rmtree(options.work / "state", ignore_errors=True)
    options.work.mkdir(parents=True, exist_ok=True)
    made = make_sources(options.work / "clips")
    expect = checker.Expect(audio=1)
    right = publish(options, made["right"], options.work / "trees" / "right")
    problems = checker.check_stream(made["right"], right, expect)
    failed = len(problems)
    print("the right tree:", problems or "right")
    over = []
    checker.check_ceiling("180p", playlists.read_media(right / "video" / "180p" / "index.m3u8"), 50_000, over)
    print("a low ceiling:", over[0] if over else "NOT FOUND")
    failed += not over
    as_real = checker.Expect(audio=1, exact_frames=False, steady=False, rungs=1)  # how real files are looked at (run.py)
    problems = checker.check_stream(made["right"], right, as_real)
    print("the right tree, as a real file:", problems or "right")
    failed += len(problems)
    for name, tree, word in broken_trees(options, made, right):
        for how, wanted in (("", expect), (", as a real file", as_real)):
            found = [problem for problem in checker.check_stream(made["right"], tree, wanted) if word in problem]
            print(f"{name}{how}: {found[0] if found else 'NOT FOUND'}")
            failed += not found
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
