"""The archive of a job's project: made once, the same from the same bytes, refused where it is not to be trusted."""

import hashlib
import zipfile

import pytest

from sheepfold.farm.archives import ensure_archive, open_archive, open_chunk
from sheepfold.farm.dispatch import claim_task, open_blob
from sheepfold.farm.orders import Order, order_job
from sheepfold.model.errors import InvalidSpec, UnknownBlob, UnknownJob
from sheepfold.model.jobs import JobId
from sheepfold.model.matching import Abilities, Program

ABLE = Abilities(kinds=frozenset({"blender"}), renderers=frozenset({Program("blender", "4.5")}), memory_mib=8192)
SMALL = {"frames": "1", "width": 64, "height": 48}


@pytest.fixture(autouse=True)
def _no_bpy(monkeypatch):
    monkeypatch.setenv("SHEEPFOLD_BPY_PYTHON", "/nonexistent/python")


@pytest.fixture
def dialect():
    return "sqlite"


def ordered(world, content=b"BLENDER-v402", name="project", **spec):
    project = world.folder / "project"
    if isinstance(content, bytes):
        project.write_bytes(content)
    else:
        with zipfile.ZipFile(project, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, body in content.items():
                archive.writestr(path, body)
    return order_job(world.farm, world.account("ann"), Order("blender", SMALL | spec, {name: project}))


def unpacked(world, digest):
    target = world.folder / "fetched.zip"
    target.write_bytes(b"".join(open_blob(world.farm, digest).chunks))
    with zipfile.ZipFile(target) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_blend_is_packed_with_true_checksums(world):
    made = ensure_archive(world.farm, ordered(world))
    assert unpacked(world, made.digest) == {made.main: b"BLENDER-v402"}
    assert hashlib.md5((world.folder / "fetched.zip").read_bytes()).hexdigest() == made.md5


def test_the_same_project_makes_the_same_archive(world):
    first, second = (ensure_archive(world.farm, ordered(world)) for _ in "12")
    assert first.digest == second.digest
    assert first.job_id != second.job_id


def test_what_blender_has_packed_is_not_packed_again(world):
    body = b"\x28\xb5\x2f\xfd" + b"\0" * 100_000
    made = ensure_archive(world.farm, ordered(world, body))
    assert open_blob(world.farm, made.digest).size_bytes > len(body)
    assert unpacked(world, made.digest) == {made.main: body}


def test_a_zip_goes_on_as_it_came(world):
    job = ordered(world, {"sub/scene.blend": b"BLENDER", "sub/wood.png": b"png"})
    made = ensure_archive(world.farm, job)
    assert made.digest == job.inputs["project"]
    assert made.main == "sub/scene.blend"


def test_the_scene_to_render_may_be_chosen(world):
    job = ordered(world, {"a.blend": b"BLENDER", "b.blend": b"BLENDER"}, main="b.blend")
    assert ensure_archive(world.farm, job).main == "b.blend"


@pytest.mark.parametrize("name", ["../a.blend", "/a.blend", "C:/a.blend", "a\\b.blend"])
def test_an_archive_that_points_outside_is_refused_with_a_sentence(world, name):
    with pytest.raises(InvalidSpec, match=r"\."):
        ensure_archive(world.farm, ordered(world, {name: b"BLENDER"}))


def test_only_who_renders_for_a_job_may_fetch_its_archive(world):
    job = ordered(world)
    maker, stranger = world.maker("box"), world.maker("other")
    assert claim_task(world.farm, maker, ABLE, 600) is not None
    opened = open_archive(world.farm, maker.machine_id, job.id)
    chunk = open_chunk(world.farm, maker.machine_id, opened.digest)
    assert b"".join(opened.chunks) == b"".join(chunk.chunks)
    for refused in (lambda: open_archive(world.farm, stranger.machine_id, job.id),
                    lambda: open_chunk(world.farm, stranger.machine_id, opened.digest),
                    lambda: open_chunk(world.farm, maker.machine_id, "../../etc/passwd"),
                    lambda: open_archive(world.farm, maker.machine_id, job.id, revision=1)):
        with pytest.raises(UnknownBlob):
            refused()
    with pytest.raises(UnknownJob):
        open_archive(world.farm, maker.machine_id, JobId(99_999))


def test_nothing_is_left_in_the_spool(world):
    ensure_archive(world.farm, ordered(world))
    assert list(world.farm.spool_folder.iterdir()) == []
