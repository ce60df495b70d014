"""Keeping: bytes become blobs first, and rows name them afterwards."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import World

from sheepfold.farm.dispatch import open_blob
from sheepfold.farm.keeping import keep_file, keep_log, name_blob
from sheepfold.model.errors import TooLarge, UnknownBlob
from sheepfold.store import blobs as blob_rows
from sheepfold.store.blobs import BlobRow


def test_a_file_is_kept_and_stays_where_it_was(world: World, tmp_path: Path):
    path = tmp_path / "scene.blend"
    path.write_bytes(b"BLENDER")
    blob = keep_file(world.farm, path)
    assert b"".join(open_blob(world.farm, blob.digest).chunks) == path.read_bytes() == b"BLENDER"
    assert list(world.farm.spool_folder.iterdir()) == []


def test_a_file_beyond_the_limit_is_refused_and_leaves_nothing(world: World, tmp_path: Path):
    path = tmp_path / "scene.blend"
    path.write_bytes(b"x" * 101)
    farm = replace(world.farm, settings=replace(world.farm.settings, input_limit_bytes=100))
    with pytest.raises(TooLarge):
        keep_file(farm, path)
    assert list(farm.spool_folder.iterdir()) == []
    assert list(farm.blobs.list_digests()) == []


def test_a_blob_is_named_once_however_often_it_comes(world: World):
    blob = world.farm.blobs.keep_bytes(b"the same")
    for _ in range(2):
        world.farm.db.write(lambda tx: name_blob(tx, blob, world.clock.now))
    assert world.farm.db.read(lambda tx: blob_rows.find(tx, blob.digest)) == BlobRow(blob.digest, "", 8)
    assert world.findings() == []


def test_a_log_is_kept_and_named(world: World):
    with world.spooled(b"Fra:1 Mem:9.61M") as spool:
        digest = keep_log(world.farm, spool.finish())
    assert b"".join(open_blob(world.farm, digest).chunks) == b"Fra:1 Mem:9.61M"
    assert world.findings() == []


@pytest.mark.parametrize("digest", ["", "0" * 64, "../../../etc/passwd", "F" * 64])
def test_what_was_never_kept_is_unknown(world: World, digest: str):
    with pytest.raises(UnknownBlob):
        open_blob(world.farm, digest)
