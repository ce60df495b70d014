"""What a flame is to people who order one: a sheep of the flock."""

from pathlib import Path

from sheepfold.kinds.seam import Offer, Sample

SKETCH = {"shape": "still", "width": 320, "height": 240, "quality": 8, "temporal_samples": 1}
SMALL = {"frames": 24, "width": 480, "height": 356, "quality": 20}
"""A loop whose first frame is there within seconds on one core."""
_GENOMES = Path(__file__).with_name("samples")
_NAMES = ("coral", "ember", "anemone")


def offer() -> Offer:
    """Return the offer, with a small loop of each genome that comes with the program."""
    samples = tuple(Sample(name.capitalize(), SMALL, {"genome": _GENOMES / f"{name}.flam3"}) for name in _NAMES)
    return Offer("A sheep for the flock", "A flam3 genome; a loop, an edge between two, or a still.", samples, SKETCH)
