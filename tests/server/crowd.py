# SPDX-License-Identifier: MIT
"""
Clients that use a server while it dies, again and again. Each keeps what it was told: after a start of the server all of it must be so; what was
asked for and not answered may be so or not, and nothing in between.
"""
import contextlib
import hashlib
import http.client
import random
import re
import threading
import time

from serving import PASSWORD

API = "/api/v1"
TUS = {"Tus-Resumable": "1.0.0"}
PART = 5 << 20  # the least that S3 takes of a part that is not the last
LADDER = [{"height": 90, "max_bitrate": 250000}]
PARAMS = {"ladder": LADDER, "preset": "ultrafast", "segment_duration": "1s"}


class Gone(Exception):
    """The server died before it answered."""


class Cell:
    """A value at the server: one, or, where changes were not answered, one of several."""

    def __init__(self, value=None):
        self.may = [value]

    @contextlib.contextmanager
    def changing(self, value):
        self.may.append(value)
        yield  # whoever is told no answer leaves here, and both may be
        self.may = [value]

    def saw(self, value, what):
        if value not in self.may:
            raise AssertionError(f"{what}: it is {value!r}, and may be {self.may!r}")
        self.may = [value]

    @property
    def value(self):
        return self.may[-1]


class Client:
    """Asks one thing after the other until it is stopped or the server is gone."""

    def __init__(self, crowd, name, seed):
        self.crowd = crowd
        self.server = crowd.server
        self.name = name
        self.chance = random.Random(f"{seed} {name}")
        self.asked = 0

    def ask(self, wanted, method, path, body=None, headers=None, token=None):
        """The answer; its status is one of `wanted`."""
        try:
            answer = self.server.ask(method, path, body, self.crowd.key if token is None else token, headers)
        except (OSError, http.client.HTTPException) as error:
            raise Gone(f"{method} {path}") from error
        if answer.status == 503:  # asked to go, it takes nothing new
            raise Gone(f"{method} {path}: {answer.body[:200]}")
        if answer.status not in wanted:
            raise AssertionError(f"{self.name}: {method} {path}: {answer.status} {answer.body[:500]}")
        return answer

    def once(self, wanted, path, body):
        """A POST that is sent again, with the same key, until it is answered: done once, however often the server died meanwhile."""
        if not getattr(self, "pending", None):
            self.asked += 1
            self.pending = (path, body, f"{self.name}-{self.asked}")
        path, body, key = self.pending
        answer = self.ask(wanted, "POST", API + path, body, {"Idempotency-Key": key})
        self.pending = None
        return answer.json

    def run(self, stop):
        with contextlib.suppress(Gone):
            while not stop.is_set() and self.step():
                pass

    def step(self):
        """One thing. False: there is nothing left to do for now."""
        raise NotImplementedError

    def check(self):
        """All that was acknowledged is there."""

    def finish(self):
        """Undisturbed: what was begun is ended."""


# ---- uploads ----

class Sender(Client):
    """One way to upload clips, piece by piece; it goes on where the server says that it is."""

    def __init__(self, crowd, name, seed):
        super().__init__(crowd, name, seed)
        self.video = None
        self.budget = 0  # clips that it may begin

    def step(self):
        if self.video is None:
            if self.budget == 0 and not getattr(self, "pending", None):
                return False
            self.begin()
        elif self.send():
            self.crowd.arrived(self.video, self.clip, self.data)
            self.video = None
        return True

    def begin(self):
        if not getattr(self, "pending", None):
            self.budget -= 1
            self.clip = self.chance.randrange(len(self.crowd.clips))
            self.data = self.crowd.clips[self.clip] + free_box(self.chance, self.padding())
            self.title = f"{self.name} {self.asked}"
        made = self.once((201,), "/videos", {"title": self.title, "filename": f"{self.name}.mp4", "size": len(self.data), "type": "video/mp4", "params": PARAMS})
        self.video = made["video"]["id"]
        self.crowd.titles[self.title] = self.video
        self.began(made["upload"])

    def padding(self):
        return self.chance.randrange(16, 5000)

    def slowly(self, data):
        """A body that comes as from far away, so that a death in its middle is likely."""
        step = max(1, len(data) // self.chance.randrange(1, 8))
        for at in range(0, len(data), step):
            yield data[at : at + step]
            time.sleep(self.chance.random() * 0.02)  # what networks do, not something that is waited for

    def put(self, wanted, method, url, data, headers=None):
        path = re.sub(r"^http://[^/]+", "", url)
        return self.ask(wanted, method, path, self.slowly(data), {**(headers or {}), "Content-Length": str(len(data))}, token="")

    def is_whole(self):
        """Whether the last answer was lost and all the bytes are there."""
        return self.ask((200,), "GET", f"{API}/videos/{self.video}").json["status"] not in ("created", "uploading")

    def finish(self):
        while self.video or getattr(self, "pending", None):
            self.step()


class TusSender(Sender):
    def began(self, targets):
        self.url = targets["tus"]["url"]
        self.at = self.sent = 0

    def send(self):
        piece = self.data[self.at : self.at + self.chance.randrange(1, len(self.data))]
        self.sent = self.at + len(piece)
        headers = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(self.at), "Content-Length": str(len(piece))}
        self.ask((204,), "PATCH", self.url, self.slowly(piece), headers)
        self.at = self.sent
        return self.at == len(self.data)

    def check(self):
        if not self.video:
            return
        seen = int(self.ask((200,), "HEAD", self.url, headers=TUS).headers["upload-offset"])
        if not self.at <= seen <= self.sent:
            raise AssertionError(f"{self.name}: the upload is at {seen}; {self.at} was acknowledged, {self.sent} sent")
        self.at = self.sent = seen
        if seen == len(self.data):
            self.crowd.arrived(self.video, self.clip, self.data)
            self.video = None


class PutSender(Sender):
    """All or nothing."""

    def began(self, targets):
        self.target = targets["put"]

    def send(self):
        self.put((200,), "PUT", self.target["url"], self.data, self.target["headers"])
        return True

    def check(self):
        if self.video and self.is_whole():
            self.crowd.arrived(self.video, self.clip, self.data)
            self.video = None


class PartsSender(Sender):
    """S3's multipart upload, by URLs that the server signs."""

    def padding(self):
        return PART + self.chance.randrange(16, 5000)

    def began(self, targets):
        del targets
        self.upload = None
        self.parts = {}

    def sign(self, action, **more):
        return self.ask((200,), "POST", f"{API}/uploads/sign", {"video": self.video, "filename": "a.mp4", "action": action, **more}).json["url"]

    def send(self):
        if not self.upload:
            answer = self.put((200,), "POST", self.sign("initiate"), b"")
            self.upload = re.search(rb"<UploadId>([^<]+)", answer.body)[1].decode()
        elif len(self.parts) < 2:
            number = self.chance.choice([number for number in (1, 2) if number not in self.parts])
            piece = self.data[:PART] if number == 1 else self.data[PART:]
            url = self.sign("part", upload_id=self.upload, part_number=number)
            self.parts[number] = (self.put((200,), "PUT", url, piece).headers["etag"], len(piece))
        else:
            rows = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, (etag, _) in sorted(self.parts.items()))
            body = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
            return b"<ETag>" in self.put((200,), "POST", self.sign("complete", upload_id=self.upload), body).body
        return False

    def check(self):
        if not self.video:
            return
        if self.is_whole():
            self.crowd.arrived(self.video, self.clip, self.data)
            self.video = None
        elif self.upload:
            path = re.sub(r"^http://[^/]+", "", self.sign("list", upload_id=self.upload))
            seen = self.ask((200,), "GET", path, token="").body.decode().replace("&quot;", '"')
            there = [dict(re.findall(r"<(\w+)>([^<]*)</", part)) for part in seen.split("<Part>")[1:]]
            for number, (etag, size) in self.parts.items():
                if (str(number), etag, str(size)) not in [(part["PartNumber"], part["ETag"], part["Size"]) for part in there]:
                    raise AssertionError(f"{self.name}: part {number} {etag} was acknowledged, and there are {there}")


def free_box(chance, size):
    """A box of an MP4 file that readers skip: the same pictures, another file."""
    return size.to_bytes(4, "big") + b"free" + chance.randbytes(size - 8)


# ---- what people write ----

class Editor(Client):
    """Videos without a file, captions, posters, positions, users and keys: made, changed and removed."""

    def __init__(self, crowd, name, seed):
        super().__init__(crowd, name, seed)
        self.cells = {}  # by kind and what it is of

    def cell(self, *key):
        return self.cells.setdefault(key, Cell())

    def step(self):
        videos = [key[1] for key, cell in self.cells.items() if key[0] == "title" and cell.may[-1] is not None]
        if getattr(self, "pending", None) or len(videos) < 2:
            return self.add()
        self.asked += 1
        getattr(self, self.chance.choice(("retitle", "retitle", "captions", "captions", "position", "poster", "user", "remove", "add")))(self.chance.choice(videos))
        return True

    def add(self, _video=None):
        if getattr(self, "pending", None) and self.pending[0] == "/users":
            return self.user()
        if not getattr(self, "pending", None):
            self.title = f"{self.name} {self.asked}"
        video = self.once((201,), "/videos", {"title": self.title})["video"]["id"]
        self.crowd.titles[self.title] = video
        self.cell("title", video).may = [self.title]
        for kind in ("captions", "position", "poster"):
            self.cell(kind, video)
        return True

    def retitle(self, video):
        with self.cell("title", video).changing(f"{self.name} {self.asked}"):
            self.ask((200,), "PATCH", f"{API}/videos/{video}", {"title": f"{self.name} {self.asked}"})

    def captions(self, video):
        cell = self.cell("captions", video)
        if cell.value and self.chance.random() < 0.3:
            with cell.changing(None):
                self.ask((204,), "DELETE", f"{API}/videos/{video}/captions/de")
        else:
            label = f"{self.name} {self.asked}"
            with cell.changing(label):
                text = f"WEBVTT\n\n00:00.000 --> 00:01.000\n{label}\n"
                self.ask((200,), "PUT", f"{API}/videos/{video}/captions/de?label={label.replace(' ', '+')}", text.encode(), {"Content-Type": "text/vtt"})

    def position(self, video):
        with self.cell("position", video).changing(float(self.asked)):
            self.ask((200, 204), "PUT", f"{API}/videos/{video}/position", {"seconds": float(self.asked)})

    def poster(self, video):
        picture = self.crowd.picture + str(self.asked).encode()
        with self.cell("poster", video).changing(hashlib.sha256(picture).hexdigest()):
            self.ask((200,), "POST", f"{API}/videos/{video}/poster", picture, {"Content-Type": "image/jpeg"})

    def user(self, _video=None):
        people = [key[1] for key, cell in self.cells.items() if key[0] == "user" and cell.may[-1] is not None]
        if getattr(self, "pending", None) or not people or self.chance.random() < 0.2:
            body = {"email": f"{self.name}{self.asked}@example.org", "password": PASSWORD, "name": "0", "role": "viewer"}
            self.cell("user", self.once((201,), "/users", body)["id"]).may = [("0", "viewer")]
            return True
        who = self.chance.choice(people)
        if self.chance.random() < 0.2:
            with self.cell("user", who).changing(None):
                self.ask((204,), "DELETE", f"{API}/users/{who}")
            return True
        now = (str(self.asked), self.chance.choice(("viewer", "creator")))
        with self.cell("user", who).changing(now):
            self.ask((200,), "PATCH", f"{API}/users/{who}", {"name": now[0], "role": now[1]})
        return True

    def remove(self, video):
        cells = [self.cell(kind, video) for kind in ("title", "captions", "position", "poster")]
        with contextlib.ExitStack() as together:
            for cell in cells:
                together.enter_context(cell.changing(None))
            self.ask((204,), "DELETE", f"{API}/videos/{video}")
        del self.cells["captions", video], self.cells["position", video], self.cells["poster", video]

    def check(self):
        people = {user["id"]: (user["name"], user["role"]) for user in self.everything("/users")}
        for (kind, of), cell in list(self.cells.items()):
            if kind == "title":
                answer = self.ask((200, 404), "GET", f"{API}/videos/{of}")
                title = answer.json["title"] if answer.status == 200 else None
                cell.saw(title, f"title of {of}")
                if title is None:
                    for beside in ("captions", "position", "poster"):
                        self.cells.pop((beside, of), None)
                else:
                    self.check_beside(of, answer.json)
            elif kind == "user":
                cell.saw(people.get(of), f"user {of}")

    def check_beside(self, video, seen):
        position = self.ask((200, 404), "GET", f"{API}/videos/{video}/position").json
        self.cell("position", video).saw(position.get("seconds"), f"position in {video}")
        poster = self.ask((200,), "GET", re.sub(r"^http://[^/]+", "", seen["poster_url"]), token="").body if seen["poster_url"] else None
        self.cell("poster", video).saw(poster and hashlib.sha256(poster).hexdigest(), f"poster of {video}")
        self.cell("captions", video).saw(self.crowd.caption_of(video), f"captions of {video}")

    def everything(self, path):
        cursor, items = "", []
        while cursor is not None:
            page = self.ask((200,), "GET", f"{API}{path}?limit=100{cursor and '&cursor=' + cursor}").json
            items += page["items"]
            cursor = page["next"]
        return items


class Visitor(Client):
    """Signs in, renews, makes keys, and signs out."""

    def __init__(self, crowd, name, seed):
        super().__init__(crowd, name, seed)
        self.refresh = None
        self.keys = {}

    def step(self):
        if not self.refresh:
            session = self.ask((200,), "POST", f"{API}/auth/login", {"email": self.crowd.email, "password": PASSWORD}, token="").json
        else:
            session = self.renew()
        self.refresh, self.access = session["refresh_token"], session["access_token"]
        self.asked += 1
        if self.chance.random() < 0.3 and len(self.keys) < 20:
            made = self.ask((201,), "POST", f"{API}/keys", {"name": f"k{self.asked}", "scopes": ["videos:read"]}, token=self.access).json
            self.keys[made["id"]] = (made["key"], Cell("there"))
        elif self.keys and self.chance.random() < 0.3:
            which = self.chance.choice(list(self.keys))
            with self.keys[which][1].changing(None):
                self.ask((204,), "DELETE", f"{API}/keys/{which}", token=self.access)
            del self.keys[which]
        if self.chance.random() < 0.1:
            token, self.refresh = self.refresh, None
            self.ask((204,), "POST", f"{API}/auth/logout", {"refresh_token": token}, token="")
        return True

    def renew(self):
        return self.ask((200,), "POST", f"{API}/auth/refresh", {"refresh_token": self.refresh}, token="").json

    def check(self):
        if self.refresh:  # the last that was answered: if it was renewed and the answer lost, it is answered again
            session = self.renew()
            self.refresh, self.access = session["refresh_token"], session["access_token"]
        for which, (key, cell) in list(self.keys.items()):
            answer = self.ask((200, 401), "GET", f"{API}/users/me", token=key)
            cell.saw("there" if answer.status == 200 else None, f"key {which}")
            if answer.status == 401:
                del self.keys[which]


# ---- what is made of videos ----

class Chooser(Client):
    """Has videos that are there processed anew, chooses moments for their posters, and removes some."""

    def __init__(self, crowd, name, seed):
        super().__init__(crowd, name, seed)
        self.posters = {}  # runs that were acknowledged, by video
        self.budget = 0

    def step(self):
        videos = [video for video, it in list(self.crowd.whole.items()) if not it["gone"].value]
        if self.budget <= 0 or not videos:
            return False
        self.budget -= 1
        video = self.chance.choice(videos)
        deed = self.chance.random()
        if deed < 0.4:
            run = self.ask((202,), "POST", f"{API}/videos/{video}/process", {}).json["run"]
            if run:  # else it waits for its turn, and is not known yet
                self.crowd.whole[video]["processed"].append(run)
        elif deed < 0.8:
            run = self.ask((202,), "POST", f"{API}/videos/{video}/poster", {"time": self.chance.randrange(1, 10) / 10}, {"Content-Type": "application/json"}).json["run"]
            self.posters.setdefault(video, []).append(run)
        elif len(videos) > 2:
            with self.crowd.whole[video]["gone"].changing(True):
                self.ask((204,), "DELETE", f"{API}/videos/{video}")
        return True

    def check(self):
        for video, it in self.crowd.whole.items():
            answer = self.ask((200, 404), "GET", f"{API}/videos/{video}")
            it["gone"].saw(answer.status == 404, f"video {video}")
            if answer.status == 200 and (answer.json["status"] not in ("processing", "ready") or answer.json["size"] != it["size"]):
                raise AssertionError(f"video {video} had its {it['size']} bytes acknowledged: {answer.json}")


class Crowd:
    """All of them, and what they know of each other's videos."""

    def __init__(self, server, clips, picture, seed):
        self.server, self.clips, self.picture = server, clips, picture
        self.email = "admin@example.org"
        access = server.set_up(self.email)
        scopes = ["videos:read", "videos:write", "runs:read", "runs:write", "users:admin"]
        self.key = server.ask("POST", f"{API}/keys", {"name": "crowd", "scopes": scopes}, access).json["key"]
        self.titles = {}
        self.whole = {}  # videos whose last byte was acknowledged
        self.senders = [TusSender(self, "tus", seed), PutSender(self, "put", seed), PartsSender(self, "parts", seed)]
        self.chooser = Chooser(self, "chooser", seed)
        self.clients = [*self.senders, Editor(self, "editor", seed), Visitor(self, "visitor", seed), self.chooser]

    def arrived(self, video, clip, data):
        self.whole[video] = {"clip": clip, "size": len(data), "digest": hashlib.sha256(data).hexdigest(), "gone": Cell(False), "processed": []}

    def caption_of(self, video):
        """The label of the one side track, as the database has it: the API tells it with a playable video only."""
        return self.captions.get(video)

    def work(self, stop):
        """Until `stop` is set or the server is gone. What a client found wrong is raised."""
        wrong = []

        def run(client):
            try:
                client.run(stop)
            except Exception as error:  # handed on to the thread that waits
                wrong.append(error)
                stop.set()

        threads = [threading.Thread(target=run, args=[client]) for client in self.clients]
        for thread in threads:
            thread.start()
        return threads, wrong

    def check(self, captions):
        self.captions = captions
        for client in self.clients:
            client.check()

    def finish(self):
        for client in self.clients:
            client.finish()
