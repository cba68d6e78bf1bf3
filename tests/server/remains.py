# SPDX-License-Identifier: MIT
"""What lies in the data folder of a server, read without it: databases that are whole, and nothing that no row refers to."""
import hashlib
import sqlite3
from pathlib import Path


def rows(data, text, *values, name="metadata.db"):
    """As it stands; opening it replays what its log holds, as the server will."""
    store = sqlite3.connect(f"file:{Path(data) / name}?mode=rw", uri=True, timeout=120)
    try:
        return store.execute(text, values).fetchall()
    finally:
        store.close()


def captions(data):
    """The label of each video's one caption."""
    return dict(rows(data, "SELECT video, label FROM captions"))


def problems(data):
    """What is wrong with the databases, in sentences."""
    found = []
    for name in ("metadata.db", "state/tasks.db"):
        found += [f"{name}: {row[0]}" for row in rows(data, "PRAGMA integrity_check", name=name) if row[0] != "ok"]
        found += [f"{name}: {row} refers to nothing" for row in rows(data, "PRAGMA foreign_key_check", name=name)]
    return found


def files(folder):
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if not path.is_dir()} if Path(folder).is_dir() else set()


def folders(folder, depth):
    """Those so deep below."""
    return {path.relative_to(folder).as_posix() for path in Path(folder).glob("/".join("*" * depth)) if path.is_dir()}


def orphans(data):
    """Paths that nothing refers to, and rows whose file is not there; of a server that rests."""
    data = Path(data)
    known, wanted = set(), set()
    for upload, state, kind in rows(data, "SELECT id, state, kind FROM uploads"):
        wanted.add(upload)
        if state == 0:
            known.add(f"{upload}.leaves")
            known |= {f"{upload}.{file}" for (file,) in rows(data, "SELECT file FROM upload_parts WHERE upload = ? AND place < 0", upload)}
    found = [f"uploads/{name}" for name in files(data / "uploads") - known - wanted]
    found += [f"uploads/{name} is missing" for name in wanted - files(data / "uploads")]
    sides = {f"{video}/{file}" for video, file in rows(data, "SELECT video, file FROM captions")}
    found += [f"captions/{name}" for name in files(data / "captions") ^ sides]
    videos = {video: (output, attempt, poster) for video, output, attempt, poster in rows(data, "SELECT id, output, attempt, poster FROM videos")}
    chosen = {poster.removeprefix("posters/").removesuffix("/poster.jpg") for _, _, poster in videos.values() if poster.startswith("posters/")}
    there = {name.split("/")[0] + "/" + name.split("/")[1] for name in files(data / "posters")}
    found += [f"posters/{name}" for name in there ^ chosen]
    attempts = {f"{video}/{n + 1}" for video, (_, attempt, _) in videos.items() for n in range(attempt)}
    found += [f"media/{name}" for name in folders(data / "media", 2) - attempts]
    found += [f"media/{name}" for name in files(data / "media") if name.endswith((".new", "/part")) or "/.mr-" in name]
    found += [f"rubbish: {path}" for (path,) in rows(data, "SELECT path FROM rubbish")]
    found += [f"answers: {row}" for row in rows(data, "SELECT scope, key FROM answers WHERE status = 0")]
    found += [f"uploads: {row} can't go on" for row in rows(data, "SELECT id, kind, role FROM uploads WHERE state = 0 AND (kind = 1 OR role = 2)")]
    scratch = data / "state" / "tmp"
    found += [f"state/tmp/{path.name}" for path in (scratch.iterdir() if scratch.is_dir() else ()) if path.name != "lock"]
    return sorted(found)


def published(folder):
    """SHA-256 by path. run.json may differ between two runs, and may be under way still; the publisher's notes are its own."""
    return {name: hashlib.sha256((Path(folder) / name).read_bytes()).hexdigest() for name in sorted(files(folder))
            if name != "run.json" and not name.startswith((".millrace/", ".mr-"))}
