"""What the kinds' tests share: real genomes, and a workbench without walls."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sheepfold.kinds.flame import render, spec, split
from sheepfold.kinds.inspector import Inspector
from sheepfold.kinds.seam import Picture, RenderOrder, Spec
from sheepfold.worker.bench import Bench
from sheepfold.worker.sandbox import Limits

GENOMES = Path(__file__).parents[1] / "genomes"


@dataclass(frozen=True, slots=True)
class Flock:
    """An order, split and rendered."""

    spec: Spec
    pictures: list[Picture]


def bench_in(folder: Path) -> Bench:
    """Return the worker's workbench, without walls."""
    return Bench(folder, folder / "log.txt", Limits(), has_walls=False)


@pytest.fixture(scope="session")
def genomes() -> Path:
    return GENOMES


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return bench_in(tmp_path)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Flock]:
    """Return a function that orders, splits and renders for real."""

    def make(*names: str, frames_wanted: Sequence[int] | None = None, **order: object) -> Flock:
        folder = tmp_path_factory.mktemp("order")
        inputs = dict(zip(("genome", "genome2"), (GENOMES / f"{name}.flam3" for name in names), strict=False))
        parsed = spec.parse(order)
        drafts = split.split(parsed, inputs, folder)
        pictures = [
            Picture(
                draft.frame,
                draft.part,
                render.render(RenderOrder(parsed, draft.frame, draft.part, draft.input), bench_in(folder)),
            )
            for draft in drafts
            if frames_wanted is None or draft.frame in frames_wanted
        ]
        return Flock(parsed, pictures)

    return make


@pytest.fixture(scope="session")
def loop(rendered: Callable[..., Flock]) -> Flock:
    return rendered("r2", frames=8, width=97, height=72, quality=5)


@pytest.fixture(scope="module")
def inspector() -> Iterator[Inspector]:
    with Inspector(1) as one:
        yield one


@pytest.fixture
def noise() -> Callable[[int, int], Image.Image]:
    """Return a function that makes a picture that is certainly not blank."""

    def make(width: int, height: int, seed: int = 0) -> Image.Image:
        values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        return Image.fromarray(values)

    return make
