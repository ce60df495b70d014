import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sheepfold.kinds.seam import RenderFailed
from sheepfold.model.errors import Conflict
from sheepfold.protocols.link import Figures, Work
from sheepfold.worker.folder import CRASHED, Desk, Outcome, WorkFolder

WORK = Work("a/handle of ../a wire", "flame", {"width": 64, "seed": "0.5"}, 3, 1, 60, {"genome": "0" * 64})


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    with WorkFolder(tmp_path, "a farm") as folder:
        return folder.new_desk(WORK)


def left(path: Path, farm: str = "a farm") -> list[Desk]:
    with WorkFolder(path, farm) as folder:
        return folder.left_desks()


def finish(desk: Desk) -> None:
    (desk.room / "frame.png").write_bytes(b"picture")
    desk.take(desk.room / "frame.png")
    desk.close(Outcome(has_picture=True, figures=Figures(1, 2, 3)))


def test_an_order_survives_and_counts_as_crashed(tmp_path: Path, desk: Desk) -> None:
    (found,) = left(tmp_path)
    assert found == desk
    assert found.work == WORK
    assert found.outcome() == CRASHED


def test_a_finished_picture_survives_with_its_figures(tmp_path: Path, desk: Desk) -> None:
    finish(desk)
    (found,) = left(tmp_path)
    assert found.outcome() == Outcome(has_picture=True, figures=Figures(1, 2, 3))
    assert found.picture.read_bytes() == b"picture"
    assert not found.room.exists()


def test_a_picture_without_a_word_on_it_counts_as_crashed(desk: Desk) -> None:
    (desk.room / "frame.png").write_bytes(b"picture")
    desk.take(desk.room / "frame.png")
    assert desk.outcome() == CRASHED


def test_a_word_without_its_picture_counts_as_crashed(desk: Desk) -> None:
    finish(desk)
    desk.picture.unlink()
    assert desk.outcome() == CRASHED


@pytest.mark.parametrize("text", ["", "{", "[]", '{"farm": 1}', '{"farm": "a farm", "work": {"handle": "x"}}'])
def test_a_desk_that_cannot_be_read_is_removed(tmp_path: Path, desk: Desk, text: str) -> None:
    (desk.path / "order.json").write_text(text)
    assert left(tmp_path) == []
    assert not desk.path.exists()


def test_a_spoilt_outcome_counts_as_crashed(desk: Desk) -> None:
    (desk.path / "outcome.json").write_text('{"has_picture": tru')
    assert desk.outcome() == CRASHED


def test_what_belongs_to_another_farm_stays_for_it(tmp_path: Path, desk: Desk) -> None:
    finish(desk)
    assert left(tmp_path, "another farm") == []
    assert left(tmp_path) == [desk]


def test_a_renderer_cannot_pass_off_a_secret_as_its_picture(tmp_path: Path, desk: Desk) -> None:
    (tmp_path / "secret.png").write_text("secret")
    (desk.room / "link.png").symlink_to(tmp_path / "secret.png")
    (desk.room / "inner.png").write_text("inner")
    (desk.room / "inner-link.png").symlink_to(desk.room / "inner.png")
    (desk.room / "folder").symlink_to(tmp_path)
    (desk.room / "dir.png").mkdir()
    for name in ("link.png", "inner-link.png", "folder/secret.png", "../order.json", "dir.png", "none.png"):
        with pytest.raises(RenderFailed, match="no plain file"):
            desk.take(desk.room / name)
    assert (tmp_path / "secret.png").exists()


def test_a_room_is_removed_whatever_a_renderer_left_in_it(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("stays")
    inner = desk.room / "locked" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    (inner / "link").symlink_to(tmp_path / "precious")
    inner.chmod(0)
    desk.room.chmod(0o500)
    desk.clear()
    assert not desk.path.exists()
    assert (tmp_path / "precious").read_text() == "stays"


def test_a_room_that_fills_the_disk_is_removed_and_the_outcome_written_then(
    small_disk: Path, fill: Callable[[Path], Path]
) -> None:
    with WorkFolder(small_disk / "work", "a farm") as folder:
        desk = folder.new_desk(WORK)
        fill(desk.room / "ballast")
        assert not folder.has_room
        outcome = Outcome(reason="The disk is full.")
        with pytest.raises(OSError, match="No space left"):
            desk.close(outcome)
        assert not desk.room.exists()
        desk.close(outcome)
        assert folder.has_room
    assert desk.outcome() == outcome


def test_an_outcome_that_could_not_be_written_is_known_to_its_desk_alone(tmp_path: Path, desk: Desk) -> None:
    (desk.room / "frame.png").write_bytes(b"picture")
    desk.take(desk.room / "frame.png")
    desk = replace(desk, unwritten=Outcome(has_picture=True))
    assert desk.outcome() == Outcome(has_picture=True)
    assert [one.outcome() for one in left(tmp_path)] == [CRASHED]
    desk.picture.unlink()
    assert desk.outcome() == CRASHED


DEEP = """
import os
for _ in range(3000):
    os.mkdir("a" * 10)
    os.chdir("a" * 10)
    open("file", "w").close()
"""


def test_a_room_is_removed_that_is_deeper_than_python_can_follow(desk: Desk) -> None:
    (desk.room / "beside").mkdir()
    subprocess.run([sys.executable, "-c", DEEP], cwd=desk.room, check=True)
    desk.clear()
    assert not desk.path.exists()


def test_a_link_in_a_rooms_place_is_removed_and_nothing_behind_it(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "precious").write_text("stays")
    desk.room.rmdir()
    desk.room.symlink_to(tmp_path / "home")
    desk.close(CRASHED)
    assert not desk.room.exists()
    assert (tmp_path / "home" / "precious").read_text() == "stays"


def test_two_workers_never_share_a_folder(tmp_path: Path) -> None:
    with WorkFolder(tmp_path, "a farm"):
        with pytest.raises(Conflict, match="Another worker"), WorkFolder(tmp_path, "a farm"):
            pass
        program = "from pathlib import Path\nfrom sheepfold.worker.folder import WorkFolder\n"
        program += f"WorkFolder(Path({str(tmp_path)!r}), '').__enter__()"
        other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert "Another worker" in other.stderr
    with WorkFolder(tmp_path, "a farm"):
        pass


def test_others_cannot_look_into_a_work_folder(tmp_path: Path) -> None:
    with WorkFolder(tmp_path / "new", "a farm"):
        assert (tmp_path / "new").stat().st_mode & 0o077 == 0
