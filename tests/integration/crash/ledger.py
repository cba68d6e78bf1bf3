# SPDX-License-Identifier: MIT
"""What a state folder says is durable, read without Millrace: tasks that ended, results, and the objects they name."""
import hashlib
import json
import sqlite3
from pathlib import Path


def connect(state):
    """The task store as it stands, or None: there is none yet. Opening it replays what its log holds, as the engine will."""
    path = Path(state) / "tasks.db"
    if not path.exists() or path.stat().st_size == 0:
        return None
    return sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=120)


def durable_tasks(state):
    """(node, item) of the tasks with an identity whose end is recorded, in whatever run."""
    store = connect(state)
    if store is None:
        return set()
    try:
        rows = store.execute("SELECT node, item FROM run_tasks WHERE identity IS NOT NULL AND state IN ('succeeded', 'cached')")
        return {tuple(row) for row in rows}
    except sqlite3.OperationalError:  # killed before the tables were made
        return set()
    finally:
        store.close()


def problems(state):
    """What is wrong with the store, in sentences; [] when all is well."""
    store = connect(state)
    if store is None:
        return []
    found = []
    try:
        words = [row[0] for row in store.execute("PRAGMA integrity_check")]
        if words != ["ok"]:
            found += words
        for identity, outputs in store.execute("SELECT identity, outputs FROM results"):
            for output in json.loads(outputs):
                if "digest" in output:
                    found += wrong_object(Path(state), identity, output["digest"], output["size"])
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            found.append(str(error))
    finally:
        store.close()
    return found


def wrong_object(state, identity, digest, size):
    kind, _, digits = digest.partition(":")
    path = state / "objects" / digits[:2] / digits[2:]
    if not path.is_file():
        return [f"result {identity}: object {digest} is missing"]
    content = path.read_bytes()
    if len(content) != size or kind != "sha256" or hashlib.sha256(content).hexdigest() != digits:
        return [f"result {identity}: object {digest} is not what its name says"]
    return []
