"""Rows of jobs."""

import pytest
from tests.conftest import in_threads
from tests.store.conftest import NOW, Rows

from sheepfold.model.errors import UnknownJob
from sheepfold.model.jobs import JobId, JobState, Progress, Terms
from sheepfold.store import jobs


def test_a_job_comes_back_as_it_was_ordered(rows: Rows):
    job_id = rows.job(tasks=3, terms=Terms(priority=-2, quorum=3, max_attempts=9))
    job = rows.db.read(lambda tx: jobs.job_of(tx, job_id))
    assert (job.id, job.kind, job.title, job.spec) == (job_id, "flame", "a test", {"frames": 3})
    assert (job.terms, job.state, job.progress) == (Terms(-2, 3, 9), JobState.RUNNING, Progress(3))
    assert (job.created_at, job.ended_at, job.revision, job.inputs) == (NOW, None, 0, {})
    with pytest.raises(UnknownJob):
        rows.db.read(lambda tx: jobs.job_of(tx, JobId(7)))


def test_jobs_are_listed_newest_first_of_one_account_or_all(rows: Rows):
    first, second, third = (rows.job(account=name) for name in ("ann", "bob", "ann"))
    ann = rows.account("ann")

    def listed(limit: int = 10, **which: object) -> list[int]:
        return [job.id for job in rows.db.read(lambda tx: jobs.list_jobs(tx, limit, **which))]

    assert listed() == [third, second, first]
    assert listed(limit=1) == [third]
    assert listed(before=third) == [second, first]
    assert listed(account_id=ann.id) == [third, first]


def test_ended_tasks_are_counted_by_many_at_once(rows: Rows):
    job_id = rows.job(tasks=12)
    in_threads(6, lambda n: rows.db.write(lambda tx: jobs.count_ended(tx, job_id, done=n % 2, failed=1 - n % 2)))
    assert rows.db.read(lambda tx: jobs.job_of(tx, job_id)).progress == Progress(12, 3, 3)


def test_a_task_that_has_become_the_last_one_meanwhile_is_counted_as_the_last(rows: Rows, dialect: str):
    """PostgreSQL counts one of many as it commits; which of two is the last, neither knows before."""
    job_id = rows.job(tasks=3)
    seen = iter([3, 2, 2, 1])
    told = [rows.db.write(lambda tx: jobs.count_ended(tx, job_id, done=1, failed=0, left=next(seen))) for _ in range(3)]
    if dialect == "postgresql":
        assert (told, list(seen)) == ([None, None, Progress(3, 3, 0)], [])
    else:
        assert (told, list(seen)) == ([Progress(3, done, 0) for done in (1, 2, 3)], [1])
    assert rows.db.read(lambda tx: jobs.job_of(tx, job_id)).progress == Progress(3, 3, 0)


def test_a_job_ends_once(rows: Rows):
    job_id = rows.job()
    ends = [rows.db.write(lambda tx, s=state: jobs.end_job(tx, job_id, s, NOW + 1))
            for state in (JobState.CANCELED, JobState.DONE)]  # fmt: skip
    assert ends == [True, False]
    job = rows.db.read(lambda tx: jobs.job_of(tx, job_id))
    assert (job.state, job.ended_at) == (JobState.CANCELED, NOW + 1)
