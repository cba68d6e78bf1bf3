"""first-frame: seconds from the last byte of an upload to the first right picture in a browser, however long the video is; and how a video that is ready starts
and seeks. A real server on fresh data, Millrace's own page in Chromium (first_frame.mjs), a film whose pictures carry their numbers."""
import json
import os
import statistics
import subprocess

from bench import clips, peers

SCRIPT = peers.ROOT / "tests" / "bench" / "first_frame.mjs"
LENGTHS = ((10, "10 s"), (60, "1 min"), (600, "10 min"), (3600, "60 min"))
QUICK = 2  # so many of them
LOOP_S = 60
READY_S = 120
LEAST_S, LEAST_READY_S = 3.0, 0.5
LEAST_SEEKS = 20


def node(*words):
    environment = dict(os.environ, MILLRACE=str(peers.MILLRACE), MILLRACE_PIPELINE_PATH=str(peers.ROOT / "pipelines"))
    return subprocess.run(["node", SCRIPT, *map(str, words)], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True).stdout


def numbered():
    """A minute of film whose pictures carry their numbers, silent: sound of an encoder's making is never as long as the picture, and would shift what follows it."""
    film = clips.long_clip()

    def write(path):
        subprocess.run([peers.FFMPEG, "-v", "error", "-nostdin", "-y", "-i", film.path, "-an", "-vf", f"scale=1920:1080,fps=25,{node('filter')},setpts=N/25/TB", "-frames:v", str(LOOP_S * 25),
                        "-c:v", "libx264", "-preset", "veryfast", "-crf", "24", "-maxrate", "3M", "-bufsize", "6M", "-g", "100", path], check=True)

    return clips.made(f"numbered_1080p25_{LOOP_S}s.mp4", write)


def clip_of(seconds):
    """So long, with sound; after a minute it begins anew."""
    loop = numbered()

    def write(path):
        subprocess.run([peers.FFMPEG, "-v", "error", "-nostdin", "-y", "-stream_loop", str(-(-seconds // LOOP_S) - 1), "-i", loop.path, "-f", "lavfi",
                        "-i", f"anoisesrc=duration={seconds}:sample_rate=48000:color=pink:seed=7:amplitude=0.2,aformat=channel_layouts=stereo", "-map", "0:v", "-map", "1:a",
                        "-c:v", "copy", "-c:a", "aac", "-b:a", "96k", "-t", str(seconds), "-movflags", "+faststart", path], check=True)

    return clips.made(f"numbered_1080p25_{seconds}s_with_sound.mp4", write)


def percentile(values, percent):
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def first_frame(s):
    lengths = LENGTHS[:QUICK] if s.options.quick else LENGTHS
    made = {name: clip_of(seconds) for seconds, name in lengths}
    found = {name: [] for name in made}
    for turn in range(s.options.rounds):
        for name, clip in made.items():
            with s.work() as work:
                one = json.loads(node("cold", work, clip.path, LOOP_S * 25))
            found[name].append(one)
            s.note(f"{name}, round {turn + 1}: playable after {one['playable_s']:.2f} s, a picture of {one['height']} lines after {one['frame_s']:.2f} s, "
                   f"{one['done']} of {one['tasks']} tasks done; " + ", ".join(f"{what} {at:.2f}" for what, at in one["marks"].items()))
            if one["media_time"] > 0.04 or one["done"] * 2 >= one["tasks"]:
                raise ValueError(f"{name}: the first picture was that of {one['media_time']} s, with {one['done']} of {one['tasks']} tasks done: this is not a cold start")
    for name, rounds in found.items():
        s.row(f"{name}: from the last byte to the first picture", [one["frame_s"] for one in rounds], unit="s", least=LEAST_S)
        s.row(f"{name}: of that, until it is said to be playable", [one["playable_s"] for one in rounds], unit="s")
    ready(s)


def ready(s):
    with s.work() as work:
        one = json.loads(node("ready", work, clip_of(LOOP_S if s.options.quick else READY_S).path, LOOP_S * 25))
    if len(one["seeks"]) < LEAST_SEEKS:
        raise ValueError(f"only {len(one['seeks'])} seeks went to where nothing was loaded")
    s.row("ready: from the press to the first picture, median", statistics.median(one["starts"]), unit="s")
    s.row("ready: from the press to the first picture, 95th percentile", percentile(one["starts"], 95), unit="s", least=LEAST_READY_S)
    s.row("ready: seek, median", statistics.median(one["seeks"]), unit="s")
    s.row("ready: seek, 95th percentile", percentile(one["seeks"], 95), unit="s", least=LEAST_READY_S)
    s.row("ready: from nothing, the page too", one["loaded"], unit="s")
    s.row("ready: pauses while it plays", float(one["waits"]), unit="", least=0.0)
