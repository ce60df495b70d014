"""Appraisals: what an order would be and cost, told before it is made, and a quick look at its inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sheepfold.farm.farm import Farm
from sheepfold.farm.orders import Order, checked_order
from sheepfold.farm.passing import passing_folder
from sheepfold.kinds import confine
from sheepfold.kinds.registry import module_of
from sheepfold.kinds.seam import RenderFailed, RenderOrder, Spec
from sheepfold.model.accounts import Account
from sheepfold.model.credit import Effort, Millipoints, earned
from sheepfold.model.errors import InvalidSpec
from sheepfold.store import views as view_rows

SKETCH_LIMIT_S = 15.0
CARRIES_ON = 1
"""Machines that an estimate assumes while none is at work."""


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What an order would be: its spec completed, its tasks, what they cost, and how long the farm may need now."""

    spec: Spec
    tasks: int
    cost_ms: int
    millipoints: Millipoints
    machines: int
    remarks: tuple[str, ...]

    @property
    def span_s(self) -> int:
        """Return the seconds that the machines at work now would need for this alone, on one reference core each."""
        return max(1, self.cost_ms // 1000 // max(CARRIES_ON, self.machines))


def appraise(farm: Farm, account: Account, order: Order) -> Appraisal:
    """Check an order as if it were made, and tell what it would be; nothing is kept of it.

    Raises InvalidSpec, Forbidden, and StoreUnavailable where the disk is full.
    """
    with passing_folder(farm, "appraisal") as folder:
        completed, spec = checked_order(farm, account, order, folder)
        drafts = module_of(order.kind, "split").split(spec, order.inputs, folder)
    at_work = farm.db.read(lambda tx: {one.machine_id for one in view_rows.at_work(tx, 1000)})
    times = order.terms.quorum
    points = sum(earned(Effort(max(1, draft.cost_ms))) for draft in drafts)
    return Appraisal(spec, len(drafts), times * sum(draft.cost_ms for draft in drafts), Millipoints(times * points),
                     len(at_work), completed.remarks)


def sketch(farm: Farm, kind: str, quick: Spec, inputs: Mapping[str, Path]) -> bytes:
    """Render inputs small and quickly, by a kind's own spec for it; returns a PNG.

    Raises InvalidSpec where the kind has none, or they cannot be rendered, and StoreUnavailable where the disk is full.
    """
    if not quick:
        raise InvalidSpec(f"There is no quick look at orders of the kind {kind}.")
    with passing_folder(farm, "appraisal") as folder:
        spec = module_of(kind, "spec").parse(quick)
        drafts = module_of(kind, "split").split(spec, inputs, folder)
        order = RenderOrder(spec, 0, 0, drafts[0].input, inputs)
        try:
            made: Path = module_of(kind, "render").render(order, _Bench(folder))
        except RenderFailed as error:
            raise InvalidSpec(f"This cannot be rendered: {error}.") from error
        return made.read_bytes()


@dataclass(frozen=True, slots=True)
class _Bench:
    """A workbench on the server for a sketch alone."""

    folder: Path

    @property
    def kept(self) -> Path:
        return self.folder / "kept"

    def run(self, argv: Sequence[str], env: Mapping[str, str], *, readable: Sequence[Path] = ()) -> None:
        limits = confine.Limits(time_s=SKETCH_LIMIT_S)
        outcome = confine.run(argv, env, self.folder, list(readable), limits)
        if outcome.status != 0:
            raise RenderFailed("the renderer gave up on it")
