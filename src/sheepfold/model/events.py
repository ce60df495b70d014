"""Events: what happened, written together with it; stories of tasks and live streams are made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId


class What(StrEnum):
    """What may happen."""

    JOB_ORDERED = "job ordered"
    INPUT_REPLACED = "input replaced"
    JOB_DONE = "job done"
    JOB_FAILED = "job failed"
    JOB_CANCELED = "job canceled"
    JOB_REOPENED = "job reopened"
    JOB_EXTENDED = "job extended"
    JOB_ACCEPTED = "job accepted"
    JOB_KEPT = "job kept"
    JOB_CLEARED = "job cleared"
    JOB_EMPTIED = "job emptied"
    PRODUCT_MADE = "product made"
    PREVIEW_MADE = "preview made"
    CHORE_FAILED = "chore failed"
    LEASE_GRANTED = "lease granted"
    LEASE_FAILED = "lease failed"
    LEASE_RELEASED = "lease released"
    LEASE_EXPIRED = "lease expired"
    LEASE_WITHDRAWN = "lease withdrawn"
    RESULT_SUBMITTED = "result submitted"
    RESULT_VALID = "result valid"
    RESULT_INVALID = "result invalid"
    CREDIT_EARNED = "credit earned"
    TASK_DONE = "task done"
    TASK_FAILED = "task failed"
    TASK_CANCELED = "task canceled"
    TASK_REOPENED = "task reopened"
    PROBLEM_REPORTED = "problem reported"
    VOTE_CAST = "vote cast"
    SHEEP_RETIRED = "sheep retired"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a story; `detail` holds plain values such as names, ids and reasons."""

    what: What
    job_id: JobId
    task_id: TaskId | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    at: int = 0
    id: int = 0
