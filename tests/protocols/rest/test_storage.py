"""What lies on the disk, what is kept for ever, and how the wire says that something is cleared."""

import pytest
from tests.protocols.rest.conftest import Site

from sheepfold.farm.retention import Retention
from sheepfold.model.accounts import Role
from sheepfold.protocols.rest.calls import FarmProblem, Unwelcome

DAY_S = 86_400


@pytest.fixture
def limits():
    return {"keep_days": 2}


def later(site: Site, ann, job_id: int, days: int):
    """Let days pass, and the house do what is due; returns the job."""
    site.clock.now += days * DAY_S
    keeper = Retention(site.farm)
    for _ in range(4):
        keeper.step()
        shown = site.rendered(job_id, ann)
    return shown


def test_what_is_cleared_is_gone_with_a_sentence_and_its_story_stays(site, tmp_path):
    ann = site.client()
    job_id = site.order(ann, shape="still")
    task_id = site.rendered(job_id, ann).tasks[0].id
    shown = later(site, ann, job_id, 3)
    assert shown.cleared_at == site.clock.now
    asks = (lambda: ann.download_picture(task_id, tmp_path / "a"), lambda: ann.download_frames(job_id, tmp_path / "b"),
            lambda: ann.render_again(job_id, 0), lambda: ann.change(job_id, kept=True))  # fmt: skip
    for ask in asks:
        with pytest.raises(FarmProblem, match="were cleared on 2036") as found:
            ask()
        assert (found.value.status, found.value.is_about("cleared")) == (410, True)
    assert site.http.get(f"/tasks/{task_id}/story", headers=site.bearer(site.key("ann", "ann-desk"))).is_success
    assert [path.name for path in ann.download(job_id, tmp_path)] == ["still.png"]


def test_a_job_is_kept_for_ever_and_as_long_as_others_again(site, tmp_path):
    ann = site.client()
    job_id = site.order(ann, shape="still")
    task_id = site.rendered(job_id, ann).tasks[0].id
    assert ann.change(job_id, kept=True).kept
    assert later(site, ann, job_id, 30).cleared_at is None
    ann.download_picture(task_id, tmp_path / "a")
    assert not ann.change(job_id, kept=False).kept
    assert later(site, ann, job_id, 1).cleared_at is not None


def test_the_owner_reads_what_lies_on_the_disk_and_what_is_cleared_next(site):
    ann, olga = site.client(), site.client("olga", Role.OWNER)
    job_id = site.order(ann, shape="still")
    ended_at = site.rendered(job_id, ann).ended_at
    found = olga.storage()
    piles = {pile.sort: pile for pile in found.piles}
    assert piles["originals"].files == 1
    assert found.size_bytes == sum(pile.size_bytes for pile in found.piles)
    assert [(due.job, due.account, due.clears_at) for due in found.next] == [(job_id, "ann", ended_at + 2 * DAY_S)]
    with pytest.raises(Unwelcome, match="for its owner"):
        ann.storage()
