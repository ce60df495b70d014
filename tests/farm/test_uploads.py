"""Uploads that may be interrupted: they go on where they broke off, also after the server."""

import hashlib
import os
import threading
from dataclasses import replace

import pytest
from tests.rights import as_mere_user

from sheepfold.blobs.spool import spool_file
from sheepfold.farm import uploads
from sheepfold.farm.farm import open_farm
from sheepfold.farm.keeping import keep_file
from sheepfold.farm.uploads import (
    LARGEST_INPUTS,
    MOST_UPLOADS,
    MOST_WHOLE,
    appending,
    create_upload,
    drop_upload,
    find_upload,
    keep_upload,
    sweep_uploads,
    uploaded_file,
)
from sheepfold.model.errors import Conflict, IncompleteUpload, TooLarge, UnknownBlob

BODY = b"BLENDER" * 100


@pytest.fixture
def dialect():
    return "sqlite"


def announced(world, body=BODY, account="ann"):
    return create_upload(world.farm, world.account(account), len(body), hashlib.sha256(body).hexdigest())


def send(world, upload, offset, body, account="ann"):
    with appending(world.farm, world.account(account), upload.id, offset) as appender:
        appender.write(body)


def test_a_file_comes_in_pieces_and_is_proven_whole(world):
    upload = announced(world)
    send(world, upload, 0, BODY[:300])
    assert find_upload(world.farm, world.account("ann"), upload.id).offset_bytes == 300
    with pytest.raises(IncompleteUpload), uploaded_file(world.farm, world.account("ann"), upload.id):
        pass
    assert announced(world).offset_bytes == 300  # whoever announces it again goes on with it
    send(world, upload, 300, BODY[300:])
    for _ in "12":  # an order whose answer got lost is sent again
        with uploaded_file(world.farm, world.account("ann"), upload.id) as path:
            assert path.read_bytes() == BODY


def test_an_upload_outlives_the_server(world):
    upload = announced(world)
    send(world, upload, 0, BODY[:300])
    ann = world.account("ann")
    with open_farm(world.farm.settings, lambda *_: [], world.clock, world.farm.inspector) as again:
        assert create_upload(again, ann, upload.size_bytes, upload.sha256) == replace(upload, offset_bytes=300)
        with appending(again, ann, upload.id, 300) as appender:
            appender.write(BODY[300:])
        with uploaded_file(again, ann, upload.id) as path:
            assert path.read_bytes() == BODY


def test_a_piece_that_breaks_off_stays(world):
    upload = announced(world)

    def broken():
        with appending(world.farm, world.account("ann"), upload.id, 0) as appender:
            appender.write(BODY[:100])
            raise ConnectionError

    with pytest.raises(ConnectionError):
        broken()
    assert find_upload(world.farm, world.account("ann"), upload.id).offset_bytes == 100


def test_pieces_go_to_the_end_alone_and_no_further_than_announced(world):
    upload = announced(world)
    send(world, upload, 0, BODY[:100])
    for offset in (0, 99, 101):
        with pytest.raises(Conflict, match="byte 100"):
            send(world, upload, offset, b"x")
    with pytest.raises(TooLarge):
        send(world, upload, 100, BODY)
    assert find_upload(world.farm, world.account("ann"), upload.id).offset_bytes == 100


def test_two_do_not_write_at_once(world):
    upload, told = announced(world), []

    def second():
        try:
            send(world, upload, 0, b"x")
        except Conflict as error:
            told.append(str(error))

    with appending(world.farm, world.account("ann"), upload.id, 0):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert "another request" in told[0]


def read_what_is_dropped(world, upload):
    with uploaded_file(world.farm, world.account("ann"), upload.id) as path:
        drop_upload(world.farm, world.account("ann"), upload.id)
        path.read_bytes()


def test_an_upload_that_is_removed_while_it_is_read_or_written_is_unknown(world, monkeypatch):
    account, upload = world.account("ann"), announced(world)
    monkeypatch.setattr(uploads, "find_upload", lambda *_: upload)  # it was there just now
    drop_upload(world.farm, account, upload.id)
    with pytest.raises(UnknownBlob), appending(world.farm, account, upload.id, 0):
        pass
    monkeypatch.undo()
    upload = announced(world)
    send(world, upload, 0, BODY)
    with pytest.raises(UnknownBlob):
        read_what_is_dropped(world, upload)


def test_another_file_that_is_missing_is_not_the_uploads_fault(world):
    upload = announced(world)
    send(world, upload, 0, BODY)
    with pytest.raises(FileNotFoundError), uploaded_file(world.farm, world.account("ann"), upload.id) as path:
        path.with_name("another").read_bytes()


def test_other_bytes_than_announced_are_dropped(world):
    upload = announced(world)
    send(world, upload, 0, bytes(len(BODY)))
    with pytest.raises(IncompleteUpload, match="digest"), uploaded_file(world.farm, world.account("ann"), upload.id):
        pass
    with pytest.raises(UnknownBlob):
        find_upload(world.farm, world.account("ann"), upload.id)


@pytest.fixture
def ordered(world, tmp_path):
    """What the page sends of a large file, and the upload that an order has kept as a blob, by the same inode."""
    (tmp_path / "scene.blend").write_bytes(BODY)
    sent = spool_file(tmp_path / "scene.blend", world.farm.spool_folder)
    upload = keep_upload(world.farm, world.account("ann"), sent)
    with uploaded_file(world.farm, world.account("ann"), upload.id) as path:
        keep_file(world.farm, path)
        assert (path.stat().st_mode & 0o777, path.stat().st_nlink) == (0o440, 2)
    return sent, upload


def test_a_file_that_was_ordered_is_chosen_again(world, ordered):
    sent, upload = ordered
    with as_mere_user():
        assert keep_upload(world.farm, world.account("ann"), sent) == upload
        with appending(world.farm, world.account("ann"), upload.id, len(BODY)):  # somebody else is at it, too
            assert keep_upload(world.farm, world.account("ann"), sent) == upload


def test_nothing_is_added_to_what_was_ordered(world, ordered):
    _, upload = ordered
    with as_mere_user():
        send(world, upload, len(BODY), b"")
        with pytest.raises(TooLarge):
            send(world, upload, len(BODY), b"x")
        with pytest.raises(Conflict, match=f"byte {len(BODY)}"):
            send(world, upload, 0, BODY)
    assert find_upload(world.farm, world.account("ann"), upload.id) == upload


def test_an_upload_is_its_accounts_alone(world):
    upload = announced(world)
    world.account("eve")
    for name in (upload.id, "../../etc", "0" * 32, ""):
        with pytest.raises(UnknownBlob):
            find_upload(world.farm, world.account("eve"), name)
    assert announced(world, account="eve").id != upload.id


def test_no_more_is_taken_than_a_farm_wants(world):
    with pytest.raises(TooLarge):
        create_upload(world.farm, world.account("ann"), world.farm.settings.input_limit_bytes + 1, "0" * 64)
    for number in range(MOST_UPLOADS):
        announced(world, bytes([number]))
    with pytest.raises(Conflict):
        announced(world)
    announced(world, account="eve")


def whole(world, body, account="ann"):
    upload = announced(world, body, account)
    send(world, upload, 0, body, account)
    return upload


def test_an_account_keeps_many_whole_uploads_and_no_more(world):
    kept = [whole(world, b"%d" % number) for number in range(MOST_WHOLE)]
    with pytest.raises(Conflict, match=f"{MOST_WHOLE} uploads"):
        announced(world)
    assert announced(world, b"0").id == kept[0].id
    whole(world, BODY, "eve")
    drop_upload(world.farm, world.account("ann"), kept[1].id)
    whole(world, BODY)


def test_an_account_s_uploads_have_no_more_bytes_than_many_inputs(world):
    world.farm = replace(world.farm, settings=replace(world.farm.settings, input_limit_bytes=10))
    for number in range(LARGEST_INPUTS):
        whole(world, b"scene %4d" % number)
    with pytest.raises(Conflict, match=f"{10 * LARGEST_INPUTS} bytes"):
        announced(world, b"x")
    assert announced(world, b"scene    0").is_whole
    announced(world, b"x", "eve")


def make_old(world, clock, upload):
    """Have the day of an upload be over."""
    long_ago = clock.now - world.farm.settings.orphan_blob_age_s - 1
    os.utime(world.farm.spool_folder / "uploads" / upload.id / "bytes", (long_ago, long_ago))


def test_what_is_chosen_again_or_ordered_is_kept_for_another_day(world, clock, ordered):
    sent, upload = ordered
    half = announced(world, b"half")
    with as_mere_user():
        make_old(world, clock, upload)
        assert keep_upload(world.farm, world.account("ann"), sent) == upload
        make_old(world, clock, half)
        assert announced(world, b"half") == half
        assert sweep_uploads(world.farm) == 0
        make_old(world, clock, upload)
        with uploaded_file(world.farm, world.account("ann"), upload.id):
            assert sweep_uploads(world.farm) == 0


def test_what_nobody_goes_on_with_is_removed(world, clock):
    old, new, gone = announced(world), announced(world, b"new"), announced(world, b"gone")
    drop_upload(world.farm, world.account("ann"), gone.id)
    folder = world.farm.spool_folder / "uploads"
    long_ago = clock.now - world.farm.settings.orphan_blob_age_s - 1
    os.utime(folder / old.id / "bytes", (long_ago, long_ago))
    os.utime(folder / new.id / "bytes", (clock.now, clock.now))
    assert sweep_uploads(world.farm) == 1
    assert [path.name for path in folder.iterdir()] == [new.id]
