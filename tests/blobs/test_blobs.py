"""What every store of blobs promises, on a local folder and on a real S3 server."""

import hashlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sheepfold.blobs.blobs import Blob, Blobs, open_blobs
from sheepfold.blobs.spool import CHUNK_BYTES, Digest, Spool, spool_file
from sheepfold.model.errors import BadInput, StoreUnavailable, UnknownBlob

SHEEP = b"a sheep, more or less"
NOBODY = Digest("0" * 64)
HOSTILE = [
    "", "../x", "..", "/etc/passwd", "a" * 63, "A" * 64, "a" * 63 + "/", "a" * 64 + "\n",
    "٠" * 64, "../" * 21 + "x",
]


def read(blobs: Blobs, digest: Digest, start: int = 0, end: int | None = None) -> bytes:
    return b"".join(blobs.open_stream(digest, start, end))


def test_kept_bytes_come_back_under_their_digests(blobs: Blobs):
    blob = blobs.keep_bytes(SHEEP)
    assert blob == Blob(Digest(hashlib.sha256(SHEEP).hexdigest()), len(SHEEP))
    assert read(blobs, blob.digest) == SHEEP
    assert blobs.size(blob.digest) == len(SHEEP)
    assert blobs.exists(blob.digest)
    assert blobs.check(blob.digest)


def test_an_empty_blob_is_a_blob(blobs: Blobs):
    blob = blobs.keep_bytes(b"")
    assert blobs.size(blob.digest) == 0
    assert read(blobs, blob.digest) == b""
    assert blobs.check(blob.digest)


def test_the_same_bytes_twice_are_one_blob(blobs: Blobs, spool_folder: Path):
    first = blobs.keep_bytes(SHEEP)
    with Spool(spool_folder, 100) as spool:
        spool.write(SHEEP)
        second = blobs.keep(spool.finish())
    assert second == first
    assert [digest for digest, _ in blobs.list_digests()] == [first.digest]


def test_a_store_tells_whose_it_is_and_that_is_no_blob(blobs: Blobs):
    assert blobs.owner() == ""
    for farm in ("4f1c", "83ab"):
        blobs.belong_to(farm)
        assert blobs.owner() == farm
    assert list(blobs.list_digests()) == []


def test_the_spool_file_outlives_keep_so_that_it_can_be_inspected(blobs: Blobs, spool_folder: Path):
    with Spool(spool_folder, 100) as spool:
        spool.write(SHEEP)
        blob = blobs.keep(spool.finish())
        assert spool.path.read_bytes() == SHEEP
    assert list(spool_folder.iterdir()) == []
    assert read(blobs, blob.digest) == SHEEP


def test_many_threads_keep_the_same_bytes_at_once(blobs: Blobs, spool_folder: Path):
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda _: blobs.keep_bytes(SHEEP * 1000), range(24)))
    assert len(set(kept)) == 1
    assert blobs.check(kept[0].digest)
    assert len(list(blobs.list_digests())) == 1
    assert list(spool_folder.iterdir()) == []


def test_a_reader_never_sees_half_a_blob_while_it_is_kept_and_deleted(blobs: Blobs):
    data = SHEEP * 20_000
    digest = blobs.keep_bytes(data).digest

    def read_or_miss(_: int) -> bytes:
        try:
            return read(blobs, digest)
        except UnknownBlob:
            return data

    with ThreadPoolExecutor(4) as pool:
        reads = [pool.submit(read_or_miss, turn) for turn in range(20)]
        for _ in range(5):
            blobs.delete(digest)
            blobs.keep_bytes(data)
        assert all(future.result() == data for future in reads)


def test_a_long_blob_is_streamed_in_chunks_of_a_mebibyte(blobs: Blobs):
    data = os.urandom(5 * CHUNK_BYTES + 17)
    chunks = list(blobs.open_stream(blobs.keep_bytes(data).digest))
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= CHUNK_BYTES


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(start=st.integers(0, 40), end=st.none() | st.integers(0, 40))
def test_a_range_is_a_slice(blobs: Blobs, start: int, end: int | None):
    digest = blobs.keep_bytes(SHEEP).digest
    assert read(blobs, digest, start, end) == SHEEP[start:end]


def test_a_range_may_begin_inside_a_later_chunk(blobs: Blobs):
    data = os.urandom(6 * CHUNK_BYTES)
    digest = blobs.keep_bytes(data).digest
    start, end = 2 * CHUNK_BYTES - 5, 5 * CHUNK_BYTES + 3
    assert read(blobs, digest, start, end) == data[start:end]


def test_a_local_path_holds_the_bytes(blobs: Blobs, tmp_path: Path):
    digest = blobs.keep_bytes(SHEEP).digest
    (tmp_path / "desk").mkdir()
    assert blobs.local_path(digest, tmp_path / "desk").read_bytes() == SHEEP


def test_nothing_is_found_under_an_unknown_digest(blobs: Blobs, tmp_path: Path):
    for ask in (blobs.open_stream, blobs.size, blobs.check, lambda digest: blobs.local_path(digest, tmp_path)):
        with pytest.raises(UnknownBlob):
            ask(NOBODY)
    assert not blobs.exists(NOBODY)
    assert not blobs.delete(NOBODY)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_digest_is_refused(blobs: Blobs, tmp_path: Path, text: str):
    digest = Digest(text)
    asks = [blobs.open_stream, blobs.size, blobs.check, blobs.exists, blobs.delete]
    for ask in [*asks, lambda digest: blobs.local_path(digest, tmp_path)]:
        with pytest.raises(UnknownBlob):
            ask(digest)


def test_a_deleted_blob_is_gone_and_may_come_back(blobs: Blobs):
    digest = blobs.keep_bytes(SHEEP).digest
    assert blobs.delete(digest)
    assert not blobs.exists(digest)
    assert not blobs.delete(digest)
    blobs.keep_bytes(SHEEP)
    assert read(blobs, digest) == SHEEP


def test_what_lies_there_is_listed_with_its_time(blobs: Blobs):
    digests = {blobs.keep_bytes(f"sheep {number}".encode()).digest for number in range(5)}
    now = time.time()
    assert {digest for digest, _ in blobs.list_digests()} == digests
    assert all(abs(kept_at - now) < 60 for _, kept_at in blobs.list_digests())


def test_the_sweep_spares_what_was_kept_again_since(blobs: Blobs):
    digest = blobs.keep_bytes(SHEEP).digest
    assert not blobs.delete(digest, older_than=time.time() - 60)
    assert blobs.exists(digest)
    assert blobs.delete(digest, older_than=time.time() + 60)
    assert not blobs.exists(digest)


def test_a_copied_file_is_kept(blobs: Blobs, tmp_path: Path, spool_folder: Path):
    genome = tmp_path / "sheep.flam3"
    genome.write_bytes(SHEEP)
    spooled = spool_file(genome, spool_folder)
    blob = blobs.keep(spooled)
    spooled.discard()
    assert read(blobs, blob.digest) == SHEEP
    assert genome.read_bytes() == SHEEP
    assert list(spool_folder.iterdir()) == []


MEMORY_PROBE = """
import os, pathlib, sys
from sheepfold.blobs.blobs import open_blobs
from sheepfold.blobs.spool import Spool

def peak_mib():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

folder = pathlib.Path(sys.argv[2])
blobs = open_blobs(sys.argv[1], folder)
assert blobs.check(blobs.keep_bytes(b"warm").digest)
before = peak_mib()
with Spool(folder, 2**40) as spool:
    for _ in range(64):
        spool.write(os.urandom(2**20))
    digest = blobs.keep(spool.finish()).digest
assert sum(map(len, blobs.open_stream(digest))) == 64 * 2**20
assert blobs.check(digest)
(folder / "desk").mkdir()
assert blobs.local_path(digest, folder / "desk").stat().st_size == 64 * 2**20
print(peak_mib() - before)
"""


def test_a_blob_of_64_mib_never_is_whole_in_memory(store_url: str, spool_folder: Path):
    argv = [sys.executable, "-c", MEMORY_PROBE, store_url, str(spool_folder)]
    probe = subprocess.run(argv, capture_output=True, text=True, timeout=200, check=False)
    assert probe.returncode == 0, probe.stderr
    # S3 may hold two parts of 8 MiB on their way up, and what the allocator keeps of them.
    assert float(probe.stdout) < 48


def test_a_store_that_does_not_answer_is_unavailable(spool_folder: Path, s3_url: str):
    blobs = open_blobs("s3://bucket?endpoint=http://127.0.0.1:1&region=us-east-1", spool_folder)
    for ask in (lambda: blobs.keep_bytes(SHEEP), lambda: blobs.exists(NOBODY), lambda: list(blobs.list_digests())):
        with pytest.raises(StoreUnavailable):
            ask()
    assert list(spool_folder.iterdir()) == []


def test_a_missing_bucket_is_told_from_a_missing_blob(spool_folder: Path, s3_url: str):
    blobs = open_blobs(s3_url.replace("s3://bucket-", "s3://elsewhere-"), spool_folder)
    with pytest.raises(StoreUnavailable, match="bucket"):
        blobs.keep_bytes(SHEEP)


def test_errors_of_the_store_name_no_address(spool_folder: Path, s3_url: str):
    blobs = open_blobs("s3://bucket?endpoint=http://127.0.0.1:1&region=us-east-1", spool_folder)
    with pytest.raises(StoreUnavailable) as caught:
        blobs.size(NOBODY)
    assert "127.0.0.1" not in str(caught.value)


def test_two_prefixes_of_a_bucket_are_two_stores(spool_folder: Path, s3_url: str):
    one, other = open_blobs(s3_url, spool_folder), open_blobs(s3_url.replace("/some/", "/other/"), spool_folder)
    digest = one.keep_bytes(SHEEP).digest
    assert not other.exists(digest)
    assert list(other.list_digests()) == []


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///prefix",
        "s3://user:secret@bucket",
        "s3://bucket?endpoint=ftp://127.0.0.1",
        "s3://bucket?endpoint=127.0.0.1:9000",
        "s3://bucket?endpoint=http://store.example:9000",
        "s3://bucket?endpoint=http://127.0.0.1.example:9000",
        "s3://bucket?colour=red",
        "s3://user:secret/more@bucket",
        "s3://[secret]",
        "s3://bucket?endpoint=https://user:secret/more@store.example",
        "https://user:secret@store.example/bucket",
    ],
)
def test_a_url_that_makes_no_sense_is_refused_and_its_keys_are_not_shown(spool_folder: Path, url: str):
    with pytest.raises(BadInput) as found:
        open_blobs(url, spool_folder)
    assert "secret" not in str(found.value)


def test_plain_http_to_another_machine_must_be_asked_for(spool_folder: Path):
    plain = "s3://bucket?endpoint=http://store.example:9000&region=us-east-1"
    with pytest.raises(BadInput):
        open_blobs(plain, spool_folder)
    assert open_blobs(plain + "&allow_http=1", spool_folder).fresh_s > 0


def test_unknown_sort_of_store_is_refused_and_makes_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="carrier-pigeon"):
        open_blobs("carrier-pigeon://coop", tmp_path)
    assert list(tmp_path.iterdir()) == []
