# SPDX-License-Identifier: MIT
"""
The pictures of a rendition beside those of its source: both decoded by ffmpeg, the source's brought to the rendition's size, upright, progressive, in
its matrix and range, and put on its grid of frames by their times. Luma only; PSNR and SSIM by their definitions.
"""
import tempfile
from dataclasses import dataclass, field

import numpy

import probes

MOST_DB = 60.0  # what is beyond it nobody sees; of equal pictures it has no end
HDR = ("smpte2084", "arib-std-b67")
SD_WIDTH, SD_HEIGHT = 1024, 576  # up to this size, a source that does not name its matrix is taken for BT.601


@dataclass
class Pictures:
    luma: numpy.ndarray  # picture, line, column
    times: list          # seconds


@dataclass
class Row:
    """Of each frame of a rendition: how it fits the source's picture of its place, and (PSNR) those before and after that."""
    psnr: list = field(default_factory=list)
    ssim: list = field(default_factory=list)
    earlier: list = field(default_factory=list)
    later: list = field(default_factory=list)


def _chain(stream, size):
    order = stream.get("field_order", "progressive")
    smooth = "" if order in ("progressive", "unknown") else f"bwdif=mode=send_frame:parity={'tff' if order in ('tt', 'tb') else 'bff'}:deint=all,"
    known = stream.get("color_space", "unknown")
    if known in ("unknown", "gbr", "reserved"):
        known = "smpte170m" if int(stream["width"]) <= SD_WIDTH and int(stream["height"]) <= SD_HEIGHT else "bt709"
    # By zimg: libswscale is off by three levels here.
    matrix = "zscale=min=170m:m=709:pin=709:p=709:tin=709:t=709:rin=tv:r=tv,format=yuv420p," if known in ("smpte170m", "bt470bg") else ""
    return f"{smooth}scale={size[0]}:{size[1]}:flags=bicubic:out_range=tv,format=yuv420p,{matrix}extractplanes=y,split"


def decode(path, stream, size):
    """All pictures of a stream as they are shown, in order of time."""
    with tempfile.NamedTemporaryFile("r") as listed:
        data = probes.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-copyts", "-i", str(path), "-filter_complex",
                           f"[0:{stream['index']}]{_chain(stream, size)}[a][b];[b]scale=16:16:flags=neighbor[c]", "-map", "[a]", "-fps_mode", "passthrough", "-f",
                           "rawvideo", "-", "-map", "[c]", "-fps_mode", "passthrough", "-enc_time_base", "1/1000000", "-c:v", "rawvideo", "-f", "framecrc",
                           listed.name], binary=True, check=False)
        times = [int(line.split(",")[2]) / 1e6 for line in listed if line.strip() and not line.startswith("#")]
    area = size[0] * size[1]
    count = min(len(data) // area, len(times))
    luma = numpy.frombuffer(data, dtype=numpy.uint8, count=count * area).reshape(count, size[1], size[0])
    order = numpy.argsort(times[:count], kind="stable")
    return Pictures(luma if (order == numpy.arange(count)).all() else luma[order], sorted(times[:count]))


def psnr(a, b):
    difference = a.astype(numpy.int32) - b
    error = float(numpy.mean(difference * difference))
    return MOST_DB if error == 0 else min(MOST_DB, float(10 * numpy.log10(255 * 255 / error)))


def _sums(values):
    """Over blocks of 8x8, four apart."""
    height, width = (side // 4 * 4 for side in values.shape)
    small = values[:height, :width].reshape(height // 4, 4, width // 4, 4).sum(axis=(1, 3))
    return small[:-1, :-1] + small[1:, :-1] + small[:-1, 1:] + small[1:, 1:]


def ssim(a, b):
    """Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity" (2004), equation 13."""
    a, b = a.astype(numpy.int64), b.astype(numpy.int64)
    count = 64
    sum_a, sum_b = _sums(a), _sums(b)
    spread = _sums(a * a + b * b) * count - sum_a * sum_a - sum_b * sum_b
    common = _sums(a * b) * count - sum_a * sum_b
    c1, c2 = (0.01 * 255 * count) ** 2, (0.03 * 255) ** 2 * count * (count - 1)
    return float(numpy.mean((2 * sum_a * sum_b + c1) * (2 * common + c2) / ((sum_a * sum_a + sum_b * sum_b + c1) * (spread + c2))))


def _shown(times, held, fps, frames):
    """Which source picture each frame of the grid shows: the last whose place, the nearest to its time, is not after it."""
    places = [held + int(numpy.floor((time - times[0]) * fps + 0.5 + 1e-4)) for time in times]
    found, at = [], 0
    for frame in range(frames):
        while at + 1 < len(places) and places[at + 1] <= frame:
            at += 1
        found.append(at)
    return found


def _toned(source, made, shown):
    """HDR that was mapped to SDR: the source's luma by the curve that fits best over all frames. A seam shows all the same."""
    counts, sums = numpy.zeros(256), numpy.zeros(256)
    for frame, at in enumerate(shown):
        counts += numpy.bincount(source[at].ravel(), minlength=256)
        sums += numpy.bincount(source[at].ravel(), weights=made[frame].ravel(), minlength=256)
    return numpy.rint(sums / numpy.maximum(counts, 1)).astype(numpy.uint8)[source]


def compare(source, made, held, fps, hdr):
    """held: how many frames the first picture is shown before its time."""
    shown = _shown(source.times, held, fps, len(made.luma))
    luma = _toned(source.luma, made.luma, shown) if hdr else source.luma
    row = Row()
    for frame, at in zip(made.luma, shown):
        row.psnr.append(psnr(frame, luma[at]))
        row.ssim.append(ssim(frame, luma[at]))
        row.earlier.append(psnr(frame, luma[max(at - 1, 0)]))
        row.later.append(psnr(frame, luma[min(at + 1, len(luma) - 1)]))
    return row
