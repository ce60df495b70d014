import errno
from collections.abc import Callable
from pathlib import Path

from sheepfold.worker.disk import has_room, is_full


def test_a_disk_has_room_until_it_is_full(small_disk: Path, fill: Callable[[Path], Path]) -> None:
    assert has_room(small_disk)
    ballast = fill(small_disk / "ballast")
    assert not has_room(small_disk)
    ballast.unlink()
    assert has_room(small_disk)
    assert list(small_disk.iterdir()) == []


def test_what_is_wrong_with_a_folder_besides_is_no_lack_of_room(tmp_path: Path) -> None:
    assert has_room(tmp_path / "none")


def test_a_quota_that_is_used_up_is_a_full_disk() -> None:
    assert [one for one in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE) if is_full(OSError(one, ""))] == [
        errno.ENOSPC, errno.EDQUOT]
