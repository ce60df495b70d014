"""`sheepfold webhook`, in a farm's folder."""

import json

import pytest
from typer.testing import CliRunner

from sheepfold.cli.options import farm_in
from sheepfold.cli.webhook import app
from sheepfold.farm.accounts import add_account
from sheepfold.model.accounts import Role


@pytest.fixture
def folder(tmp_path):
    with farm_in(tmp_path / "farm", may_be_new=True) as farm:
        add_account(farm, "ann", Role.ARTIST, "")
    return tmp_path / "farm"


def test_a_webhook_is_added_listed_tried_and_removed(folder):
    def done(*words):
        ended = CliRunner().invoke(app, [*words, "--data", str(folder), "--account", "ann"])
        assert ended.exit_code == 0, ended.output
        return ended.output

    made = json.loads(done("add", "https://hooks.example/x", "--topic", "job.done", "--json"))
    assert made["secret"]
    hook_id = str(made["id"])
    (listed,) = json.loads(done("list", "--json"))["webhooks"]
    assert (listed["topics"], "secret" in listed) == (["job.done"], False)
    assert "hooks.example" in done("list")
    assert "on its way" in done("test", hook_id)
    assert json.loads(done("deliveries", hook_id, "--json"))["deliveries"][0]["topic"] == "test"
    assert "next at" in done("deliveries", hook_id)
    assert done("enable", hook_id) == f"Webhook {hook_id} is told again.\n"
    assert done("remove", hook_id) == f"Webhook {hook_id} is removed.\n"
    assert json.loads(done("list", "--json")) == {"webhooks": [], "next": None}


def test_a_webhook_to_a_private_place_is_refused_in_a_sentence(folder):
    asked = ["add", "http://localhost/x", "--data", str(folder), "--account", "ann"]
    ended = CliRunner().invoke(app, asked)
    assert ended.exit_code != 0
    assert "webhook_allowed_ranges" in str(ended.exception)
