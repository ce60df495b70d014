"""Short Blender frames: a process for each, as old clients render them, against one that keeps the scene loaded.

Both render the same frames of the demo's scene with the real bpy at a worker's own bench, behind its walls, and every
picture is compared with its counterpart: a way that is faster and shows something else would be of no use.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ground.figures import machine

from sheepfold.kinds import pictures
from sheepfold.kinds.blender import home, render, spec
from sheepfold.kinds.pictures import Pixels
from sheepfold.kinds.seam import RenderOrder
from sheepfold.worker.bench import Bench
from sheepfold.worker.sandbox import Limits

SCENE_MAKER = Path(home.__file__).parent / "samples" / "make_scene.py"


def main() -> None:
    """Measure both ways and print their figures."""
    asked = _asked()
    python = home.find()
    if python is None:
        raise SystemExit("There is no bpy here; scripts/setup-bpy installs it.")
    print(f"Blender {home.version(python)}, {asked.frames} frames of {asked.width}x{asked.height}, "
          f"{asked.samples} samples; {machine()}")
    with tempfile.TemporaryDirectory() as name:
        project = Path(name) / "scene.blend"
        argv = [str(python), "-I", str(SCENE_MAKER), str(project)]
        subprocess.run(argv, check=True, capture_output=True, timeout=300)
        orders = [_order(asked, project, frame) for frame in range(1, asked.frames + 1)]
        alone = _timed("a process a frame", lambda: _alone(orders, Path(name)), asked.frames)
        chained = _timed("one that stays", lambda: _chained(orders, Path(name)), asked.frames)
    print(f"ratio {alone.seconds / chained.seconds:.2f}")
    differing = sum((one != other).any() for one, other in zip(alone.seen, chained.seen, strict=True))
    print(f"pictures that differ: {differing} of {asked.frames}")


@dataclass(frozen=True, slots=True)
class Way:
    """What came of one way: its pictures, and how long they took."""

    seen: list[Pixels]
    seconds: float


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=12, help="how many frames, 12 at most")
    parser.add_argument("--width", type=int, default=160, help="pixels")
    parser.add_argument("--height", type=int, default=90, help="pixels")
    parser.add_argument("--samples", type=int, default=1, help="a pixel")
    parser.add_argument("--engine", choices=(spec.CYCLES, spec.EEVEE, spec.WORKBENCH), default=spec.CYCLES)
    return parser.parse_args()


def _order(asked: argparse.Namespace, project: Path, frame: int) -> RenderOrder:
    told = {"frames": f"1-{asked.frames}", "width": asked.width, "height": asked.height, "samples": asked.samples,
            "engine": asked.engine}
    return RenderOrder(spec.parse(told), frame, inputs={"project": project})


def _timed(name: str, way: Callable[[], list[Pixels]], frames: int) -> Way:
    started = time.perf_counter()
    seen = way()
    took_s = time.perf_counter() - started
    print(f"{name}: {60 * frames / took_s:7.1f} frames a minute, {took_s / frames:6.2f} s each")
    return Way(seen, took_s)


def _alone(orders: list[RenderOrder], folder: Path) -> list[Pixels]:
    return [pictures.pixels(render.render(order, _bench(folder / f"alone-{order.frame}"))) for order in orders]


def _chained(orders: list[RenderOrder], folder: Path) -> list[Pixels]:
    chain = render.open_chain(orders[0], _bench(folder / "chain"))
    try:
        return [pictures.pixels(chain.render(order)) for order in orders]
    finally:
        chain.close()


def _bench(folder: Path) -> Bench:
    (folder / "room").mkdir(parents=True)
    return Bench(folder / "room", folder / "log", Limits())


if __name__ == "__main__":
    main()
