"""How long a frame will take: what the frames of its job took before, else what its order was guessed to cost."""

from statistics import median

from sheepfold.farm.farm import Farm
from sheepfold.model.tasks import TaskId
from sheepfold.store import frametimes as time_rows
from sheepfold.store.database import read_at_once


def expected_s(farm: Farm, task_id: TaskId, cores: int) -> float:
    """Return the seconds that a task will take a machine of so many cores, as far as anybody knows."""
    times = read_at_once(farm.db, lambda tx: time_rows.frame_times(tx, task_id))
    return median(times.taken_s) if times.taken_s else times.cost_ms / 1000 / max(1, cores)
