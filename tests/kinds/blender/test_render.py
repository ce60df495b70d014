import zipfile
from pathlib import Path
from typing import Any

import pytest

from sheepfold.kinds import pictures
from sheepfold.kinds.blender import inspect, render, spec
from sheepfold.kinds.seam import Facts, RenderFailed, RenderOrder, Soundness

needs_bpy = pytest.mark.timeout(900)
SMALL = {"width": 64, "height": 36, "samples": 1}


def order_of(project: Path, frame: int = 2, **fields: Any) -> RenderOrder:
    return RenderOrder(spec.parse(SMALL | fields), frame, inputs={"project": project})


@needs_bpy
@pytest.mark.parametrize(("form", "suffix", "media"), [("PNG", ".png", "image/png"), ("JPEG", ".jpg", "image/jpeg"),
                                                      ("EXR", ".exr", "image/x-exr")])
def test_a_frame_has_the_size_and_format_ordered_whatever_the_scene_says(
    bench: Any, scenes: Path, form: str, suffix: str, media: str
) -> None:
    order = order_of(scenes / "foreign.blend", format=form)  # a scene of 48x27 that writes a film
    picture = render.render(order, bench)
    assert picture.is_relative_to(bench.folder)
    assert picture.suffix == suffix
    found = inspect.inspect(picture, Facts(order.spec, order.frame))
    assert (found.soundness, found.media_type, found.width, found.height) == (Soundness.SOUND, media, 64, 36)
    assert bench.folder.name.encode() not in picture.read_bytes()


@needs_bpy
def test_a_scene_within_an_archive_finds_its_pictures(bench: Any, scenes: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.write(scenes / "lacking.blend", "film/lacking.blend")
        archive.write(scenes / "blind.blend", "film/blind.blend")
    picture = render.render(order_of(tmp_path / "p.zip", main="film/lacking.blend"), bench)
    again = render.render(order_of(tmp_path / "p.zip", 3, main="film/lacking.blend"), bench)
    assert picture.name == "0002.png"
    assert again.name == "0003.png"


@needs_bpy
def test_a_hostile_project_renders_and_does_nothing_else(bench: Any, scenes: Path, ear: Any) -> None:
    assert render.render(order_of(scenes / "hostile.blend"), bench).is_file()
    assert not (scenes / "owned").exists()
    assert not (scenes / "stolen").exists()
    assert not ear.heard()


@needs_bpy
def test_what_blender_cannot_render_fails(bench: Any, scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"BLENDER-v405" + bytes(99))
    for project in (scenes / "blind.blend", tmp_path / "junk"):
        with pytest.raises(RenderFailed):
            render.render(order_of(project), bench)


@needs_bpy
def test_a_gpu_that_is_not_there_fails(bench: Any, scenes: Path) -> None:
    with pytest.raises(RenderFailed, match="no GPU"):
        render.render(order_of(scenes / "moving.blend", compute="gpu"), bench)


@needs_bpy
def test_a_chain_renders_frame_after_frame_as_processes_of_their_own_would(
    bench: Any, other_bench: Any, scenes: Path
) -> None:
    def order(frame: int) -> RenderOrder:
        return order_of(scenes / "moving.blend", frame)

    alone = pictures.pixels(render.render(order(7), bench))
    chain = render.open_chain(order(2), other_bench)
    try:
        first = pictures.pixels(chain.render(order(2)))
        assert (pictures.pixels(chain.render(order(7))) == alone).all()
        assert (first != alone).any()
        with pytest.raises(RenderFailed, match="no frame"):
            chain.render(order(9_000_000))
        assert chain.is_alive
        assert (pictures.pixels(chain.render(order(2))) == first).all()
    finally:
        chain.close()
    assert not chain.is_alive
    chain.close()


@needs_bpy
def test_a_chain_whose_blender_dies_fails(scenes: Path, bench: Any) -> None:
    chain = render.open_chain(order_of(scenes / "moving.blend"), bench)
    bench.kill()
    with pytest.raises(RenderFailed, match="without an answer"):
        chain.render(order_of(scenes / "moving.blend"))
    chain.close()


@needs_bpy
def test_a_chain_of_no_scene_fails_and_leaves_no_process(bpy_python: Path, bench: Any, tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"BLENDER-v405" + bytes(99))
    with pytest.raises(RenderFailed, match=r"[Ff]ile"):
        render.open_chain(order_of(tmp_path / "junk"), bench)


@pytest.mark.usefixtures("no_bpy")
def test_without_bpy_a_render_fails(bench: Any, tmp_path: Path) -> None:
    with pytest.raises(RenderFailed, match="setup-bpy"):
        render.render(order_of(tmp_path / "a.blend"), bench)


@needs_bpy
@pytest.mark.parametrize("told", [{}, {"format": "BMP"}, {"samples": "many"}])
def test_what_a_farm_must_not_ask_for_fails(bpy_python: Path, bench: Any, tmp_path: Path, told: dict[str, Any]) -> None:
    whole = spec.parse(SMALL) | told if told else {}
    with pytest.raises(RenderFailed, match="cannot do"):
        render.render(RenderOrder(whole, 1, inputs={"project": tmp_path}), bench)


@needs_bpy
def test_no_spec_brings_a_script_only_a_wire_of_scripts_does(bpy_python: Path, bench: Any, tmp_path: Path) -> None:
    told = {"script": "import os; os.abort()", "main": ""}
    with pytest.raises(RenderFailed, match="cannot do"):
        render.render(RenderOrder(told, 1, inputs={"project": tmp_path}), bench)
    (tmp_path / "junk").write_bytes(b"BLENDER-v405" + bytes(99))
    with pytest.raises(RenderFailed):
        render.render(RenderOrder(spec.parse(SMALL) | told, 1, inputs={"project": tmp_path / "junk"}), bench)
    assert "os.abort" not in (bench.folder / "order.py").read_text("utf-8")


@needs_bpy
def test_a_task_has_one_project(bpy_python: Path, bench: Any, tmp_path: Path) -> None:
    with pytest.raises(RenderFailed, match="one input"):
        render.render(RenderOrder(spec.parse(SMALL), 1), bench)
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("../a.blend", b"BLENDER")
    with pytest.raises(RenderFailed, match="points out"):
        render.render(order_of(tmp_path / "p.zip"), bench)
