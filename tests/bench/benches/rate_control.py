"""rate-control: what the default (capped quality: a second pass over a small analysis) costs beside x264's own constant quality, on clips that differ. For each:
    spends  the bits of capped quality over those of constant quality, at the same wanted quality: how good the prediction is
    psnr    the bits that it takes more (+) or less (-) for the same PSNR (a BD-rate); ssim: for the same SSIM
    end     the PSNR of the last pictures before seams between chunks, capped over constant quality, less that of all pictures
Pictures are compared with the same ones encoded nearly without loss."""
import math
import statistics

import numpy

from bench import clips, measure, peers, quality

CLIPS = ("bbb_480p24_30s_aac51.mp4", "bench_tos_1080p2997_8s.mp4", "bench_croatia_1080p25_8s.mp4", "bench_bbb_1080p25_62s.mp4", "foreman_hevc_720p23976.mp4",
         "butterfly_720p2997.mp4", "ts_360p25_gameplay.ts", "car_768x432_12.5fps.mp4", "rotated_video.mp4", "sample_mpeg4asp_23976.avi")
QUALITIES = (21, 27)
HEIGHT, PRESET, SECONDS = 360, "medium", 14
END = 4  # pictures before a seam
PIPELINE = """millrace: 1
name: rate-control
inputs: {{source: {{type: media}}}}
nodes:
  probe: {{op: probe.media, in: {{source: inputs.source}}}}
  ladder: {{op: transcode.ladder, in: {{info: probe.info}}, with: {{rungs: [{{height: {height}, max_bitrate: 500M}}]}}}}
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
outputs: {{hls: publish.hls}}
"""


class Made:
    """One encode: its file, the bits of its segments, and where its chunks end."""

    def __init__(self, source, work, mode, wanted, preset=PRESET):
        name = f"{mode}-{wanted}"
        pipeline = work / f"{name}.yaml"
        pipeline.write_text(PIPELINE.format(height=HEIGHT, preset=preset, mode=mode, quality=wanted), encoding="utf-8")
        measure.run(peers.millrace(source, work, pipeline=pipeline, out=name))
        folder = next((work / name / "video").iterdir())
        init, segments = peers.media_playlist(folder)
        self.seconds = [seconds for seconds, _ in segments]
        self.bits = 8 * sum(path.stat().st_size for _, path in segments)
        self.path = peers.joined(init, [path for _, path in segments], work / f"{name}.mp4")

    def places(self, fps, count):
        """The last pictures before each seam: the first two chunks have one segment, the others two (segment.plan)."""
        ends = [sum(self.seconds[:i]) for i in range(1, len(self.seconds) + 1) if i <= 2 or i % 2 == 0 or i == len(self.seconds)]
        return [k for end in (round(end * fps) for end in ends) for k in range(max(0, end - END), min(end, count))]


def more_bits(points, others):
    """BD-rate of points over others; both are (bits, quality) lists. Mean, over the qualities that both reach, of how many bits more points take."""
    (bits, values), (other_bits, other_values) = (zip(*sorted(side, key=lambda point: point[1])) for side in (points, others))
    low, high = max(values[0], other_values[0]), min(values[-1], other_values[-1])
    if high <= low:
        return float("nan")
    grid = numpy.linspace(low, high, 50)
    return math.exp((numpy.interp(grid, values, numpy.log(bits)) - numpy.interp(grid, other_values, numpy.log(other_bits))).mean()) - 1


def one_clip(clip, work):
    """(spends, psnr, ssim, end)"""
    reference = clips.look(Made(clip.path, work, "crf", 1, "superfast").path)
    points, spends, ends = {"quality": [], "crf": []}, [], []
    for wanted in QUALITIES:
        capped, constant = (Made(clip.path, work, mode, wanted) for mode in points)
        values = quality.per_picture(reference, [capped.path, constant.path], [0, 0])
        for made, mode, found in zip((capped, constant), points, values):
            points[mode].append((made.bits, *(numpy.mean(found[what]) for what in ("psnr", "ssim"))))
        difference = numpy.array(values[0]["psnr"]) - numpy.array(values[1]["psnr"])
        ends.append(difference[capped.places(reference.fps, len(difference))].mean() - difference.mean())
        spends.append(capped.bits / constant.bits)
    psnr, ssim = (more_bits([(one[0], one[k]) for one in points["quality"]], [(one[0], one[k]) for one in points["crf"]]) for k in (1, 2))
    return statistics.geometric_mean(spends), psnr, ssim, float(numpy.mean(ends))


def rate_control(s):
    named = [s.options.clip] if s.options.clip else [clips.MEDIA / name for name in CLIPS[:2 if s.options.quick else None]]
    sources = [clips.look(path) for path in named if path.is_file()] or s.short_clips()
    lines, found = [], []
    for clip in sources:
        with s.work() as work:
            part = clips.copied(f"{clip.name}-{SECONDS}.mkv", clip, "-an", "-t", SECONDS)
            found.append(one_clip(part, work))
        spends, psnr, ssim, end = found[-1]
        lines.append([clip.name, f"{spends:.2f}", f"{psnr:+.1%}", f"{ssim:+.1%}", f"{end:+.2f} dB"])
        s.show(lines[-1])
    s.table(f"Capped quality beside constant quality, {HEIGHT} lines, `{PRESET}`.",
            ["clip", "spends", "bits for the same PSNR", "for the same SSIM", "ends of chunks"], lines)
    spends, psnr, ssim, ends = zip(*found)
    s.row("bits spent, mean of the clips", statistics.geometric_mean(spends), against="constant quality")
    for name, values in (("PSNR", psnr), ("SSIM", ssim)):
        s.row(f"bits for the same {name}, mean of the clips", float(numpy.nanmean(values)), unit="%", against="constant quality")
    s.row("ends of chunks, mean of the clips", statistics.mean(ends), unit="dB")
    s.row("ends of chunks, worst clip", min(ends), unit="dB")
