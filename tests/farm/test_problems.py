"""What people find wrong with pictures is written down, and found again."""

import pytest

from sheepfold.farm import problems
from sheepfold.farm.browse import story, view_job
from sheepfold.farm.problems import BadReport, problems_of, report_problem
from sheepfold.model.accounts import Role
from sheepfold.model.errors import Conflict, UnknownTask


@pytest.fixture
def task_id(world):
    job = world.order()
    world.make_all(world.maker("argo"))
    return view_job(world.farm, job.id).tasks[0].id


def test_a_report_stands_in_the_story_and_beside_the_picture(world, task_id):
    eve = world.account("eve", Role.VOLUNTEER)
    job_id = report_problem(world.farm, eve, task_id, "  The menu is there twice. ")
    (found,) = problems_of(world.farm, job_id)[task_id]
    assert dict(found.detail) == {"account": "eve", "text": "The menu is there twice."}
    assert "problem reported" in [event.what for event in story(world.farm, task_id).events]


@pytest.mark.parametrize("text", ["", "   ", "x" * 501, "a\x1b[2Jb", "two\nlines"])
def test_a_report_says_something_that_can_be_shown(world, task_id, text):
    with pytest.raises(BadReport):
        report_problem(world.farm, world.account("ann"), task_id, text)


def test_what_is_not_there_cannot_be_wrong(world):
    job = world.order()
    with pytest.raises(Conflict):
        report_problem(world.farm, world.account("ann"), view_job(world.farm, job.id).tasks[0].id, "Nothing.")
    with pytest.raises(UnknownTask):
        report_problem(world.farm, world.account("ann"), 99_999, "Nothing.")


def test_a_flood_of_reports_ends(world, task_id, monkeypatch):
    monkeypatch.setattr(problems, "MOST", 2)
    for _ in range(2):
        report_problem(world.farm, world.account("ann"), task_id, "Wrong.")
    with pytest.raises(Conflict):
        report_problem(world.farm, world.account("ann"), task_id, "Wrong.")
