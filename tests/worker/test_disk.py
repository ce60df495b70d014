import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sheepfold.worker import disk
from sheepfold.worker.disk import has_room, is_full


def test_a_disk_has_room_until_it_is_full(small_disk: Path, fill: Callable[[Path], Path]) -> None:
    assert has_room(small_disk)
    ballast = fill(small_disk / "ballast")
    assert not has_room(small_disk)
    ballast.unlink()
    assert has_room(small_disk)
    assert list(small_disk.iterdir()) == []


def test_nothing_is_written_where_room_cannot_be_had_without_and_is_ample(
        tmp_path: Path, small_disk: Path, fill: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    fill(small_disk / "ballast")
    assert not has_room(small_disk)
    monkeypatch.setattr(disk, "AMPLE_BYTES", shutil.disk_usage(tmp_path).free // 2)
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    assert has_room(tmp_path)


def test_what_is_wrong_with_a_folder_besides_is_no_lack_of_room(tmp_path: Path) -> None:
    assert has_room(tmp_path / "none")


def test_a_quota_that_is_used_up_is_a_full_disk() -> None:
    assert [one for one in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE) if is_full(OSError(one, ""))] == [
        errno.ENOSPC, errno.EDQUOT]
