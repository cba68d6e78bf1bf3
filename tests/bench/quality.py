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


def graph(clip, count, work):
    """Input 0 is the source; each rendition is brought to its size and compared with it."""
    measured = 3 if has_vmaf() else 2
    numbered = f"settb=1/25,setpts=N,scale={clip.width}:{clip.height}:flags=bicubic,format=yuv420p"
    parts = [f"[0:v]{numbered},split={measured * count}" + "".join(f"[r{i}_{k}]" for i in range(count) for k in range(measured))]
    for i in range(count):
        parts.append(f"[{i + 1}:v]{numbered}[d{i}];[d{i}][r{i}_0]psnr=stats_file={work}/psnr{i}[p{i}];[p{i}][r{i}_1]ssim=stats_file={work}/ssim{i}[s{i}]")
        if has_vmaf():
            parts.append(f"[s{i}][r{i}_2]libvmaf=log_path={work}/vmaf{i}:log_fmt=json[v{i}]")
    return ";".join(parts), [f"[{'v' if has_vmaf() else 's'}{i}]" for i in range(count)]


def per_picture(clip, renditions):
    """For each file {psnr: [of each picture], ssim: …}. A rendition that has not the source's number of pictures can't be compared: ValueError."""
    for path in renditions:
        frames = clips.look(path).frames
        if frames != clip.frames:
            raise ValueError(f"{path} has {frames} pictures, but {clip.path} has {clip.frames}")
    with tempfile.TemporaryDirectory(prefix="millrace-quality-") as work:
        filters, ends = graph(clip, len(renditions), work)
        command = [FFMPEG, "-v", "error", "-nostdin", "-i", clip.path]
        for path in renditions:
            command += ["-i", path]
        command += ["-filter_complex", filters]
        for label in ends:
            command += ["-map", label, "-fps_mode", "passthrough", "-f", "null", "-"]
        subprocess.run(command, check=True)
        found = []
        for i in range(len(renditions)):
            values = {"psnr": read_psnr(pathlib.Path(work, f"psnr{i}").read_text("ascii")), "ssim": read_ssim(pathlib.Path(work, f"ssim{i}").read_text("ascii"))}
            if has_vmaf():
                values["vmaf"] = read_vmaf(pathlib.Path(work, f"vmaf{i}").read_text("utf-8"))
            found.append(values)
        return found


def compare(clip, renditions):
    """For each file {psnr: {mean, p5}, ssim: …}."""
    return [{name: summary(list_of) for name, list_of in values.items()} for values in per_picture(clip, renditions)]
