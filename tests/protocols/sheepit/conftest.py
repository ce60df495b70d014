"""The recorded exchanges of two real clients, read into requests and answers; and a real farm that speaks SheepIt."""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from sheepfold.farm.accounts import add_key
from sheepfold.farm.browse import story, view_job
from sheepfold.farm.farm import Farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.farm.renderers import Target, add_local
from sheepfold.model.jobs import Job
from sheepfold.model.tasks import Lease, Result, Task
from sheepfold.protocols.sheepit import wire
from sheepfold.protocols.sheepit.endpoints import routes

WIDTH, HEIGHT = 64, 48
FOLDER = Path(__file__).resolve().parents[2] / "traffic" / "sheepit"


@dataclass(frozen=True, slots=True)
class Exchange:
    method: str
    path: str
    query: bytes
    body: bytes
    answer: bytes


def read_exchange(text: str) -> Exchange:
    request, answer = text.split("\n--- RESPONSE\n")
    line = request.split("--- REQUEST\n")[1].splitlines()[0]
    method, target, _ = line.split(" ")
    path, _, query = target.partition("?")
    body = re.split(r"\n\[body \d+ bytes\]\n", request)[1]
    return Exchange(method, path, query.encode(), body.encode(), answer.split("\n\n", 1)[1].encode())


@pytest.fixture
def exchange() -> Callable[[str, str], Exchange]:
    """Read one exchange by the year of its client and the begin of its file's name."""
    def read(year: str, begin: str) -> Exchange:
        (path,) = (FOLDER / f"{year}-client").glob(f"{begin}*")
        return read_exchange(path.read_text())
    return read


OLD_BOUNDARY = "***232404jkg4220957934FW**"
NEW_BOUNDARY = "fa2ab520-394d-45e6-93e8-84b1efacf9a3"
LOGINS: dict[str, dict[str, str]] = {
    "a0": {"version": "3.3.2", "extras": ""},
    "a": {"version": "3.3.1762", "hostname": "vm", "extras": ""},
    "a2": {"version": "5.575.1", "hostname": "vm", "ui": "GuiText", "extras": ""},
    "b": {"version": "6.20294.0", "hostname": "vm", "ui": "GuiText", "extras": "", "headless": "1"},
    "b22": {"version": "7.22306.0", "hostname": "vm", "ui": "GuiText", "extras": "", "headless": "1",
            "hwid": "d41d8cd98f00b204e9800998ecf8427e", "os_version": "Debian"},
    "c": {"version": "7.24086.0", "hostname": "vm", "ui": "GuiText", "extras": "", "headless": "true", "hwid": "d41d"},
}
ERAS = tuple(LOGINS)
REQUESTS: dict[str, str] = {
    "a0": "computemethod=1", "a": "computemethod=1", "a2": "computemethod=1&cpu_cores=1&ram_max=24117248",
    "b": "computemethod=1&cpu_cores=1&ram_max=24117248&rendertime_max=-1",
    "b22": "computemethod=1&cpu_cores=1&ram_max=24117248&rendertime_max=-1&network_dl=0&network_up=0",
    "c": "computemethod=1&cpu_cores=1&ram_max=24117248&rendertime_max=0&network_dl=0&network_up=0",
}


def written_multipart(content: bytes, name: str = "1000_0001.png", boundary: str = NEW_BOUNDARY) -> tuple[bytes, str]:
    """Write a body as the clients do, and its Content-Type; the old boundary stands for the old clients' ways."""
    is_old = boundary == OLD_BOUNDARY
    part = "" if is_old else f"Content-Type: image/png\r\nContent-Length: {len(content)}\r\n"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n{part}\r\n'
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return body, "multipart/form-data;" + ("" if is_old else " ") + f"boundary={boundary}"


@dataclass
class Client:
    """A client of an era, as far as its wire goes: it sends what a real one does, letter by letter where it matters."""

    http: TestClient
    era: str
    login: str
    key: str
    os: str = "linux"
    paths: dict[wire.Endpoint, str] = field(default_factory=dict)

    def log_in(self, **changed: str) -> wire.ConfigAnswer:
        """Open a session in the way of the era, and remember the paths."""
        told = {"login": self.login, "password": self.key, "cpu_family": "6", "cpu_model": "167",
                "cpu_model_name": "Intel(R) Xeon(R)", "cpu_cores": "1", "os": self.os, "ram": "24903680",
                "bits": "64bit"} | LOGINS[self.era] | changed
        if self.era in {"a0", "a"}:
            answer = self.http.get("/server/config.php?" + urlencode(told))
        else:
            answer = self.http.post("/server/config.php", data=told)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        config = wire.ConfigAnswer.from_xml(answer.content)
        self.paths = dict(config.paths)
        return config

    def path(self, endpoint: str) -> str:
        return self.paths[wire.Endpoint(endpoint)]

    def ask(self, query: str | None = None, cached: str = "<cache/>") -> wire.JobAnswer:
        """Ask for a job."""
        is_mislabelled = self.era in {"a0", "a", "a2"}
        xml = "application/xml; charset=utf-8"
        headers = {"content-type": "application/x-www-form-urlencoded" if is_mislabelled else xml}
        answer = self.http.post(f"{self.path('request-job')}?{REQUESTS[self.era] if query is None else query}",
                                content="" if self.era == "c" else cached, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        return wire.JobAnswer.from_xml(answer.content)

    def job(self) -> wire.Job:
        """Ask for a job that must be there."""
        answer = self.ask()
        assert answer.job is not None, answer.status
        return answer.job

    def send(self, job: wire.Job, content: bytes, **more: str) -> int:
        """Upload a frame where and how the era does; returns the status."""
        is_old = self.era in {"a0", "a", "a2"}
        boundary = OLD_BOUNDARY if is_old else NEW_BOUNDARY
        body, content_type = written_multipart(content, f"{job.id}_{job.frame}.png", boundary)
        told = {"rendertime": "4", "memoryused": "223450"} | more
        if is_old:
            revision = {} if self.era == "a2" else {"revision": job.revision}
            url = self.path("validate-job") + "?" + urlencode(
                {"job": job.id, "frame": job.frame} | revision | {"extras": job.extras} | told)
        else:
            url = job.validation_url + "&" + urlencode(told)
        answer = self.http.post(url, content=body, headers={"content-type": content_type})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        return wire.ValidationAnswer.from_xml(answer.content).status

    def beat(self, query: str = "", path: str = "") -> int:
        """Send a heartbeat; returns the status."""
        answer = self.http.get((path or self.path("keepmealive")) + (f"?{query}" if query else ""))
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        return wire.KeepAliveAnswer.from_xml(answer.content).status

    def report(self, query: str, log: bytes = b"it broke\n") -> int:
        """Report an error; returns the status."""
        body, content_type = written_multipart(log, "farm_123.txt")
        answer = self.http.post(self.path("error") + (f"?{query}" if query else ""), content=body,
                                headers={"content-type": content_type})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        return wire.ErrorAnswer.from_xml(answer.content).status

    def log_out(self) -> httpx.Response:
        return self.http.get(self.path("logout"))


@dataclass
class Site:
    """A farm that clients know as http://farm.example:8080/, with a renderer for Linux."""

    world: Any
    farm: Farm
    http: TestClient

    def key(self, machine: str = "box", account: str = "alice") -> str:
        """Return a new key of a machine."""
        self.world.account(account)
        return add_key(self.farm, account, machine).key

    def client(self, era: str = "b", machine: str = "", account: str = "alice", *, out: bool = False) -> Client:
        """Return a client with a key of its own, logged in unless it shall be out."""
        made = Client(self.http, era, account, self.key(machine or f"box-{era}", account))
        if not out:
            assert made.log_in().status == 0
        self.http.cookies.clear()
        return made

    def order(self, frames: int | str = 1, account: str = "ann", **spec: object) -> Job:
        """Order small Blender frames of a project that is looked into, but never opened."""
        scene = self.world.folder / "scene.blend"
        scene.write_bytes(b"BLENDER-v402")
        numbers = frames if isinstance(frames, str) else f"1-{frames}"
        small = {"frames": numbers, "width": WIDTH, "height": HEIGHT} | spec
        return order_job(self.farm, self.world.account(account), Order("blender", small, {"project": scene}, "a test"))

    @staticmethod
    def picture(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> bytes:
        """Paint noise: a PNG that no two seeds share and that is not blank."""
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        target = io.BytesIO()
        Image.fromarray(pixels).save(target, "PNG")
        return target.getvalue()

    def tasks(self, job_id: int) -> list[Task]:
        return [story(self.farm, row.id).task for row in view_job(self.farm, job_id).tasks]

    def leases(self, job_id: int) -> list[Lease]:
        return [lease for task in self.tasks(job_id) for lease in task.leases]

    def results(self, job_id: int) -> list[Result]:
        return [result for task in self.tasks(job_id) for result in task.results]


@pytest.fixture
def dialect() -> str:
    """This wire's tests are about the wire: one database does for them."""
    return "sqlite"


@pytest.fixture
def changed() -> dict[str, Any]:
    """Settings that a test wants otherwise."""
    return {}


@pytest.fixture(autouse=True)
def _no_bpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep Blender out of it: projects are looked into, not opened, and their pictures are painted here."""
    monkeypatch.setenv("SHEEPFOLD_BPY_PYTHON", "/nonexistent/python")


@pytest.fixture
def site(world: Any, changed: dict[str, Any]) -> Iterator[Site]:
    settings = replace(world.farm.settings, **({"claim_wait_limit_s": 0} | changed))
    farm = replace(world.farm, settings=settings)
    world.farm = farm
    add_local(farm, Target("4.5"))
    application = Starlette(routes=routes(farm))
    application.router.redirect_slashes = False
    with TestClient(application, base_url="http://farm.example:8080", follow_redirects=False) as http:
        http.headers.clear()
        yield Site(world, farm, http)


@pytest.fixture
def multipart() -> Callable[..., tuple[bytes, str]]:
    """Write a body as clients do."""
    return written_multipart


@pytest.fixture
def old() -> str:
    """Return the boundary of old clients."""
    return OLD_BOUNDARY
