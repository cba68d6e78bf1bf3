"""memory: whether memory grows with the length of a source: the peak of pipelines/vod.yaml on two hours, against two minutes."""
import subprocess

from bench import clips, ladders, peers

SHORT_S, LONG_S, QUICK_S = 120, 7200, 1200
LOOP_S = 120
MOST = 1.2


def loop():
    """Two pictures a second of 64x36, so that two hours take minutes, and a whole sound track."""
    def write(path):
        subprocess.run([peers.FFMPEG, "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", f"testsrc2=size=64x36:rate=2:duration={LOOP_S}", "-f", "lavfi", "-i",
                        f"anoisesrc=duration={LOOP_S}:sample_rate=48000:color=pink:seed=7:amplitude=0.4,aformat=channel_layouts=stereo", "-c:v", "libx264",
                        "-preset", "ultrafast", "-g", "8", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "128k", path], check=True)

    return clips.made(f"loop-{LOOP_S}.mp4", write)


def memory(s):
    lengths = {"short": SHORT_S, "long": QUICK_S if s.options.quick else LONG_S}
    with s.work() as work:
        sides = {}
        for name, seconds in lengths.items():
            clip = clips.looped(loop(), seconds)
            sides[name] = lambda clip=clip: ladders.encode(clip, work, "--jobs", 2, "--param", "preset=ultrafast", memory=True)
        rounds = s.alternate(f"{lengths['short']} s and {lengths['long']} s", sides)
    s.row("peak, two minutes", rounds.values("short", "memory_mb"), unit="MB")
    s.row("peak, two hours" if not s.options.quick else "peak, twenty minutes", rounds.values("long", "memory_mb"), unit="MB")
    s.ratio(rounds, "short", "memory_mb", one="long", least=MOST)
