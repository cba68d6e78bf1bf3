# SPDX-License-Identifier: MIT
"""
Small generated clips, one per property that real videos have. Each is (name, what to expect, ffmpeg arguments).
The picture moves and counts and the sound never repeats, so that what is lost, doubled or shifted shows.
"""
import subprocess
from pathlib import Path

from checker import Expect

PICTURE = "testsrc2=size={size}:rate={rate}:duration={seconds}"
# Noise with a seed: like no other part of itself, so that a shift has one answer.
SOUND = "anoisesrc=d={seconds}:r={rate}:c=pink:seed=11:a=0.4,aformat=channel_layouts={layout}"
# The matrix is named, so that the output keeps it and frames can be compared number by number.
X264 = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-c:v", "libx264", "-preset", "ultrafast", "-g", "48", "-pix_fmt", "yuv420p", "-threads", "1"]
AAC = ["-c:a", "aac", "-b:a", "96k"]


def picture(size="320x180", rate="25", seconds=5):
    return ["-f", "lavfi", "-i", PICTURE.format(size=size, rate=rate, seconds=seconds)]


def sound(rate=48000, layout="stereo", seconds=5):
    return ["-f", "lavfi", "-i", SOUND.format(rate=rate, layout=layout, seconds=seconds)]


SUBTITLES = "1\n00:00:00,500 --> 00:00:02,000\nfirst & <i>second</i>\n\n2\n00:00:02,500 --> 00:00:04,500\nüber -> über\n"

CLIPS = {
    "plain.mp4": (Expect(width=320, height=180, audio=1), lambda d: picture() + sound() + X264 + AAC),
    "moov_front.mp4": (Expect(width=320, height=180, audio=1), lambda d: picture() + sound() + X264 + AAC + ["-movflags", "+faststart"]),
    "ntsc_2997.mp4": (Expect(audio=1), lambda d: picture(rate="30000/1001", seconds=6) + sound(seconds=6) + X264 + AAC),
    "film_23976.mkv": (Expect(audio=1), lambda d: picture(rate="24000/1001") + sound() + X264 + AAC),
    "fps_60.mp4": (Expect(audio=1), lambda d: picture(rate="60", seconds=3) + sound(seconds=3) + X264 + AAC),
    "fps_1.mp4": (Expect(audio=1), lambda d: picture(rate="1", seconds=12) + sound(seconds=12) + X264 + AAC),
    "b_frames_open_gop.mp4": (Expect(audio=1), lambda d: picture() + sound() + X264 + ["-preset", "fast", "-bf", "3", "-g", "40", "-flags", "-cgop", "-x264-params", "open-gop=1"] + AAC),
    "long_gop.mp4": (Expect(audio=1), lambda d: picture(seconds=9) + sound(seconds=9) + X264 + ["-preset", "veryfast", "-g", "999", "-sc_threshold", "0"] + AAC),
    "rotated_90.mp4": (Expect(width=180, height=320, audio=1), lambda d: ["-i", str(d / "plain.mp4"), "-c", "copy", "-metadata:s:v:0", "rotate=90"]),
    "anamorphic.mp4": (Expect(width=426, height=180, audio=0), lambda d: picture() + ["-vf", "setsar=4/3"] + X264),
    "odd_size.mkv": (Expect(width=160, height=120, audio=0), lambda d: picture(size="161x121") + ["-c:v", "ffv1", "-pix_fmt", "yuv444p"]),
    "tiny.mp4": (Expect(audio=0), lambda d: picture(size="64x48", seconds=2) + X264),
    "variable_rate.mp4": (Expect(exact_frames=False, audio=1), lambda d: picture(rate="30") + sound() +
                          ["-vf", "select='not(between(mod(n\\,10)\\,3\\,5))'", "-fps_mode", "vfr"] + X264 + AAC),
    "interlaced.mpg": (Expect(audio=0), lambda d: picture(size="320x240", rate="50") +
                       ["-vf", "tinterlace=interleave_top", "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-b:v", "2M", "-r", "25"]),
    "hdr10.mp4": (Expect(audio=0), lambda d: picture(seconds=2) + ["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-x265-params",
                  "log-level=none:pools=none:frame-threads=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc", "-tag:v", "hvc1"]),
    "ten_bit.mp4": (Expect(audio=0), lambda d: picture(seconds=3) + ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-threads", "1"]),
    "yuv444.mp4": (Expect(audio=0), lambda d: picture(seconds=3) + ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p", "-threads", "1"]),
    "full_range.mp4": (Expect(audio=0), lambda d: picture(seconds=3) + ["-vf", "scale=out_range=full", "-c:v", "libx264", "-preset", "ultrafast",
                       "-pix_fmt", "yuvj420p", "-threads", "1"]),
    "one_frame.mp4": (Expect(audio=0), lambda d: picture(seconds=1) + ["-frames:v", "1"] + X264),
    "no_audio.mp4": (Expect(audio=0), lambda d: picture() + X264),
    "no_video.m4a": (Expect(video=False, audio=1), lambda d: sound(rate=44100, seconds=9) + AAC),
    "mono_8k.wav": (Expect(video=False, audio=1), lambda d: sound(rate=8000, layout="mono", seconds=5)),
    "surround.mp4": (Expect(audio=1), lambda d: picture(seconds=5) + sound(layout="5.1") + X264 + ["-c:a", "aac", "-b:a", "256k"]),
    "two_languages.mkv": (Expect(audio=2, text=2), lambda d: picture() + sound() + sound(rate=44100) + ["-i", str(d / "lines.srt"), "-i", str(d / "lines.srt"),
                          "-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:s", "-map", "4:s", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu",
                          "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=fre", "-c:s", "srt"] + X264 + AAC),
    "mov_text.mp4": (Expect(audio=1, text=1), lambda d: picture() + sound() + ["-i", str(d / "lines.srt"), "-map", "0:v", "-map", "1:a", "-map", "2:s", "-c:s", "mov_text"] + X264 + AAC),
    "audio_later.mkv": (Expect(audio=1), lambda d: picture() + ["-itsoffset", "0.6"] + sound(seconds=4) + X264 + ["-c:a", "pcm_s16le"]),
    "video_later.mkv": (Expect(audio=1), lambda d: ["-itsoffset", "0.48"] + picture(seconds=4) + sound() + ["-map", "0:v", "-map", "1:a"] + X264 + ["-c:a", "pcm_s16le"]),
    "edit_list.mp4": (Expect(audio=1), lambda d: ["-ss", "1.3", "-i", str(d / "plain.mp4"), "-c", "copy"]),
    "transport.ts": (Expect(audio=1), lambda d: picture() + sound() + X264 + ["-c:a", "mp2", "-b:a", "128k"]),
    "theora.ogv": (Expect(audio=1), lambda d: picture() + sound() + ["-c:v", "libtheora", "-q:v", "7", "-c:a", "libvorbis"]),
    "vp9.webm": (Expect(audio=1), lambda d: picture(seconds=4) + sound(seconds=4) + ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"]),
    "xvid_mp3.avi": (Expect(audio=1), lambda d: picture() + sound(rate=44100) + ["-c:v", "mpeg4", "-q:v", "4", "-c:a", "libmp3lame"]),
    "prores_pcm.mov": (Expect(audio=1), lambda d: picture(seconds=3) + sound(seconds=3) + ["-c:v", "prores_ks", "-profile:v", "0", "-c:a", "pcm_s16le"]),
    "fragmented.mp4": (Expect(audio=1), lambda d: picture() + sound() + X264 + AAC + ["-movflags", "frag_keyframe+empty_moov"]),
    "cover_art.mp3": (Expect(video=False, audio=1), lambda d: sound(rate=44100, seconds=5) + ["-i", str(d / "cover.png"), "-map", "0:a", "-map", "1:v", "-c:a", "libmp3lame", "-c:v", "copy",
                      "-disposition:v", "attached_pic"]),
    "space & sign's?.mp4": (Expect(audio=1), lambda d: ["-i", str(d / "plain.mp4"), "-c", "copy"]),
}


def make(name, folder):
    """The clip's path, made when it isn't there yet. plain.mp4, lines.srt and cover.png serve others."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lines.srt").write_text(SUBTITLES)
    cover = folder / "cover.png"
    if not cover.exists():
        ffmpeg(["-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1"], cover)
    if name != "plain.mp4" and not (folder / "plain.mp4").exists():
        make("plain.mp4", folder)
    target = folder / name
    if not target.exists():
        ffmpeg(CLIPS[name][1](folder), target)
    return target


def ffmpeg(arguments, target):
    partial = target.with_name("partial-" + target.name)
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments, "-fflags", "+bitexact", str(partial)], stdin=subprocess.DEVNULL, check=True)
    partial.rename(target)


if __name__ == "__main__":
    print("\n".join(CLIPS))
