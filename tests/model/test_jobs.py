"""Jobs: what their counts of tasks call for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.model.jobs import FIRST_JOB_ID, JobState, Progress


@pytest.mark.parametrize(
    ("progress", "state"),
    [
        (Progress(3, 0, 0), JobState.RUNNING),
        (Progress(3, 2, 0), JobState.RUNNING),
        (Progress(3, 0, 2), JobState.RUNNING),
        (Progress(3, 3, 0), JobState.DONE),
        (Progress(3, 2, 1), JobState.FAILED),
        (Progress(1, 0, 1), JobState.FAILED),
    ],
)
def test_a_job_ends_with_its_last_task_and_fails_if_any_has(progress: Progress, state: JobState):
    assert progress.outcome() is state


@given(st.integers(1, 50), st.integers(0, 50), st.integers(0, 50))
def test_a_job_runs_exactly_while_tasks_are_left(total: int, done: int, failed: int):
    progress = Progress(total, done, failed)
    assert progress.ended == done + failed
    assert (progress.outcome() is JobState.RUNNING) == (done + failed < total)


def test_job_ids_stay_clear_of_sheepits_machine_tests():
    assert FIRST_JOB_ID >= 20
