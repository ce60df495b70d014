"""A real farm behind a real server, and small orders of flames whose pictures are painted here."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from tests.conftest import balances

from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.chores import do_next_chore
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.kinds.inspector import Inspector
from sheepfold.model.accounts import Role, Scope
from sheepfold.model.jobs import Terms
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.bell import Bell
from sheepfold.protocols.link import Figures, Receipt
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.client import FarmClient, RestLink
from sheepfold.protocols.rest.endpoints import routes

GENOME = Path(__file__).parents[2] / "genomes" / "r1.flam3"
SIDE = 32
SPEC = {"frames": 1, "width": SIDE, "height": SIDE, "quality": 1, "temporal_samples": 1}
ABILITIES = Abilities(kinds=frozenset({"flame"}), renderers=frozenset({Program("flam3", "3.1.1")}), memory_mib=8192)


@dataclass
class Clock:
    """A farm's clock, moved by hand."""

    now: int = 2_100_000_000

    def __call__(self) -> int:
        return self.now


@dataclass
class Site:
    """A farm that is being served."""

    farm: Farm
    clock: Clock
    url: str
    http: httpx.Client
    bell: Bell
    genome: Path = GENOME
    abilities: Abilities = ABILITIES
    closing: list[Any] = field(default_factory=list)

    def key(self, account: str, machine: str, role: Role = Role.ARTIST, scope: Scope | None = None) -> str:
        """Return a new key of a machine, adding the account where it is new."""
        if account not in self._accounts():
            add_account(self.farm, account, role, "")
        return add_key(self.farm, account, machine, scope).key

    def client(self, account: str = "ann", role: Role = Role.ARTIST, scope: Scope | None = None) -> FarmClient:
        """Return a person's client."""
        client = FarmClient(self.url, self.key(account, f"{account}-desk", role, scope), pause=lambda _: None)
        self.closing.append(client)
        return client

    def link(self, machine: str = "box", account: str = "vera", wait_s: int = 0) -> RestLink:
        """Return a machine's line, open."""
        key = self.key(account, machine, Role.VOLUNTEER)
        link = RestLink(self.url, key, "test/1", claim_wait_s=wait_s, pause=lambda _: None)
        link.open(ABILITIES)
        self.closing.append(link)
        return link

    def session(self, machine: str = "box", account: str = "vera") -> dict[str, str]:
        """Return the headers of a machine with a session."""
        key = self.key(account, machine, Role.VOLUNTEER)
        asked = {"abilities": {"kinds": ["flame"], "renderers": [{"name": "flam3"}], "memory_mib": 8192}}
        answer = self.http.post("/sessions", json=asked, headers=self.bearer(key))
        assert answer.status_code == 201, answer.text
        return self.bearer(answer.json()["session"])

    @staticmethod
    def bearer(token: str) -> dict[str, str]:
        """Return the headers of a key or token."""
        return {"Authorization": f"Bearer {token}"}

    @staticmethod
    def picture(seed: int = 0, width: int = SIDE, height: int = SIDE) -> bytes:
        """Paint noise: a PNG that no two seeds share and that is not blank."""
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        target = io.BytesIO()
        Image.fromarray(pixels).save(target, "PNG")
        return target.getvalue()

    @staticmethod
    def order(client: FarmClient, quorum: int = 1, **more: object) -> int:
        """Order a job of tiny frames; returns its id."""
        return client.order("flame", SPEC | more, {"genome": GENOME}, "tiny", Terms(quorum=quorum)).id

    def rendered(self, job_id: int, client: FarmClient) -> wire.JobDetail:
        """Have a machine make all pictures of the job, and the house what is made of them; returns the job."""
        link = self.link("renderer", "rita")
        folder = self.farm.settings.data
        while work := link.claim(ABILITIES):
            (folder / "picture.png").write_bytes(self.picture(work.frame))
            assert link.submit(work, folder / "picture.png", Figures(1, 2, 3)) is Receipt.ACCEPTED
        with ThreadPoolExecutor(1) as executor:
            while do_next_chore(self.farm, executor):
                pass
        return client.job(job_id)

    def nobody_waits(self) -> None:
        """Return as soon as no request is held and no stream is open."""
        wait_for(lambda: not self.bell._ears)

    def somebody_waits(self) -> None:
        """Return as soon as a request is held or a stream is open."""
        wait_for(lambda: bool(self.bell._ears))

    def _accounts(self) -> set[str]:
        return set(balances(self.farm))


@pytest.fixture(scope="session")
def inspector() -> Iterator[Inspector]:
    inspector = Inspector(1, deadline_s=30)
    yield inspector
    inspector.close()


@pytest.fixture
def limits() -> dict[str, int]:
    """Settings that a module's tests want otherwise."""
    return {}


@pytest.fixture
def settings(tmp_path: Path, new_folder: Callable[[Path], Path], limits: dict[str, int]) -> Settings:
    small: dict[str, Any] = {"result_limit_bytes": 200_000, "input_limit_bytes": 200_000, "log_limit_bytes": 1000}
    small |= {"screenshot_allowed_ranges": ("127.0.0.0/8",), "screenshot_obey_robots": False}
    return Settings(data=new_folder(tmp_path / "data"), **small | limits)


@pytest.fixture
def site(settings: Settings, inspector: Inspector) -> Iterator[Site]:
    clock = Clock()
    with open_farm(settings, lambda key, account: (), clock) as opened:
        farm = replace(opened, inspector=inspector)
        server = serve(farm)
        words: dict[str, Any] = {"timeout": 60, "trust_env": False, "verify": False}  # trust takes 30 ms to load
        with server as url, httpx.Client(base_url=url + "/api/v1", **words) as http:
            made = Site(farm, clock, url, http, server.routes[-1].app.state.bell)
            yield made
            for thing in made.closing:
                thing.close()


class serve:  # noqa: N801 - reads as a verb
    """Serve a farm's routes on a free port of this machine until the block ends."""

    def __init__(self, farm: Farm) -> None:
        self.routes = routes(farm)
        app = Starlette(routes=self.routes)
        app.router.redirect_slashes = False
        config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        wait_for(lambda: self._server.started)
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        self._socket.close()


def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; a test's own time limit ends it."""
    while not is_so():
        time.sleep(0.005)
