"""codecs: HEVC, AV1 and VP9, the two small rungs of a short clip, against one FFmpeg process with the same encoder, preset and structure."""
from bench import ladders, peers, session

RUNGS = peers.LADDER[:2]
PRESET = "veryfast"
# What PRESET is for these encoders: plugins/media/encode_options.c.
SVTAV1_PRESET, VP9_CPU_USED = 10, 6


def hevc(clip, ceiling, gop):
    params = f"log-level=none:info=0:open-gop=0:bframes=3:b-pyramid=1:keyint={gop}"
    return ["libx265", "-preset:v:{i}", PRESET, "-x265-params:v:{i}", params, "-maxrate:v:{i}", round(ceiling * peers.VBV_RATE), "-bufsize:v:{i}",
            round(ceiling * peers.VBV_BUFFER)]


def av1(clip, ceiling, gop):
    return ["libsvtav1", "-preset:v:{i}", SVTAV1_PRESET, "-svtav1-params:v:{i}", f"scd=0:keyint={gop}"]


def vp9(clip, ceiling, gop):
    return ["libvpx-vp9", "-deadline:v:{i}", "good", "-cpu-used:v:{i}", VP9_CPU_USED, "-row-mt:v:{i}", 1, "-tile-columns:v:{i}", 1, "-auto-alt-ref:v:{i}", 1,
            "-lag-in-frames:v:{i}", 25]


def codecs(s):
    clip = s.short_clips()[0]
    gop = round(peers.SEGMENT_S * clip.fps)
    for name, options in (("hevc", hevc), ("av1", av1), ("vp9", vp9)):
        with s.work() as work:
            def encoder(index, rung, rates):
                words = [str(word).replace("{i}", str(index)) for word in options(clip, rung[2], gop)]
                return [f"-c:v:{index}", *words, f"-b:v:{index}", round(rates[rung[0]]), f"-g:v:{index}", gop, f"-force_key_frames:v:{index}",
                        f"expr:gte(t,n_forced*{peers.SEGMENT_S})"]

            bits = ladders.EqualBits(clip, work, RUNGS, lambda out, rates: peers.ffmpeg_ladder(clip, out, RUNGS, lambda i, rung: encoder(i, rung, rates)))

            def ours():
                figures = ladders.encode(clip, work, "--param", f"codec={name}", "--param", f"preset={PRESET}", "--param", peers.ladder_param(RUNGS), memory=True)
                bits.ours_is_there()
                return figures

            rounds = s.alternate(name, {"millrace": ours, "one process": lambda: bits.run(memory=True)}, bits.correct)
            bits.settle(session.EQUAL_BITS)
            s.compare(clip, work, bits.ours, bits.theirs, RUNGS, name)
        s.ratio(rounds, "one process", label=f"{name}: wall")
        s.ratio(rounds, "one process", "cpu", label=f"{name}: CPU")
        s.ratio(rounds, "one process", "memory_mb", label=f"{name}: memory")
        s.quality_rows(f"{name}: ", name)
