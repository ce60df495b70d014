"""The farm over REST: what it does now for everybody, and for its owner who may do what in it."""

from dataclasses import replace

import pytest

from sheepfold.farm.accounts import add_key
from sheepfold.farm.backups import make_next_backup
from sheepfold.model.accounts import Role, Scope
from sheepfold.protocols.link import FarmRefused
from sheepfold.protocols.rest.calls import FarmProblem
from sheepfold.protocols.rest.client import FarmClient


@pytest.fixture
def boss(site):
    site.key("boss", "throne", Role.OWNER)
    with FarmClient(site.url, add_key(site.farm, "boss", "throne", Scope.MANAGE).key, pause=lambda _: None) as made:
        yield made


def test_people_are_listed_page_by_page_by_their_names(site, boss):
    for name in ("zoe", "ann", "mia"):
        site.key(name, f"{name}-box")
    first = boss.people(limit=2)
    assert ([one.name for one in first.people], first.next) == (["ann", "boss"], "boss")
    last = boss.people(limit=2, after=first.next)
    assert ([one.name for one in last.people], last.next) == (["mia", "zoe"], None)


def test_people_are_changed_and_that_is_written_down(site, boss):
    ann = site.client("ann")
    assert boss.change_person("ann", role=Role.VOLUNTEER).role is Role.VOLUNTEER
    assert boss.change_person("ann", closed=True).closed_at == site.clock.now
    with pytest.raises(FarmRefused):
        ann.whoami()
    assert boss.change_person("ann", closed=False).closed_at is None
    page = boss.audit(limit=2)
    assert [(one.who, one.what) for one in page.lines] == [("boss", "reopened account"), ("boss", "closed account")]
    assert boss.audit(limit=50, before=page.next).lines[0].what == "made volunteer"


def test_a_farm_keeps_its_last_owner(boss):
    with pytest.raises(FarmRefused, match="one owner at least"):
        boss.change_person("boss", role=Role.ARTIST)


def test_an_owner_rules_by_a_key_that_may_manage_alone(site):
    client = site.client("boss", Role.OWNER)
    for deed in (client.people, client.audit, client.queue, client.check, client.back_up,
                 lambda: client.change_person("boss", closed=True)):
        with pytest.raises(FarmRefused, match="manage"):
            deed()


def test_what_the_farm_does_is_told_and_of_private_jobs_only_that_it_is_done(site, boss):
    ann, bob = site.client("ann"), site.client("bob")
    job_id = site.order(ann, shape="still")
    assert site.link().claim(site.abilities) is not None
    assert [(one.machine, one.job) for one in bob.now().at_work] == [("box", job_id)]
    ann.change(job_id, private=True)
    (work,) = bob.now().at_work
    assert (work.machine, work.job, work.title) == ("box", None, "")
    assert [one.job for one in ann.now().at_work] == [job_id]
    queue = boss.queue()
    assert (queue.jobs, [one.job for one in queue.lines]) == (1, [job_id])
    assert bob.leaders().leaders == []


def test_a_healthy_farm_has_no_findings(boss):
    assert boss.check().findings == []


def test_a_backup_goes_where_the_farms_setting_says(site, boss, tmp_path):
    with pytest.raises(FarmProblem, match="no folder"):
        boss.back_up()
    object.__setattr__(site.farm, "settings", replace(site.farm.settings, backup_folder=str(tmp_path / "safe")))
    asked = boss.back_up()
    assert (asked.state, asked.who, asked.folder) == ("waiting", "boss", str(tmp_path / "safe"))
    assert boss.back_up().id == asked.id
    assert make_next_backup(site.farm)
    made = boss.backup(asked.id)
    assert (made.state, made.files, made.new_files, made.trouble) == ("done", 0, 0, "")
    assert (tmp_path / "safe" / "backup.json").is_file()
    assert boss.back_up().id > asked.id
    assert [one.state for one in boss.every(boss.backups, limit=1)] == ["waiting", "done"]


def test_machines_tell_more_to_their_own_account_and_the_owner(site, boss):
    site.link("box", "vera")
    ann = site.client("ann")
    assert {one.name: one.keys for one in ann.machines().machines} == {"throne": None, "box": None, "ann-desk": 1}
    known = {one.name: one.account for one in boss.machines().machines}
    assert known == {"throne": "boss", "box": "vera", "ann-desk": "ann"}


def test_orders_are_appraised_and_sketched_and_nothing_is_kept(site, tmp_path):
    ann = site.client("ann")
    found = ann.appraise("flame", {"frames": 3, "width": 32, "height": 32, "quality": 1}, {"genome": site.genome})
    assert (found.tasks, found.spec["shape"]) == (3, "loop")
    assert found.millipoints > 0
    ann.sketch("flame", {"genome": site.genome}, tmp_path / "sketch.png")
    assert (tmp_path / "sketch.png").read_bytes().startswith(b"\x89PNG")
    assert ann.jobs().jobs == []


def test_a_list_of_jobs_may_be_ones_own(site):
    ann, bob = site.client("ann"), site.client("bob")
    mine = site.order(ann, shape="still")
    site.order(bob, shape="still")
    assert [one.id for one in ann.jobs(mine=True).jobs] == [mine]
    assert len(ann.jobs().jobs) == 2


def test_a_sheep_is_told_with_its_votes(site):
    ann = site.client("ann")
    site.rendered(site.order(ann, frames=2), ann)
    (sheep,) = ann.flock().sheep
    ann.vote(sheep.number, 1)
    found = ann.sheep(sheep.generation, sheep.number)
    assert (found.liked, found.disliked, found.sheep.number) == (1, 0, sheep.number)
    with pytest.raises(FarmProblem):
        ann.sheep(sheep.generation, 999)
