"""Rows of blobs and of what is made of them."""

import pytest
from tests.store.conftest import NOW, Rows
from tests.store.test_tasks import submitted

from sheepfold.store import blobs
from sheepfold.store.blobs import BlobRow

A, B = "a" * 64, "b" * 64


def test_a_blob_is_named_once(rows: Rows):
    for _ in range(2):
        rows.blob(A)
    assert rows.db.read(lambda tx: list(blobs.all_blobs(tx))) == [BlobRow(A, "m" * 32, 7)]
    assert rows.db.read(lambda tx: blobs.find(tx, A)) == BlobRow(A, "m" * 32, 7)
    assert rows.db.read(lambda tx: blobs.find(tx, B)) is None


def test_a_tasks_picture_is_its_oldest_valid_result(rows: Rows):
    job_id = rows.job(tasks=2)
    granted = rows.claim(rows.machine("box"))
    assert rows.db.read(lambda tx: blobs.picture_of_task(tx, granted.task_id)) is None
    submitted(rows, granted, rows.blob(A))
    picture = rows.db.read(lambda tx: blobs.picture_of_task(tx, granted.task_id))
    assert (picture.digest, picture.media_type, picture.frame) == (A, "image/png", 0)
    assert rows.db.read(lambda tx: blobs.pictures_of_job(tx, job_id)) == [picture]
    rows.run("UPDATE results SET verdict = 'invalid'")
    assert rows.db.read(lambda tx: blobs.picture_of_task(tx, granted.task_id)) is None


def test_products_and_previews_are_replaced_by_name(rows: Rows):
    job_id = rows.job()
    for digest in (rows.blob(A), rows.blob(B)):
        rows.db.write(lambda tx, d=digest: blobs.set_product(tx, job_id, "film.mp4", d, "video/mp4", NOW))
        rows.db.write(lambda tx, d=digest: blobs.set_preview(tx, 1, 320, d))
    products = rows.db.read(lambda tx: blobs.products_of(tx, job_id))
    assert [(product.name, product.digest, product.size_bytes) for product in products] == [("film.mp4", B, 7)]
    assert rows.db.read(lambda tx: blobs.find_preview(tx, 1, 320)) == B
    assert rows.db.read(lambda tx: blobs.find_preview(tx, 1, 321)) is None


def test_a_task_without_a_file_of_its_own_has_none(rows: Rows):
    rows.job()
    assert rows.db.read(lambda tx: blobs.task_input(tx, 1)) is None
    assert rows.db.read(lambda tx: blobs.task_input(tx, 99)) is None


@pytest.mark.parametrize(
    "name",
    [
        "INSERT INTO job_inputs (job_id, name, digest) VALUES (1000, 'genome', :digest)",
        "UPDATE tasks SET input = :digest",
        "UPDATE results SET digest = :digest",
        "INSERT INTO previews (task_id, width, digest) VALUES (1, 320, :digest)",
        "INSERT INTO products (job_id, name, digest, media_type, made_at) VALUES (1000, 'x', :digest, 'x', 1)",
        "UPDATE leases SET log = :digest",
        """INSERT INTO renderers (name, version, os, bits, digest, made, added_at)
           VALUES ('blender', '4.2', 'linux', 64, :digest, 'x', 1)""",
        "INSERT INTO archives (job_id, revision, digest, main, made_at) VALUES (1000, 0, :digest, 'x', 1)",
    ],
    ids=lambda name: name.split()[2] if name.startswith("INSERT") else name.split()[1],
)  # fmt: skip
def test_whatever_names_a_blob_keeps_it(rows: Rows, name: str):
    rows.job()
    submitted(rows, rows.claim(rows.machine("box")), rows.blob(B))
    rows.blob(A)
    rows.run(name, digest=A)
    assert not rows.db.write(lambda tx: blobs.forget_unnamed(tx, A))
    assert rows.db.read(lambda tx: blobs.find(tx, A)) is not None


def test_every_column_that_names_a_blob_is_asked_before_one_is_forgotten():
    from sheepfold.store.schema import metadata

    naming = {column.table.name for table in metadata.sorted_tables for column in table.columns
              for key in column.foreign_keys if key.column.table.name == "blobs"}  # fmt: skip
    asked = {table for table in naming if f"FROM {table} WHERE" in blobs._NAMED.text}
    assert naming == asked


def test_a_blob_that_nothing_names_is_forgotten(rows: Rows):
    rows.blob(A)
    assert rows.db.write(lambda tx: blobs.forget_unnamed(tx, A))
    assert rows.db.write(lambda tx: blobs.forget_unnamed(tx, B))  # whose row never was
    assert rows.db.read(lambda tx: blobs.find(tx, A)) is None
