"""How long frames took: what clients told of the frames of a job that they have sent, and what a task was to cost."""

import json
from dataclasses import dataclass

from sqlalchemy import text

from sheepfold.model.tasks import TaskId
from sheepfold.store.database import Tx

NEWEST = 5
"""So many frames tell of a job; what comes next is most like what was last."""
# each wire has its own word
_WORDS = ("seconds", "render_time_s")
_COST = text("SELECT cost_ms FROM tasks WHERE id = :task_id")
# by uq_tasks_job_id_frame_part, then ix_leases_task_id
_FIGURES = text("""
    SELECT l.figures FROM tasks mine JOIN tasks t ON t.job_id = mine.job_id JOIN leases l ON l.task_id = t.id
    WHERE mine.id = :task_id AND l.state = 'submitted' ORDER BY l.id DESC LIMIT :newest
""")


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """What a task was expected to cost, in ms of a reference core, and what its job's newest frames took in seconds."""

    cost_ms: int
    taken_s: tuple[int, ...]


def frame_times(tx: Tx, task_id: TaskId) -> FrameTimes:
    """Return what is known of the time that a task takes."""
    costs, leases = tx.read_together((_COST, {"task_id": task_id}), (_FIGURES, {"task_id": task_id, "newest": NEWEST}))
    told = [json.loads(row.figures) for row in leases]
    taken = [figures[word] for figures in told for word in _WORDS if isinstance(figures.get(word), int)]
    return FrameTimes(int(costs[0].cost_ms), tuple(seconds for seconds in taken if seconds > 0))
