"""Jobs: what an account ordered, and how far it has come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

from sheepfold.model.accounts import AccountId

JobId = NewType("JobId", int)

FIRST_JOB_ID = 1000
"""Ids below 20 are machine tests to SheepIt's clients, who halt for good when one fails (protocol note, 0.9)."""


class JobState(StrEnum):
    """Where a job is; the three last are final."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a job is rendered.

    `quorum` results of different machines must agree before a task is done; `max_attempts` failed or invalid results
    end it. Jobs of a higher `priority` go first, among those of one account and of all.
    """

    priority: int = 0
    quorum: int = 1
    max_attempts: int = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """How many tasks a job has, and how many of them have ended well or badly; canceled ones ended badly."""

    total: int = 0
    done: int = 0
    failed: int = 0

    @property
    def ended(self) -> int:
        """Return how many tasks will not change any more."""
        return self.done + self.failed

    def outcome(self) -> JobState:
        """Return the state that these counts call for: a job ends with its last task, and fails if any task has."""
        if self.ended < self.total:
            return JobState.RUNNING
        return JobState.FAILED if self.failed else JobState.DONE


@dataclass(frozen=True, slots=True)
class Job:
    """An order: its kind's checked spec, and the digests of its inputs by name. The id is 0 until it is stored.

    Since `private_at` others see nothing of it; since `kept_at` retention spares it. Since `cleared_at` the pictures as
    they were rendered and the inputs are gone, since `emptied_at` previews, films and logs as well.
    """

    id: JobId
    account_id: AccountId
    kind: str
    title: str
    spec: Mapping[str, Any]
    terms: Terms
    state: JobState
    created_at: int
    ended_at: int | None = None
    revision: int = 0
    private_at: int | None = None
    kept_at: int | None = None
    cleared_at: int | None = None
    emptied_at: int | None = None
    progress: Progress = Progress()
    inputs: Mapping[str, str] = field(default_factory=dict)
