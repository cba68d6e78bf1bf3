# SPDX-License-Identifier: MIT
"""What ffmpeg and ffprobe say of a file or a playlist: an independent reader's numbers, nothing of Millrace's."""
import json
import subprocess

import numpy


class ProbeError(Exception):
    pass


def run(command, binary=False, check=True):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False)
    if check and done.returncode != 0:
        raise ProbeError(f"{' '.join(map(str, command))}\n{done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout if binary else done.stdout.decode(errors="replace")


def ffprobe(path, *options):
    return json.loads(run(["ffprobe", "-v", "error", "-of", "json", *options, str(path)]))


def streams(path):
    # libavformat's DASH reader refuses the WebVTT file that an MPD names, unless it is told to take any extension.
    options = ["-allowed_extensions", "ALL"] if str(path).endswith(".mpd") else []
    return ffprobe(path, *options, "-show_streams")["streams"]


def first_stream(path, kind):
    """The first stream of a kind that is not cover art, or None."""
    for stream in streams(path):
        if stream["codec_type"] == kind and not stream.get("disposition", {}).get("attached_pic"):
            return stream
    return None


def picture_stream(path):
    """Of several streams of pictures, the largest."""
    found = [s for s in streams(path) if s["codec_type"] == "video" and not s.get("disposition", {}).get("attached_pic")]
    return max(found, key=lambda s: s["width"] * s["height"])


def first_packet(path, index):
    """(pts, dts) in seconds; None where the container has none."""
    found = ffprobe(path, "-select_streams", str(index), "-show_entries", "packet=pts_time,dts_time", "-read_intervals", "%+#1")["packets"]
    return tuple(float(found[0][name]) if found and name in found[0] else None for name in ("pts_time", "dts_time"))


def frame_times(path, selector="v:0"):
    """Presentation times in seconds of the decoded frames of a stream, in output order."""
    text = run(["ffmpeg", "-v", "error", "-copyts", "-i", str(path), "-map", f"0:{selector}", "-fps_mode", "passthrough",
                "-enc_time_base", "1/1000000", "-c:v", "rawvideo", "-vf", "scale=16:16:flags=neighbor", "-f", "framecrc", "-"], check=False)
    times = []
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        times.append(int(line.split(",")[2]) / 1e6)
    return times


def packets(path, selector):
    """(pts, dts, duration, is_key) in seconds of each packet of a stream."""
    found = ffprobe(path, "-select_streams", selector, "-show_entries", "packet=pts_time,dts_time,duration_time,flags")["packets"]
    return [(float(p["pts_time"]) if "pts_time" in p else None, float(p["dts_time"]) if "dts_time" in p else None,
             float(p.get("duration_time", 0)), "K" in p["flags"]) for p in found]


def samples(path, selector="a:0", rate=8000):
    """The sound as mono float samples with the gaps of its timestamps filled, and the time of the first sample."""
    first = ffprobe(path, "-select_streams", selector, "-show_entries", "frame=pts_time", "-read_intervals", "%+#40")["frames"]
    begin = next((float(f["pts_time"]) for f in first if "pts_time" in f), 0.0)
    data = run(["ffmpeg", "-v", "error", "-i", str(path), "-map", f"0:{selector}", "-af", "aresample=async=1:min_hard_comp=0.02",
                "-ac", "1", "-ar", str(rate), "-f", "f32le", "-"], binary=True, check=False)
    return begin, numpy.frombuffer(data, dtype="<f4")


def sound_span(path, selector="a:0"):
    """(start, end) in seconds of the decoded sound."""
    frames = ffprobe(path, "-select_streams", selector, "-show_entries", "frame=pts_time,nb_samples,sample_rate:stream=sample_rate")
    rate = int(frames["streams"][0]["sample_rate"])
    timed = [f for f in frames["frames"] if "pts_time" in f]
    if not timed:
        return None
    last = timed[-1]
    return float(timed[0]["pts_time"]), float(last["pts_time"]) + int(last["nb_samples"]) / rate


def lag_seconds(reference, other, rate, most=2.0):
    """How much later 'other' is than 'reference', by the peak of their cross-correlation; None when there is nothing to compare."""
    length = min(len(reference), len(other), rate * 20)
    if length < rate // 4:
        return None
    a = reference[:length] - reference[:length].mean()
    b = other[:length] - other[:length].mean()
    if numpy.abs(a).max() < 1e-3 or numpy.abs(b).max() < 1e-3:
        return None
    most = min(most, 0.4 * length / rate)  # a larger shift would compare next to nothing
    size = 1 << (2 * length - 1).bit_length()
    product = numpy.fft.irfft(numpy.fft.rfft(b, size) * numpy.conj(numpy.fft.rfft(a, size)), size)
    window = int(most * rate)
    candidates = numpy.concatenate([product[-window:], product[: window + 1]])
    return float(numpy.argmax(candidates) - window) / rate
