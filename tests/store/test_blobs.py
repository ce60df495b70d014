"""Rows of blobs and of what is made of them."""

from tests.store.conftest import NOW, Rows
from tests.store.test_tasks import submitted

from sheepfold.store import blobs
from sheepfold.store.blobs import BlobRow

A, B = "a" * 64, "b" * 64


def test_a_blob_is_named_once(rows: Rows):
    for _ in range(2):
        rows.blob(A)
    assert list(blobs.all_blobs(rows.db.read)) == [BlobRow(A, "m" * 32, 7)]
    assert rows.db.read(lambda tx: blobs.find(tx, A)) == BlobRow(A, "m" * 32, 7)
    assert rows.db.read(lambda tx: blobs.find(tx, B)) is None


def test_all_blobs_are_walked_a_few_at_a_time(rows: Rows, monkeypatch):
    monkeypatch.setattr(blobs, "BLOBS_AT_A_TIME", 2)
    digests, asked = [letter * 64 for letter in "0a9fc"], []

    def read(operation):
        asked.append(rows.db.read(operation))
        return asked[-1]

    for digest in digests:
        rows.blob(digest)
    assert [row.digest for row in blobs.all_blobs(read)] == sorted(digests)
    assert [len(some) for some in asked] == [2, 2, 1, 0]
    assert rows.db.read(blobs.count_blobs) == 5


def test_a_blob_s_md5_is_known_from_when_it_was_first_asked_for(rows: Rows):
    for md5, known in (("", ""), ("m" * 32, "m" * 32), ("", "m" * 32)):
        rows.db.write(lambda tx, md5=md5: blobs.add(tx, BlobRow(A, md5, 7), NOW))
        assert rows.db.read(lambda tx: blobs.find(tx, A)) == BlobRow(A, known, 7)


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


def test_pictures_are_read_some_at_a_time(rows: Rows):
    job_id = rows.job(tasks=3)
    for digest in (A, B):
        submitted(rows, rows.claim(rows.machine("box")), rows.blob(digest))
    first = rows.db.read(lambda tx: blobs.pictures_after(tx, job_id, None, 1))
    place = first[0].frame, first[0].part
    others = rows.db.read(lambda tx: blobs.pictures_after(tx, job_id, place, 9))
    assert [one.digest for one in (*first, *others)] == [A, B]


def test_a_blob_that_is_named_again_is_cleared_no_more(rows: Rows):
    rows.blob(A)
    rows.run("UPDATE blobs SET cleared_at = 5")
    assert list(blobs.all_blobs(rows.db.read)) == []
    rows.blob(A)
    assert rows.db.read(lambda tx: blobs.find(tx, A)) == BlobRow(A, "m" * 32, 7)
