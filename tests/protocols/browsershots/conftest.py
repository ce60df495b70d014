"""The recorded exchanges of a real screenshot factory, a farm to replay them to, and a pretend factory."""

import hashlib
import io
import re
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from sheepfold.app import make_app
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.browse import view_job
from sheepfold.farm.browsers import add_browser
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.kinds.inspector import Inspector
from sheepfold.model.accounts import Account, Role
from sheepfold.model.browsers import BrowserProgram, Registered
from sheepfold.model.errors import NameTaken
from sheepfold.model.jobs import Job
from sheepfold.protocols.registry import verifiers

FOLDER = Path(__file__).resolve().parents[2] / "traffic" / "browsershots"


@dataclass(frozen=True, slots=True)
class Exchange:
    path: str
    body: bytes
    answer: bytes


def read_exchange(text: str) -> Exchange:
    request, answer = text.split("#################### RESPONSE\n")
    head, body = request.split("#################### REQUEST\n")[1].split("\n\n", 1)
    # The recording leaves out most of the picture; with the parts of lines around the gap gone, whole lines remain.
    body = re.sub(r"\n.*\n\[\.\.\. \d+ base64 characters omitted .*\]\n.*\n", "\n", body)
    return Exchange(head.split(" ")[1], body.encode(), answer.split("\n\n", 1)[1].encode())


@pytest.fixture
def exchange() -> Callable[[int], Exchange]:
    """Read one exchange by its number."""
    def read(number: int) -> Exchange:
        (path,) = FOLDER.glob(f"{number:03d}-*")
        return read_exchange(path.read_text())
    return read


@pytest.fixture
def started_address() -> str:
    """The address with which the real factory started its browser."""
    words = (FOLDER / "helper-commands.txt").read_text().split()
    return next(word for word in words if "/redirect/" in word)


FIREFOX_UA = "Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.9) Gecko/2008061015 Firefox/3.0"
TOLD = "http://pages.example:8080"
PAGE = "http://127.0.0.1/page.html"


@dataclass
class Clock:
    """A farm's clock, moved by hand."""

    now: int = 2_100_000_000

    def __call__(self) -> int:
        return self.now


def paint(seed: int = 0, width: int = 1024, height: int = 768) -> bytes:
    """Paint noise in blocks: a PNG that no two seeds share and that is not blank."""
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST).save(target, "PNG")
    return target.getvalue()


@dataclass
class PretendFactory:
    """A factory that speaks as ShotFactory does, by the standard library's XML-RPC and the note's arithmetic alone."""

    http: TestClient
    name: str
    password: str

    def call(self, method: str, *params: Any) -> Any:
        """Call a method; raises xmlrpc.client.Fault."""
        body = xmlrpc.client.dumps(params, method)
        answer = self.http.post("/xmlrpc/", content=body, headers={"Content-Type": "text/xml"})
        assert answer.status_code == 200, answer.text
        return xmlrpc.client.loads(answer.content)[0][0]

    def encrypted(self, challenge: str = "nonces.challenge") -> str:
        """Take a nonce and encrypt the password with it (protocol note, section 1.5)."""
        told = self.call(challenge, self.name)
        inner = hashlib.new(told["algorithm"], (told["salt"] + self.password).encode()).hexdigest()
        return hashlib.md5((inner + told["nonce"]).encode()).hexdigest()

    def poll(self) -> dict[str, Any]:
        """Ask for a request."""
        return self.call("requests.poll", self.name, self.encrypted())

    def visit(self, request: int, user_agent: str = FIREFOX_UA, encrypted: str = "") -> httpx.Response:
        """Open the redirect, as the factory's browser does."""
        path = f"/redirect/{self.name}/{encrypted or self.encrypted()}/{request}/"
        return self.http.get(path, headers={"User-Agent": user_agent})

    def upload(self, request: object, png: bytes) -> str:
        """Deliver a screenshot; returns its name."""
        return self.call("screenshots.upload", self.name, self.encrypted(), request, xmlrpc.client.Binary(png))

    def shoot(self, png: bytes | None = None) -> str:
        """Do a whole job."""
        told = self.poll()
        assert self.visit(told["request"]).status_code == 302
        return self.upload(told["request"], png or paint(told["request"], told["width"], told["height"]))


@dataclass
class Site:
    """A farm that speaks Browsershots, its people, and a factory that has a Firefox."""

    farm: Farm
    clock: Clock
    http: TestClient
    ann: Account
    argo: PretendFactory

    def order(self, **spec: object) -> Job:
        """Order screenshots of a page for Ann."""
        view = {"url": PAGE, "browsers": ["firefox"]}
        return order_job(self.farm, self.ann, Order("screenshot", view | spec))

    def factory(self, name: str, role: Role = Role.VOLUNTEER, account: str = "") -> PretendFactory:
        """Add a machine of an account of its own, without browsers."""
        owner = account or f"{name}-owner"
        with suppress(NameTaken):
            add_account(self.farm, owner, role, "")
        return PretendFactory(self.http, name, add_key(self.farm, owner, name).key)

    def browser(self, machine: str = "argo", name: str = "Firefox", version: str = "3.0", **told: Any) -> Registered:
        """Register a browser."""
        screen, platform = told.pop("screen", None), told.pop("platform", "")
        return add_browser(self.farm, None, machine, BrowserProgram(name, version, **told), platform, screen)

    def task_ids(self, job: Job) -> list[int]:
        """Return the tasks of a job."""
        return [task.id for task in view_job(self.farm, job.id).tasks]


@contextmanager
def open_site(folder: Path, inspector: Inspector, **changed: Any) -> Iterator[Site]:
    """Open a farm that speaks Browsershots."""
    clock = Clock()
    usual = {"screenshot_allowed_ranges": ("127.0.0.0/8",), "screenshot_obey_robots": False,
             "browsershots_load_limit": 0.0}
    with open_farm(Settings(folder, **usual | changed), verifiers, clock, inspector) as farm:
        application = make_app(farm)
        with TestClient(application, base_url=TOLD, follow_redirects=False) as http:
            ann = add_account(farm, "ann", Role.ARTIST, "")
            made = Site(farm, clock, http, ann, PretendFactory(http, "", ""))
            made.argo = made.factory("argo")
            made.browser(command="firefox")
            yield made


@pytest.fixture(scope="session")
def inspector() -> Iterator[Inspector]:
    inspector = Inspector(1, deadline_s=60)
    yield inspector
    inspector.close()


@pytest.fixture
def changed() -> dict[str, Any]:
    """Settings that a test wants otherwise."""
    return {}


@pytest.fixture
def site(tmp_path: Path, new_folder: Callable[[Path], Path], inspector: Inspector,
         changed: dict[str, Any]) -> Iterator[Site]:  # fmt: skip
    with open_site(new_folder(tmp_path / "data"), inspector, **changed) as made:
        yield made


@pytest.fixture(name="new_site")
def _new_site() -> Callable[..., Any]:
    return open_site


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """Paint pictures."""
    return paint
