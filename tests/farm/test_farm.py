"""A farm as a whole: opened, closed, and opened again."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import balances

from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account
from sheepfold.farm.farm import open_farm
from sheepfold.model.accounts import ANONYMOUS, Role
from sheepfold.model.errors import StoreUnavailable


def no_more(key: str, account: str) -> list[tuple[str, str]]:
    return []


def test_a_new_farm_knows_nobody_but_the_anonymous(database_url: str, tmp_path: Path):
    with open_farm(Settings(tmp_path / "new" / "farm", database_url), no_more) as farm:
        assert farm.anonymous.name == ANONYMOUS
        assert farm.anonymous.role is Role.VOLUNTEER
        assert list(balances(farm)) == [ANONYMOUS]
        assert farm.now() > 1_700_000_000
        assert farm.token() != farm.token()


@pytest.fixture
def umask() -> Iterator[None]:
    """Let everybody read what is made, as most systems do."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_new_data_folder_is_the_farm_s_user_s_alone(database_url: str, tmp_path: Path):
    with open_farm(Settings(tmp_path / "new" / "farm", database_url), no_more):
        modes = [folder.stat().st_mode & 0o777 for folder in (tmp_path / "new" / "farm", tmp_path / "new")]
    assert modes == [0o700, 0o755]


@pytest.mark.usefixtures("umask")
def test_a_data_folder_that_is_there_stays_as_open_as_it_is(database_url: str, tmp_path: Path):
    (tmp_path / "farm").mkdir(mode=0o750)
    with open_farm(Settings(tmp_path / "farm", database_url), no_more):
        assert (tmp_path / "farm").stat().st_mode & 0o777 == 0o750


def test_a_farm_keeps_what_it_knew(database_url: str, tmp_path: Path):
    settings = Settings(tmp_path, database_url)
    for names in ([ANONYMOUS], [ANONYMOUS, "ann"]):
        with open_farm(settings, no_more) as farm:
            assert list(balances(farm)) == names
            if "ann" not in names:
                add_account(farm, "ann", Role.ARTIST, "")


def test_a_closed_farm_answers_no_more(database_url: str, tmp_path: Path):
    with open_farm(Settings(tmp_path, database_url), no_more) as farm:
        pass
    with pytest.raises(StoreUnavailable):
        balances(farm)


def test_two_servers_on_one_database_are_one_farm(database_url: str, tmp_path: Path):
    settings = Settings(tmp_path, database_url)
    with open_farm(settings, no_more) as one, open_farm(settings, no_more) as other:
        assert one.anonymous == other.anonymous
        add_account(one, "ann", Role.ARTIST, "")
        assert "ann" in balances(other)


def test_a_data_folder_whose_first_farm_died_over_its_name_gets_one(database_url: str, tmp_path: Path):
    (tmp_path / "house").touch()
    settings = Settings(tmp_path, database_url)
    with open_farm(settings, no_more) as farm, open_farm(settings, no_more) as other:
        assert farm.house
        assert farm.house == other.house
    assert [path.name for path in tmp_path.glob("house*")] == ["house"]
