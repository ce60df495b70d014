"""Rows of renderers and archives, on both databases."""

from sheepfold.model.jobs import JobId
from sheepfold.model.machines import MachineId
from sheepfold.store import blobs as blob_rows
from sheepfold.store import clearing
from sheepfold.store import renderers as renderer_rows
from sheepfold.store.blobs import BlobRow
from sheepfold.store.renderers import ArchiveRow, RendererRow

ONE, TWO = "1" * 64, "2" * 64


def named(db, *digests):
    for digest in digests:
        db.write(lambda tx, digest=digest: blob_rows.add(tx, BlobRow(digest, digest[:32], 5), 7))


def renderer(version="4.5", os="linux", digest=ONE):
    return RendererRow("blender", version, os, 64, digest, digest[:32], "local", 0)


def test_a_renderer_is_found_for_its_system_the_newest_first(db):
    named(db, ONE, TWO)
    for at, row in enumerate([renderer("4.2"), renderer("4.5", digest=TWO), renderer("4.5", "mac")]):
        db.write(lambda tx, row=row, at=at: renderer_rows.set_renderer(tx, row, at))
    found = db.read(lambda tx: renderer_rows.renderers_for(tx, "blender", "linux", 64))
    assert [(row.version, row.md5, row.added_at) for row in found] == [("4.5", TWO[:32], 1), ("4.2", ONE[:32], 0)]
    assert db.read(lambda tx: renderer_rows.renderers_for(tx, "blender", "linux", 32)) == []


def test_the_same_renderer_again_replaces_the_first(db):
    named(db, ONE, TWO)
    for digest in (ONE, TWO):
        db.write(lambda tx, digest=digest: renderer_rows.set_renderer(tx, renderer(digest=digest), 3))
    assert [row.digest for row in db.read(renderer_rows.list_renderers)] == [TWO]


def test_a_removed_renderer_is_gone_and_a_second_removal_says_so(db):
    named(db, ONE)
    db.write(lambda tx: renderer_rows.set_renderer(tx, renderer(), 3))
    removals = [db.write(lambda tx: renderer_rows.remove_renderer(tx, "blender", "4.5", "linux", 64)) for _ in "12"]
    assert removals == [True, False]


def test_blobs_of_renderers_and_archives_are_named(world):
    db = world.farm.db
    job = world.order()
    named(db, ONE, TWO)
    db.write(lambda tx: renderer_rows.set_renderer(tx, renderer(), 3))
    db.write(lambda tx: renderer_rows.add_archive(tx, ArchiveRow(job.id, 0, TWO, "", "a.blend"), 3))
    assert db.write(lambda tx: clearing.let_go(tx, [ONE, TWO], 3)) == []


def test_the_first_archive_of_a_revision_stays(world):
    db = world.farm.db
    job = world.order()
    named(db, ONE, TWO)
    for digest in (ONE, TWO):
        db.write(lambda tx, d=digest: renderer_rows.add_archive(tx, ArchiveRow(job.id, 0, d, "", "a.blend"), 3))
    found = db.read(lambda tx: renderer_rows.find_archive(tx, job.id, 0))
    assert (found.digest, found.md5, found.main) == (ONE, ONE[:32], "a.blend")
    assert db.read(lambda tx: renderer_rows.jobs_of_archive(tx, ONE)) == [job.id]
    assert db.read(lambda tx: renderer_rows.find_archive(tx, job.id, 1)) is None


def test_only_a_machine_that_had_a_lease_has_rendered_for_a_job(world):
    job = world.order()
    maker, other = world.maker("one"), world.maker("two")
    world.held(maker)
    seen = [world.farm.db.read(lambda tx, m=m: renderer_rows.has_rendered_for(tx, m, job.id))
            for m in (maker.machine_id, other.machine_id, MachineId(999))]
    assert seen == [True, False, False]
    assert not world.farm.db.read(lambda tx: renderer_rows.has_rendered_for(tx, maker.machine_id, JobId(999)))
