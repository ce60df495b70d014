"""A real farm that speaks Electric Sheep, with a clock moved by hand, and pictures that are painted here."""

import io
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.conftest import balances

from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.browse import Story, story, view_job
from sheepfold.farm.chores import do_next_chore
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.farm.flock import job_of_sheep
from sheepfold.farm.orders import Order, order_job
from sheepfold.kinds.inspector import Inspector
from sheepfold.model.accounts import Account, Role
from sheepfold.model.flock import SheepId
from sheepfold.model.jobs import Job, Terms
from sheepfold.model.tasks import Result
from sheepfold.protocols.electricsheep import wire
from sheepfold.protocols.electricsheep.credentials import (
    Credentials,
    encode_basic,
    key_verifiers,
    own_password_hash,
)
from sheepfold.protocols.electricsheep.endpoints import routes

GENOMES = Path(__file__).parents[2] / "genomes"
SIDE = 32
SPEC = {"frames": 1, "width": SIDE, "height": SIDE, "quality": 1, "temporal_samples": 1}
UID = "A5BD1F1A9DAB2B36"


@dataclass
class Clock:
    """A farm's clock, moved by hand."""

    now: int = 2_100_000_000

    def __call__(self) -> int:
        return self.now


@dataclass
class Site:
    """A farm and the client of a screensaver that came by http://sheep.example:8080/."""

    farm: Farm
    clock: Clock
    http: TestClient
    shepherd: Account
    application: Starlette

    def key(self, account: str, machine: str) -> str:
        """Return a new key of a volunteer's machine, adding the account where it is new."""
        if account not in balances(self.farm):
            add_account(self.farm, account, Role.VOLUNTEER, "")
        return add_key(self.farm, account, machine).key

    @staticmethod
    def picture(seed: int = 0, width: int = SIDE, height: int = SIDE) -> bytes:
        """Paint noise: a PNG that no two seeds share and that is not blank."""
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        target = io.BytesIO()
        Image.fromarray(pixels).save(target, "PNG")
        return target.getvalue()

    @staticmethod
    def basic(nick: str, key: str) -> dict[str, str]:
        """Return the header that a client sends with every request."""
        return {"Authorization": encode_basic(Credentials(nick, own_password_hash(key, nick)))}

    def order(self, *genomes: str, quorum: int = 1, **spec: object) -> Job:
        """Order a sheep of tiny frames: a loop, or an edge where there are two genomes."""
        inputs = dict(zip(("genome", "genome2"), (GENOMES / name for name in genomes or ("r1.flam3",)), strict=False))
        return order_job(self.farm, self.shepherd, Order("flame", SPEC | spec, inputs, "tiny", Terms(quorum=quorum)))

    def ask(self, uid: str = UID, nick: str = "", **headers: str) -> wire.FrameOrder | wire.NoWork:
        """Ask for a frame."""
        answer = self.http.get(f"/cgi/get?n={nick}&w=&v=LNX_3.0.2&u={uid}&r=1&c=1", headers=headers)
        assert answer.status_code == 200, answer.text
        return wire.decode_get_answer(answer.content)

    def put(self, order: wire.FrameOrder, body: bytes, uid: str = UID, **changed: object) -> httpx.Response:
        """Upload a picture as the clients do, with the query's values changed where a test wants lies."""
        told: dict[str, Any] = {"j": order.put_job, "id": order.sheep, "s": len(body), "g": order.generation,
                                "v": "LNX_3.0.2", "u": uid}
        return self.http.put(f"/cgi/put?{urlencode(told | changed)}", content=body)

    def listed(self) -> wire.Flock:
        """Ask for the flock."""
        answer = self.http.get(f"/cgi/list?v=LNX_3.0.2&u={UID}")
        assert answer.status_code == 200, answer.text
        return wire.decode_flock(answer.content)

    def story(self, order: wire.FrameOrder) -> Story:
        """Tell all that happened to the task of an order."""
        job = job_of_sheep(self.farm, SheepId(order.generation, order.sheep))
        frame, part = divmod(order.put_job, job.spec["parts"])
        tasks = view_job(self.farm, job.id).tasks
        return story(self.farm, next(task.id for task in tasks if (task.frame, task.part) == (frame, part)))

    def results(self, order: wire.FrameOrder) -> tuple[Result, ...]:
        """Return what came in for the task of an order."""
        return self.story(order).task.results

    def filmed(self, *genomes: str, frames: int = 2, **spec: object) -> Job:
        """Order a sheep and render it; returns its job."""
        job = self.order(*genomes, frames=frames, **spec)
        self.render_all()
        return job

    def render_all(self) -> None:
        """Paint every frame that is open, and have the house make films of those that are done."""
        while isinstance(order := self.ask("F1"), wire.FrameOrder):
            assert self.put(order, self.picture(order.put_job), "F1").status_code == 200
        with ThreadPoolExecutor(1) as executor:
            while do_next_chore(self.farm, executor):
                pass


@pytest.fixture(scope="session")
def inspector() -> Iterator[Inspector]:
    inspector = Inspector(1, deadline_s=30)
    yield inspector
    inspector.close()


@pytest.fixture
def changed() -> dict[str, Any]:
    """Settings that a test wants otherwise."""
    return {}


@pytest.fixture
def site(tmp_path: Path, new_folder: Callable[[Path], Path], inspector: Inspector,
         changed: dict[str, Any]) -> Iterator[Site]:  # fmt: skip
    clock = Clock()
    settings = Settings(**({"data": new_folder(tmp_path / "data"), "result_limit_bytes": 200_000} | changed))
    with open_farm(settings, key_verifiers, clock) as opened:
        farm = replace(opened, inspector=inspector)
        application = Starlette(routes=routes(farm))
        application.router.redirect_slashes = False
        with TestClient(application, base_url="http://sheep.example:8080", follow_redirects=False) as http:
            http.headers.clear()
            yield Site(farm, clock, http, add_account(farm, "shepherd", Role.ARTIST, ""), application)


@pytest.fixture
def address(site: Site) -> Iterator[tuple[str, int]]:
    """Serve the farm on a real socket; returns its address."""
    config = uvicorn.Config(site.application, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        yield bound.getsockname()
        server.should_exit = True
        thread.join(30)
