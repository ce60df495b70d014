"""Keeping: bytes become blobs first, and rows name them afterwards."""

import hashlib
from functools import partial
from pathlib import Path

from sheepfold.blobs.blobs import Blob
from sheepfold.blobs.spool import Spooled, spool_file, spooled_already
from sheepfold.farm.farm import Farm
from sheepfold.store import blobs as blob_rows
from sheepfold.store.blobs import BlobRow
from sheepfold.store.database import Tx


def keep_file(farm: Farm, path: Path) -> Blob:
    """Keep a local file as a blob; raises TooLarge beyond the limit of inputs.

    A file in the spool is the farm's own, and nobody writes to it any more: it is kept without being copied. Any other
    is copied first, since its owner may change it.
    """
    if path.resolve().is_relative_to(farm.spool_folder.resolve()):
        return farm.blobs.keep(spooled_already(path, farm.settings.input_limit_bytes))
    spooled = spool_file(path, farm.spool_folder, farm.settings.input_limit_bytes)
    try:
        return farm.blobs.keep(spooled)
    finally:
        spooled.discard()


def name_blob(tx: Tx, blob: Blob, now: int, md5: str = "") -> None:
    """Write down what is known of a blob, so that other rows may name it; only SheepIt's wire asks for an MD5."""
    blob_rows.add(tx, BlobRow(blob.digest, md5, blob.size_bytes), now)


def md5_of(path: Path) -> str:
    """Return a file's MD5 in small hex digits, which tells old clients whether it arrived; it proves nothing."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def keep_log(farm: Farm, spooled: Spooled) -> str:
    """Keep a renderer's log and name it; returns its digest."""
    blob = farm.blobs.keep(spooled)
    farm.db.write(lambda tx: name_blob(tx, blob, farm.now()))
    return blob.digest
