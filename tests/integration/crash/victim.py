# SPDX-License-Identifier: MIT
"""A `millrace run` that can be killed at a chosen instant, and a look for what it leaves running."""
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "robustness"))
from kit import TIMEOUT  # noqa: E402


def hosts_of(pid):
    """Processes of the task hosts that the engine with that pid started: their one argument is its pid."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if words[:2] == [b"millrace-task-host", str(pid).encode()] and state != "Z":
            found.append(int(entry.name))
    return found


def wait_until_gone(pid):
    """[] when no host of the engine is left, at the latest after some seconds on a busy machine."""
    until = time.monotonic() + 20
    while hosts_of(pid):
        if time.monotonic() > until:
            return hosts_of(pid)
        time.sleep(0.01)  # the kernel tells nobody when a stranger's child ends
    return []


def kill_hosts(pid):
    """All that the engine with that pid has at the moment. How many there were."""
    killed = 0
    for host in hosts_of(pid):
        try:
            os.kill(host, signal.SIGKILL)
            killed += 1
        except ProcessLookupError:
            pass
    return killed


def run(words, cwd, instant=None, at_event=None, meanwhile=None, env=None, on_event=None):
    """Runs the command; SIGKILL after so many seconds or events. (exit code, stdout, stderr, pid)"""
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
                             env={**os.environ, **(env or {})})
    errors = []
    reader = threading.Thread(target=lambda: errors.append(child.stderr.read()))
    reader.start()
    timer = threading.Timer(TIMEOUT if instant is None else instant, child.kill)
    timer.start()
    helper = threading.Thread(target=meanwhile, args=(child,)) if meanwhile else None
    if helper:
        helper.start()
    lines = []
    for line in child.stdout:
        lines.append(line)
        if on_event:
            on_event(child.pid, json.loads(line))
        if at_event is not None and len(lines) >= at_event:
            child.send_signal(signal.SIGKILL)
    code = child.wait()
    timer.cancel()
    reader.join()
    if helper:
        helper.join()
    child.stdout.close()
    child.stderr.close()
    return code, b"".join(lines).decode(), errors[0].decode(), child.pid
