"""Servers beside each other on this machine: ours as it is installed, nginx, the reference server of tus; and who asks them: wrk, and bench_load where wrk does not
fit. Nobody writes an access log, ours has no rate limits; both have a thread for each core."""
import contextlib
import json
import os
import re
import resource
import socket
import subprocess
import sys
import time

from bench import measure, peers

TESTS = peers.ROOT / "tests"
LOAD = peers.BUILD / "tests" / "bench_load"
TUS = TESTS / "bench" / "tus"
HOST = "127.0.0.1"
PATIENCE_S = 60
CPUCLOCK_SCHED = 2  # with a process in the upper bits: the clock of what it ran (linux/posix-timers.h)

os.environ.setdefault("MILLRACE", str(peers.MILLRACE))
os.environ.setdefault("MILLRACE_SOURCE", str(peers.ROOT))
os.environ.setdefault("MILLRACE_PIPELINE_PATH", str(peers.ROOT / "pipelines"))
sys.path.append(str(TESTS / "server"))
import serving  # noqa: E402  pylint: disable=wrong-import-position


def many_files():
    """As many open files as one may have: those who are started have them too."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def cpu(pids):
    """Seconds that these processes have used so far, by their CPU clocks (clock_getcpuclockid): /proc/PID/stat is counted in ticks, which hit or miss
    those that run for microseconds at a time."""
    return sum(time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED) for pid in pids)


def memory(pid):
    """Bytes that are the process's own: what it shares with files doesn't count."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return 1024 * int(re.search(r"RssAnon:\s+(\d+)", file.read()).group(1))


def free_port():
    with socket.create_server((HOST, 0)) as it:
        return it.getsockname()[1]


def wait_for(port, process):
    """Whether it answers."""
    until = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port)):
            return True
        time.sleep(0.01)
    return False


# ---- the servers ----
@contextlib.contextmanager
def ours(work):
    """`millrace serve` on a fresh folder, and its administrator's token."""
    many_files()
    server = serving.Server(work, "server.access_log=false", "server.rate_api=0", "server.rate_sign_in=0", host=HOST)
    try:
        server.start()
        server.pids = [server.process.pid]
        server.token = server.set_up()
        yield server
    finally:
        server.stop()


def expect(server, status, *words):
    answer = server.ask(*words, token=server.token)
    if answer.status != status:
        raise measure.CommandFailed(f"{words[0]} {words[1]}: {answer.status} {answer.body[:600]}")
    return answer.json if answer.body else None


def add_video(server, **fields):
    """Where its bytes go, and what it is."""
    return expect(server, 201, "POST", "/api/v1/videos", {"title": "a video", "filename": "video.mp4", **fields})


def remove_video(server, video):
    expect(server, 204, "DELETE", f"/api/v1/videos/{video}")


def until_over(server, video, wanted):
    found = server.ended(video, server.token)
    if found["status"] != wanted or (wanted == "ready" and not found["complete"]):
        raise measure.CommandFailed(f"the video is {found['status']}: {found['reason']}")


def put(server, video, path):
    """A file as the video's source, in one request."""
    with open(path, "rb") as file:
        url = video["upload"]["put"]["url"].split("/", 3)[3]
        answer = server.ask("PUT", f"/{url}", file.read(), headers=video["upload"]["put"]["headers"])
    if answer.status != 200:
        raise measure.CommandFailed(f"PUT: {answer.status} {answer.body[:600]}")


def published(server, work):
    """A public video that is ready: its id, its playback's folder of URLs, and the folder on the disk."""
    clip = serving.make_clip(work / "clip.mp4", seconds=2)
    video = add_video(server, visibility="public", size=clip.stat().st_size)
    put(server, video, clip)
    name = video["video"]["id"]
    until_over(server, name, "ready")
    url = expect(server, 200, "GET", f"/api/v1/videos/{name}/playback")["hls"]["url"].rpartition("/")[0]
    return name, url, server.data / "media" / name / url.rpartition("/")[2]


NGINX = """
worker_processes {cores};
pid {work}/nginx.pid;
error_log {work}/nginx.log warn;
daemon off;
{user}
events {{ worker_connections 8192; }}
http {{
  access_log off; sendfile on; keepalive_timeout 75s; keepalive_requests 1000000000; default_type application/octet-stream;
  client_body_temp_path {work}/temp; proxy_temp_path {work}/temp; fastcgi_temp_path {work}/temp; uwsgi_temp_path {work}/temp; scgi_temp_path {work}/temp;
  server {{
    listen {host}:{port};
    root {root};
    location = /json {{ default_type application/json; return 200 '{text}'; }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(work, root, text):
    """Serves the folder, and the text at /json. Yields its port and the processes that work."""
    many_files()
    port, settings = free_port(), work / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers couldn't read the folder
    settings.write_text(NGINX.format(cores=len(os.sched_getaffinity(0)), work=work, user=user, host=HOST, port=port, root=root, text=text), encoding="utf-8")
    with subprocess.Popen([peers.NGINX, "-e", work / "nginx.log", "-c", settings], stdin=subprocess.DEVNULL) as process:
        try:
            cores, pids = len(os.sched_getaffinity(0)), []
            if wait_for(port, process):
                while process.poll() is None and len(pids) <= cores:  # its workers come later
                    pids = measure.descendants(process.pid)
            if not pids:
                raise measure.CommandFailed(f"{peers.NGINX} did not start")
            yield port, pids
        finally:
            process.terminate()


@contextlib.contextmanager
def tus(work):
    """@tus/server with @tus/file-store; None where it can't be had."""
    port = free_port()
    with subprocess.Popen(["node", TUS / "server.mjs", str(port), work / "tus"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield port if wait_for(port, process) else None
        finally:
            process.terminate()


# ---- who asks ----
def wrk(port, target, seconds, connections, field=None):
    """Requests a second. All of them were answered with 2xx."""
    words = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", *(["-H", field] if field else []), f"http://{HOST}:{port}{target}"]
    said = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
    counted, taken = re.search(r"(\d+) requests in ([0-9.]+)s", said).groups()
    if "Socket errors" in said or "Non-2xx" in said or int(counted) == 0:
        raise measure.CommandFailed(f"{' '.join(words)}\n{said}")
    return int(counted), float(taken)


def load_words(port, method, target, **options):
    """fields: a list; a true flag has no value."""
    words = [LOAD]
    for name, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            words += [f"--{name}"] if each is True else [f"--{name}", str(each)]
    return [*words, str(port), method, target]


def load(port, method, target, targets=None, **options):
    """What bench_load saw."""
    text = "".join(f"{one}\n" for one in targets) if targets else ""
    said = subprocess.run(load_words(port, method, target, **options), input=text, capture_output=True, text=True, check=False)
    if said.returncode:
        raise measure.CommandFailed(said.stderr)
    return read(said.stdout)


def read(said):
    return json.loads(said)


def all_good(seen, status, count):
    if seen["errors"] or seen["statuses"] != {str(status): count}:
        raise measure.CommandFailed(f"{count} x {status} were expected: {seen}")
    return seen
