"""What only the store in a local folder does."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sheepfold.blobs.blobs import open_blobs
from sheepfold.blobs.local import LocalBlobs
from sheepfold.blobs.spool import Digest, Spool
from sheepfold.model.errors import StoreUnavailable

SHEEP = b"a sheep, more or less"


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs", tmp_path / "spool")


def test_a_blob_lies_in_a_folder_of_its_digest_and_is_read_only(blobs: LocalBlobs, tmp_path: Path):
    digest = blobs.keep_bytes(SHEEP).digest
    path = tmp_path / "blobs" / digest[:2] / digest
    assert path.read_bytes() == SHEEP
    assert path.stat().st_mode & 0o777 == 0o440
    assert blobs.local_path(digest, tmp_path / "nowhere") == path


def test_a_file_url_is_a_folder(tmp_path: Path):
    open_blobs(f"file://{tmp_path}/blobs", tmp_path / "spool").keep_bytes(SHEEP)
    assert len(list((tmp_path / "blobs").glob("??/*"))) == 1


def test_keeping_again_makes_a_blob_young(blobs: LocalBlobs):
    digest = blobs.keep_bytes(SHEEP).digest
    path = blobs.local_path(digest, Path())
    os.utime(path, (1000, 1000))
    assert list(blobs.list_digests()) == [(digest, 1000.0)]
    blobs.keep_bytes(SHEEP)
    assert [kept_at > 2000 for _, kept_at in blobs.list_digests()] == [True]


def test_a_torn_blob_is_replaced_when_its_bytes_come_again(blobs: LocalBlobs):
    digest = blobs.keep_bytes(SHEEP).digest
    path = blobs.local_path(digest, Path())
    path.chmod(0o600)
    path.write_bytes(SHEEP[:5])
    assert not blobs.check(digest)
    blobs.keep_bytes(SHEEP)
    assert blobs.check(digest)


def test_changed_bytes_are_found_by_check(blobs: LocalBlobs):
    digest = blobs.keep_bytes(SHEEP).digest
    path = blobs.local_path(digest, Path())
    path.chmod(0o600)
    path.write_bytes(SHEEP.upper())
    assert not blobs.check(digest)


def test_strangers_in_the_folder_are_not_listed(blobs: LocalBlobs, tmp_path: Path):
    digest = blobs.keep_bytes(SHEEP).digest
    (tmp_path / "blobs" / "README").write_text("read me")
    (tmp_path / "blobs" / digest[:2] / "notes.txt").write_text("not a blob")
    assert [found for found, _ in blobs.list_digests()] == [digest]


def test_an_opened_blob_is_read_to_its_end_though_it_is_deleted(blobs: LocalBlobs):
    digest = blobs.keep_bytes(SHEEP).digest
    stream = blobs.open_stream(digest)
    assert blobs.delete(digest)
    assert b"".join(stream) == SHEEP


def kept_from_elsewhere(blobs: LocalBlobs, tmp_path: Path) -> Digest:
    """Keep a blob that was spooled on another file system."""
    elsewhere = Path("/dev/shm")
    if not os.access(elsewhere, os.W_OK) or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system to write to")
    with Spool(elsewhere, 100) as spool:
        spool.write(SHEEP)
        return blobs.keep(spool.finish()).digest


def test_a_spool_on_another_file_system_is_copied(blobs: LocalBlobs, tmp_path: Path):
    kept = blobs.local_path(kept_from_elsewhere(blobs, tmp_path), tmp_path)
    assert kept.read_bytes() == SHEEP
    assert kept.stat().st_mode & 0o777 == 0o440
    assert list((tmp_path / "blobs" / "incoming").iterdir()) == []


def left_by_a_crash(tmp_path: Path) -> tuple[Path, Path]:
    """Leave two copies behind: one two days ago, one just now."""
    old, young = (tmp_path / "blobs" / "incoming" / name for name in ("spool-old", "spool-young"))
    old.write_bytes(SHEEP)
    young.write_bytes(SHEEP)
    os.utime(old, (time.time() - 2 * 24 * 3600,) * 2)
    return old, young


def test_copies_that_a_crash_left_are_swept_at_the_next_opening(blobs: LocalBlobs, tmp_path: Path):
    old, young = left_by_a_crash(tmp_path)
    LocalBlobs(tmp_path / "blobs", tmp_path / "spool")
    assert (old.exists(), young.exists()) == (False, True)


def test_copies_that_a_crash_left_are_swept_at_the_next_copy(blobs: LocalBlobs, tmp_path: Path):
    old, young = left_by_a_crash(tmp_path)
    kept_from_elsewhere(blobs, tmp_path)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path):
    (tmp_path / "blobs").write_text("a file stands in the way")
    with pytest.raises(StoreUnavailable):
        LocalBlobs(tmp_path / "blobs", tmp_path / "spool")


def test_a_blob_is_on_the_disk_before_its_name_is(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch):
    """Watch the system calls: the file is synced before it is linked, and its folder afterwards."""
    calls: list[str] = []
    true_sync, true_link = os.fsync, os.link

    def sync(descriptor: int) -> None:
        calls.append("sync folder" if Path(f"/proc/self/fd/{descriptor}").resolve().is_dir() else "sync file")
        true_sync(descriptor)

    def link(source: Path, target: Path) -> None:
        calls.append("link")
        true_link(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "link", link)
    blobs.keep_bytes(SHEEP)
    assert calls[-3:] == ["sync file", "link", "sync folder"]
    assert calls[:-3] == ["sync folder"]


def test_a_file_system_without_hard_links_gets_a_copy(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch):
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    assert blobs.check(blobs.keep_bytes(SHEEP).digest)


FULL_DISK = """
import pathlib, resource, sys
from sheepfold.blobs.spool import Spool
from sheepfold.model.errors import StoreUnavailable

resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with Spool(pathlib.Path(sys.argv[1]), 2**30) as spool:
        spool.write(b"x" * 100_000)
        spool.finish()
except StoreUnavailable as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_is_unavailable_and_left_clean(tmp_path: Path):
    argv = [sys.executable, "-c", FULL_DISK, str(tmp_path / "spool")]
    probe = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert probe.returncode == 0, probe.stderr
    assert "File too large" in probe.stdout
    assert list((tmp_path / "spool").iterdir()) == []
