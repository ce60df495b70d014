"""Blobs in an S3-compatible store, each an object named by its digest."""

import hashlib
import ipaddress
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qs, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from sheepfold.blobs.blobs import OWNER, Blob
from sheepfold.blobs.spool import CHUNK_BYTES, Digest, Spool, Spooled, parse_digest, translated_os_errors
from sheepfold.model.errors import BadInput, StoreUnavailable, UnknownBlob

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

# At most two parts of an upload are in memory; S3 allows 10,000 parts, so a blob may have 80 GB.
_PART_BYTES = 8 * CHUNK_BYTES
_PARTS_AT_ONCE = 2
# One request of a download. A reader that is slower than the store never keeps a request open.
_RANGE_BYTES = 4 * CHUNK_BYTES
# Keeping the same bytes again within this time does not send them again.
_FRESH_S = 3600
_STATUS = re.compile(r"status code: ([0-9]{3})\b")
_SETTINGS = frozenset({"endpoint", "region", "allow_http"})


class S3Blobs:
    """The store of blobs that is a bucket, or a prefix of one. A blob's age is its object's modification time."""

    fresh_s = _FRESH_S
    is_local = False

    def __init__(self, store: S3Store, spool_folder: Path) -> None:
        """Use an open store; downloads to be checked and bytes to be kept pass through `spool_folder`."""
        self._store = store
        self._spool_folder = spool_folder

    def keep(self, spooled: Spooled) -> Blob:
        """See Blobs. Bytes that were kept within the hour are not sent again."""
        blob = Blob(spooled.sha256, spooled.size_bytes)
        key = _key(spooled.sha256)
        if not self._is_fresh(spooled):
            self._put(key, spooled.path)
        return blob

    def keep_bytes(self, data: bytes) -> Blob:
        """See Blobs."""
        with Spool(self._spool_folder, len(data)) as spool:
            spool.write(data)
            return self.keep(spool.finish())

    def open_stream(self, digest: Digest, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See Blobs. A blob deleted meanwhile ends in UnknownBlob."""
        size_bytes = self.size(digest)
        return self._read_range(digest, max(start, 0), size_bytes if end is None else min(end, size_bytes))

    def size(self, digest: Digest) -> int:
        """See Blobs."""
        with _translated(digest):
            return obstore.head(self._store, _key(digest))["size"]

    def local_path(self, digest: Digest, folder: Path) -> Path:
        """See Blobs. Raises UnknownBlob, too, where the object's bytes are not those of its name."""
        target = folder / _key(digest)
        with Spool(folder, self.size(digest)) as spool:
            for chunk in self.open_stream(digest):
                spool.write(chunk)
            if spool.finish().sha256 != digest:
                raise UnknownBlob(f"The store holds other bytes under the name {digest}.")
            with translated_os_errors("keep a downloaded file"):
                spool.path.rename(target)
        return target

    def exists(self, digest: Digest) -> bool:
        """See Blobs."""
        key = _key(digest)
        try:
            with _translated(digest):
                obstore.head(self._store, key)
        except UnknownBlob:
            return False
        return True

    def delete(self, digest: Digest, *, older_than: float | None = None) -> bool:
        """See Blobs. S3 knows no conditional delete: one request lies between looking at the age and deleting."""
        key = _key(digest)
        try:
            with _translated(digest):
                kept_at = obstore.head(self._store, key)["last_modified"].timestamp()
                if older_than is not None and kept_at >= older_than:
                    return False
                obstore.delete(self._store, key)
        except UnknownBlob:
            return False
        return True

    def list_digests(self) -> Iterator[tuple[Digest, float]]:
        """See Blobs."""
        with _translated(""):
            for page in obstore.list(self._store, chunk_size=1000):
                for entry in page:
                    if _is_digest(entry["path"]):
                        yield Digest(entry["path"]), entry["last_modified"].timestamp()

    def owner(self) -> str:
        """See Blobs."""
        with suppress(UnknownBlob), _translated(OWNER):
            return bytes(obstore.get(self._store, OWNER).bytes()).decode(errors="replace").strip()
        return ""

    def belong_to(self, farm: str) -> None:
        """See Blobs."""
        with Spool(self._spool_folder, len(farm)) as spool:
            spool.write(farm.encode())
            self._put(OWNER, spool.finish().path)

    def check(self, digest: Digest) -> bool:
        """See Blobs."""
        sha256 = hashlib.sha256()
        for chunk in self.open_stream(digest):
            sha256.update(chunk)
        return sha256.hexdigest() == digest

    def _is_fresh(self, spooled: Spooled) -> bool:
        try:
            with _translated(spooled.sha256):
                entry = obstore.head(self._store, _key(spooled.sha256))
        except UnknownBlob:
            return False
        age_s = time.time() - entry["last_modified"].timestamp()
        return entry["size"] == spooled.size_bytes and age_s < _FRESH_S

    def _put(self, key: str, path: Path) -> None:
        with translated_os_errors("read an upload"), path.open("rb") as file:
            try:
                with _translated(key):
                    obstore.put(self._store, key, file, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
            except UnknownBlob as error:
                raise StoreUnavailable("The store of blobs has no such bucket.") from error

    def _read_range(self, digest: Digest, start: int, end: int) -> Iterator[bytes]:
        for offset in range(start, end, _RANGE_BYTES):
            with _translated(digest):
                data = obstore.get_range(
                    self._store, _key(digest), start=offset, end=min(offset + _RANGE_BYTES, end)
                ).to_bytes()
            for at in range(0, len(data), CHUNK_BYTES):
                yield data[at : at + CHUNK_BYTES]


def open_s3(url: str, spool_folder: Path) -> S3Blobs:
    """Open `s3://BUCKET/PREFIX?endpoint=URL&region=NAME&allow_http=1`.

    Raises BadInput for a URL that makes no sense; the network is not touched.
    """
    parts = _split(url)
    settings = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if not parts.hostname or parts.port or parts.username or set(settings) - _SETTINGS:
        raise BadInput("A store of blobs is s3://BUCKET/PREFIX?endpoint=URL&region=NAME; no other settings are known.")
    config: S3Config = {"disable_bulk_delete": True}
    if "region" in settings:
        config["region"] = settings["region"]
    if "endpoint" in settings:
        config["endpoint"] = settings["endpoint"]
    client: ClientConfig = {"timeout": timedelta(seconds=60), "connect_timeout": timedelta(seconds=5)}
    if "endpoint" in settings and _may_be_plain(settings["endpoint"], settings.get("allow_http", "")):
        client["allow_http"] = True
    # Trouble shows after some seconds, as an answer that says "try again"; the library's own limit is three minutes.
    retry: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
    prefix = parts.path.strip("/") or None
    try:
        store = S3Store(parts.hostname, prefix=prefix, config=config, client_options=client, retry_config=retry)
    except (BaseError, ValueError) as error:
        raise BadInput(f"The store of blobs cannot be opened: {error}") from error
    return S3Blobs(store, spool_folder)


def _split(url: str) -> SplitResult:
    """Split an address; raises BadInput, which does not show it: keys may stand in one that makes no sense."""
    with suppress(ValueError):
        parts = urlsplit(url)
        _ = parts.port
        return parts
    raise BadInput("The address of a store of blobs has no host, or a port that is no number.")


def _may_be_plain(endpoint: str, allow_http: str) -> bool:
    """Say whether an endpoint is plain http, and refuse it where passwords and pictures would cross a network."""
    parts = _split(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadInput("An S3 endpoint begins with http:// or https:// and names a host.")
    if parts.scheme == "https":
        return False
    if allow_http != "1" and not _is_loopback(parts.hostname):
        raise BadInput("An S3 endpoint that is not on this machine must be https, unless the URL says allow_http=1.")
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key(digest: str) -> str:
    return parse_digest(digest)


def _is_digest(name: str) -> bool:
    try:
        parse_digest(name)
    except UnknownBlob:
        return False
    return True


@contextmanager
def _translated(digest: str) -> Iterator[None]:
    """Turn a missing object into UnknownBlob and every other trouble of the store into StoreUnavailable.

    The store's own words may repeat what was sent to it, a session's token with it, so they go into no log, which
    would write a cause down, too; of them the status alone is told.
    """
    try:
        yield
    except FileNotFoundError:
        raise UnknownBlob(f"There is no file {digest}.") from None
    except (BaseError, OSError, ValueError) as error:
        answered = _STATUS.search(str(error))
        why = type(error).__name__ + (f", status {answered[1]}" if answered else "")
        raise StoreUnavailable(f"The store of blobs does not answer ({why}).") from None
