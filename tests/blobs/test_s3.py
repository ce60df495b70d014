"""What only the store in a bucket does."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from sheepfold.blobs.blobs import Blobs, open_blobs
from sheepfold.model.errors import UnknownBlob

SHEEP = b"a sheep, more or less"


@pytest.fixture
def blobs(s3_url: str, spool_folder: Path) -> Blobs:
    return open_blobs(s3_url, spool_folder)


def overwrite(s3_endpoint: str, s3_url: str, name: str, data: bytes) -> None:
    """Write an object behind the store's back."""
    parts = urlsplit(s3_url)
    client = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1")
    client.put_object(Bucket=parts.hostname, Key=f"{parts.path.strip('/')}/{name}", Body=data)


def test_changed_bytes_are_found_by_check_and_never_downloaded(
    blobs: Blobs, s3_endpoint: str, s3_url: str, tmp_path: Path
):
    digest = blobs.keep_bytes(SHEEP).digest
    overwrite(s3_endpoint, s3_url, digest, SHEEP.upper())
    assert not blobs.check(digest)
    with pytest.raises(UnknownBlob, match=f"other bytes under the name {digest}"):
        blobs.local_path(digest, tmp_path / "desk")
    assert list((tmp_path / "desk").iterdir()) == []


def test_a_torn_object_is_replaced_when_its_bytes_come_again(blobs: Blobs, s3_endpoint: str, s3_url: str):
    digest = blobs.keep_bytes(SHEEP).digest
    overwrite(s3_endpoint, s3_url, digest, SHEEP[:5])
    blobs.keep_bytes(SHEEP)
    assert blobs.check(digest)


def test_strangers_in_the_bucket_are_not_listed(blobs: Blobs, s3_endpoint: str, s3_url: str):
    overwrite(s3_endpoint, s3_url, "README", b"read me")
    overwrite(s3_endpoint, s3_url, "folder/" + "a" * 64, b"not a blob")
    digest = blobs.keep_bytes(SHEEP).digest
    assert [found for found, _ in blobs.list_digests()] == [digest]


def test_a_listing_of_more_than_one_page_is_whole(blobs: Blobs):
    with ThreadPoolExecutor(4) as pool:
        digests = set(pool.map(lambda number: blobs.keep_bytes(str(number).encode()).digest, range(1005)))
    assert {digest for digest, _ in blobs.list_digests()} == digests


def test_a_downloaded_blob_is_a_file_of_the_callers(blobs: Blobs, tmp_path: Path):
    digest = blobs.keep_bytes(SHEEP).digest
    path = blobs.local_path(digest, tmp_path / "desk")
    assert path.parent == tmp_path / "desk"
    assert [path] == list(path.parent.iterdir())
