"""An upload as it arrives."""

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rights import as_mere_user

from sheepfold.blobs.spool import Spool, parse_digest, spool_file, sweep_folders, sweep_spools
from sheepfold.model.errors import StoreUnavailable, TooLarge, UnknownBlob

SHEEP = b"a sheep, more or less"


@given(chunks=st.lists(st.binary(max_size=50), max_size=10))
def test_chunks_are_hashed_as_one(tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]):
    whole = b"".join(chunks)
    with Spool(tmp_path_factory.getbasetemp() / "spool", len(whole)) as spool:
        for chunk in chunks:
            spool.write(chunk)
        spooled = spool.finish()
        assert spooled.path.read_bytes() == whole
    assert spooled.sha256 == hashlib.sha256(whole).hexdigest()
    assert spooled.size_bytes == len(whole)


def test_bytes_come_in_any_sort_of_buffer(tmp_path: Path):
    with Spool(tmp_path, 6) as spool:
        spool.write(memoryview(b"ab"))
        spool.write(bytearray(b"cd"))
        spool.write(b"ef")
        assert spool.finish().path.read_bytes() == b"abcdef"


def test_an_upload_of_exactly_the_limit_is_taken(tmp_path: Path):
    with Spool(tmp_path, len(SHEEP)) as spool:
        spool.write(SHEEP)
        assert spool.finish().size_bytes == len(SHEEP)


def test_one_byte_above_the_limit_is_refused_at_once_and_the_file_removed(tmp_path: Path):
    spool = Spool(tmp_path, len(SHEEP))
    spool.write(SHEEP)
    with pytest.raises(TooLarge, match="21"):
        spool.write(b"!")
    assert list(tmp_path.iterdir()) == []


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path):
    def break_off() -> None:
        with Spool(tmp_path, 100) as spool:
            spool.write(SHEEP)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        break_off()
    assert list(tmp_path.iterdir()) == []


def test_a_released_file_stays_until_it_is_discarded(tmp_path: Path):
    with Spool(tmp_path, 100) as spool:
        spool.write(SHEEP)
        spooled = spool.release()
    assert spooled.path.read_bytes() == SHEEP
    spooled.discard()
    spooled.discard()
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_reads_an_upload(tmp_path: Path):
    with Spool(tmp_path, 100) as spool:
        assert spool.path.stat().st_mode & 0o077 == 0


def test_a_file_that_is_too_large_is_not_spooled(tmp_path: Path):
    (tmp_path / "sheep").write_bytes(SHEEP)
    with pytest.raises(TooLarge):
        spool_file(tmp_path / "sheep", tmp_path / "spool", 20)
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path):
    (tmp_path / "spool").write_text("a file stands in the way")
    with pytest.raises(StoreUnavailable) as caught:
        Spool(tmp_path / "spool", 100)
    assert str(tmp_path) not in str(caught.value)


def test_the_sweep_removes_only_old_uploads(tmp_path: Path):
    with Spool(tmp_path, 100) as spool:
        old = spool.release().path
    with Spool(tmp_path, 100) as spool:
        young = spool.release().path
    (tmp_path / "notes").write_text("not ours")
    os.utime(old, (1000, 1000))
    os.utime(tmp_path / "notes", (1000, 1000))
    assert sweep_spools(tmp_path, time.time() - 3600) == 1
    assert {path.name for path in tmp_path.iterdir()} == {young.name, "notes"}


def test_a_sweep_of_no_folder_finds_nothing(tmp_path: Path):
    assert sweep_spools(tmp_path / "missing", time.time()) == 0


def left_behind(spool: Path, name: str) -> Path:
    """Make a folder as a chore has it, all of it long ago; returns it."""
    folder = spool / name
    (folder / "products").mkdir(parents=True)
    film = folder / "products" / "film.mp4"
    film.write_bytes(b"half a film")
    film.chmod(0o440)
    for path in (film, film.parent, folder):
        os.utime(path, (1000, 1000))
    return folder


def test_the_sweep_removes_folders_that_nobody_works_in(tmp_path: Path):
    for name in ("chore-a1b2c3d4", "order-a1b2c3d4", "appraisal-a1b2c3d4"):
        left_behind(tmp_path, name)
    begun, going_on = left_behind(tmp_path, "chore-begun"), left_behind(tmp_path, "chore-going_on")
    os.utime(begun)
    os.utime(going_on / "products" / "film.mp4")
    left_behind(tmp_path, "uploads")
    assert sweep_folders(tmp_path, time.time() - 3600) == 3
    assert {path.name for path in tmp_path.iterdir()} == {"chore-begun", "chore-going_on", "uploads"}
    assert sweep_folders(tmp_path / "missing", time.time()) == 0


def test_the_sweep_of_folders_follows_no_link(tmp_path: Path):
    spool, outside = tmp_path / "spool", left_behind(tmp_path, "house-of-others")
    outside.chmod(0o500)
    folder = left_behind(spool, "chore-a1b2c3d4")
    (folder / "out").symlink_to(outside)
    (spool / "chore-link").symlink_to(outside)
    os.utime(folder / "out", (1000, 1000), follow_symlinks=False)
    os.utime(spool / "chore-link", (1000, 1000), follow_symlinks=False)
    os.utime(folder, (1000, 1000))
    for path in (outside, outside / "products"):
        os.utime(path)  # which would count, were the link followed
    assert sweep_folders(spool, time.time() - 3600) == 1
    assert [path.name for path in spool.iterdir()] == ["chore-link"]
    assert (outside / "products" / "film.mp4").read_bytes() == b"half a film"
    assert outside.stat().st_mode & 0o777 == 0o500


@pytest.mark.parametrize("mode", [0o555, 0o444, 0o000])
def test_the_sweep_removes_folders_that_were_made_read_only(tmp_path: Path, mode: int):
    folder = left_behind(tmp_path, "appraisal-a1b2c3d4")
    (folder / "products").chmod(mode)
    with as_mere_user():
        assert sweep_folders(tmp_path, time.time() - 3600) == 1
    assert list(tmp_path.iterdir()) == []


@given(text=st.text(max_size=70))
def test_a_digest_is_64_small_hex_digits(text: str):
    is_digest = len(text) == 64 and set(text) <= set("0123456789abcdef")
    if is_digest:
        assert parse_digest(text) == text
    else:
        with pytest.raises(UnknownBlob):
            parse_digest(text)
