"""Splitting an order of flame frames into tasks: flam3-genome makes each frame's genome, once."""

import re
import resource
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sheepfold.kinds.flame import flam3, genome
from sheepfold.kinds.flame.spec import EDGE, STILL
from sheepfold.kinds.seam import Spec, TaskDraft
from sheepfold.model.errors import InvalidSpec, Unavailable
from sheepfold.model.matching import ANY, Needs

AT_ONCE = 2
FRAME_LIMIT_S = 10.0
_LIMITS = {
    resource.RLIMIT_AS: 512 * 2**20,
    resource.RLIMIT_CPU: 10,
    resource.RLIMIT_FSIZE: 8 * 2**20,
    resource.RLIMIT_CORE: 0,
}
_NO_NUMBER = re.compile(rb'[" -](?:nan|inf)[" ]', re.IGNORECASE)


def split(spec: Spec, inputs: Mapping[str, Path], folder: Path) -> list[TaskDraft]:
    """Return the tasks of an order, frame by frame and part by part; their genomes are files in `folder`.

    `inputs` holds `genome`, and for an edge also `genome2` unless the first holds both ends. A frame's genome is what
    flam3-genome printed: three control points around the frame's time, for motion blur, without a root element. The
    parts of a frame share it. Raises InvalidSpec where a genome is refused and Unavailable where this machine has no
    flam3.
    """
    spex = folder / "spex.flam3"
    spex.write_bytes(_spex(spec, inputs))
    template = folder / "template.flam3"
    template.write_text(flam3.template(spec), "ascii")
    with ThreadPoolExecutor(AT_ONCE, "split") as pool:
        jobs = [pool.submit(_make_frame, spec, spex, template, frame) for frame in range(spec["frames"])]
        try:
            files = [job.result() for job in jobs]
        finally:
            pool.shutdown(cancel_futures=True)
    return _drafts(spec, files)


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


def _make_frame(spec: Spec, spex: Path, template: Path, frame: int) -> Path:
    """Run flam3-genome for one frame. One turn in one frame is no turn: so a still's three control points are equal."""
    target = spex.with_name(f"frame-{frame:05d}.flam3")
    environment = {
        "inter" if spec["shape"] == EDGE else "rotate": str(spex),
        "frame": str(frame),
        "nframes": "1" if spec["shape"] == STILL else str(spec["frames"]),
        "enclosed": "0",
        "noedits": "1",
        "template": str(template),
    }
    complaint = _run(environment, target)
    if complaint:
        raise InvalidSpec(f"flam3-genome could not make frame {frame}: {complaint}")
    _check(target.read_bytes(), spec, frame)
    return target


def _run(environment: Mapping[str, str], target: Path) -> str:
    """Run flam3-genome with this environment alone, its output going to `target`; return why it failed, if it did."""
    program = flam3.find("flam3-genome")
    if program is None:
        raise Unavailable("This farm has no flam3-genome; Debian has it in the package flam3-utils.")
    errors = target.with_suffix(".errors")
    with target.open("wb") as output, errors.open("wb") as complaints:
        process = subprocess.Popen(
            [str(program)], env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=complaints
        )
        try:
            for limit, value in _LIMITS.items():
                resource.prlimit(process.pid, limit, (value, value))
            status = process.wait(FRAME_LIMIT_S)
        except ProcessLookupError:
            status = process.wait()
        except subprocess.TimeoutExpired:
            return f"it took more than {FRAME_LIMIT_S:g} seconds"
        finally:
            process.kill()
            process.wait()
    text = errors.read_bytes()[:300].decode("utf-8", "replace").strip()
    errors.unlink()
    return text or f"status {status}" if status else ""


def _check(text: bytes, spec: Spec, frame: int) -> None:
    """See that the program printed what was ordered: else a genome could set its own cost."""
    if _NO_NUMBER.search(text):
        raise InvalidSpec(f"Frame {frame} of this genome has a number that is none: the genome cannot be turned.")
    flames = genome.parse(b"<frame>" + text + b"</frame>").findall("flame")
    if len(flames) != 3:
        raise InvalidSpec(f"flam3-genome made {len(flames)} control points of frame {frame}, where 3 were expected.")
    for flame in flames:
        ordered = {
            "size": f"{spec['width']} {spec['height']}",
            "supersample": str(spec["supersample"]),
            "passes": "1",
            "temporal_samples": str(spec["temporal_samples"]),
        }
        wrong = [name for name, value in ordered.items() if flame.get(name) != value]
        if wrong or abs(float(flame.get("quality", "0")) / flam3.part_quality(spec) - 1) > 1e-3:
            raise InvalidSpec(f"Frame {frame} does not have the size and quality ordered.")
