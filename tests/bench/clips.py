"""What is measured on: the bench clips of the media folder when they are there, else clips that are made here: film-like, with movement, grain and cuts."""
import dataclasses
import json
import os
import pathlib
import subprocess

import numpy

from bench.peers import BUILD, FFMPEG, ROOT

MEDIA = pathlib.Path(os.environ.get("MILLRACE_MEDIA", ROOT.parent / "shared" / "media"))
MADE = BUILD / "bench" / "clips"
LONG = "bench_bbb_1080p25_62s.mp4"
EXCERPT_S = 24
WIDTH, HEIGHT, FPS = 1920, 1080, 25
SCENE_S = 4
ENTRIES = "stream=codec_type,avg_frame_rate,channels,width,height,nb_read_packets:format=duration"


@dataclasses.dataclass(frozen=True)
class Clip:
    path: pathlib.Path
    width: int
    height: int
    fps: float
    frames: int
    seconds: float
    channels: int  # of the first sound track; 0: silent

    @property
    def name(self):
        return self.path.stem


def look(path):
    command = ["ffprobe", "-v", "error", "-count_packets", "-show_entries", ENTRIES, "-of", "json", path]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    video = next(stream for stream in found["streams"] if stream["codec_type"] == "video")
    channels = next((stream["channels"] for stream in found["streams"] if stream["codec_type"] == "audio"), 0)
    top, bottom = video["avg_frame_rate"].split("/")
    return Clip(pathlib.Path(path), video["width"], video["height"], int(top) / int(bottom), int(video["nb_read_packets"]), float(found["format"]["duration"]), channels)


def made(name, write):
    """A clip of this name, made with write(path) unless it is there."""
    MADE.mkdir(parents=True, exist_ok=True)
    path = MADE / name
    if not path.is_file():
        part = MADE / f"part-{name}"
        write(part)
        part.rename(path)
    return look(path)


def texture(generator, height, width):
    """Noise whose amplitude falls with the frequency, as in pictures of the world."""
    rows, columns = numpy.fft.fftfreq(height)[:, None], numpy.fft.rfftfreq(width)[None, :]
    noise = numpy.fft.rfft2(generator.standard_normal((height, width), dtype=numpy.float32))
    spectrum = noise / numpy.maximum(numpy.hypot(rows, columns), 1 / width) ** 1.5
    values = numpy.fft.irfft2(spectrum, (height, width))
    return (numpy.clip((values - values.mean()) / values.std() / 5 + 0.45, 0, 1) * 219 + 16).astype(numpy.uint8)


def film_pictures(seconds):
    """Planes of 4:2:0 pictures, one after the other: scenes of a few seconds, a camera that pans over each, something that moves in front, and grain."""
    generator = numpy.random.default_rng(20)
    grain = generator.normal(0, 2.5, (2 * HEIGHT, 2 * WIDTH)).astype(numpy.int8)
    y, x = numpy.ogrid[:HEIGHT, :WIDTH]
    for frame in range(seconds * FPS):
        at, scene = frame % (SCENE_S * FPS), frame // (SCENE_S * FPS)
        if at == 0:
            back = texture(generator, HEIGHT + 256, WIDTH + 512)
            front = texture(generator, HEIGHT, WIDTH)
            colours = [texture(generator, (HEIGHT + 256) // 2, (WIDTH + 512) // 2) // 4 + 96 for _ in range(2)]
            pan = generator.integers(-2, 3, 2) * 2
        left, top = 256 + int(pan[0] * at // 2), 128 + int(pan[1] * at // 4)  # at most 200 and 100 from the middle
        luma = back[top:top + HEIGHT, left:left + WIDTH].copy()
        body = (x - 300 - 12 * at) ** 2 / 90000 + (y - 560 - 40 * (scene % 5)) ** 2 / 160000 < 1
        luma[body] = front[body]
        rows, columns = generator.integers(0, HEIGHT), generator.integers(0, WIDTH)
        yield numpy.clip(luma + grain[rows:rows + HEIGHT, columns:columns + WIDTH].astype(numpy.int16), 16, 235).astype(numpy.uint8)
        for plane in colours:
            yield plane[top // 2:top // 2 + HEIGHT // 2, left // 2:left // 2 + WIDTH // 2]


def film(seconds):
    def write(path):
        command = [FFMPEG, "-v", "error", "-y", "-f", "rawvideo", "-video_size", f"{WIDTH}x{HEIGHT}", "-framerate", str(FPS), "-pixel_format", "yuv420p",
                   "-i", "-", "-f", "lavfi", "-i", f"anoisesrc=duration={seconds}:sample_rate=48000:color=pink:seed=7:amplitude=0.3,aformat=channel_layouts=stereo",
                   "-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-c:a", "aac", "-movflags", "+faststart", path]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
            for plane in film_pictures(seconds):
                encoder.stdin.write(numpy.ascontiguousarray(plane))
            encoder.stdin.close()
            if encoder.wait() != 0:
                raise OSError(f"{FFMPEG}: can't make {path}")

    return made(f"film_{HEIGHT}p{FPS}_{seconds}s.mp4", write)


def copied(name, source, *options, before=()):
    """The packets of a clip, as they are."""
    def write(path):
        subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *map(str, before), "-i", source.path, "-map", "0:v", "-map", "0:a?", "-c", "copy",
                        *map(str, options), "-movflags", "+faststart", path], check=True)

    return made(name, write)


def long_clip():
    path = MEDIA / LONG
    return look(path) if path.is_file() else film(62)


def short_clips():
    found = sorted(MEDIA.glob("bench_*_8s.mp4"))
    return [look(path) for path in found] or [film(8)]


def pictures_before_keyframe(path, seconds):
    """How many packets come before the first keyframe at this time or later."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts_time,flags", "-of", "csv=p=0", path]
    packets = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    for index, (time, flags) in enumerate(packet.split(",")[:2] for packet in packets):
        if "K" in flags and float(time) >= seconds:
            return index
    return len(packets)


def excerpt(clip, seconds=EXCERPT_S):
    """Its beginning, up to the first keyframe after so many seconds."""
    if clip.seconds <= seconds + 1:
        return clip
    frames = pictures_before_keyframe(clip.path, seconds)
    return copied(f"{clip.name}-first-{seconds}.mp4", clip, "-frames:v", frames, "-t", frames / clip.fps + 1 / clip.fps)


def silent(clip):
    return clip if not clip.channels else copied(f"{clip.name}-silent.mp4", clip, "-an")


def looped(clip, seconds):
    """The clip again and again, for at least so long."""
    times = -(-seconds // clip.seconds)
    return copied(f"{clip.name}-{times:.0f}-times.mp4", clip, before=("-stream_loop", int(times) - 1))
