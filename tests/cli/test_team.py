"""`sheepfold team`, in a farm's folder; over the network it is the wire's own test."""

import json

import pytest
from tests.conftest import GENOMES
from typer.testing import CliRunner

from sheepfold.cli.options import farm_in
from sheepfold.cli.team import app
from sheepfold.farm import sight
from sheepfold.farm.accounts import add_account
from sheepfold.farm.orders import Order, order_job
from sheepfold.model.accounts import Role


@pytest.fixture
def folder(tmp_path):
    with farm_in(tmp_path / "farm", may_be_new=True) as farm:
        ann = add_account(farm, "ann", Role.ARTIST, "")
        add_account(farm, "bob", Role.VOLUNTEER, "")
        spec = {"frames": 1, "width": 64, "height": 48, "shape": "still"}
        job = order_job(farm, ann, Order("flame", spec, {"genome": GENOMES / "r1.flam3"}))
        sight.set_private(farm, ann, job.id, is_private=True)
    return tmp_path / "farm"


def test_a_team_is_made_joined_shown_a_job_handed_over_and_left(folder):
    def done(*words, account="ann"):
        ended = CliRunner().invoke(app, [*words, "--data", str(folder), "--account", account])
        assert ended.exit_code == 0, ended.output
        return ended.output

    assert done("make", "woolpack") == "ann leads woolpack.\n"
    link = done("invite", "woolpack").strip()
    assert done("join", link, account="bob") == "You are in woolpack, which ann leads.\n"
    assert done("show-job", "1000") == "Job 1000 is seen by woolpack.\n"
    assert done("hide-job", "1000") == "Job 1000 is seen by no team.\n"
    assert "woolpack" in done("list")
    assert done("hand-over", "woolpack", "bob") == "bob leads woolpack.\n"
    found = json.loads(done("show", "woolpack", "--json"))
    assert (found["leader"], {one["name"] for one in found["roll"]}) == ("bob", {"ann", "bob"})
    assert "leads" in done("show", "woolpack")
    assert done("remove", "woolpack", "ann", account="bob") == "ann is no more in woolpack.\n"
