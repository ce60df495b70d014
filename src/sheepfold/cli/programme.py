"""What the demo plays: the orders of each kind, the machines that make them, and the pages that are photographed."""

import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import as_file, files
from pathlib import Path

from sheepfold.cli.options import farm_in
from sheepfold.cli.stage import Stage
from sheepfold.farm import renderers
from sheepfold.kinds.blender import home
from sheepfold.kinds.screenshot.shooting.browsers import installed
from sheepfold.model.errors import Unavailable
from sheepfold.protocols.rest.browser_wire import BrowserAsked
from sheepfold.protocols.rest.client import FarmClient

FRAMES = 20
SIZE = {"width": 400, "height": 296, "quality": 30}
PAGES = ("meadow", "ledger", "night")
BROWSERS = ("chromium", "firefox")
SCREEN = {"widths": [1024], "height": 768}

FIRST_MACHINES: Mapping[str, Sequence[str]] = {
    "screensaver": ("--protocol", "electricsheep", "--account", "spot"),
    "workshop": ("--protocol", "rest", "--kind", "flame"),
    "tower": ("--protocol", "sheepit", "--kind", "blender", "--account", "bella"),
    "factory": ("--protocol", "browsershots", "--kind", "screenshot", "--account", "factory"),
}
"""Who makes the first act: each machine speaks one protocol, with `work`'s words for it."""
LAST_MACHINES: Mapping[str, Sequence[str]] = {"laptop": ("--protocol", "rest")}
"""Who makes the second act, which is for REST alone."""


def enter(stage: Stage, machines: Mapping[str, Sequence[str]]) -> None:
    """Start workers."""
    for name, words in machines.items():
        folder = str(stage.folder / "machines" / name)
        stage.start(name, ["work", "--server", stage.url, "--key", stage.keys[name], "--folder", folder, *words])


def first_act(stage: Stage, office: FarmClient, pages_url: str) -> Iterator[int]:
    """Order what goes over the old wires; yields the jobs' numbers."""
    yield from _flames(office)
    yield _frames(stage, office)
    add_renderer(stage)
    register(stage, ((found.name, found.version) for found in installed() if found.name in BROWSERS))
    for page in PAGES:
        spec = {"url": f"{pages_url}/{page}.html", "browsers": list(BROWSERS), "mode": "window", **SCREEN}
        yield office.order("screenshot", spec, {}, f"The {page}, whole screens").id


def second_act(stage: Stage, office: FarmClient, pages_url: str) -> Iterator[int]:
    """Order what only REST can carry: a still of each kind; yields the jobs' numbers."""
    with as_file(files("sheepfold.kinds.flame") / "samples" / "anemone.flam3") as anemone:
        still = {"shape": "still", "width": 800, "height": 592, "quality": SIZE["quality"]}
        yield office.order("flame", still, {"genome": anemone}, "Anemone, a still over REST").id
    leap = {"frames": "6", "width": 480, "height": 270}
    yield office.order("blender", leap, {"project": scene_of(stage)}, "The leap, larger, over REST").id
    dark = {"url": f"{pages_url}/night.html", "browsers": ["chromium"], "widths": [390], "mode": "page", "dark": True}
    yield office.order("screenshot", dark, {}, "The night on a phone, dark, over REST").id


def scene_of(stage: Stage) -> Path:
    """Return the demo's scene, made where it is not there yet."""
    scene = stage.folder / "fold.blend"
    if scene.exists():
        return scene
    python = home.find()
    if python is None:
        raise Unavailable("There is no bpy to render the demo's scene with; scripts/setup-bpy installs it.")
    with as_file(files("sheepfold.kinds.blender") / "samples" / "make_scene.py") as program:
        subprocess.run([python, "-I", program, scene], check=True, capture_output=True, timeout=120)
    return scene


@contextmanager
def pages_served() -> Iterator[str]:
    """Serve the pages that are photographed on a port of this machine's own; gives their address."""
    with as_file(files("sheepfold.kinds.screenshot") / "samples") as folder:
        handler = partial(_Quiet, directory=str(folder))
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
        pass


def _flames(office: FarmClient) -> Iterator[int]:
    """Order two loops and the edge between them."""
    samples = files("sheepfold.kinds.flame") / "samples"
    film = SIZE | {"frames": FRAMES}
    with as_file(samples / "coral.flam3") as coral, as_file(samples / "ember.flam3") as ember:
        yield office.order("flame", film, {"genome": coral}, "Coral").id
        yield office.order("flame", film, {"genome": ember}, "Ember").id
        edge = film | {"shape": "edge"}
        yield office.order("flame", edge, {"genome": coral, "genome2": ember}, "Coral to Ember").id


def _frames(stage: Stage, office: FarmClient) -> int:
    """Order the fold at dusk, as its scene is: twelve frames."""
    return office.order("blender", {}, {"project": scene_of(stage)}, "The fold at dusk").id


def register(stage: Stage, browsers: Iterable[tuple[str, str]]) -> None:
    """Tell the farm which browsers, of which versions, the factory has: on its wire that is for the owner to say."""
    with FarmClient(stage.url, stage.keys["factory"]) as factory:
        for name, version in browsers:
            factory.add_browser("self", BrowserAsked(name=name, version=version))


def add_renderer(stage: Stage) -> None:
    """Have the farm offer SheepIt's clients the Blender that their own machine has."""
    with farm_in(stage.folder / "farm") as farm:
        renderers.add_local(farm, renderers.Target("4.5", "linux", 64))
