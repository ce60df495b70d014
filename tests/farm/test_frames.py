"""All frames of a job as one zip that never lies anywhere."""

import io
import zipfile

import pytest
from tests.conftest import picture

from sheepfold.farm import frames
from sheepfold.farm.frames import Frame, list_frames, zipped
from sheepfold.model.errors import UnknownBlob, UnknownJob
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import Verdict


@pytest.fixture
def dialect():
    return "sqlite"


def made(world, count=3):
    job = world.order(frames=count)
    maker = world.maker("box")
    bodies = {}
    for _ in range(count):
        held = world.held(maker)
        frame = world.task(held.task_id).frame
        bodies[frame] = picture(frame, (320 + frame, 240))
        assert world.send(held, bodies[frame]).verdict is Verdict.VALID
    return job, [bodies[frame] for frame in sorted(bodies)]


def test_the_zip_holds_all_frames_as_they_came(world):
    job, bodies = made(world)
    body = b"".join(zipped(world.farm, list_frames(world.farm, job.id)))
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["0000.png", "0001.png", "0002.png"]
        assert [archive.read(name) for name in archive.namelist()] == bodies
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert len(body) < sum(map(len, bodies)) + 1000
    assert body == b"".join(zipped(world.farm, list_frames(world.farm, job.id)))


def test_no_more_than_a_chunk_is_held(world, monkeypatch):
    class Chunks:
        size_bytes = 50 * 2**20
        chunks = (bytes(2**20) for _ in range(50))

    monkeypatch.setattr(frames, "open_blob", lambda *_: Chunks)
    pieces = [len(piece) for piece in zipped(world.farm, [Frame("0001.exr", "0" * 64)])]
    assert sum(pieces) > 50 * 2**20
    assert max(pieces) < 2**20 + 1000


def test_frames_are_listed_some_at_a_time(world, monkeypatch):
    job, bodies = made(world, 5)
    monkeypatch.setattr(frames, "FRAMES_AT_A_TIME", 2)
    assert [frame.name for frame in list_frames(world.farm, job.id)] == [f"{n:04d}.png" for n in range(5)]
    assert len(bodies) == 5


def test_a_job_without_frames_has_no_zip(world):
    with pytest.raises(UnknownBlob):
        list_frames(world.farm, world.order().id)
    with pytest.raises(UnknownJob):
        list_frames(world.farm, JobId(9))
