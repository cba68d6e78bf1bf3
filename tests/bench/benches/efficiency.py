"""efficiency: CPU seconds of the whole command against those of x264 alone, with one thread, on raw pictures of each rung's size; scaling: one slot, two slots."""
import subprocess

from bench import clips, ladders, measure, peers


def raw_pictures(clip, work, height):
    path = work / f"{height}.y4m"
    scale = "null" if height == clip.height else f"scale=-2:{height}:flags=bicubic"
    subprocess.run([peers.FFMPEG, "-v", "error", "-nostdin", "-y", "-i", clip.path, "-map", "0:v:0", "-vf", scale, "-pix_fmt", "yuv420p", path], check=True)
    return path


def x264(clip, rate, ceiling, preset, pictures, out):
    return [peers.X264, "--quiet", "--no-progress", "--preset", preset, "--profile", "high", "--threads", 1, "--keyint", round(peers.SEGMENT_S * clip.fps),
            "--bitrate", round(rate / 1000), "--vbv-maxrate", round(ceiling * peers.VBV_RATE / 1000), "--vbv-bufsize", round(ceiling * peers.VBV_BUFFER / 1000),
            "-o", out, pictures]


def efficiency(s):
    clip = clips.silent(s.short_clips()[0])
    for preset in ("veryfast", "medium"):
        with s.work(memory=True) as work:
            raw = {name: raw_pictures(clip, work, height) for name, height, _ in peers.LADDER}

            def ours():
                return ladders.encode(clip, work, "--param", f"preset={preset}")

            def encoder_alone():
                rates, total = peers.bitrates(work / "out"), measure.Figures(0)
                for name, _, ceiling in peers.LADDER:
                    total = total.after(measure.run(x264(clip, rates[name], ceiling, preset, raw[name], work / "alone.264")))
                return total

            rounds = s.alternate(preset, {"millrace": ours, "x264 alone": encoder_alone})
        s.ratio(rounds, "x264 alone", "cpu", label=f"CPU, {preset}", least=1.15, aim=1.10)


def scaling(s):
    clip = s.long_clip()
    with s.work() as work:
        sides = {f"--jobs {jobs}": lambda jobs=jobs: ladders.encode(clip, work, "--param", "preset=veryfast", "--jobs", jobs) for jobs in (1, 2)}
        rounds = s.alternate(clip.name, sides)
    s.ratio(rounds, "--jobs 2", one="--jobs 1", label="wall, --jobs 1", least=1.9, aim=1.95, higher=True)
