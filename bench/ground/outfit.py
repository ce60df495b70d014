"""A farm with work for all four wires, and a fleet of machines that may do it."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ground.filling import ABILITIES, Filling, fill
from ground.machines import USER_AGENT, Factory, Machine, Plain, SheepIt
from ground.pictures import HEIGHT, WIDTH
from sheepfold.farm.accounts import NewKey, add_account, add_key, key_verifier
from sheepfold.farm.browsers import add_browser
from sheepfold.farm.dispatch import Maker, open_session
from sheepfold.farm.farm import Farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.farm.renderers import Target, add_local
from sheepfold.kinds.flame.spec import parse
from sheepfold.model.accounts import Account, Role
from sheepfold.model.browsers import BrowserProgram, Screen
from sheepfold.protocols.rest import wire
from sheepfold.protocols.sheepit.sessions import Told
from sheepfold.protocols.sheepit.wire import Era

SHARES = {"rest": 0.40, "electricsheep": 0.40, "sheepit": 0.15, "browsershots": 0.05}
"""How much of the fleet speaks which wire."""
ENVIRONMENT = {
    "SHEEPFOLD_BPY_PYTHON": "/nonexistent/python",  # projects are looked into, not opened
    "SHEEPFOLD_BROWSERSHOTS_LOAD_LIMIT": "0",
    "SHEEPFOLD_SCREENSHOT_ALLOWED_RANGES": "127.0.0.0/8",
    "SHEEPFOLD_SCREENSHOT_OBEY_ROBOTS": "0",
}
"""What the environment must say, here and of the server."""
_FRAMES_OF_A_JOB = 10_000
_AT_ONCE = 32
_ABILITIES = wire.Abilities.of(ABILITIES).model_dump_json()
_TOLD = Told(Era.B, "linux", 64, ram_kib=24_903_680, cpu_cores=1).to_text()
_SHOT = {"url": "http://127.0.0.1/page.html", "browsers": ["Firefox"], "widths": [WIDTH]}


def fit_out(farm: Farm, url: str, size: int, cycles: float, folder: Path) -> list[Machine]:
    """Add so many machines to an empty farm, and work for so many cycles of each."""
    sizes = {name: int(size * share) for name, share in SHARES.items()}
    add_account(farm, "volunteer", Role.VOLUNTEER, "")
    _order_flames(farm, url, int((sizes["rest"] + sizes["electricsheep"]) * cycles))
    artist = add_account(farm, "artist", Role.OWNER, "")
    _order_frames(farm, artist, int(sizes["sheepit"] * cycles), folder)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda _: order_job(farm, artist, Order("screenshot", _SHOT)),
                      range(int(sizes["browsershots"] * cycles))))
        return [machine for name, make in _MAKERS.items()
                for machine in pool.map(lambda number, make=make: make(farm, number), range(sizes[name]))]


def _order_flames(farm: Farm, url: str, tasks: int) -> None:
    spec = parse({"frames": 160, "width": WIDTH, "height": HEIGHT})
    blob = farm.blobs.keep_bytes(b"<flame/>" * 3)
    fill(url, Filling(tasks, 10, 10, json.dumps(spec), blob.digest, blob.size_bytes))


def _order_frames(farm: Farm, artist: Account, tasks: int, folder: Path) -> None:
    add_local(farm, Target("4.5"))
    scene = folder / "scene.blend"
    scene.write_bytes(b"BLENDER-v402")
    for first in range(1, tasks + 1, _FRAMES_OF_A_JOB):
        last = min(tasks, first + _FRAMES_OF_A_JOB - 1)
        spec = {"frames": f"{first}-{last}", "width": WIDTH, "height": HEIGHT}
        order_job(farm, artist, Order("blender", spec, {"project": scene}))


def _rest(farm: Farm, number: int) -> Machine:
    return Plain("rest", _session(farm, _key(farm, f"box{number}"), "rest", _ABILITIES))


def _electric_sheep(_: Farm, number: int) -> Machine:
    return Plain("electricsheep", uuid.uuid5(uuid.NAMESPACE_OID, str(number)).hex)


def _sheepit(farm: Farm, number: int) -> Machine:
    return SheepIt(_session(farm, _key(farm, f"node{number}"), "sheepit", _TOLD))


def _factory(farm: Farm, number: int) -> Machine:
    made = _key(farm, f"factory{number}")
    program = BrowserProgram("Firefox", "3.0", USER_AGENT, "firefox")
    add_browser(farm, None, made.machine.name, program, "linux", Screen(WIDTH, HEIGHT, 24))
    return Factory(made.machine.name, made.key)


_MAKERS: dict[str, Callable[[Farm, int], Machine]] = {
    "rest": _rest, "electricsheep": _electric_sheep, "sheepit": _sheepit, "browsershots": _factory}


def _key(farm: Farm, name: str) -> NewKey:
    return add_key(farm, "volunteer", name)


def _session(farm: Farm, key: NewKey, protocol: str, told: str) -> str:
    return open_session(farm, Maker(key.machine.id, key.account.id, protocol), told, key_verifier(key.key))
