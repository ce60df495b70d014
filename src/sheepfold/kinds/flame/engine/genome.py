"""The genome of a fractal flame: what a frame looks like, as frozen data.

Numbers are what flam3 3.1.1 reads from its XML, in its units; xml.py turns text into genomes and back. Nothing here
draws. A genome cannot be changed: `dataclasses.replace` makes another one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sheepfold.kinds.flame.engine.names import DEFAULTS

if TYPE_CHECKING:
    from typing import Self

Affine = tuple[float, float, float, float, float, float]
"""x' = a x + c y + e, y' = b x + d y + f, in the order a b c d e f of flam3's `coefs` and `post`."""

Palette = NDArray[np.float64]
"""256 rows of red, green, blue and alpha, 0 to 1; read-only."""

IDENTITY: Affine = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class PaletteMode(StrEnum):
    """How a colour coordinate becomes a colour: the nearest entry below, or a blend of two."""

    STEP = "step"
    LINEAR = "linear"


class PaletteInterpolation(StrEnum):
    """How two palettes blend."""

    HSV = "hsv"
    SWEEP = "sweep"
    RGB = "rgb"
    HSV_CIRCULAR = "hsv_circular"


class Interpolation(StrEnum):
    """The path through control points: straight lines, or Catmull-Rom curves through four."""

    LINEAR = "linear"
    SMOOTH = "smooth"


class InterpolationType(StrEnum):
    """How two transforms blend: by matrix, by polar coordinates, or as older versions did."""

    LINEAR = "linear"
    LOG = "log"
    OLD = "old"      # flam3 calls it compat
    OLDER = "older"  # pads are rotated


class MotionFunction(StrEnum):
    """The wave of a motion element; each is 0 at whole times."""

    SIN = "sin"
    TRIANGLE = "triangle"
    HILL = "hill"


@dataclass(frozen=True, slots=True)
class Xform:
    """A transform: an affine part, a weighted sum of variations, a second affine part, and a colour.

    `variations` holds the weights that are not 0, `parameters` what the genome says of theirs; `names.DEFAULTS`
    has the rest. `chaos` has a factor for each transform that may follow, or is empty where all are 1.
    """

    weight: float = 0.0
    color: float = 0.0
    color_speed: float = 0.5
    animate: float = 1.0
    opacity: float = 1.0
    variations: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)
    coefs: Affine = IDENTITY
    post: Affine = IDENTITY
    chaos: tuple[float, ...] = ()
    motions: "tuple[Motion, ...]" = ()
    wind: tuple[float, float] = (0.0, 0.0)  # reference angles of an alignment, 0 where there are none
    is_padding: bool = False                # an alignment added it
    name: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)  # attributes that flam3 does not know

    @property
    def has_post(self) -> bool:
        """Say whether the second affine part does anything."""
        return self.post != IDENTITY

    def parameter(self, name: str) -> float:
        """Return a parameter of a variation, or its default."""
        return self.parameters.get(name, DEFAULTS[name])


@dataclass(frozen=True, slots=True)
class Motion:
    """A periodic change of a transform: `change`'s numbers are added, times the wave of `frequency` a turn."""

    frequency: int
    function: MotionFunction
    change: Xform


@dataclass(frozen=True, slots=True)
class Genome:
    """A control point: transforms, camera, palette and tone at one time.

    `size` is pixels, `scale` pixels a unit (times 2 to `zoom`), `rotate` degrees, `quality` samples a pixel,
    `background` 0 to 1. `symmetry` is what the genome's text called for; the transforms it means are already among
    `xforms`. `edits` is the XML of the genome's ancestry, `extra` attributes that flam3 does not know.
    """

    xforms: tuple[Xform, ...]
    palette: Palette = field(compare=False)
    final: Xform | None = None
    name: str = ""
    time: float = 0.0
    size: tuple[int, int] = (100, 100)
    center: tuple[float, float] = (0.0, 0.0)
    rot_center: tuple[float, float] = (0.0, 0.0)
    scale: float = 50.0
    zoom: float = 0.0
    rotate: float = 0.0
    quality: float = 1.0
    passes: int = 1
    temporal_samples: int = 1000
    temporal_filter_type: str = "box"
    temporal_filter_width: float = 1.0
    temporal_filter_exp: float = 0.0
    supersample: int = 1
    filter_radius: float = 0.5
    filter_shape: str = "gaussian"
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    brightness: float = 4.0
    contrast: float = 1.0
    gamma: float = 4.0
    gamma_threshold: float = 0.01
    vibrancy: float = 1.0
    highlight_power: float = -1.0
    estimator_radius: float = 9.0
    estimator_minimum: float = 0.0
    estimator_curve: float = 0.4
    hue_rotation: float = 0.0
    palette_mode: PaletteMode = PaletteMode.STEP
    palette_interpolation: PaletteInterpolation = PaletteInterpolation.HSV_CIRCULAR
    palette_blend: float = 0.0         # how much of the blend of HSV_CIRCULAR is done in RGB instead
    interpolation: Interpolation = Interpolation.LINEAR
    interpolation_type: InterpolationType = InterpolationType.LOG
    palette_index: int | None = None   # of flam3's palette file, where the text named one
    symmetry: int = 0                  # flam3's kind: n-fold, negative dihedral, 0 or 1 none
    edits: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_xml(cls, text: bytes | str) -> "Self":
        """Return the one genome in an XML text, as flam3-render would read it; raises InvalidSpec."""
        from sheepfold.kinds.flame.engine import xml  # noqa: PLC0415 - xml.py builds genomes, so it imports this

        return xml.read_one(text)  # type: ignore[return-value]

    def to_xml(self) -> bytes:
        """Return flam3's XML of this genome, which from_xml reads to an equal one."""
        from sheepfold.kinds.flame.engine import xml  # noqa: PLC0415 - as above

        return xml.write(self)

    @property
    def transforms(self) -> tuple[Xform, ...]:
        """Return all transforms, the final one last where there is one."""
        return self.xforms if self.final is None else (*self.xforms, self.final)

    @property
    def has_chaos(self) -> bool:
        """Say whether a transform's successor depends on it (xaos)."""
        return any(factor != 1.0 for xform in self.xforms for factor in xform.chaos)


def frozen_palette(colors: object) -> Palette:
    """Return 256 read-only rows of red, green, blue, alpha from anything numpy takes; alpha is 1 where left out."""
    rows = np.array(colors, np.float64)
    if rows.shape == (256, 3):
        rows = np.concatenate([rows, np.ones((256, 1))], axis=1)
    if rows.shape != (256, 4):
        raise ValueError(f"a palette has 256 rows of 3 or 4 numbers, not {rows.shape}")
    rows.flags.writeable = False
    return rows
