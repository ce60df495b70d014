import hashlib
import os
from pathlib import Path

import pytest

from sheepfold.kinds.seam import RenderFailed
from sheepfold.protocols.link import FarmUnreachable
from sheepfold.worker.cache import Cache


class Source:
    """A farm's files, and which of them were downloaded."""

    def __init__(self, **files: bytes) -> None:
        self.files = files
        self.downloaded: list[str] = []

    def download(self, name: str, target: Path) -> None:
        self.downloaded.append(name)
        target.write_bytes(self.files[name])

    def inputs(self, *names: str) -> dict[str, str]:
        return {name: hashlib.sha256(self.files[name]).hexdigest() for name in names}


def test_what_was_fetched_once_is_not_fetched_again(tmp_path: Path) -> None:
    source = Source(genome=b"flame")
    for _ in range(2):
        found = Cache(tmp_path, 1000).fetch(source.inputs("genome"), source.download)
        assert found["genome"].read_bytes() == b"flame"
    assert source.downloaded == ["genome"]


def test_other_bytes_than_promised_are_not_kept(tmp_path: Path) -> None:
    source = Source(genome=b"flame")
    wanted = source.inputs("genome")
    source.files["genome"] = b"something else"
    with pytest.raises(FarmUnreachable, match="came with"):
        Cache(tmp_path, 1000).fetch(wanted, source.download)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_that_was_spoilt_on_the_disk_is_fetched_again(tmp_path: Path) -> None:
    source = Source(genome=b"flame")
    path = Cache(tmp_path, 1000).fetch(source.inputs("genome"), source.download)["genome"]
    path.chmod(0o600)
    path.write_bytes(b"flamE")
    assert Cache(tmp_path, 1000).fetch(source.inputs("genome"), source.download)["genome"].read_bytes() == b"flame"


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    source = Source(a=b"a" * 40, b=b"b" * 40, c=b"c" * 40)
    cache = Cache(tmp_path, 100)
    for age, name in enumerate("ab"):
        path = cache.fetch(source.inputs(name), source.download)[name]
        os.utime(path, (age, age))
    cache.fetch(source.inputs("a"), source.download)  # which is the younger now
    cache.fetch(source.inputs("c"), source.download)
    cache.fetch(source.inputs("a", "c"), source.download)
    assert source.downloaded == ["a", "b", "c"]
    cache.fetch(source.inputs("b"), source.download)
    assert source.downloaded == ["a", "b", "c", "b"]


def test_what_a_task_needs_stays_even_above_the_limit(tmp_path: Path) -> None:
    source = Source(a=b"a" * 400, b=b"b" * 400)
    found = Cache(tmp_path, 100).fetch(source.inputs("a", "b"), source.download)
    assert all(path.is_file() for path in found.values())


def test_half_a_download_of_an_earlier_life_is_removed(tmp_path: Path) -> None:
    (tmp_path / "arriving" / "x").mkdir(parents=True)
    (tmp_path / "arriving" / "x" / "file").write_bytes(b"half")
    Cache(tmp_path, 100)
    assert list((tmp_path / "arriving").iterdir()) == []


@pytest.mark.parametrize("inputs", [{"genome": "../../etc/passwd"}, {"../genome": "0" * 64}, {"genome": "0" * 63}])
def test_names_and_digests_that_cannot_be_are_refused(tmp_path: Path, inputs: dict[str, str]) -> None:
    with pytest.raises(RenderFailed, match="names an input"):
        Cache(tmp_path, 100).fetch(inputs, Source().download)
