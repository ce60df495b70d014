"""Splitting an order of flame frames into tasks: each frame's genome is made once, as flam3-genome would print it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from sheepfold.kinds.flame import flam3, genome
from sheepfold.kinds.flame.engine import sequence, xml
from sheepfold.kinds.flame.engine.genome import Genome, Xform
from sheepfold.kinds.flame.engine.template import Template, applied
from sheepfold.kinds.flame.spec import EDGE, STILL
from sheepfold.kinds.seam import Spec, TaskDraft
from sheepfold.model.errors import InvalidSpec
from sheepfold.model.matching import ANY, Needs

MAX_BYTES = 128 * 1024 * 1024
"""What the frames' genomes of an order may have in all: 2000 frames of 67 KB each, where most have some 40 KB."""

Points = tuple[Genome, Genome, Genome]
_LARGEST = 1e30  # beyond it there is no picture
_MOTION_NUMBER_BYTES = 16  # no frame prints a motion's number, but moving by it takes the time of so many bytes


def split(spec: Spec, inputs: Mapping[str, Path], folder: Path) -> list[TaskDraft]:
    """Return the tasks of an order, frame by frame and part by part; their genomes are files in `folder`.

    `inputs` holds `genome`, and for an edge also `genome2` unless the first holds both ends. A frame's genome is what
    flam3-genome 3.1.1 prints: three control points around the frame's time, for motion blur, without a root element.
    The parts of a frame share it. Raises InvalidSpec where a genome is refused, or all frames' would have more than
    MAX_BYTES.
    """
    files = []
    for frame, text in enumerate(_frames(spec, inputs)):
        files.append(folder / f"frame-{frame:05d}.flam3")
        files[-1].write_bytes(text)
    return _drafts(spec, files)


def _frames(spec: Spec, inputs: Mapping[str, Path]) -> Iterator[bytes]:
    """Yield each frame's genome; the first that is too long for so many frames is refused, before all are made."""
    ends = xml.read(_spex(spec, inputs))
    points_of, template, frames = _path(spec, ends), _template(spec), spec["frames"]
    motions = _MOTION_NUMBER_BYTES * sum(map(_motion_numbers, ends))
    for frame in range(frames):
        text = _frame(points_of, template, frame)
        size = len(text) + motions
        if size * frames > MAX_BYTES:
            raise InvalidSpec(
                f"This genome is too long for {frames} frames: frame {frame} takes {size} bytes, and all of an order "
                f"may take {MAX_BYTES}. Order {MAX_BYTES // size} frames or fewer, or a simpler genome."
            )
        yield text


def _motion_numbers(end: Genome) -> int:
    motions = (motion for xform in end.transforms for motion in xform.motions)
    return sum(len(_xform_numbers(motion.change)) for motion in motions)


def _path(spec: Spec, ends: tuple[Genome, ...]) -> Callable[[int], Points]:
    """Return what gives a frame's control points. One turn in one frame is no turn: so a still's three are equal."""
    frames = 1 if spec["shape"] == STILL else spec["frames"]
    if spec["shape"] == EDGE:
        return sequence.edge_frames((ends[0], ends[1]), frames)
    return lambda frame: sequence.loop_frame(ends[0], frame, frames)


def _template(spec: Spec) -> Template:
    """Return an order's size and quality, which hold whatever the genome says: else it could set its own cost."""
    return Template(
        size=(spec["width"], spec["height"]),
        zoom=0.0,
        supersample=spec["supersample"],
        quality=float(f"{flam3.part_quality(spec):.6g}"),
        passes=1,
        temporal_samples=spec["temporal_samples"],
    )


def _frame(points_of: Callable[[int], Points], template: Template, frame: int) -> bytes:
    try:
        points = [applied(point, template) for point in points_of(frame)]
    except (ArithmeticError, ValueError) as error:
        raise InvalidSpec(f"Frame {frame} of this genome cannot be computed: {error}.") from error
    for point in points:
        if not all(abs(number) < _LARGEST for number in _numbers(point)):  # not a number compares false
            raise InvalidSpec(f"Frame {frame} of this genome has a number that is none: the genome cannot be turned.")
    return b"".join(xml.write_as_flam3(point) for point in points)


def _numbers(point: Genome) -> list[float]:
    numbers = [point.scale, point.rotate, point.gamma, *point.center, *point.background]
    return numbers + [number for xform in point.transforms for number in _xform_numbers(xform)]


def _xform_numbers(xform: Xform) -> list[float]:
    return [xform.weight, *xform.coefs, *xform.post, *xform.variations.values(), *xform.parameters.values()]


def _drafts(spec: Spec, files: list[Path]) -> list[TaskDraft]:
    # a still is no sheep, and the wire of Electric Sheep has no name for anything else
    protocol = "rest" if spec["shape"] == STILL else ANY
    needs = Needs(kind="flame", renderer="flam3", protocol=protocol, memory_mib=flam3.memory_mib(spec))
    cost_ms = flam3.cost_ms(spec)
    parts = range(spec["parts"])
    return [TaskDraft(frame, needs, cost_ms, part, file) for frame, file in enumerate(files) for part in parts]


def _spex(spec: Spec, inputs: Mapping[str, Path]) -> bytes:
    if "genome" not in inputs:
        raise InvalidSpec("An order of kind flame needs a genome.")
    edge = spec["shape"] == EDGE
    if "genome2" in inputs and not edge:
        raise InvalidSpec(f"A {spec['shape']} is made of one genome; order an edge to use two.")
    texts = [genome.read(inputs[name]) for name in ("genome", "genome2") if name in inputs]
    return genome.spex(texts, 2 if edge else 1)
