# SPDX-License-Identifier: MIT
"""What ffmpeg and ffprobe say of a file or a playlist: an independent reader's numbers, nothing of Millrace's."""
import json
import subprocess
import tempfile

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


def quality(reference, stream, width, height, shift=0):
    """(PSNR in dB of the luma, SSIM) of each frame of a stream against the reference brought to its size. shift: of the reference, in frames: 1
    compares with the next one."""
    cut_reference = f"trim=start_frame={shift}," if shift > 0 else ""
    cut_stream = f"trim=start_frame={-shift}," if shift < 0 else ""
    with tempfile.NamedTemporaryFile("r") as psnr, tempfile.NamedTemporaryFile("r") as ssim:
        run(["ffmpeg", "-v", "error", "-i", str(reference), "-i", str(stream), "-lavfi",
             f"[0:v:0]{cut_reference}scale={width}:{height}:flags=bicubic,format=yuv420p,setpts=N/25/TB,split[a][b];"
             f"[1:v:0]{cut_stream}format=yuv420p,setpts=N/25/TB,split[c][d];"
             f"[c][a]psnr=stats_file={psnr.name}:shortest=1[e];[d][b]ssim=stats_file={ssim.name}:shortest=1[f]", "-map", "[e]", "-f", "null", "-", "-map", "[f]",
             "-f", "null", "-"])
        return list(zip(_field(psnr, "psnr_y", 100.0), _field(ssim, "Y", 1.0)))


def _field(lines, name, infinite):
    fields = [dict(part.split(":", 1) for part in line.split() if ":" in part) for line in lines]
    return [infinite if found[name] == "inf" else float(found[name]) for found in fields if name in found]
