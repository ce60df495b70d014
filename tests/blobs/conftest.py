"""The stores that the one suite runs on: a local folder, and a real S3 server in a process of its own."""

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.serving import free_port

from sheepfold.blobs.blobs import Blobs, open_blobs


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the S3 server ended at its start")


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Give the address of an S3 server that lives as long as the session."""
    port = free_port()
    argv = [str(Path(sys.prefix) / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_it_listens(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def s3_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a bucket and give the URL of a prefix in it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    bucket = f"bucket-{uuid.uuid4().hex}"
    httpx.put(f"{s3_endpoint}/{bucket}", trust_env=False).raise_for_status()
    return f"s3://{bucket}/some/prefix?endpoint={s3_endpoint}&region=us-east-1"


@pytest.fixture(params=["local", "s3"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of an empty store of each sort."""
    return request.getfixturevalue("s3_url") if request.param == "s3" else str(tmp_path / "blobs")


@pytest.fixture
def spool_folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def blobs(store_url: str, spool_folder: Path) -> Blobs:
    return open_blobs(store_url, spool_folder)
