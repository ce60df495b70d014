"""Bytes by their SHA-256, in a local folder or in any S3-compatible store: what every store of blobs can do."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sheepfold.blobs.spool import Digest, Spooled
from sheepfold.model.errors import BadInput

OWNER = "farm"
"""The file, or object, beside all blobs that says whose they are."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that are kept."""

    digest: Digest
    size_bytes: int


class Blobs(Protocol):
    """A store of blobs; may be used by many threads and processes at once.

    Every call raises UnknownBlob for a digest that is no digest or names nothing, and StoreUnavailable where the store
    does not answer or its disk fails.
    """

    fresh_s: int
    """How long the age of bytes may stay as it is although they are kept again."""
    is_local: bool
    """Whether blobs are local files already, so that `local_path` needs no room."""

    def keep(self, spooled: Spooled) -> Blob:
        """Keep an upload; when this returns, the bytes have outlived a power cut.

        The same bytes twice are one blob, whose age starts anew. The spool file stays: whoever made it removes it.
        """
        ...

    def keep_bytes(self, data: bytes) -> Blob:
        """Keep bytes that are already in memory, such as a genome."""
        ...

    def open_stream(self, digest: Digest, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Open the bytes from `start` up to but without `end`, in chunks of at most 1 MiB.

        Raises UnknownBlob at once, not at the first chunk. A reader may be as slow as it likes. A range outside the
        blob holds no bytes.
        """
        ...

    def size(self, digest: Digest) -> int:
        """Say how many bytes a blob has."""
        ...

    def local_path(self, digest: Digest, folder: Path) -> Path:
        """Give the blob as a local file that must not be written to.

        It is the store's own file where that is local; else it is downloaded into `folder`, its digest checked, and the
        caller removes it.
        """
        ...

    def exists(self, digest: Digest) -> bool:
        """Say whether the blob is kept."""
        ...

    def delete(self, digest: Digest, *, older_than: float | None = None) -> bool:
        """Remove a blob and say whether it was there.

        With `older_than` (Unix seconds) a blob that was kept again since then stays: the sweep's guard against an
        upload of the same bytes between its listing and its deleting.
        """
        ...

    def list_digests(self) -> Iterator[tuple[Digest, float]]:
        """List blobs and when each was last kept (Unix seconds), in no order, as they are asked for."""
        ...

    def owner(self) -> str:
        """Return the id of the farm whose blobs these are; nothing where nobody has said so."""
        ...

    def belong_to(self, farm: str) -> None:
        """Say whose blobs these are, in a file or object `farm` beside them."""
        ...

    def check(self, digest: Digest) -> bool:
        """Read the whole blob and say whether its bytes are still those of its name."""
        ...


def open_blobs(url_or_path: str | Path, spool_folder: Path) -> Blobs:
    """Open the store at a local folder (a path or `file://` URL), or at `s3://BUCKET/PREFIX?endpoint=URL&region=NAME`.

    `spool_folder` should lie on the file system of a local store: a blob is then kept without copying. S3's credentials
    are the usual `AWS_…` variables; a plain-http endpoint must be loopback, or the URL says `allow_http=1`. Nothing is
    asked of the network here. Raises BadInput for a URL that makes no sense.
    """
    text = str(url_or_path)
    if text.startswith("s3://"):
        from sheepfold.blobs.s3 import open_s3  # noqa: PLC0415 - a farm on a folder does not load an object store

        return open_s3(text, spool_folder)
    if "://" in text and not text.startswith("file://"):
        scheme = text.partition("://")[0]  # and no more of it: keys may stand in the rest
        raise BadInput(f"Blobs lie in a folder, or at s3://BUCKET/PREFIX; found {scheme[:80]!r}.")
    from sheepfold.blobs.local import LocalBlobs  # noqa: PLC0415 - which imports Blob from here

    return LocalBlobs(Path(text.removeprefix("file://")), spool_folder)
