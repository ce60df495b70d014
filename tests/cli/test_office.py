"""What an account and an owner do at a shell, in a farm's folder: the same words work over the network, and as JSON."""

import json

import pytest
from tests.conftest import GENOMES
from typer.testing import CliRunner

from sheepfold.cli import account, farm, flock, job, machine, order, people
from sheepfold.cli.options import farm_in
from sheepfold.farm import people as farm_people
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.model.accounts import Role

PASSWORD = "correct horse"


@pytest.fixture
def folder(tmp_path):
    with farm_in(tmp_path / "farm", may_be_new=True) as opened:
        add_account(opened, "boss", Role.OWNER, PASSWORD)
        add_account(opened, "ann", Role.ARTIST, PASSWORD)
        add_key(opened, "ann", "laptop")
        farm_people.sign_in(opened, "ann", PASSWORD, "Netscape 4")
    return tmp_path / "farm"


@pytest.fixture
def do(folder):
    def run(part, *words, said="", status=0):
        ended = CliRunner().invoke(part.app, [*map(str, words), "--data", str(folder)], input=said)
        assert ended.exit_code == status, ended.output
        return ended.stdout

    return run


def test_an_account_is_shown_changed_and_taken_along(do, tmp_path):
    mine = ("--account", "ann")
    assert "ann" in do(account, "show", *mine)
    assert json.loads(do(account, "show", "--json", *mine))["role"] == "artist"
    assert "ann@example.org" in do(account, "email", "ann@example.org", *mine)
    assert "not proven yet" in do(account, "show", *mine)
    (letter,) = (tmp_path / "farm" / "outbox").iterdir()
    do(account, "prove-email", letter.read_text("utf-8").split()[-1], *mine)
    assert json.loads(do(account, "show", "--json", *mine))["is_email_proven"]
    do(account, "data", tmp_path / "mine.json", *mine)
    assert json.loads((tmp_path / "mine.json").read_text("utf-8"))["account"]["name"] == "ann"
    do(account, "password", *mine, said=f"{PASSWORD}\nbattery staple\n")
    assert do(account, "forget", *mine, said="battery staple\n").endswith("You are forgotten.\n")


def test_keys_and_browsers_are_taken_back(do):
    mine = ("--account", "ann")
    (key,) = json.loads(do(account, "keys", "--json", *mine))["keys"]
    assert key["machine"] == "laptop"
    assert "laptop" in do(account, "keys", *mine)
    assert do(account, "revoke-key", key["id"], *mine) == f"Key {key['id']} opens nothing any more.\n"
    (browser,) = json.loads(do(account, "browsers", "--json", *mine))["browsers"]
    assert "Netscape 4" in do(account, "browsers", *mine)
    do(account, "sign-out", browser["id"], *mine)
    assert json.loads(do(account, "browsers", "--json", *mine)) == {"browsers": [], "next": None}


def test_machines_are_added_with_the_words_for_each_client_and_listed(do):
    added = do(machine, "add", "attic", "--scope", "manage", "--account", "ann")
    assert "It opens all that its account may do." in added
    listed = json.loads(do(machine, "list", "--json"))["machines"]
    assert {one["name"]: (one["account"], one["keys"]) for one in listed} == {"attic": ("ann", 1), "laptop": ("ann", 1)}
    do(machine, "pause", "attic")
    do(machine, "revoke", "attic")
    assert "paused" in do(machine, "list")


def test_a_farm_tells_what_it_does(do):
    assert "0 tasks of 0 jobs wait." in do(farm, "now")
    assert json.loads(do(farm, "queue", "--json"))["lines"] == []
    assert do(farm, "check") == "All is well.\n"
    assert do(farm, "whoami", "--account", "ann").startswith("You are ann, artist: you may order")
    assert json.loads(do(flock, "list", "--json"))["sheep"] == []
    assert json.loads(do(people, "leaders", "--json"))["leaders"] == []
    assert [one["name"] for one in json.loads(do(people, "list", "--json", "--limit", "1"))["people"]] == ["ann"]


def test_a_sheep_is_taken_out_of_the_flock(do):
    do(order, "flame", GENOMES / "r1.flam3", "--frames", 1, "--account", "ann")
    do(flock, "retire", 1, 1, "--account", "ann")
    assert json.loads(do(flock, "show", 1, 1, "--json"))["retired_at"]
    assert do(flock, "retire", 1, 1, "--account", "ann") == "Sheep 1.1 has left the flock.\n"


def test_an_order_is_appraised_made_and_found_among_ones_own(do, tmp_path):
    genome = GENOMES / "r1.flam3"
    small = ("--frames", 2, "--size", "32x32", "--quality", 1, "--account", "ann")
    assert do(order, "flame", genome, *small, "--appraise").startswith("2 tasks for ")
    ordered = json.loads(do(order, "flame", genome, *small, "--still", "--private", "--json"))
    assert ordered["private"]
    assert [one["id"] for one in json.loads(do(job, "list", "--mine", "--account", "ann", "--json"))["jobs"]] == [
        ordered["id"]]
    assert json.loads(do(job, "list", "--mine", "--account", "boss", "--json"))["jobs"] == []
    assert json.loads(do(job, "hide", ordered["id"], "--json"))["id"] == ordered["id"]
    events = do(farm, "events", "--after", 0, "--count", 1).splitlines()
    assert json.loads(events[0])["what"] == "job ordered"


def test_a_backup_is_made_and_listed_and_one_that_fails_says_why(fold, run, tmp_path):
    fold.done("account", "add", "boss", "--role", "owner", "--password-stdin", said="a long enough one\n")
    data = ("--data", fold.data)
    safe, taken = tmp_path / "safe", tmp_path / "taken"
    taken.touch()
    made = run("farm", "backup", *data, SHEEPFOLD_BACKUP_FOLDER=str(safe))
    assert (made.status, made.out) == (0, f"0 files of 0.0 MiB, 0 of them new, and the database, in {safe}.\n"), made
    assert (safe / "backup.json").is_file()
    failed = run("farm", "backup", *data, SHEEPFOLD_BACKUP_FOLDER=str(taken))
    assert (failed.status, failed.out) == (1, f"The backup failed: The backup cannot be made: {taken}: File exists.\n")
    second, first, *troubles = run("farm", "backups", *data).lines[1:]
    assert (second.split()[4], first.split()[4]) == ("failed", "done")
    assert troubles[0].startswith("2: The backup cannot be made: ")
    nowhere = run("farm", "backup", *data)
    assert (nowhere.status, "SHEEPFOLD_BACKUP_FOLDER" in nowhere.err) == (1, True)
