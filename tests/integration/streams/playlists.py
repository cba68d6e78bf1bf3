# SPDX-License-Identifier: MIT
"""A plain reader of the HLS playlists of a published tree: only what the checker needs."""
import re
from dataclasses import dataclass, field
from pathlib import Path


def attributes(text):
    found = {}
    for name, value in re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)', text):
        found[name] = value[1:-1] if value.startswith('"') else value
    return found


@dataclass
class Media:
    path: Path
    init: Path | None = None
    segments: list = field(default_factory=list)  # (path, seconds)
    target: int = 0
    ended: bool = False

    @property
    def seconds(self):
        return sum(length for _, length in self.segments)


@dataclass
class Multivariant:
    variants: list = field(default_factory=list)  # (attributes, Path)
    renditions: list = field(default_factory=list)  # (attributes, Path | None)
    iframes: list = field(default_factory=list)  # (attributes, Path)


def read_media(path):
    media = Media(Path(path))
    length = None
    for line in media.path.read_text().splitlines():
        if line.startswith("#EXT-X-MAP:"):
            media.init = media.path.parent / attributes(line)["URI"]
        elif line.startswith("#EXT-X-TARGETDURATION:"):
            media.target = int(line.split(":")[1])
        elif line.startswith("#EXTINF:"):
            length = float(line[8:].split(",")[0])
        elif line == "#EXT-X-ENDLIST":
            media.ended = True
        elif line and not line.startswith("#"):
            media.segments.append((media.path.parent / line, length))
    return media


def read_multivariant(path):
    path = Path(path)
    found = Multivariant()
    pending = None
    for line in path.read_text().splitlines():
        if line.startswith("#EXT-X-STREAM-INF:"):
            pending = attributes(line.split(":", 1)[1])
        elif line.startswith("#EXT-X-MEDIA:"):
            values = attributes(line.split(":", 1)[1])
            found.renditions.append((values, path.parent / values["URI"] if "URI" in values else None))
        elif line.startswith("#EXT-X-I-FRAME-STREAM-INF:"):
            values = attributes(line.split(":", 1)[1])
            found.iframes.append((values, path.parent / values["URI"]))
        elif line and not line.startswith("#"):
            found.variants.append((pending, path.parent / line))
    return found
