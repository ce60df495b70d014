import json
from pathlib import Path
from typing import Any

import pytest

from sheepfold.kinds import pictures
from sheepfold.kinds.flame import compare, flam3, render, spec, split
from sheepfold.kinds.flame.engine import program
from sheepfold.kinds.seam import Facts, RenderFailed, RenderOrder, TaskDraft

SMALL = {"width": 96, "height": 72, "quality": 4}


@pytest.fixture
def draft(genomes: Path, tmp_path: Path) -> TaskDraft:
    (tmp_path / "split").mkdir()
    return split.split(spec.parse(SMALL | {"frames": 3}), {"genome": genomes / "r2.flam3"}, tmp_path / "split")[2]


@pytest.mark.parametrize("form", ["png", "jpg"])
def test_a_frame_is_rendered_in_its_size_and_format(bench: Any, draft: TaskDraft, form: str) -> None:
    order = RenderOrder(spec.parse(SMALL | {"format": form}), 2, input=draft.input)
    path = render.render(order, bench)
    assert path.parent == bench.folder
    assert path.suffix == f".{form}"
    image = pictures.open_picture(path)
    assert image.size == (96, 72)
    assert not pictures.is_blank(image)


def test_the_same_part_rendered_twice_is_the_same_file(bench: Any, draft: TaskDraft) -> None:
    order = RenderOrder(spec.parse(SMALL), 2, input=draft.input)
    first = render.render(order, bench).read_bytes()
    assert render.render(order, bench).read_bytes() == first


def test_another_part_has_other_noise(bench: Any, draft: TaskDraft) -> None:
    texts = {
        render.render(RenderOrder(spec.parse(SMALL), 2, part, draft.input), bench).read_bytes() for part in (0, 1)
    }
    assert len(texts) == 2


def test_a_wires_arguments_make_the_same_file_as_the_orders_spec(bench: Any, draft: TaskDraft) -> None:
    ordered = spec.parse(SMALL | {"format": "jpg", "seed": 9})
    args = flam3.animate_args(ordered, 2, 1)
    told = {"format": args["format"], "jpeg_quality": int(args["jpeg"]), "bits": int(args["bits"])}
    one = render.render(RenderOrder(ordered, 2, 1, draft.input), bench).read_bytes()
    other = render.render(RenderOrder(told | {"seed": args["isaac_seed"]}, 2, 0, draft.input), bench).read_bytes()
    assert one == other


def test_a_genome_with_a_root_and_a_declaration_renders_too(bench: Any, draft: TaskDraft, tmp_path: Path) -> None:
    assert draft.input is not None
    path = tmp_path / "get.xml"
    path.write_bytes(b'<?xml version="1.0"?>\n<get gen="1">' + draft.input.read_bytes() + b"</get>")
    plain = render.render(RenderOrder(spec.parse(SMALL), 2, input=draft.input), bench).read_bytes()
    assert render.render(RenderOrder(spec.parse(SMALL), 2, input=path), bench).read_bytes() == plain


def test_a_picture_holds_no_words_of_its_genome(bench: Any, draft: TaskDraft) -> None:
    text = render.render(RenderOrder(spec.parse(SMALL), 2, input=draft.input), bench).read_bytes()
    assert b"xform" not in text
    assert b"flam3" not in text


def test_without_flam3_the_engine_makes_the_same_picture(
    bench: Any, draft: TaskDraft, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ordered = spec.parse(SMALL)
    theirs = tmp_path / "theirs.png"
    theirs.write_bytes(render.render(RenderOrder(ordered, 2, input=draft.input), bench).read_bytes())
    monkeypatch.setattr(flam3, "find", lambda _: None)
    ours = render.render(RenderOrder(ordered, 2, input=draft.input), bench)
    assert ours.read_bytes() != theirs.read_bytes()
    assert compare.same(ours, theirs, Facts(ordered, 2))


def test_the_log_says_what_the_engine_cannot_render_and_that_flam3_would(
    genomes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (genomes / "r2.flam3").read_text().replace("<flame ", '<flame passes="3" ', 1).replace(' passes="1"', "")
    (tmp_path / "in.flam3").write_text(text)
    words = {"genomes": str(tmp_path / "in.flam3"), "picture": str(tmp_path / "out.png"), "time": "0", "seed": "1",
             "bits": "33", "jpeg_quality": "95", "threads": 1}  # fmt: skip
    assert program.main([json.dumps(words)]) == 1
    assert "flam3 would: a frame of 3 passes" in capsys.readouterr().err


@pytest.mark.parametrize(
    "told", [{"format": "/../../evil"}, {"format": "gif"}, {"bits": "33\0"}, {"seed": "a\0b"}, {"bits": 16}]
)
def test_what_a_farm_must_not_ask_for_fails(bench: Any, draft: TaskDraft, told: dict[str, Any]) -> None:
    with pytest.raises(RenderFailed, match="cannot do"):
        render.render(RenderOrder(told, 2, input=draft.input), bench)


def test_a_task_without_a_genome_fails(bench: Any) -> None:
    with pytest.raises(RenderFailed, match="without a genome"):
        render.render(RenderOrder(spec.parse(SMALL), 0), bench)


def test_a_broken_genome_fails(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("<flame size='96 72'><xform")
    with pytest.raises(RenderFailed):
        render.render(RenderOrder(spec.parse(SMALL), 0, input=tmp_path / "bad"), bench)


def test_an_older_picture_is_not_taken_for_a_new_one(bench: Any, tmp_path: Path) -> None:
    (bench.folder / "frame-0-0.png").write_bytes(b"old")
    (tmp_path / "empty").write_text("<other/>")
    with pytest.raises(RenderFailed):
        render.render(RenderOrder(spec.parse(SMALL), 0, input=tmp_path / "empty"), bench)
