# SPDX-License-Identifier: MIT
"""
Is a published stream right? Measured against its source with ffmpeg and ffprobe, which know nothing of Millrace.
check_stream() returns a list of sentences, one for each thing that is wrong; an empty list means right.

What is measured, for every rendition: the number of frames that decode through its playlist; timestamps that only grow; the
length, within one frame; the picture's size; an IDR at each segment's start; segments at the same places in all rungs,
each of them decoding alone, so that a player may switch from any to any; the sound's place against the picture's, within 20 ms; the end of each
track; the mean bitrate against the ceiling; and PSNR and SSIM of each frame against the source's picture of its time, at seams as elsewhere.
"""
import math
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pictures
import playlists
import probes

SYNC_SECONDS = 0.020
CUT_SECONDS = 0.015    # sound this far ahead of the picture is cut rather than the first frame held
SEAM_DROP_DB = 3.0     # the frames at a seam may be this much worse than those around it
SEAM_DROP_SSIM = 0.03
EDGE, AROUND = 2, 6    # frames at a seam, and next to them, on either side
CEILING_TOLERANCE = 1.03  # the mean bitrate of a rendition may exceed its max_bitrate by this
FLOORS = (24.0, 0.85), (20.0, 0.75)      # dB and SSIM: the means of a rendition are not worse than the first, none of its frames than the second
HDR_FLOORS = (20.0, 0.75), (18.0, 0.70)  # tone mapping changes colours, too, and with them the luma


@dataclass
class Expect:
    """What the test knows of the source; None: taken from ffprobe."""
    width: int | None = None          # upright, square pixels
    height: int | None = None
    video: bool | None = None
    audio: int | None = None          # tracks
    text: int | None = None
    steady: bool = True               # every frame is as hard to encode as the next: at a seam, either measure may tell; else both must
    rungs: int | None = None          # how many rungs to compare with the source's pixels, from the lowest; None: all
    exact_frames: bool = True         # constant rate: as many frames as the source
    ceilings: dict | None = None      # max_bitrate of renditions, by name
    damaged: bool = False             # the source does not decode whole: its own numbers are not to be trusted


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


def _drops(row, edge, around):
    return _mean([row[i] for i in around]) - _mean([row[i] for i in edge])


def check_floors(row, floors, problems, name):
    (mean_db, mean_ssim), (worst_db, worst_ssim) = floors
    if _mean(row.psnr) < mean_db or _mean(row.ssim) < mean_ssim:
        problems.append(f"{name}: mean PSNR {_mean(row.psnr):.1f} dB and SSIM {_mean(row.ssim):.3f}; at least {mean_db} and {mean_ssim} are wanted")
    for values, floor, what in ((row.psnr, worst_db, "PSNR"), (row.ssim, worst_ssim, "SSIM")):
        if min(values) < floor:
            problems.append(f"{name}: frame {values.index(min(values))} has a {what} of {min(values):.3f}; at least {floor} is wanted")


def check_seams(row, media, fps, steady, problems, name):
    """Frames beside a seam must not stand out, and each segment must fit its own place best."""
    count = len(row.psnr)
    position = 0.0
    for path, length in media.segments:
        first, last = round(position * fps), min(count, round((position + length) * fps))
        position += length
        around = [i for i in range(first - EDGE - AROUND, first + EDGE + AROUND) if 0 <= i < count and not first - EDGE <= i < first + EDGE]
        for edge, word in ((range(first - EDGE, first), "before"), (range(first, min(first + EDGE, count)), "after")) if first and around else ():
            decibel, similar = _drops(row.psnr, edge, around), _drops(row.ssim, edge, around)
            if (decibel > SEAM_DROP_DB) + (similar > SEAM_DROP_SSIM) >= (1 if steady else 2):
                problems.append(f"{name}: frames {word} the seam at {path.name} are worse than those around it by {decibel:.2f} dB, and {similar:.3f} of SSIM")
        for other, word in ((row.earlier, "earlier"), (row.later, "later")):
            if last - first > 2 and _mean(other[first + 1: last - 1]) > _mean(row.psnr[first + 1: last - 1]) + 1:
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


def _source_pictures(source, master):
    """At the size of the lowest rung, in order, and when each is shown. Where packets have no presentation times (AVI), a decoder's delay is not part of
    them: the first picture stands where the first packet does."""
    stream = probes.picture_stream(source)
    size = min((tuple(map(int, values["RESOLUTION"].split("x"))) for values, _ in master.variants if "RESOLUTION" in values), default=(16, 16), key=lambda size: size[0] * size[1])
    found = pictures.decode(source, stream, size)
    pts, dts = probes.first_packet(source, stream["index"])
    if pts is None and dts is not None and found.times:
        found.times = [time - found.times[0] + dts for time in found.times]
    return found


def _check_pixels(source, lowest, media, size, fps, sound_start, expect, problems, name):
    stream = probes.picture_stream(source)
    theirs = lowest if lowest.luma.shape[1:] == (size[1], size[0]) else pictures.decode(source, stream, size)
    made = pictures.decode(media.path, probes.first_stream(media.path, "video"), size)
    if not len(theirs.luma) or not len(made.luma):
        problems.append(f"{name}: nothing decodes")
        return
    hdr = stream.get("color_transfer") in pictures.HDR
    row = pictures.compare(theirs, made, _held_frames(lowest.times[0], sound_start, fps), fps, hdr)
    check_floors(row, HDR_FLOORS if hdr else FLOORS, problems, name)
    check_seams(row, media, fps, expect.steady, problems, name)


def _check_video(source, master, expect, sound_start, lowest, problems):
    source_times = lowest.times if lowest else []
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
        if lowest and lowest.times and (expect.rungs is None or len(renditions) <= expect.rungs):
            _check_pixels(source, lowest, media, size, fps, sound_start, expect, problems, name)
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
    lowest = _source_pictures(source, master) if has_video and video and not expect.damaged else None
    source_times = lowest.times if lowest else []
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
            _check_video(source, master, expect, sound_start, lowest, problems)
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
