# SPDX-License-Identifier: MIT
"""
Is a published stream right? Measured against its source with ffmpeg and ffprobe, which know nothing of Millrace.
check_stream() returns a list of sentences, one for each thing that is wrong; an empty list means right.

What is measured, for every rendition: the number of frames that decode through its playlist; timestamps that only grow; the
length, within one frame; the picture's size; an IDR at each segment's start; segments at the same places in all rungs,
each of them decoding alone, so that a player may switch from any to any; the sound's place against the picture's, within 20 ms; the end of each
track; the mean bitrate against the ceiling; and, where the source's pixels can be compared, PSNR and SSIM, at seams as elsewhere.
"""
import math
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import playlists
import probes

SYNC_SECONDS = 0.020
CUT_SECONDS = 0.015    # sound this far ahead of the picture is cut rather than the first frame held
SEAM_DROP_DB = 3.0     # the frames at an edge of a segment may be this much worse than those inside it (the worst of the clips, of any codec: 2.3)
SEAM_DROP_SSIM = 0.03  # (0.014)
CEILING_TOLERANCE = 1.03  # the mean bitrate of a rendition may exceed its max_bitrate by this
FLOOR_DB, FLOOR_SSIM = 24.0, 0.85  # the means of a rendition are not worse than this


@dataclass
class Expect:
    """What the test knows of the source; None: taken from ffprobe."""
    width: int | None = None          # upright, square pixels
    height: int | None = None
    video: bool | None = None
    audio: int | None = None          # tracks
    text: int | None = None
    compare: bool = True              # the pixels can be compared (progressive, SDR, constant rate)
    exact_frames: bool = True         # constant rate: as many frames as the source
    ceilings: dict | None = None      # max_bitrate of renditions, by name
    damaged: bool = False             # the source does not decode whole: its own numbers are not to be trusted


def _video_frames(source):
    times = probes.frame_times(source)
    return sorted(times)


def _check_timestamps(name, times, problems):
    for before, after in zip(times, times[1:]):
        if after <= before:
            problems.append(f"{name}: timestamps do not grow: {after:.6f} after {before:.6f}")
            return


def _check_segments(name, media, problems):
    """Each segment, with its init alone, starts with an IDR and decodes without a message. The times at which they start."""
    init = media.init.read_bytes() if media.init else b""
    starts = []
    for path, length in media.segments:
        with tempfile.NamedTemporaryFile(suffix=".mp4") as alone:
            alone.write(init + path.read_bytes())
            alone.flush()
            found = probes.packets(alone.name, "v:0")
            done = subprocess.run(["ffmpeg", "-v", "error", "-i", alone.name, "-f", "null", "-"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if not found or not found[0][3]:
            problems.append(f"{name}: {path.name} does not start with a key frame")
            return []
        if done.returncode != 0 or done.stderr.strip():
            problems.append(f"{name}: {path.name} alone does not decode: {done.stderr.decode(errors='replace')[:200]}")
        starts.append(min(p[0] for p in found))
        if length > media.target + 0.5:
            problems.append(f"{name}: {path.name} lasts {length:.3f} s, over the target duration {media.target}")
    return starts


def _check_switches(starts_of, problems):
    """Segments stand alone (above); where they also start at the same times in all rungs, a player may go from any to any at each."""
    (first_name, first), *others = starts_of.items()
    for name, starts in others:
        if len(starts) != len(first) or any(abs(a - b) > 0.001 for a, b in zip(first, starts)):
            problems.append(f"segments of {name} start at {starts[:5]} …, those of {first_name} at {first[:5]} …")


def _mean(values):
    return sum(values) / max(1, len(values))


def check_seams(source, media, size, fps, problems, name):
    """PSNR and SSIM frame by frame: frames beside a seam must not stand out, and each segment must fit its own place best."""
    measured = probes.quality(source, media.path, *size)
    if len(measured) < 8:
        return
    values = [psnr for psnr, _ in measured]
    similar = [ssim for _, ssim in measured]
    if _mean(values) < FLOOR_DB or _mean(similar) < FLOOR_SSIM:
        problems.append(f"{name}: mean PSNR {_mean(values):.1f} dB and SSIM {_mean(similar):.3f}; at least {FLOOR_DB} and {FLOOR_SSIM} are wanted")
    earlier = [psnr for psnr, _ in probes.quality(source, media.path, *size, shift=-1)]
    later = [psnr for psnr, _ in probes.quality(source, media.path, *size, shift=1)]
    position = 0.0
    for path, length in media.segments:
        first, last = round(position * fps), round((position + length) * fps)
        position += length
        for row, drop, what in ((values, SEAM_DROP_DB, "PSNR"), (similar, SEAM_DROP_SSIM, "SSIM")):
            inner = row[first + 2: last - 2]
            for edge in (row[first: first + 2] if first else [], row[last - 2: last] if last < len(row) else []):
                if edge and inner and _mean(edge) < _mean(inner) - drop:
                    problems.append(f"{name}: {what} at an edge of {path.name} is {_mean(edge):.2f}, inside it {_mean(inner):.2f}")
        for other, word in ((earlier, "earlier"), (later, "later")):
            there = other[first: last - 1]
            if there and _mean(there) > _mean(values[first:last]) + 1:
                problems.append(f"{name}: {path.name} fits better one frame {word}")


def check_ceiling(name, media, ceiling, problems):
    """A stream shorter than a second counts as one."""
    bits = sum(8 * path.stat().st_size for path, _ in media.segments)
    mean = bits / max(1.0, media.seconds)
    if ceiling and mean > CEILING_TOLERANCE * ceiling:
        problems.append(f"{name}: takes {mean:.0f} bit/s in the mean, and its ceiling is {ceiling}")


def _held_frames(picture_start, sound_start, fps):
    if sound_start is None or picture_start - sound_start <= CUT_SECONDS:
        return 0
    return max(0, math.ceil((picture_start - sound_start - CUT_SECONDS) * fps - 0.001))


def _expected_frames(source_times, fps, sound_start):
    """The first frame stands on the output's grid; where the sound begins before it, it is held from the start on."""
    if not source_times:
        return 0
    return _held_frames(source_times[0], sound_start, fps) + round((source_times[-1] - source_times[0]) * fps) + 1


def _check_video(source, master, expect, sound_start, source_times, problems):
    renditions = []
    starts_of = {}
    for values, path in sorted(master.variants, key=lambda v: int(v[0]["RESOLUTION"].split("x")[1])):
        if any(path == known.path for _, known in renditions):
            continue
        renditions.append((path.parent.name, playlists.read_media(path)))
        media = renditions[-1][1]
        name = renditions[-1][0]
        stream = probes.first_stream(path, "video")
        times = probes.frame_times(path)
        numerator, denominator = map(int, stream["r_frame_rate"].split("/"))
        fps = numerator / denominator
        size = (int(stream["width"]), int(stream["height"]))
        if values["RESOLUTION"] != f"{size[0]}x{size[1]}":
            problems.append(f"{name}: RESOLUTION={values['RESOLUTION']}, decoded {size[0]}x{size[1]}")
        if abs(float(values["FRAME-RATE"]) - fps) > 0.01:
            problems.append(f"{name}: FRAME-RATE={values['FRAME-RATE']}, decoded {fps:.3f}")
        _check_timestamps(name, times, problems)
        if not expect.damaged:
            expected = _expected_frames(source_times, fps, sound_start)
            slack = 0 if expect.exact_frames else 1
            if abs(len(times) - expected) > slack:
                problems.append(f"{name}: {len(times)} frames decode, {expected} are in the source ({len(source_times)} decoded)")
        if abs(media.seconds - len(times) / fps) > 1.0 / fps + 0.001:
            problems.append(f"{name}: the playlist lasts {media.seconds:.3f} s, its {len(times)} frames {len(times) / fps:.3f} s")
        check_ceiling(name, media, (expect.ceilings or {}).get(name), problems)
        starts = starts_of[name] = _check_segments(name, media, problems)
        if starts and abs(starts[0] - 0) > 0.001:
            problems.append(f"{name}: starts at {starts[0]:.3f} s, not at 0")
        if not media.ended:
            problems.append(f"{name}: its playlist has no ENDLIST")
        if expect.compare and expect.exact_frames and not expect.damaged and len(times) == len(source_times):
            check_seams(source, media, size, fps, problems, name)
    if renditions:
        _check_switches(starts_of, problems)
        width, height = expect.width, expect.height
        top = probes.first_stream(renditions[-1][1].path, "video")
        if width and abs(top["width"] / top["height"] - width / height) > 0.03 * width / height + 2 / top["height"]:
            problems.append(f"the picture is {top['width']}x{top['height']}, its shape should be that of {width}x{height}")
        if width and (top["width"] > width + 1 or top["height"] > height + 1):
            problems.append(f"the picture is {top['width']}x{top['height']}, larger than the source's {width}x{height}")
    return renditions


def _check_audio(source, master, expect, origin, problems):
    seen = set()
    tracks = _sound_tracks(source)
    groups = {}
    for values, path in master.renditions:
        if values["TYPE"] == "AUDIO" and path and path not in seen:
            seen.add(path)
            groups.setdefault(values["GROUP-ID"], []).append((values, path))
    if not groups and not master.renditions:
        for values, path in master.variants:
            if "RESOLUTION" not in values:
                groups.setdefault(path.parent.name.rsplit("-", 1)[-1], []).append((values, path))  # "en-2ch", "en-6ch"
    if expect.audio is not None and groups and max(len(g) for g in groups.values()) != expect.audio:
        problems.append(f"{max(len(g) for g in groups.values())} sound tracks are published, {expect.audio} expected")
    if expect.audio and not groups:
        problems.append("no sound is published")
    for group in groups.values():
        for at, (values, path) in enumerate(group):
            name = f"audio {values.get('NAME', path.parent.name)}"
            media = playlists.read_media(path)
            span = probes.sound_span(path)
            if span is None:
                problems.append(f"{name}: nothing decodes")
                continue
            if not media.ended:
                problems.append(f"{name}: its playlist has no ENDLIST")
            if expect.damaged or at >= len(tracks):
                continue
            at = _same_language(values.get("LANGUAGE", ""), tracks, at)
            source_span = probes.sound_span(source, f"a:{at}")
            frame = 1024 / 48000
            if source_span and abs(span[1] - (source_span[1] - origin)) > frame + 0.003:
                problems.append(f"{name}: ends at {span[1]:.3f} s, its source at {source_span[1] - origin:.3f}")
            _check_sync(source, at, source_span, path, origin, name, problems)


def _same_language(language, tracks, at):
    """The source's track of that language, else the one at the same place."""
    words = {"en": ("eng",), "de": ("deu", "ger"), "fr": ("fra", "fre")}.get(language, (language,))
    return next((i for i, track in enumerate(tracks) if track.get("tags", {}).get("language") in words), at)


def _check_sync(source, track, source_span, path, origin, name, problems):
    rate = 8000
    _, reference = probes.samples(source, f"a:{track}", rate)
    begin, made = probes.samples(path, "a:0", rate)
    lag = probes.lag_seconds(reference, made, rate)
    if lag is None or source_span is None:
        return
    shift = (begin + lag) - (source_span[0] - origin)
    if abs(shift) > SYNC_SECONDS:
        problems.append(f"{name}: is {shift * 1000:.1f} ms later than in the source")


def _sound_start(source):
    spans = [probes.sound_span(source, f"a:{at}") for at, _ in enumerate(_sound_tracks(source))]
    return min((span[0] for span in spans if span), default=None)


def _sound_tracks(source):
    return [s for s in probes.streams(source) if s["codec_type"] == "audio" and s.get("sample_rate", "0") != "0"]


def _grid_rate(master):
    return max((float(values["FRAME-RATE"]) for values, _ in master.variants if "FRAME-RATE" in values), default=25.0)


def check_stream(source, tree, expect=None):
    expect = expect or Expect()
    tree = Path(tree)
    problems = []
    master = playlists.read_multivariant(tree / "master.m3u8")
    video = probes.first_stream(source, "video")
    has_video = expect.video if expect.video is not None else video is not None
    source_times = _video_frames(source) if has_video and not expect.damaged else []
    sound_start = None if expect.damaged else _sound_start(source)
    origin = sound_start or 0.0
    if source_times:
        origin = source_times[0]
        if sound_start is not None and has_video:
            fps = _grid_rate(master)
            origin -= _held_frames(source_times[0], sound_start, fps) / fps
    if has_video:
        if not any("RESOLUTION" in values for values, _ in master.variants):
            problems.append("no picture is published")
        else:
            _check_video(source, master, expect, sound_start, source_times, problems)
    _check_audio(source, master, expect, origin, problems)
    if expect.text is not None:
        found = len({path for values, path in master.renditions if values["TYPE"] == "SUBTITLES"})
        if found != expect.text:
            problems.append(f"{found} subtitle tracks are published, {expect.text} expected")
    for manifest in ("master.m3u8", "manifest.mpd"):
        try:
            found = probes.streams(tree / manifest)
            if has_video and not any(s["codec_type"] == "video" for s in found):
                problems.append(f"ffprobe finds no picture in {manifest}")
        except probes.ProbeError as error:
            problems.append(f"ffprobe can't read {manifest}: {error}")
    return problems
