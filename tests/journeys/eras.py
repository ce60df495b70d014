"""SheepIt's clients of six eras, pretended: `eras.py ERA URL LOGIN KEY FOLDER FRAMES` renders so many frames and ends.

Each sends what the real one of its time sends: its requests with their headers in their order, its cookies, its
multipart, its script, its command line. It starts the renderer that it was given and tells what it does, line by line.
What a real one waits after trouble, minutes, is seconds here.
"""

import hashlib
import http.client
import io
import os
import re
import subprocess
import sys
import time
import uuid
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlencode, urlsplit

from lxml import etree

TRIES = 30
"""How often a request is sent in all, a second apart: a server that was killed is back within so many."""
JAVA = (("Accept", "text/html, image/gif, image/jpeg, */*; q=0.2"), ("Connection", "keep-alive"))
OK_HTTP = (("Connection", "Keep-Alive"), ("Accept-Encoding", "gzip"))
OLD_BOUNDARY = "***232404jkg4220957934FW**"
FORM = "application/x-www-form-urlencoded"
OLD_CACHE = b'<?xml version="1.0" encoding="UTF-8" standalone="no"?><cache/>'
# Each client adds its own lines behind the server's; those of 2014 know a Blender that is long gone, and fail.
EPILOGUES = {
    "a0": "import bpy\nbpy.context.user_preferences.system.compute_device_type = 'NONE'\n",
    "a": "import bpy\nbpy.context.user_preferences.system.compute_device_type = 'NONE'\n",
    "a2": "sheepit_set_compute_device('NONE', 'CPU', 'CPU')\n",
    "b": "import bpy\nbpy.context.scene.render.tile_x = 32\nsheepit_set_compute_device('NONE', 'CPU', 'CPU')\n",
    "b22": "sheepit_set_compute_device('NONE', 'CPU', 'CPU')\n",
    "c": "sheepit_set_compute_device('NONE', 'CPU', 'CPU')\n",
}
PROLOGUE = "import bpy\nbpy.context.preferences.filepaths.temporary_directory = {folder!r}\n"
LOGINS = {
    "a0": {"version": "3.3.2"},
    "a": {"version": "3.3.1762", "hostname": "vm"},
    "a2": {"version": "5.575.2970", "hostname": "vm", "ui": "GuiText"},
    "b": {"version": "6.20294.0", "hostname": "vm", "ui": "GuiText"},
    "b22": {"version": "7.22306.0", "hostname": "vm", "ui": "GuiText", "os_version": "Debian 12",
            "hwid": "d41d8cd98f00b204e9800998ecf8427e"},
    "c": {"version": "7.24086.0", "hostname": "vm", "ui": "GuiText", "os_version": "Debian 12", "hwid": "d41d8cd9"},
}
JOB_QUERIES = {
    "a0": "computemethod=0", "a": "computemethod=1",
    "a2": "computemethod=1&cpu_cores=1&ram_max=24117248&rendertime_max=-1",
    "b": "computemethod=1&cpu_cores=1&ram_max=24117248&rendertime_max=-1",
    "b22": "computemethod=1&cpu_cores=1&ram_max=24117248&rendertime_max=-1&network_dl=0&network_up=0",
    "c": "computemethod=1&cpu_cores=1&ram_max=24117248&rendertime_max=0&network_dl=0&network_up=0",
}


def say(*words):
    print(*words, flush=True)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list
    body: bytes

    @property
    def root(self):
        """Read XML as all eras do: only where the type says `text/xml`."""
        types = [value for name, value in self.headers if name.lower() == "content-type"]
        assert self.status == 200, (self.status, self.body[:200])
        assert types, "without a Content-Type the Java clients end"
        assert types[0].startswith("text/xml"), types
        return etree.fromstring(self.body)


@dataclass
class Client:
    """A client of one era."""

    era: str
    url: str
    login: str
    key: str
    folder: Path
    cookie: str = ""
    paths: dict = field(default_factory=dict)

    @property
    def is_old(self):
        """Whether it speaks with the JDK's own HTTP, as all did before 2020-06."""
        return self.era in {"a0", "a", "a2"}

    @property
    def agent(self):
        return {"a0": "Java/1.7.0_65", "a": "Java/1.8.0_40", "c": "Rust/1.76.0"}.get(self.era, "Java/17.0.15")

    # what goes over the line -----------------------------------------------------------------------------------------

    def ask(self, method, path, headers=(), body=b""):
        """Send a request until it is answered, and keep the cookies in the era's way."""
        for number in range(TRIES):
            try:
                return self._exchanged(method, path, headers, body)
            except (ConnectionError, http.client.HTTPException):
                say("nobody", path.partition("?")[0])
                if number == TRIES - 1:
                    raise
                time.sleep(1)
        raise AssertionError

    def _exchanged(self, method, path, headers, body):
        place = urlsplit(path if path.startswith("http") else self.url + path)
        line = http.client.HTTPConnection(place.hostname, place.port, timeout=120)
        target = place.path + (f"?{place.query}" if place.query else "")
        line.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in self._headers(place.netloc, [*headers], len(body), method):
            line.putheader(name, value)
        line.endheaders(body or None)
        with line.getresponse() as response:
            answer = Answer(response.status, response.getheaders(), response.read())
        line.close()
        assert not any(name.lower() == "content-encoding" for name, _ in answer.headers)
        self._keep_cookie(answer.headers)
        return answer

    def _headers(self, host, own, length, method):
        cookie = [("Cookie", self.cookie)] if self.cookie else []
        size = [("Content-Length", str(length))] if method == "POST" else []
        if self.is_old:
            return [*cookie, *own, ("User-Agent", self.agent), ("Host", host), *JAVA, *size]
        if self.era == "c":
            return [("User-Agent", self.agent), ("Accept", "*/*"), *own, *cookie, ("Host", host), *size]
        return [("User-Agent", self.agent), *own, *size, ("Host", host), *OK_HTTP, *cookie]

    def _keep_cookie(self, headers):
        """Before 2018-12 only the header spelled so was seen, and went back as it came, attributes and all."""
        if self.era in {"a0", "a"}:
            self.cookie = ([value for name, value in headers if name == "Set-Cookie"] or [self.cookie])[-1]
        elif jar := [value.split(";")[0] for name, value in headers if name.lower() == "set-cookie"]:
            self.cookie = "; ".join(jar)

    def send_file(self, path, name, content, media_type):
        """Upload a file in one part: with the constant boundary and no type, or OkHttp's way."""
        if self.is_old:
            boundary, space, part, more = OLD_BOUNDARY, "", "", [("Cache-Control", "no-cache"), ("Pragma", "no-cache")]
        else:
            boundary, space, more = str(uuid.uuid4()), " ", []
            size = "" if self.era == "c" else f"Content-Length: {len(content)}\r\n"
            part = f"Content-Type: {media_type}\r\n{size}"
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n{part}\r\n'
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        kind = ("Content-Type", f"multipart/form-data;{space}boundary={boundary}")
        return self.ask("POST", path, [kind, *more], body)

    # a session -------------------------------------------------------------------------------------------------------

    def log_in(self):
        headless = {"b": {"headless": "1"}, "b22": {"headless": "1"}, "c": {"headless": "true"}}.get(self.era, {})
        told = {"login": self.login, "password": self.key, "cpu_family": "6", "cpu_model": "167",
                "cpu_model_name": "Intel(R) Xeon(R) Processor", "cpu_cores": "1", "os": "linux", "ram": "24903680",
                "bits": "64bit"} | LOGINS[self.era] | {"extras": ""} | headless
        if self.era in {"a0", "a"}:
            root = self.ask("GET", "/server/config.php?" + urlencode(told)).root
        else:
            form = urlencode(told, quote_via=quote).encode()
            root = self.ask("POST", "/server/config.php", [("Content-Type", FORM)], form).root
        assert root.get("status") == "0", etree.tostring(root)
        assert root.get("publickey") is not None, "the Java clients since 2019-09 end without it"
        self.paths = {one.get("type"): one.get("path") for one in root.iter("request")}
        self.check_paths(root)
        say("login", self.era)
        if self.era == "b22":
            self.send_file(self.paths["error"] + "?type=0", "farm_1.txt", b"Configuration: all is well\n", "text/plain")
        if self.era == "c":
            self.ask("GET", self.paths["keepmealive"] + "?paused=false")

    def check_paths(self, root):
        """Refuse an answer as the era would: its types of requests must be there, with paths to glue a query to."""
        wanted = {"request-job", "error", "keepmealive", "logout"}
        wanted |= {"a0": {"validate-job", "download-archive"}, "b": {"download-archive"}, "b22": {"download-archive"},
                   "c": {"download-binary", "download-chunk", "speedtest-answer"}}.get(
                       self.era, {"validate-job", "download-archive"})
        assert wanted <= set(self.paths), wanted - set(self.paths)
        assert not any("?" in path for path in self.paths.values()), self.paths
        beat = next(one for one in root.iter("request") if one.get("type") == "keepmealive")
        assert int(beat.get("max-period")) > 0

    def request(self):
        """Ask for a job; None where there is none."""
        old, new = [("Content-type", FORM)], [("Content-Type", "application/xml; charset=utf-8")]
        headers, body = {"c": ([], b"")}.get(self.era, (old, OLD_CACHE) if self.is_old else (new, b"<cache/>"))
        root = self.ask("POST", f"{self.paths['request-job']}?{JOB_QUERIES[self.era]}", headers, body).root
        say("status", root.get("status"))
        for file in root.findall("file"):
            assert (file.get("action"), len(file.get("md5"))) == ("delete", 32)
        if root.get("status") == "202":
            self.log_in()
            return self.request()
        job = root.find("job")
        if root.get("status") == "0":
            self.check(root, job)
        return job

    def check(self, root, job):
        """Refuse an answer as the era would: what it demands must be there."""
        wanted = {"id", "use_gpu", "path", "frame"}
        wanted |= {"c": {"name", "password", "validation_url", "synchronous_upload"}}.get(
            self.era, {"archive_md5", "extras", "revision"} if self.era in {"a0", "a"} else {"archive_md5", "name",
                                                                                              "password", "extras"})
        wanted |= {"validation_url", "synchronous_upload"} if self.era in {"b", "b22"} else set()
        assert wanted <= set(job.attrib), wanted - set(job.attrib)
        if self.era in {"a0", "a"}:
            assert root.find("frames") is not None
        else:
            stats = root.find("stats").attrib
            for name in ("credits_session", "credits_total", "frame_remaining", "waiting_project", "connected_machine"):
                assert int(stats[name]) >= 0
        for name in ("id", "use_gpu", "synchronous_upload"):
            int(job.get(name))
        for name in ("id", "frame", "extras", "revision"):  # they are glued into queries as they are
            assert re.fullmatch("[A-Za-z0-9_.-]*", job.get(name)), name
        assert re.fullmatch("[0-9]{4,}", job.get("frame")), "Blender pads to four"
        assert "?" in unquote(job.get("validation_url")), "figures are appended with an ampersand"
        assert job.find("renderer").get("update_method") in {"remainingtime", "by_tile"}
        assert job.findtext("script").strip()
        assert self.era != "c" or job.findall("chunks/chunk")
        assert int(job.get("id")) >= 20

    def beat(self, job, seconds):
        """Say that a render goes on. Before 2016 the path is always the same, whatever the farm said."""
        path = "/server/keepmealive.php" if self.era in {"a0", "a"} else self.paths["keepmealive"]
        query = f"?frame={job.get('frame')}&job={job.get('id')}&extras={job.get('extras')}"
        if self.era in {"a2", "b"}:
            query += f"&rendertime={seconds}&remainingtime=0"
        query = {"b22": "?paused=false&" + query[1:].replace(f"&extras={job.get('extras')}", ""),
                 "c": "?paused=false"}.get(self.era, query)
        say("beat", self.ask("GET", path + query).root.get("status"))

    # a frame ---------------------------------------------------------------------------------------------------------

    def fetch(self, job):
        """Download renderer and project, check them, unpack them; returns both folders."""
        number = job.get("id")
        md5 = job.find("renderer").get("md5")
        if self.era == "c":
            renderer = self.ask("GET", f"{self.paths['download-binary']}?job={number}").body
            chunks = [(self.ask("GET", f"{self.paths['download-chunk']}?chunk={one.get('id')}").body, one.get("md5"))
                      for one in job.findall("chunks/chunk")]
            assert all(hashlib.md5(chunk).hexdigest() == told for chunk, told in chunks)
            project, project_md5 = b"".join(chunk for chunk, _ in chunks), "project"
        else:
            archive = self.paths["download-archive"]
            revision = f"&revision={job.get('revision')}" if self.era in {"a0", "a"} else ""
            renderer = self.ask("GET", f"{archive}?type=binary&job={number}").body
            project = self.ask("GET", f"{archive}?type=job&job={number}{revision}").body
            project_md5 = job.get("archive_md5")
            assert hashlib.md5(project).hexdigest() == project_md5
        assert hashlib.md5(renderer).hexdigest() == md5
        return self.unpacked(renderer, md5), self.unpacked(project, project_md5)

    def unpacked(self, content, name):
        folder = self.folder / name
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(folder)  # as the clients do: modes are not kept
        for path in folder.rglob("*") if self.era in {"a0", "a"} else [folder / "rend.exe"]:
            if path.is_file():
                path.chmod(0o755)
        return folder

    def command(self, job, renderer, project):
        """Build Blender's command line, word by word."""
        script = self.folder / f"script_{job.get('id')}"
        prologue = PROLOGUE.format(folder=str(self.folder))
        script.write_text(f"{prologue}{job.findtext('script')}\n{EPILOGUES[self.era]}")
        scene = str(project / job.get("path"))
        before = self.folder / "pre_load_script.py"
        before.write_text(prologue)
        scenes = ["-P", str(before), scene, "-P", str(script)] if self.era == "c" else [scene, "-P", str(script)]
        words = {".e": [str(renderer / "rend.exe"), "-t", "1"], ".c": scenes, ".f": [job.get("frame")],
                 ".o": [f"{self.folder}/{job.get('id')}_"]}
        template = job.find("renderer").get("commandline").split(" ")
        return ["nice", "-n", "19", *(made for word in template for made in words.get(word, [word]))]

    def environment(self, renderer):
        named = {"LD_LIBRARY_PATH": str(renderer / "lib"), "BLENDER_USER_CONFIG": str(self.folder)}
        if not self.is_old:
            named |= {"CORES": "1", "PRIORITY": "19", "PYTHONPATH": "", "PYTHONHOME": ""}
        if self.era in {"b22", "c"}:
            named |= {"TEMP": str(self.folder), "TMP": str(self.folder), "OCIO": "", "BLENDER_USER_CONFIG": ""}
        return dict(os.environ) | named

    def render(self, job):
        """Render a frame; returns its file, the seconds it took and the kilobytes of its peak."""
        renderer, project = self.fetch(job)
        began = time.monotonic()
        process = subprocess.Popen(self.command(job, renderer, project), env=self.environment(renderer),
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        say("rendering", job.get("id"), job.get("frame"))
        self.beat(job, 0)
        lines = process.stdout.read()
        assert process.wait() == 0 or self.era != "c", "the Rust client takes any other status for a crash"
        peaks = [float(found) for found in re.findall(r"Peak:?\s*([0-9.]+)M", lines)]
        assert peaks, lines
        if self.era in {"b22", "c"}:  # the Rust client drops a frame without a word where it reads no such line
            assert re.search(r"Fra:[0-9]+ .*(Compositing|Denoising|Finished)", lines), lines
            assert "Read blend:" in lines, lines
            assert re.search(r"(Rendered|Path Tracing Tile|Rendering|Sample) [0-9]+ ?/ ?[0-9]+", lines), lines
        begin = f"{job.get('id')}_{job.get('frame')}"
        begin += "." if self.era == "c" else ""
        made = [path for path in sorted(self.folder.iterdir()) if path.name.startswith(begin)]
        assert made, lines
        return made[0], int(time.monotonic() - began) + 1, int(max(peaks) * 1000)

    def upload(self, job, path, seconds, memory):
        figures = f"rendertime={seconds}&memoryused={memory}"
        place = f"job={job.get('id')}&frame={job.get('frame')}"
        if self.is_old:
            revision = "" if self.era == "a2" else f"&revision={job.get('revision')}"
            query = f"{place}&rendertime={seconds}{revision}&memoryused={memory}&extras={job.get('extras')}&cores=1"
            url = f"{self.paths['validate-job']}?{query}"
        else:
            url = f"{unquote(job.get('validation_url'))}&{figures}" + ("&speedsamples=1.5" if self.era == "c" else "")
        for _ in range(2):
            answer = self.send_file(url, path.name, path.read_bytes(), f"image/{path.suffix[1:]}").root.get("status")
            say("sent", answer)
            if answer not in {"302", "303"}:
                break
            time.sleep(2)
        path.unlink()

    def look_at_window(self):
        """Fetch what the window of the old ones shows; a body without a length they take for none."""
        for name in ("credits-earned", "last-render-frame"):
            answer = self.ask("GET", self.paths[name])
            lengths = [int(value) for header, value in answer.headers if header.lower() == "content-length"]
            assert (answer.status, lengths) == (200, [len(answer.body)]), name
            say(name, int(answer.body) if name == "credits-earned" else len(answer.body))

    def work(self, frames):
        self.log_in()
        while frames:
            job = self.request()
            if job is None:
                break
            self.upload(job, *self.render(job))
            frames -= 1
        if self.era in {"a0", "a"}:
            self.look_at_window()
        self.ask("GET", self.paths["logout"])
        say("logout")


if __name__ == "__main__":
    era, url, login, key, folder, frames = sys.argv[1:]
    Path(folder).mkdir(parents=True)
    Client(era, url, login, key, Path(folder)).work(int(frames))
