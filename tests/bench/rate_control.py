# SPDX-License-Identifier: MIT
"""
What the default rate control (capped quality: a second pass over a small analysis) costs beside x264's own constant quality, on real clips.
    python3 tests/bench/rate_control.py [--millrace BIN] [--height N] [--seconds N] [--preset NAME] [--ceiling BITRATE] [CLIP…]

For each clip, both are run at several qualities, and their pictures compared with the same ones encoded nearly without loss. Printed are
    spends  the bits of capped quality over those of constant quality, at the same wanted quality: how good the prediction is
    psnr    the bits that it takes more (+) or less (-) for the same PSNR (a BD-rate); ssim: for the same SSIM
    end     the PSNR of the last pictures before seams between chunks, capped over constant quality, in dB; all: that of all pictures
    over    the mean bitrate of the chunk that goes farthest over the ceiling, as a part of it (with --ceiling)
Clips are those of MILLRACE_MEDIA or ../shared/media; a few that differ are taken unless some are named.
"""
import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parents[2]
CLIPS = ["bbb_480p24_30s_aac51.mp4", "bench_tos_1080p2997_8s.mp4", "bench_croatia_1080p25_8s.mp4", "bench_bbb_1080p25_62s.mp4", "foreman_hevc_720p23976.mp4", "butterfly_720p2997.mp4",
         "ts_360p25_gameplay.ts", "car_768x432_12.5fps.mp4", "rotated_video.mp4", "sample_mpeg4asp_23976.avi"]
QUALITIES = (21, 27)
END = 4  # pictures before a seam
PIPELINE = """millrace: 1
name: rate-control
inputs:
  source: {{type: media}}
nodes:
  probe: {{op: probe.media, in: {{source: inputs.source}}}}
  ladder: {{op: transcode.ladder, in: {{info: probe.info}}, with: {{rungs: [{{height: {height}, max_bitrate: {ceiling}}}]}}}}
  plan: {{op: segment.plan, in: {{source: inputs.source, info: probe.info}}}}
  analysis: {{op: transcode.analyse, each: {{chunk: plan.chunks}}, in: {{source: inputs.source}}}}
  video:
    op: transcode.video
    each: {{chunk: plan.chunks, analysis: analysis.stats}}
    for: {{rung: ladder.rungs}}
    in: {{source: inputs.source}}
    with: {{preset: {preset}, rate_control: {mode}, quality: {quality}}}
  package: {{op: manifest.package, in: {{plan: plan.plan, ladder: ladder.rungs, segments: [video.segments]}}, with: {{formats: [hls]}}}}
  publish: {{op: storage.publish, in: {{files: package.files}}}}
outputs:
  hls: publish.hls
"""


def call(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    return done.stdout


def cut(source, seconds, folder):
    """The first seconds of a clip's picture, as they are."""
    path = folder / f"{re.sub('[^A-Za-z0-9]', '_', source.name)}.mkv"
    if not path.exists():
        call(["ffmpeg", "-v", "error", "-y", "-i", source, "-map", "0:v:0", "-c", "copy", "-t", str(seconds), path])
    return path


class Made:
    """One run: its pictures' file, the bits of each segment, and how many pictures each holds."""

    def __init__(self, options, source, mode, quality, preset, ceiling):
        name = f"{source.stem}-{mode}-{quality}-{preset}-{options.height}-{ceiling}"
        tree, pipeline = options.work / name, options.work / f"{name}.yaml"
        pipeline.write_text(PIPELINE.format(height=options.height, ceiling=ceiling, preset=preset, mode=mode, quality=quality))
        if not (tree / "run.json").exists():
            call([options.millrace, "run", pipeline, "--input", source, "--output", tree, "--state", options.work / "state"])
        playlist = next(tree.glob("video/*/index.m3u8")).read_text()
        folder = next(tree.glob("video/*"))
        init = re.search(r'#EXT-X-MAP:URI="([^"]+)"', playlist).group(1)
        segments = re.findall(r"#EXTINF:([0-9.]+),[^\n]*\n(?:#[^\n]*\n)*([^#\n]+)", playlist)
        self.seconds = [float(length) for length, _ in segments]
        self.bits = [8 * (folder / path).stat().st_size for _, path in segments]
        self.path = options.work / f"{name}.mp4"
        self.path.write_bytes((folder / init).read_bytes() + b"".join((folder / path).read_bytes() for _, path in segments))

    def chunks(self):
        """Segments of each chunk: the first two have one, the others two (segment.plan)."""
        rest = list(range(2, len(self.bits)))
        return [[0]] + ([[1]] if len(self.bits) > 1 else []) + [rest[i:i + 2] for i in range(0, len(rest), 2)]

    def seams(self, fps):
        """The picture after each end of a chunk."""
        ends, position = [], 0.0
        for chunk in self.chunks():
            position += sum(self.seconds[i] for i in chunk)
            ends.append(round(position * fps))
        return ends

    def highest(self, ceiling):
        return max(sum(self.bits[i] for i in chunk) / max(1.0, sum(self.seconds[i] for i in chunk)) for chunk in self.chunks()) / ceiling


def quality(reference, made):
    """PSNR of the luma and SSIM of each picture."""
    with tempfile.NamedTemporaryFile("r") as psnr, tempfile.NamedTemporaryFile("r") as ssim:
        call(["ffmpeg", "-v", "error", "-i", made.path, "-i", reference.path, "-lavfi", f"[0:v]split[a][b];[1:v]split[c][d];[a][c]psnr=stats_file={psnr.name}[e];[b][d]ssim=stats_file={ssim.name}[f]",
              "-map", "[e]", "-f", "null", "-", "-map", "[f]", "-f", "null", "-"])
        rows = [dict(part.split(":", 1) for part in line.split() if ":" in part) for line in psnr]
        psnrs = [min(60.0, float(row["psnr_y"])) if row["psnr_y"] != "inf" else 60.0 for row in rows]
        ssims = [float(dict(part.split(":", 1) for part in line.split() if ":" in part)["Y"]) for line in ssim]
    return numpy.array(psnrs), numpy.array(ssims)


def more_bits(points, others):
    """BD-rate of points over others; both are (bits, quality) lists. Mean, over the qualities that both reach, of how many bits more points take."""
    (bits, values), (other_bits, other_values) = (zip(*sorted(row, key=lambda p: p[1])) for row in (points, others))
    low, high = max(values[0], other_values[0]), min(values[-1], other_values[-1])
    if high <= low:
        return float("nan")
    grid = numpy.linspace(low, high, 50)
    difference = numpy.interp(grid, values, numpy.log(bits)) - numpy.interp(grid, other_values, numpy.log(other_bits))
    return math.exp(difference.mean()) - 1


def measure(options, name, source):
    fps = eval_rate(call(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=avg_frame_rate", "-of", "csv=p=0", source]))
    reference = Made(options, source, "crf", 1, "superfast", "1G")
    points = {"quality": [], "crf": []}
    ends, alls, spends, over = [], [], [], 0.0
    for wanted in QUALITIES:
        rows = {}
        for mode, row in points.items():
            made = Made(options, source, mode, wanted, options.preset, options.ceiling)
            rows[mode] = (made, *quality(reference, made))
            row.append((sum(made.bits), rows[mode][1].mean(), rows[mode][2].mean()))
        capped, constant = rows["quality"], rows["crf"]
        difference = capped[1] - constant[1]
        places = [k for seam in capped[0].seams(fps) for k in range(max(0, seam - END), min(seam, len(difference)))]
        ends.append(difference[places].mean())
        alls.append(difference.mean())
        spends.append(sum(capped[0].bits) / sum(constant[0].bits))
        over = max(over, capped[0].highest(bitrate(options.ceiling)))
    psnr, ssim = (more_bits([(row[0], row[k]) for row in points["quality"]], [(row[0], row[k]) for row in points["crf"]]) for k in (1, 2))
    print(f"{name[:28]:28} spends {' '.join(f'{value:5.2f}' for value in spends)}  psnr {100 * psnr:+6.1f} %  ssim {100 * ssim:+6.1f} %"
          f"  end {' '.join(f'{value:+5.2f}' for value in ends)} dB  all {' '.join(f'{value:+5.2f}' for value in alls)} dB  over {over:.3f}", flush=True)
    return {"spends": spends, "psnr": psnr, "ssim": ssim, "end": numpy.array(ends) - numpy.array(alls)}


def eval_rate(text):
    numerator, denominator = re.match(r"(\d+)/(\d+)", text.strip()).groups()
    return int(numerator) / max(1, int(denominator))


def bitrate(text):
    return float(text[:-1]) * {"k": 1e3, "M": 1e6, "G": 1e9}[text[-1]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", default=ROOT / "build" / "bin" / "millrace", type=Path)
    parser.add_argument("--media", default=os.environ.get("MILLRACE_MEDIA") or ROOT.parent / "shared" / "media", type=Path)
    parser.add_argument("--height", default=360, type=int)
    parser.add_argument("--seconds", default=14, type=int, help="of each clip")
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--ceiling", default="500M", help="max_bitrate, with k or M")
    parser.add_argument("--work", type=Path, help="a folder to keep what is made; what is there already is not made again")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    parser.add_argument("clips", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options.work = options.work or Path(folder)
        options.work.mkdir(parents=True, exist_ok=True)
        results = {}
        for name in options.clips or CLIPS:
            if (options.media / name).exists():
                results[name] = measure(options, name, cut(options.media / name, options.seconds, options.work))
            else:
                print(f"{name} is not in {options.media}")
    if not results:
        return 1
    errors = sorted(abs(math.log(value)) for row in results.values() for value in row["spends"])
    print(f"{'all':34} spends {math.exp(numpy.mean([math.log(v) for row in results.values() for v in row['spends']])):.2f}, half of them within {100 * (math.exp(numpy.median(errors)) - 1):.0f} %"
          f"; psnr {100 * numpy.nanmean([row['psnr'] for row in results.values()]):+.1f} %, ssim {100 * numpy.nanmean([row['ssim'] for row in results.values()]):+.1f} %"
          f"; end beside all {numpy.mean([row['end'].mean() for row in results.values()]):+.2f} dB, worst {min(row['end'].min() for row in results.values()):+.2f} dB")
    if options.json:
        options.json.write_text(json.dumps({name: {key: [float(v) for v in numpy.atleast_1d(value)] for key, value in row.items()} for name, row in results.items()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
