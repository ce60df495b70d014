"""Templates: what an order or a house style says of size, quality and filters, laid over any genome."""

from dataclasses import dataclass, replace
from typing import Any

from sheepfold.kinds.flame.engine.genome import Genome, Interpolation, PaletteInterpolation

_TAKEN = (
    "zoom", "supersample", "filter_radius", "filter_shape", "quality", "passes", "temporal_samples", "background",
    "estimator_radius", "estimator_minimum", "estimator_curve", "gamma_threshold", "temporal_filter_type",
    "temporal_filter_width", "temporal_filter_exp", "palette_mode", "interpolation_type",
)


@dataclass(frozen=True, slots=True)
class Template:
    """Words of a genome that replace another's; what is None stays."""

    size: tuple[int, int] | None = None
    zoom: float | None = None
    supersample: int | None = None
    filter_radius: float | None = None
    filter_shape: str | None = None
    quality: float | None = None
    passes: int | None = None
    temporal_samples: int | None = None
    background: tuple[float, float, float] | None = None
    estimator_radius: float | None = None
    estimator_minimum: float | None = None
    estimator_curve: float | None = None
    gamma_threshold: float | None = None
    temporal_filter_type: str | None = None
    temporal_filter_width: float | None = None
    temporal_filter_exp: float | None = None
    palette_mode: Any = None
    interpolation_type: Any = None
    interpolation: Interpolation = Interpolation.LINEAR
    palette_interpolation: PaletteInterpolation = PaletteInterpolation.HSV_CIRCULAR
    palette_blend: float = 0.0


def applied(genome: Genome, template: Template) -> Genome:
    """Return a genome with a template's words; a new size keeps the picture's height in units.

    As in flam3, a template always decides how control points and palettes blend.
    """
    changes: dict[str, Any] = {
        name: value for name in _TAKEN if (value := getattr(template, name)) is not None
    }
    if template.size is not None:
        changes |= {"size": template.size, "scale": genome.scale * template.size[1] / genome.size[1]}
    return replace(
        genome,
        interpolation=template.interpolation,
        palette_interpolation=template.palette_interpolation,
        palette_blend=template.palette_blend,
        **changes,
    )
