# SPDX-License-Identifier: MIT
"""What is mutated: short clips made here, one per container and codec that people send, and small real files where they are present."""
import os
import subprocess
import sys
from pathlib import Path

PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=128x96:rate=25:duration=1.2"]
SOUND = ["-f", "lavfi", "-i", "anoisesrc=d=1.2:r=48000:c=pink:seed=11:a=0.4"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-pix_fmt", "yuv420p", "-threads", "1"]
AAC = ["-c:a", "aac", "-b:a", "48k"]
WORDS = "1\n00:00:00,100 --> 00:00:00,700\nfirst & <i>second</i>\n\n2\n00:00:00,600 --> 00:00:01,100\nüber\n"

CLIPS = {
    "plain.mp4": PICTURE + SOUND + X264 + AAC,
    "front.mp4": PICTURE + SOUND + X264 + AAC + ["-movflags", "+faststart"],
    "fragmented.mp4": PICTURE + SOUND + X264 + AAC + ["-movflags", "+frag_keyframe+empty_moov+default_base_moof"],
    "b-frames.mp4": PICTURE + ["-c:v", "libx264", "-preset", "fast", "-bf", "3", "-g", "12", "-pix_fmt", "yuv420p", "-threads", "1"],
    "words.mp4": PICTURE + ["-i", "{words}"] + X264 + ["-c:s", "mov_text"],
    "hevc.mp4": PICTURE + ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:pools=none:frame-threads=1", "-tag:v", "hvc1"],
    "mpeg4.mov": PICTURE + ["-c:v", "mpeg4", "-q:v", "9", "-threads", "1"],
    "h264.mkv": PICTURE + SOUND + ["-i", "{words}"] + X264 + AAC + ["-c:s", "srt"],
    "vp8.webm": PICTURE + SOUND + ["-c:v", "libvpx", "-deadline", "realtime", "-threads", "1", "-b:v", "150k", "-c:a", "libvorbis"],
    "vp9.webm": PICTURE + SOUND + ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-threads", "1", "-b:v", "150k", "-c:a", "libopus", "-b:a", "32k"],
    "h264.ts": PICTURE + SOUND + X264 + AAC,
    "mpeg2.mpg": PICTURE + SOUND + ["-c:v", "mpeg2video", "-q:v", "9", "-threads", "1", "-c:a", "mp2", "-b:a", "64k"],
    "h264.flv": PICTURE + SOUND + X264 + ["-c:a", "aac", "-ar", "44100", "-b:a", "48k"],
    "mjpeg.avi": PICTURE + ["-c:v", "mjpeg", "-q:v", "20", "-threads", "1", "-pix_fmt", "yuvj420p"],
    "theora.ogg": PICTURE + SOUND + ["-c:v", "libtheora", "-q:v", "4", "-c:a", "libvorbis"],
    "wmv2.asf": PICTURE + ["-c:v", "wmv2", "-q:v", "9", "-threads", "1"],
    "sound.wav": SOUND + ["-ar", "16000"],
    "sound.mp3": SOUND + ["-c:a", "libmp3lame", "-b:a", "48k"],
    "sound.flac": SOUND + ["-ar", "16000", "-c:a", "flac"],
    "sound.m4a": SOUND + AAC,
}

# Of the real files, those that are small and short, so that a case takes about a second.
REAL_BYTES = 130_000
REAL_LEFT_OUT = ("bench_", "sub_", "lecture_1fps_3min", "silent_black_10s")


def media_folder():
    folder = Path(os.environ.get("MILLRACE_MEDIA") or Path(__file__).resolve().parents[4] / "shared" / "media")
    return folder if folder.is_dir() else None


def make_clips(folder):
    folder.mkdir(parents=True, exist_ok=True)
    words = folder / "words.srt"
    words.write_text(WORDS)
    for name, arguments in CLIPS.items():
        if (folder / name).exists():
            continue
        part = folder / f"part-{name}"
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *[a.format(words=words) for a in arguments], "-fflags", "+bitexact",
                        "-flags:v", "+bitexact", "-flags:a", "+bitexact", str(part)], check=True, timeout=300)
        part.rename(folder / name)


def find(folder):
    """Name -> path of what may be mutated; and of what is bad as it is."""
    good = {name: folder / name for name in CLIPS}
    bad = {}
    media = media_folder()
    for path in sorted(media.iterdir()) if media else ():
        if path.name.startswith("bad_"):
            bad[path.name] = path
        elif path.is_file() and not path.name.startswith(REAL_LEFT_OUT) and path.stat().st_size <= REAL_BYTES:
            good[path.name] = path
    return good, bad


if __name__ == "__main__":
    make_clips(Path(sys.argv[1]))
