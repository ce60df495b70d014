"""Notices: what webhooks are told of, written together with what happened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sheepfold.model.accounts import AccountId
from sheepfold.model.events import What
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId


class Topic(StrEnum):
    """What a webhook may be told of."""

    JOB_DONE = "job.done"
    JOB_FAILED = "job.failed"
    JOB_ATTENTION = "job.attention"
    TASK_BROKEN = "task.broken"
    MACHINE_SUSPENDED = "machine.suspended"
    REVIEW_CHANGED = "review.changed"
    PROBLEM_REPORTED = "problem.reported"
    TEST = "test"


class Form(StrEnum):
    """How a message is written: our own JSON, or what a chat takes."""

    JSON = "json"
    DISCORD = "discord"
    SLACK = "slack"
    MATRIX = "matrix"


class Reach(StrEnum):
    """Whose jobs and machines a hook hears of: its account's own, or the whole farm's."""

    OWN = "own"
    FARM = "farm"


TOPIC_OF: Mapping[What, Topic] = {
    What.JOB_DONE: Topic.JOB_DONE,
    What.JOB_FAILED: Topic.JOB_FAILED,
    What.CHORE_FAILED: Topic.JOB_ATTENTION,
    What.TASK_FAILED: Topic.TASK_BROKEN,
    What.PROBLEM_REPORTED: Topic.PROBLEM_REPORTED,
}
"""The events that hooks are told of."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell; `account_id` is whose it is where no job says that."""

    topic: Topic
    job_id: JobId | None = None
    task_id: TaskId | None = None
    account_id: AccountId | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    at: int = 0
    id: int = 0
