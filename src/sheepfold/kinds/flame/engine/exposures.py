"""Exposures as files: EXR of raw buckets that tell their frame, samples and seeds, so that more may be added."""

from dataclasses import dataclass, replace
from pathlib import Path

from sheepfold.kinds.flame.engine import output, xml
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.render import Exposure, Frame, window_of
from sheepfold.model.errors import InvalidSpec

_GENOME, _SAMPLES, _SEEDS = "sheepfold:genome", "sheepfold:samples", "sheepfold:seeds"


@dataclass(frozen=True, slots=True)
class Negative:
    """An exposure of one control point, and the seeds it is made of; no seed may be in it twice."""

    genome: Genome
    exposure: Exposure
    seeds: tuple[int, ...]

    @property
    def frame(self) -> Frame:
        """Return what is to be seen."""
        return Frame((self.genome,))

    def __add__(self, other: "Negative") -> "Negative":
        """Return both together. Raises InvalidSpec where they show different things, or the same samples."""
        if _told(self.genome, digits=9) != _told(other.genome, digits=9):
            raise InvalidSpec("These buckets are of another frame: its genome, size or camera differ.")
        if twice := sorted(set(self.seeds) & set(other.seeds)):
            raise InvalidSpec(f"Seed {twice[0]} is in both: the same samples twice make no picture better.")
        return replace(self, exposure=self.exposure + other.exposure, seeds=self.seeds + other.seeds)

    def save(self, path: Path) -> None:
        """Write it as an EXR of float32, its gutter included."""
        words = {_GENOME: _told(self.genome), _SAMPLES: str(self.exposure.samples),
                 _SEEDS: " ".join(map(str, self.seeds))}  # fmt: skip
        output.save_buckets(self.exposure.buckets, path, words)


def load(path: Path) -> Negative:
    """Return a saved negative; raises InvalidSpec for a file that is none."""
    buckets, words = output.load_buckets(path)
    if not {_GENOME, _SAMPLES, _SEEDS} <= set(words):
        raise InvalidSpec(f"{path.name} holds no buckets of ours.")
    genome = xml.read_one(words[_GENOME])
    window = window_of(genome)
    try:
        samples, seeds = int(words[_SAMPLES]), tuple(int(seed) for seed in words[_SEEDS].split())
    except ValueError as error:
        raise InvalidSpec(f"{path.name} tells neither its samples nor its seeds.") from error
    size = (genome.passes * window.height, window.width)
    if buckets.shape[:2] != size or buckets.shape[2] not in {4, 5} or samples < 1:
        raise InvalidSpec(f"The buckets in {path.name} are not of its genome's size.")
    return Negative(genome, Exposure(buckets, samples), seeds)


def _told(genome: Genome, digits: int | None = None) -> str:
    """Return a frame's words: all but the quality, of which each exposure has its own."""
    return xml.write(replace(genome, quality=1.0), digits).decode("ascii")
