"""How good renditions are: PSNR, SSIM and, where this FFmpeg has it, VMAF, picture by picture against the source, at the source's size."""
import functools
import json
import pathlib
import re
import subprocess
import tempfile

import numpy

from bench import clips
from bench.peers import FFMPEG

PSNR_MOST = 60.0  # what two pictures that are the same count as
VALUES = ("psnr", "ssim", "vmaf")


@functools.lru_cache(maxsize=None)
def has_vmaf():
    done = subprocess.run([FFMPEG, "-hide_banner", "-filters"], capture_output=True, check=False)
    return b" libvmaf " in done.stdout


def read_psnr(text):
    return [min(float(value), PSNR_MOST) for value in re.findall(r"\bpsnr_y:(\S+)", text)]


def read_ssim(text):
    return [float(value) for value in re.findall(r"(?:^|\s)Y:(\S+)", text)]


def read_vmaf(text):
    return [frame["metrics"]["vmaf"] for frame in json.loads(text)["frames"]]


def summary(values):
    return {"mean": round(float(numpy.mean(values)), 5), "p5": round(float(numpy.percentile(values, 5)), 5)}


SHIFTS = (0, 1, -1)  # of a rendition against its source, in pictures: where the source begins between two ticks of the output's clock
ALIGN_S = 20
ALIGN_SIZE = "320:180"
NUMBERED = "settb=1/25,setpts=N"


def skipping(pictures):
    return f"trim=start_frame={pictures}," if pictures > 0 else ""


def alignment(clip, path):
    """Which picture of the rendition shows the source's first one: the shift at which they are most alike."""
    with tempfile.TemporaryDirectory(prefix="millrace-quality-") as work:
        count = len(SHIFTS)
        parts = [f"[{i}:v]scale={ALIGN_SIZE}:flags=bilinear,format=yuv420p,split={count}" + "".join(f"[{side}{k}]" for k in range(count)) for i, side in enumerate("sd")]
        outputs = []
        for k, shift in enumerate(SHIFTS):
            parts.append(f"[d{k}]{skipping(shift)}{NUMBERED}[e{k}];[s{k}]{skipping(-shift)}{NUMBERED}[t{k}];[e{k}][t{k}]psnr=shortest=1:stats_file={work}/{k}[p{k}]")
            outputs += ["-map", f"[p{k}]", "-fps_mode", "passthrough", "-enc_time_base", "1/25", "-f", "null", "-"]
        inputs = ["-t", str(ALIGN_S), "-i", clip.path, "-t", str(ALIGN_S), "-i", path]
        subprocess.run([FFMPEG, "-v", "error", "-nostdin", *inputs, "-filter_complex", ";".join(parts), *outputs], check=True)
        means = [numpy.mean(read_psnr(pathlib.Path(work, str(k)).read_text("ascii"))) for k in range(count)]
        return SHIFTS[int(numpy.argmax(means))]


def graph(clip, shifts, work):
    """Input 0 is the source; each rendition is brought to its size and compared with it. The filters, and the ends of their chains."""
    measured = 3 if has_vmaf() else 2
    parts = [f"[0:v]format=yuv420p,split={measured * len(shifts)}" + "".join(f"[s{i}_{k}]" for i in range(len(shifts)) for k in range(measured))]
    for i, shift in enumerate(shifts):
        parts += [f"[s{i}_{k}]{skipping(-shift)}{NUMBERED}[r{i}_{k}]" for k in range(measured)]
        parts.append(f"[{i + 1}:v]{skipping(shift)}{NUMBERED},scale={clip.width}:{clip.height}:flags=bicubic,format=yuv420p[d{i}]")
        parts.append(f"[d{i}][r{i}_0]psnr=shortest=1:stats_file={work}/psnr{i}[p{i}];[p{i}][r{i}_1]ssim=shortest=1:stats_file={work}/ssim{i}[e{i}_2]")
        if has_vmaf():
            parts.append(f"[e{i}_2][r{i}_2]libvmaf=shortest=1:log_path={work}/vmaf{i}:log_fmt=json[e{i}_3]")
    return ";".join(parts), [f"[e{i}_{measured}]" for i in range(len(shifts))]


def per_picture(clip, renditions, shifts):
    """For each file {psnr: [of each picture], ssim: …}. A rendition that has not the source's number of pictures can't be compared: ValueError."""
    for path in renditions:
        frames = clips.look(path).frames
        if abs(frames - clip.frames) > 1:
            raise ValueError(f"{path} has {frames} pictures, but {clip.path} has {clip.frames}")
    with tempfile.TemporaryDirectory(prefix="millrace-quality-") as work:
        filters, ends = graph(clip, shifts, work)
        command = [FFMPEG, "-v", "error", "-nostdin", "-i", clip.path]
        for path in renditions:
            command += ["-i", path]
        command += ["-filter_complex", filters]
        for label in ends:
            command += ["-map", label, "-fps_mode", "passthrough", "-enc_time_base", "1/25", "-f", "null", "-"]
        subprocess.run(command, check=True)
        found = []
        for i in range(len(renditions)):
            values = {"psnr": read_psnr(pathlib.Path(work, f"psnr{i}").read_text("ascii")), "ssim": read_ssim(pathlib.Path(work, f"ssim{i}").read_text("ascii"))}
            if has_vmaf():
                values["vmaf"] = read_vmaf(pathlib.Path(work, f"vmaf{i}").read_text("utf-8"))
            found.append(values)
        return found


def compare(clip, renditions, shifts):
    """For each file {psnr: {mean, p5}, ssim: …}. shifts: of each, as alignment() found them."""
    return [{name: summary(list_of) for name, list_of in values.items()} for values in per_picture(clip, renditions, shifts)]
