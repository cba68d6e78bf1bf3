"""The commands that are compared: ours, and others with the same encoder, the same structure of segments and the bit rates of our result."""
import json
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MILLRACE_BUILD", ROOT / "build")).resolve()
MILLRACE = BUILD / "bin" / "millrace"
FFMPEG = os.environ.get("FFMPEG", "ffmpeg")
X264 = os.environ.get("X264", "x264")
NGINX = "/usr/sbin/nginx"
# npm's shaka-packager brings a program for each kind of machine.
SHAKA = ROOT / "tests" / "node_modules" / "shaka-packager" / "bin" / f"packager-linux-{'arm64' if os.uname().machine == 'aarch64' else 'x64'}"
# Those of pipelines/vod.yaml: name, height, ceiling.
LADDER = (("240p", 240, 200_000), ("480p", 480, 800_000), ("720p", 720, 2_500_000), ("1080p", 1080, 5_000_000))
SEGMENT_S = 4
FIRST_SEGMENT_S = 2  # segment.plan's default
AUDIO_BITRATES = {2: "128k", 6: "384k"}
# As plugins/media/encode.h has them.
VBV_RATE, VBV_BUFFER = 1.07, 1.5


def fresh(path):
    """A folder that isn't there yet."""
    path = pathlib.Path(path)
    shutil.rmtree(path, ignore_errors=True)
    return path


# ---- ours ----
def millrace(source, work, *options, pipeline="vod.yaml", out="out", state="state"):
    return [MILLRACE, "run", ROOT / "pipelines" / pipeline, "--input", source, "--output", f"{work}/{out}", "--state", f"{work}/{state}", "--quiet", *options]


def ladder_param(rungs):
    return "ladder=" + json.dumps([{"height": height, "max_bitrate": ceiling} for _, height, ceiling in rungs])


def media_playlist(folder):
    """(init segment, [(seconds, segment)]) of a rendition."""
    text = (folder / "index.m3u8").read_text(encoding="utf-8")
    init = re.search(r'#EXT-X-MAP:URI="([^"]+)"', text).group(1)
    found = re.findall(r"#EXTINF:([0-9.]+),[^\n]*\n(?:#[^\n]*\n)*([^#\n]+)", text)
    return folder / init, [(float(seconds), folder / name) for seconds, name in found]


def check_tree(out, clip):
    """What was published is whole: the run says so, each playlist is as long as the source, and what it names is there."""
    report = json.loads((pathlib.Path(out) / "run.json").read_text(encoding="utf-8"))
    if report["state"] != "succeeded":
        raise ValueError(f"{out}: the run is {report['state']}")
    playlists = list(pathlib.Path(out).glob("*/*/index.m3u8"))
    if not playlists or not (pathlib.Path(out) / "manifest.mpd").is_file():
        raise ValueError(f"{out}: nothing was published")
    for playlist in playlists:
        init, segments = media_playlist(playlist.parent)
        seconds = sum(length for length, _ in segments)
        if abs(seconds - clip.seconds) > 0.2 + clip.seconds / 1000:
            raise ValueError(f"{playlist}: {seconds:.3f} s of {clip.seconds:.3f} s")
        for path in [init, *(path for _, path in segments)]:
            if path.stat().st_size == 0:
                raise ValueError(f"{path} is empty")


def segment_files(out, name):
    init, segments = media_playlist(pathlib.Path(out) / "video" / name)
    return init, [path for _, path in segments]


def bitrates(out):
    """Bits per second of each rung of our tree."""
    found = {}
    for folder in sorted((pathlib.Path(out) / "video").iterdir()):
        _, segments = media_playlist(folder)
        found[folder.name] = 8 * sum(path.stat().st_size for _, path in segments) / sum(seconds for seconds, _ in segments)
    return found


# ---- FFmpeg ----
def h264_options(index, rate, ceiling, preset, gop, segment):
    return [f"-c:v:{index}", "libx264", f"-preset:v:{index}", preset, f"-profile:v:{index}", "high", f"-b:v:{index}", round(rate),
            f"-maxrate:v:{index}", round(ceiling * VBV_RATE), f"-bufsize:v:{index}", round(ceiling * VBV_BUFFER), f"-g:v:{index}", gop,
            f"-flags:v:{index}", "+cgop", f"-force_key_frames:v:{index}", f"expr:gte(t,n_forced*{segment})"]


def audio_options(channels):
    """The same sound as ours: stereo, and the surround it came from."""
    words = []
    for index, count in enumerate([2, 6] if channels == 6 else [2] if channels else []):
        words += ["-map", "0:a:0", f"-c:a:{index}", "aac", f"-b:a:{index}", AUDIO_BITRATES[count], f"-ac:a:{index}", count]
    return words


def packaging(out, channels, segment=SEGMENT_S):
    """FFmpeg's way to HLS and DASH over one set of segments."""
    sets = "id=0,streams=v id=1,streams=a" if channels else "id=0,streams=v"
    return ["-f", "dash", "-seg_duration", segment, "-use_template", 1, "-use_timeline", 1, "-dash_segment_type", "mp4", "-hls_playlist", 1,
            "-adaptation_sets", sets, f"{out}/manifest.mpd"]


def ffmpeg_ladder(clip, out, rungs, encoder, audio=True, segment=SEGMENT_S):
    """One process: decoded once, split, scaled to each rung, encoded, packaged. encoder(index, rung) gives the options of one rung."""
    fresh(out).mkdir(parents=True)
    channels = clip.channels if audio else 0
    filters = f"[0:v]split={len(rungs)}" + "".join(f"[s{i}]" for i in range(len(rungs)))
    for i, (_, height, _) in enumerate(rungs):
        filters += f";[s{i}]" + ("null" if height == clip.height else f"scale=-2:{height}:flags=bicubic") + f"[v{i}]"
    words = [FFMPEG, "-v", "error", "-nostdin", "-y", "-i", clip.path, "-filter_complex", filters]
    for i, rung in enumerate(rungs):
        words += ["-map", f"[v{i}]", *encoder(i, rung)]
    return words + audio_options(channels) + packaging(out, channels, segment)


def ffmpeg_h264(clip, out, rungs, rates, preset, audio=True, segment=SEGMENT_S):
    gop = round(segment * clip.fps)
    return ffmpeg_ladder(clip, out, rungs, lambda index, rung: h264_options(index, rates[rung[0]], rung[2], preset, gop, segment), audio, segment)


def ffmpeg_segments(out, index):
    """(init segment, segments) of a stream that FFmpeg packaged."""
    return pathlib.Path(out, f"init-stream{index}.m4s"), sorted(pathlib.Path(out).glob(f"chunk-stream{index}-*.m4s"))


def joined(init, segments, path):
    """One file that a decoder reads."""
    path = pathlib.Path(path)
    with path.open("wb") as whole:
        for part in [init, *segments]:
            whole.write(part.read_bytes())
    return path


# ---- others ----
def shaka(source, out, channels):
    fresh(out).mkdir(parents=True)
    words = [f"in={source},stream={kind},init_segment={out}/{kind}-init.mp4,segment_template={out}/{kind}-$Number$.m4s,playlist_name={kind}.m3u8"
             for kind in (["video", "audio"] if channels else ["video"])]
    return [SHAKA, *words, "--quiet", "--segment_duration", SEGMENT_S, "--mpd_output", f"{out}/manifest.mpd", "--hls_master_playlist_output", f"{out}/master.m3u8"]


def first_line(*command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except OSError:
        return "absent"
    text = done.stdout.decode(errors="replace").strip()
    return text.splitlines()[0] if text else "?"


def versions():
    return {"millrace": first_line(MILLRACE, "--version"), "ffmpeg": first_line(FFMPEG, "-version").split(" Copyright")[0], "x264": first_line(X264, "--version"),
            "shaka-packager": first_line(SHAKA, "--version"), "nginx": first_line(NGINX, "-v").removeprefix("nginx version: ")}
