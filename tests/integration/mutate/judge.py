# SPDX-License-Identifier: MIT
"""
What a run of a hostile source may leave behind: a right stream, or one sentence; no process, no temporary file. Each function gives a list of
sentences, one for each thing that is wrong.
"""
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "streams"))
import playlists  # noqa: E402

MPD = "{urn:mpeg:dash:schema:mpd:2011}"
DECODE_SECONDS = 60
MEANS_SOURCE = re.compile(r"\bthe source\b|there is nothing to package")
SETTING = re.compile(r"\b(limits|host)\.[a-z_]+")


def decode(path, kind):
    """([(start, end)] in seconds of each decoded frame, what the decoder complained of)."""
    options = {"video": ["-map", "0:v:0", "-fps_mode", "passthrough", "-vf", "scale=16:16:flags=neighbor", "-c:v", "rawvideo"],
               "audio": ["-map", "0:a:0", "-c:a", "pcm_s16le"]}[kind]
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-copyts", "-i", str(path), *options, "-f", "framecrc", "-"], capture_output=True,
                          text=True, timeout=DECODE_SECONDS, check=False)
    base = re.search(r"#tb 0: (\d+)/(\d+)", done.stdout)
    tick = int(base[1]) / int(base[2]) if base else 0
    rows = [line.split(",") for line in done.stdout.splitlines() if line and not line.startswith("#")]
    frames = [(int(row[2]) * tick, (int(row[2]) + int(row[3])) * tick) for row in rows]
    return frames, done.stderr.strip() or (f"exit code {done.returncode}" if done.returncode else "")


def check_files(media, problems):
    name = f"{media.path.parent.name}/{media.path.name}"
    if not media.ended:
        problems.append(f"{name} has no ENDLIST")
    if not media.segments:
        problems.append(f"{name} lists no segments")
    for path in ([media.init] if media.init else []) + [path for path, _ in media.segments]:
        if not path.is_file() or path.stat().st_size == 0:
            problems.append(f"{name} names {path.name}, which is missing or empty")
    if any(length <= 0 for _, length in media.segments) or media.target < max((round(length) for _, length in media.segments), default=1):
        problems.append(f"{name} has segments of no length, or longer than its target")


def check_picture(path, rate, copied, problems):
    media = playlists.read_media(path)
    check_files(media, problems)
    if copied:
        return
    frames, complaint = decode(path, "video")
    if complaint:
        problems.append(f"{path.parent.name}: does not decode: {complaint[:300]}")
    if any(later[0] <= earlier[0] for earlier, later in zip(frames, frames[1:])):
        problems.append(f"{path.parent.name}: its frames do not follow one another")
    muxed = any(path.suffix == ".ts" for path, _ in media.segments)  # with sound, which may go on
    if len(frames) / rate - media.seconds > 1 / rate + 0.01 or (not muxed and media.seconds - len(frames) / rate > 1 / rate + 0.01):
        problems.append(f"{path.parent.name}: {len(frames)} frames at {rate:.3f}/s decode, its playlist lasts {media.seconds:.3f} s")


def check_sound(path, copied, problems):
    media = playlists.read_media(path)
    check_files(media, problems)
    if copied:
        return
    frames, complaint = decode(path, "audio")
    if complaint:
        problems.append(f"{path.parent.name}: does not decode: {complaint[:300]}")
    heard = sum(end - start for start, end in frames)
    if abs(heard - media.seconds) > 0.1:
        problems.append(f"{path.parent.name}: {heard:.3f} s of sound decode, its playlist lasts {media.seconds:.3f} s")


def check_text(path, problems):
    media = playlists.read_media(path)
    check_files(media, problems)
    for segment, _ in media.segments:
        if segment.is_file() and not segment.read_text(encoding="utf-8").startswith("WEBVTT"):
            problems.append(f"{path.parent.name}: {segment.name} is not WebVTT")


def numbers(template):
    """How many segments a SegmentTimeline lists."""
    return sum(1 + int(s.get("r", "0")) for s in template.iter(f"{MPD}S"))


def check_mpd(tree, problems):
    """Each segment that the MPD promises is there."""
    try:
        root = ElementTree.parse(tree / "manifest.mpd").getroot()
    except (ElementTree.ParseError, OSError) as error:
        problems.append(f"manifest.mpd can't be read: {error}")
        return
    for adaptation in root.iter(f"{MPD}AdaptationSet"):
        shared = adaptation.find(f"{MPD}SegmentTemplate")
        for representation in adaptation.iter(f"{MPD}Representation"):
            template = representation.find(f"{MPD}SegmentTemplate")
            template = shared if template is None else template
            if template is None or template.find(f"{MPD}SegmentTimeline") is None:
                continue
            wanted = [template.get("initialization")] + [template.get("media").replace("$Number%05d$", f"{n:05d}") for n in range(numbers(template))]
            missing = [name for name in wanted if not (tree / name.replace("$RepresentationID$", representation.get("id"))).is_file()]
            if missing:
                problems.append(f"manifest.mpd names {missing[0]} of {representation.get('id')}, which is missing")


def check_stream(tree, copied=False):
    """copied: packets of the source as they are, and as damaged as they are."""
    problems = []
    master = playlists.read_multivariant(tree / "master.m3u8")
    seen = set()
    if not master.variants:
        problems.append("master.m3u8 lists nothing")
    for values, path in master.variants:
        if path in seen:
            continue
        seen.add(path)
        if "RESOLUTION" in values:
            check_picture(path, float(values["FRAME-RATE"]), copied, problems)
        else:
            check_sound(path, copied, problems)
    for values, path in master.renditions:
        if path and path not in seen:
            seen.add(path)
            if values["TYPE"] == "SUBTITLES":
                check_text(path, problems)
            else:
                check_sound(path, copied, problems)
    if not any(tree.rglob("*.ts")):  # which DASH has no place for
        check_mpd(tree, problems)
    return problems


def check_file(path):
    """Pictures and whole files: they decode, from one end to the other. (Moving WebP is what ffmpeg 5.1 can't read.)"""
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), "-f", "null", "-"], capture_output=True, text=True,
                          timeout=DECODE_SECONDS, check=False)
    return [f"{path.name}: does not decode: {done.stderr.strip()[:300]}"] if done.returncode or done.stderr.strip() else []


def check_tree(tree, copied):
    if (tree / "master.m3u8").exists():
        return check_stream(tree, copied)
    files = [path for path in tree.rglob("*") if path.suffix in (".mp4", ".jpg")]
    return [problem for path in files for problem in check_file(path)] if files else ["nothing was published"]


def check_refusal(code, words, tree, source):
    """One sentence, and nothing that could be taken for a whole stream. It is the source that is at fault, not the machine, but where it is larger
    than what a setting allows."""
    errors = [line for line in words.splitlines() if line.startswith("error:")]
    problems = [] if len(errors) == 1 else [f"{len(errors)} error sentences: {words.strip()[-600:]}"]
    if code == 1 and not any(SETTING.search(error) for error in errors):
        problems.append(f"exit code 1 blames the machine: {words.strip()[-600:]}")
    if code == 3 and errors and f"'{source}'" not in errors[0] and not MEANS_SOURCE.search(errors[0]):
        problems.append(f"the sentence does not say what is wrong with the file: {errors[0]}")
    if any(not character.isprintable() for error in errors for character in error):
        problems.append(f"control characters in {errors[0]!r}")
    if (tree / "manifest.mpd").exists():
        problems.append("manifest.mpd was left behind")
    for playlist in sorted(tree.rglob("*.m3u8")) if tree.is_dir() else ():
        if playlist.name == "master.m3u8":
            problems.append("master.m3u8 was left behind")
        elif "#EXT-X-ENDLIST" in playlist.read_text() and len(list(playlist.parent.glob("*.m4s"))) == 0:
            problems.append(f"{playlist.parent.name}/{playlist.name} lists what is not there")
    return problems


def check_leftovers(tree, state, temporary):
    problems = []
    left = [entry.name for entry in (state / "tmp").iterdir() if entry.name != "lock"] if (state / "tmp").is_dir() else []
    left += [entry.name for entry in temporary.iterdir()]
    left += [path.name for path in tree.rglob("*") if path.name == "part" or path.name.startswith(".mr-") or path.name.endswith(".new")]
    if left:
        problems.append(f"left behind: {', '.join(left)}")
    return problems
