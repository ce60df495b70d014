"""`sheepfold dev`: a filled farm that reloads when its code changes, with pretend clients of every living protocol."""

import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import httpx
import numpy as np
import typer
from PIL import Image

from sheepfold.cli.programme import add_renderer, register, scene_of
from sheepfold.cli.stage import Stage, staged, welcome
from sheepfold.kinds.blender import home
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols import registry
from sheepfold.protocols.link import FarmRefused, FarmUnreachable, Figures, Link, Work
from sheepfold.protocols.rest.client import FarmClient

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
SOURCE = Path(__file__).resolve().parents[1]
JOBS_AT_LEAST = 1
"""As long as fewer jobs of a kind than this are running, another one is ordered."""
CLIENTS = (("rest", "workshop", ""), ("electricsheep", "screensaver", "spot"), ("sheepit", "tower", "bella"),
           ("browsershots", "factory", "factory"))
"""Who pretends to render: by protocol, machine, and what `work` calls --account."""
BROWSERS = {"Netscape": "4.8", "Mosaic": "3.0"}
FRAME = {"width": 320, "height": 180}
SHOWN_S = (0.4, 2.0)
"""How long a pretended render takes, from and to."""


@app.command()
def dev(
    data: Annotated[Path, typer.Option("--data", help="Where everything goes.", metavar="DIR")] = Path("data/dev"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where its pages are.")] = 8000,
) -> None:
    """Serve a farm that restarts when a file of Sheepfold changes; its pictures are drawn, not rendered."""
    ended = threading.Event()
    with staged(data.absolute(), port, _reloading) as stage:
        register(stage, BROWSERS.items())
        add_renderer(stage)
        for protocol, machine, account in CLIENTS:
            link = registry.load(registry.row_of(protocol).link)(
                stage.url, stage.keys[machine], stage.folder / "machines" / machine, "sheepfold-dev", account)
            threading.Thread(target=_pretend, args=(link, protocol, ended), daemon=True).start()
        typer.echo(f"Open {welcome(stage)}; Ctrl-C ends it. Logs: {stage.folder / 'logs'}")
        try:
            _keep_busy(stage)
        except KeyboardInterrupt:
            typer.echo("Ending.")
        finally:
            ended.set()


def _reloading(words: list[str]) -> list[str]:
    """Return the command that serves, and serves anew whenever a file of the source changes."""
    command = " ".join([sys.executable, "-m", "sheepfold", *words])
    return [sys.executable, "-m", "watchfiles", "--sigint-timeout", "5", command, str(SOURCE)]


def _keep_busy(stage: Stage) -> None:
    with FarmClient(stage.url, stage.keys["studio"]) as office:
        while not stage.dead():
            try:
                running = Counter(job.kind for job in office.jobs().jobs if job.state == "running")
                for kind, order in _ORDERS.items():
                    if running[kind] < JOBS_AT_LEAST:
                        order(stage, office)
            except FarmUnreachable:
                pass  # it is just restarting
            time.sleep(1)


def _order_flame(_: Stage, office: FarmClient) -> None:
    samples = sorted(path.name for path in (files("sheepfold.kinds.flame") / "samples").iterdir())
    spec = {"frames": random.randint(8, 24), "width": 400, "height": 296, "quality": 5}  # noqa: S311
    sample = random.choice(samples)  # noqa: S311 -- nobody gains by guessing it
    with as_file(files("sheepfold.kinds.flame") / "samples" / sample) as genome:
        office.order("flame", spec, {"genome": genome}, genome.stem.capitalize())


def _order_frames(stage: Stage, office: FarmClient) -> None:
    if home.find() is not None:
        frames = f"1-{random.randint(4, 12)}"  # noqa: S311
        office.order("blender", FRAME | {"frames": frames}, {"project": scene_of(stage)}, "The fold at dusk")


def _order_shots(stage: Stage, office: FarmClient) -> None:
    spec = {"url": f"{stage.url}/", "browsers": list(BROWSERS), "widths": [800, 1024], "height": 768}
    office.order("screenshot", spec, {}, "This very farm, in browsers of old")


_ORDERS = {"flame": _order_flame, "blender": _order_frames, "screenshot": _order_shots}


def _pretend(link: Link, protocol: str, ended: threading.Event) -> None:
    """Do all that a worker does, but draw the picture."""
    renderers = frozenset({Program("flam3", "3.1.1"), Program("blender", "4.5")})
    abilities = Abilities(frozenset({"flame", "blender"}), renderers, platform="linux", protocol=protocol,
                          memory_mib=8192)
    is_open = False
    while not ended.is_set():
        try:
            if not is_open:
                link.open(abilities)
                is_open = True
            work = link.claim(abilities)
            if work is not None:
                _draw_and_send(link, work)
        except (FarmUnreachable, FarmRefused):
            is_open = False
        ended.wait(random.uniform(*SHOWN_S))  # noqa: S311


def _draw_and_send(link: Link, work: Work) -> None:
    with tempfile.TemporaryDirectory(prefix="sheepfold-dev-") as folder:
        picture = Path(folder) / "picture.png"
        _draw(_size_of(link, work, Path(folder)), work.frame).save(picture)
        link.submit(work, picture, Figures(render_time_s=1))


def _size_of(link: Link, work: Work, folder: Path) -> tuple[int, int]:
    """Return the size in pixels that a task's picture must have."""
    match work.kind:
        case "flame":
            genome = folder / "genome"
            link.fetch_task_input(work, genome)
            found = re.search(r'size="(\d+) (\d+)"', genome.read_text())
            return (int(found[1]), int(found[2])) if found else (400, 296)
        case "screenshot":
            browser = work.spec["browsers"][0]
            agent = f"{browser['name']}/{browser['version']} (X11; Linux)"
            httpx.get(work.spec["url"], headers={"User-Agent": agent})  # an upload without a visit is refused
            return int(work.spec["widths"][0]), int(work.spec["height"])
        case _:
            return FRAME["width"], FRAME["height"]


def _draw(size: tuple[int, int], frame: int) -> Image.Image:
    """Draw rings in the colours of embers, around a point that moves with the frame."""
    x, y = np.meshgrid(np.linspace(-2, 2, size[0]), np.linspace(-1.5, 1.5, size[1]))
    turn = frame / 5
    far = np.hypot(x - np.cos(turn), y - np.sin(turn))
    glow = (np.sin(7 * far) + 1) / 2 * np.exp(-far / 1.5)
    return Image.fromarray((np.stack([glow**0.6, glow**1.2, glow**2.2], axis=-1) * 255).astype(np.uint8))
