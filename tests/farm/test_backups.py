"""Backups are asked for and made by the house; everybody sees how far one is, and why one failed."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import World
from tests.farm.conftest import until

from sheepfold.farm import backup, backups
from sheepfold.farm.backup import back_up, last_backup
from sheepfold.farm.backups import Backups, ask_backup, list_backups, make_next_backup, view_backup
from sheepfold.farm.manifest import MANIFEST
from sheepfold.farm.retention import HOLD_S
from sheepfold.model.errors import BadInput, NotFound
from sheepfold.store import retention as retention_rows


@pytest.fixture
def safe(world: World, tmp_path: Path) -> Path:
    """Where the world's farm puts its backups."""
    folder = tmp_path / "safe"
    world.farm = replace(world.farm, settings=replace(world.farm.settings, backup_folder=str(folder)))
    return folder


def test_whoever_asks_is_answered_at_once_and_sees_how_it_ended(world: World, safe):
    world.order(frames=2)
    world.make_all(world.maker("box"))
    asked = ask_backup(world.farm, world.account("ann"))
    assert (asked.ended_at, asked.heard_at, safe.exists()) == (None, None, False)
    assert make_next_backup(world.farm)
    made = view_backup(world.farm, asked.id)
    assert (made.files_done, made.files, made.trouble) == (made.files, made.new_files, "")
    assert made.files >= 2
    assert (safe / MANIFEST).is_file()
    assert last_backup(world.farm).who == "ann"
    assert not make_next_backup(world.farm)


def test_whoever_asks_twice_gets_one(world: World, safe):
    first = ask_backup(world.farm, None)
    assert ask_backup(world.farm, None) == first
    assert make_next_backup(world.farm)
    assert ask_backup(world.farm, None).id > first.id
    assert len(list_backups(world.farm, 10)) == 2


def test_one_that_fails_says_why_and_is_not_tried_again(world: World, safe):
    asked = ask_backup(world.farm, None)
    safe.write_text("a file, where a folder should be")
    assert make_next_backup(world.farm)
    found = view_backup(world.farm, asked.id)
    assert found.ended_at == world.clock.now
    assert found.trouble == f"The backup cannot be made: {safe}: File exists."
    assert not make_next_backup(world.farm)


def test_one_into_the_farm_itself_says_so(world: World):
    folder = str(world.farm.settings.data / "safe")
    world.farm = replace(world.farm, settings=replace(world.farm.settings, backup_folder=folder))
    asked = ask_backup(world.farm, None)
    assert make_next_backup(world.farm)
    assert view_backup(world.farm, asked.id).trouble == "A backup does not lie inside of the farm that it is of."


def test_one_that_ends_by_what_nobody_foresaw_leaves_that_to_the_log(world: World, safe, monkeypatch, caplog):
    def stumble(*_: object) -> None:
        raise TypeError

    asked = ask_backup(world.farm, None)
    monkeypatch.setattr(backups, "back_up", stumble)
    assert make_next_backup(world.farm)
    trouble = view_backup(world.farm, asked.id).trouble
    assert trouble == f"Something nobody foresaw has ended it; the server's log says what, by backup={asked.id}."
    (told,) = [record for record in caplog.records if record.getMessage() == f"backup={asked.id} failed"]
    assert "TypeError" in str(told.exc_info)


def test_one_that_the_house_leaves_is_begun_again_by_the_next(world: World, safe):
    world.order(frames=2)
    world.make_all(world.maker("box"))
    asked = ask_backup(world.farm, None)
    assert make_next_backup(world.farm, is_over=lambda: True)
    assert view_backup(world.farm, asked.id) == asked
    assert make_next_backup(world.farm)
    assert view_backup(world.farm, asked.id).ended_at is not None


def test_how_far_it_is_is_told_and_nobody_else_begins_with_it(world: World, safe, monkeypatch):
    monkeypatch.setattr("sheepfold.farm.backup.BLOBS_AT_A_TIME", 1)
    world.order(frames=3)
    world.make_all(world.maker("box"))
    asked, seen = ask_backup(world.farm, None), []

    def look() -> bool:
        seen.append(view_backup(world.farm, asked.id).files_done)
        assert not make_next_backup(world.farm)
        return False

    assert make_next_backup(world.farm, look)
    assert seen[:3] == [0, 0, 1]  # the look comes before what is told
    assert seen == sorted(seen)


def test_one_whose_maker_died_is_taken_over(world: World, safe, monkeypatch):
    def die(*_: object) -> None:
        raise SystemExit

    asked = ask_backup(world.farm, None)
    with monkeypatch.context() as patch:
        patch.setattr(backups, "back_up", die)
        with pytest.raises(SystemExit):
            make_next_backup(world.farm)
    assert not make_next_backup(world.farm)
    world.clock.now += HOLD_S + 1
    assert make_next_backup(world.farm)
    assert view_backup(world.farm, asked.id).ended_at == world.clock.now


def test_its_maker_lives_however_long_the_database_takes(world: World, safe, monkeypatch):
    asked, save = ask_backup(world.farm, None), backup.save_database

    def lives():
        paused_until = world.farm.db.write(retention_rows.paused_until)
        heard_at = view_backup(world.farm, asked.id).heard_at
        return (paused_until, heard_at) == (world.clock.now + HOLD_S, world.clock.now)

    def slow(*where):
        for _ in range(3):
            world.clock.advance(HOLD_S - 1)
            until(lives)
            assert not make_next_backup(world.farm)
        return save(*where)

    monkeypatch.setattr(backup, "SIGN_PERIOD_S", 0.01)
    monkeypatch.setattr(backup, "save_database", slow)
    assert make_next_backup(world.farm)
    assert view_backup(world.farm, asked.id).trouble == ""


def test_one_that_another_backup_in_its_folder_keeps_out_says_so(world: World, safe):
    asked = ask_backup(world.farm, None)
    world.order()
    world.make_all(world.maker("box"))
    back_up(world.farm, safe, None, lambda done, total: make_next_backup(world.farm))
    assert view_backup(world.farm, asked.id).trouble.startswith("Another backup is being made in")


def test_the_house_makes_it_in_a_thread_of_its_own(world: World, safe):
    hand = Backups(world.farm)
    hand.step()
    assert hand._thread is None
    asked = ask_backup(world.farm, None)
    hand.step()
    hand._thread.join()
    assert view_backup(world.farm, asked.id).trouble == ""
    assert (safe / MANIFEST).is_file()
    hand.stop()


def test_a_farm_without_a_folder_makes_none_and_an_unknown_one_is_not_found(world: World):
    with pytest.raises(BadInput, match="no folder"):
        ask_backup(world.farm, None)
    with pytest.raises(NotFound, match="no backup 7"):
        view_backup(world.farm, 7)
