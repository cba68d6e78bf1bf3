"""server-requests, server-segments, server-uploads, server-idle: `millrace serve` beside nginx, dd and the reference server of tus."""
import http.client
import os
import signal
import subprocess
import threading
import time

from bench import measure, servers

ROUND_S, QUICK_S = 5, 2
CONNECTIONS = 64
PER = 100_000                     # requests that wall and CPU of a side are told for
SEGMENT, SEGMENTS, WATCHERS = 1 << 20, 1000, 16
SEGMENTS_S, SEGMENTS_ROUNDS = 1, 40
AT_ONCE = 2000
UPLOAD, QUICK_UPLOAD = 2 << 30, 256 << 20
TOGETHER, EACH, QUICK_EACH = 200, 16 << 20, 4 << 20
RATE = 200                        # of JSON requests beside the uploads
IDLE = 5000


def asked(port, pids, target, seconds, per, connections, field=None):
    """A side: wall and CPU of the server for `per` requests."""
    def run():
        before = servers.cpu(pids)
        count, taken = servers.wrk(port, target, seconds, connections, field)
        return measure.Figures(taken * per / count, (servers.cpu(pids) - before) * per / count)

    return run


# ---- requests ----
def requests(s):
    seconds = QUICK_S if s.options.quick else ROUND_S
    with s.work() as work, servers.ours(work) as server:
        video, _, _ = servers.published(server, work)
        text = server.ask("GET", "/api/v1/server").body.decode()
        path = f"/api/v1/videos/{video}"
        with servers.nginx(work, work, text) as (port, pids):
            def side(*words):
                return asked(*words[:2], words[2], seconds, PER, CONNECTIONS, *words[3:])

            rounds = s.alternate(f"{PER} requests", {
                "millrace, JSON": side(server.port, server.pids, "/api/v1/server"),
                "GET /videos/{id}": side(server.port, server.pids, path),
                "nginx return 200": side(port, pids, "/json"),
                "GET /videos/{id}, signed in": side(server.port, server.pids, path, f"Authorization: Bearer {server.token}"),
            }, warm=True)
        for name, words, least in (("millrace, JSON", "a JSON route", 0.9), ("GET /videos/{id}", "GET /videos/{id}", 0.5), ("GET /videos/{id}, signed in", None, None)):
            words = words or name
            s.row(f"{words}: requests a CPU second", rounds.ratios("nginx return 200", name, "cpu"), against="nginx return 200", least=least, higher=True)
            s.row(f"{words}: requests a second", rounds.ratios("nginx return 200", name), against="nginx return 200", least=least, higher=True)
        for name in rounds.sides:
            s.row(f"CPU of a request, {name}", [cpu * 1e6 / PER for cpu in rounds.values(name, "cpu")], unit="us")
        seen = [servers.load(server.port, "GET", f"{path}/playback", connections=AT_ONCE, gather=True) for _ in range(s.options.rounds)]
    wrong = [AT_ONCE - one["statuses"].get("200", 0) for one in seen]
    s.row(f"{AT_ONCE} clients at once ask for a stream's URLs: not answered with 200", sum(wrong), unit="", least=0)
    s.row("until the last of them is answered", [one["seconds"] for one in seen], unit="s")


# ---- segments ----
def segments(s):
    """Many short rounds. Over loopback the kernel receives in the time of whoever happens to run, the server or the client, so that of two equal rounds one may
    take half as much again: only the median of many tells the servers apart."""
    with s.work() as work, servers.ours(work) as server:
        _, url, folder = servers.published(server, work)
        for place in (folder, work):
            (place / "segment.m4s").write_bytes(os.urandom(SEGMENT))
        with servers.nginx(work, work, "") as (port, pids):
            sides = {"millrace": asked(server.port, server.pids, f"{url}/segment.m4s", SEGMENTS_S, SEGMENTS, WATCHERS),
                     "nginx": asked(port, pids, "/segment.m4s", SEGMENTS_S, SEGMENTS, WATCHERS)}
            rounds = s.alternate(f"{SEGMENTS} segments of 1 MB", sides, warm=True, least=0 if s.options.quick else SEGMENTS_ROUNDS)
    s.ratio(rounds, "nginx", "cpu", label="CPU of a MB", least=1.2)
    s.bound(rounds, "nginx", "cpu", 1.2, "CPU of a MB")
    s.ratio(rounds, "nginx", label="wall")
    for name in rounds.sides:
        s.row(f"MB a second, {name}", [SEGMENTS / wall for wall in rounds.values(name)], unit="")


# ---- uploads ----
TUS = ["Tus-Resumable: 1.0.0", "Content-Type: application/offset+octet-stream", "Upload-Offset: 0"]


def upload(port, method, target, status, path, pids=(), fields=()):
    """One request that carries the file, and what it took the server."""
    before = servers.cpu(pids)
    seen = servers.all_good(servers.load(port, method, target, body=path, field=list(fields)), status, 1)
    return measure.Figures(seen["seconds"], servers.cpu(pids) - before)


def make_random(path, size):
    with open(path, "wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    return path


def ways_to_upload(server, source, folder, tus_port):
    """dd, ours in two ways, and the peer; each leaves nothing behind, and what was written before is on the disk before it begins."""
    def settled(how):
        def run():
            os.sync()
            return how()
        return run

    def by_ours(tus):
        def run():
            video = servers.add_video(server, size=source.stat().st_size)
            name, ways = video["video"]["id"], video["upload"]
            if tus:
                fields = [*TUS, f"Authorization: Bearer {server.token}"]
                figures = upload(server.port, "PATCH", ways["tus"]["url"], 204, source, server.pids, fields)
            else:
                fields = [f"{field}: {value}" for field, value in ways["put"]["headers"].items() if field != "Content-Length"]
                figures = upload(server.port, "PUT", "/" + ways["put"]["url"].split("/", 3)[3], 200, source, server.pids, fields)
            servers.until_over(server, name, "failed")  # it is noise
            servers.remove_video(server, name)
            return figures
        return run

    def by_dd():  # measure.run would wait for the servers, too
        before, began = measure.cpu_of_children(), time.monotonic()
        subprocess.run(["dd", f"if={source}", f"of={folder}/copy", "bs=1M", "conv=fsync"], stderr=subprocess.DEVNULL, check=True)
        figures = measure.Figures(time.monotonic() - began, measure.cpu_of_children() - before)
        (folder / "copy").unlink()
        return figures

    def by_peer():
        connection = http.client.HTTPConnection(servers.HOST, tus_port)
        connection.request("POST", "/files", headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(source.stat().st_size)})
        url = connection.getresponse().getheader("Location")
        figures = upload(tus_port, "PATCH", "/" + url.split("/", 3)[3], 204, source, fields=TUS)
        for path in (folder / "tus").iterdir():
            path.unlink()
        return figures

    sides = {"millrace, PUT": by_ours(False), "millrace, tus": by_ours(True), "dd conv=fsync": by_dd}
    if tus_port:
        sides["@tus/server"] = by_peer
    return {name: settled(how) for name, how in sides.items()}


class Highest:
    """The most memory that a process has had while this was followed."""

    def __init__(self, pid):
        self.most, self.over = servers.memory(pid), threading.Event()
        self.thread = threading.Thread(target=self.follow, args=[pid])
        self.thread.start()

    def follow(self, pid):
        while not self.over.wait(0.02):
            self.most = max(self.most, servers.memory(pid))

    def close(self):
        self.over.set()
        self.thread.join()
        return self.most


def together(server, path, size):
    """TOGETHER uploads at a time, which don't come to their end: nothing else is to be measured. What the server grew by, and what who asks it meanwhile saw."""
    videos = [servers.add_video(server, size=2 * size) for _ in range(TOGETHER)]
    targets = "".join(f"{video['upload']['tus']['url']}\n" for video in videos)
    fields = [*TUS, f"Authorization: Bearer {server.token}"]
    video, asking_as = "/api/v1/videos/" + videos[0]["video"]["id"], {"connections": 16, "rate": RATE, "field": fields[-1]}
    alone = servers.load(server.port, "GET", video, count=RATE * 2, **asking_as)["p99_ms"]  # what the machine itself makes of it
    beside = servers.load_words(server.port, "GET", video, count=RATE * 600, **asking_as)
    words = servers.load_words(server.port, "PATCH", "-", connections=TOGETHER, gather=True, body=path, field=fields)
    before = servers.memory(server.pids[0])
    highest = Highest(server.pids[0])
    try:
        with subprocess.Popen(beside, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as asking:
            try:
                said = subprocess.run(words, input=targets, stdout=subprocess.PIPE, text=True, check=True).stdout
            finally:
                asking.send_signal(signal.SIGTERM)
            heard = asking.communicate()[0].decode()
    finally:
        grown = highest.close() - before
    seen = servers.all_good(servers.read(said), 204, TOGETHER)
    asked_beside = servers.read(heard)
    servers.all_good(asked_beside, 200, asked_beside["requests"])
    for one in videos:
        servers.remove_video(server, one["video"]["id"])
    return grown, highest.most, asked_beside["p99_ms"], alone, TOGETHER * size / seen["seconds"]


def uploads(s):
    size, each = (QUICK_UPLOAD, QUICK_EACH) if s.options.quick else (UPLOAD, EACH)
    with s.work(memory=True) as source, s.work() as work, servers.ours(work) as server, servers.tus(work) as port:
        if not port:
            s.note("@tus/server is absent: npm ci in tests/bench/tus (it wants Node.js 20)")
        path = make_random(source / "source", size)
        rounds = s.alternate(f"{size >> 20} MiB", ways_to_upload(server, path, work, port), warm=True)
        for name in ("millrace, PUT", "millrace, tus"):
            s.row(f"{name}: bytes a second", rounds.ratios("dd conv=fsync", name), against="dd conv=fsync", least=0.85, higher=True)
        if port:
            s.row("millrace, tus: bytes a second", rounds.ratios("@tus/server", "millrace, tus"), against="@tus/server", higher=True)
            s.note("@tus/server answers before its bytes are on the disk; ours after that, and with their digest")
        with open(path, "r+b") as file:
            file.truncate(each)
        found = [together(server, path, each) for _ in range(s.options.rounds)]
    grown, total, p99, alone, rate = zip(*found)
    s.row(f"{TOGETHER} uploads at a time: memory grows by", [one / 1e6 for one in grown], unit="MB", least=64)
    s.row(f"{TOGETHER} uploads at a time: memory of its own, all", [one / 1e6 for one in total], unit="MB")
    s.row(f"{TOGETHER} uploads at a time: 99 % of JSON answers within", [one / 1e3 for one in p99], unit="s", least=0.02)
    s.row("without them within", [one / 1e3 for one in alone], unit="s")
    s.row(f"{TOGETHER} uploads at a time: MB a second", [one / 1e6 for one in rate], unit="")


# ---- idle connections ----
def idle(s):
    found, beside = [], []
    with s.work() as work, servers.ours(work) as server:
        servers.load(server.port, "GET", "/healthz", connections=100, count=10_000)  # whatever is made once is there
        for _ in range(s.options.rounds):
            before = servers.memory(server.pids[0])
            words = servers.load_words(server.port, "GET", "/healthz", connections=IDLE, hold=True)
            with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as clients:
                servers.all_good(servers.read(clients.stdout.readline()), 200, IDLE)
                beside.append(servers.load(server.port, "GET", "/api/v1/server", connections=16, rate=RATE, count=RATE * 2)["p99_ms"] / 1e3)
                found.append((servers.memory(server.pids[0]) - before) / IDLE)  # after two seconds: what nobody needs any more is given back within one
                clients.communicate()
    s.row(f"memory of one of {IDLE} idle connections", found, unit="B", least=1024)
    s.row("99 % of JSON answers beside them within", beside, unit="s")
