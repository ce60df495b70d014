import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sheepfold.kinds import pictures
from sheepfold.kinds.flame import compare, flam3, render, spec, split
from sheepfold.kinds.seam import Facts, RenderFailed, RenderOrder, TaskDraft
from sheepfold.worker import sandbox
from sheepfold.worker.bench import Bench, Staying
from sheepfold.worker.sandbox import Limits

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
    bench: Bench, draft: TaskDraft, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ordered = spec.parse(SMALL)
    theirs = tmp_path / "theirs.png"
    theirs.write_bytes(render.render(RenderOrder(ordered, 2, input=draft.input), bench).read_bytes())
    monkeypatch.setattr(flam3, "find", lambda _: None)
    ours = render.render(RenderOrder(ordered, 2, input=draft.input), bench)
    assert ours.read_bytes() != theirs.read_bytes()
    assert compare.same(ours, theirs, Facts(ordered, 2))


class Watched(Bench):
    """A workbench that writes down which programs it ran, and which it started to stay."""

    def __init__(self, folder: Path, *, has_walls: bool = False) -> None:
        super().__init__(folder, folder.parent / "log.txt", Limits(), has_walls=has_walls)
        self.seen: list[str] = []

    def run(self, argv: Sequence[str], env: Mapping[str, str], *, readable: Sequence[Path] = ()) -> None:
        self.seen.append(Path(argv[0]).name)
        super().run(argv, env, readable=readable)

    def start(self, argv: Sequence[str], env: Mapping[str, str], *, readable: Sequence[Path] = ()) -> Staying:
        self.seen.append("engine")
        return super().start(argv, env, readable=readable)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    (tmp_path / "room").mkdir()
    return Watched(tmp_path / "room", has_walls=sandbox.has_walls())


def test_the_engine_takes_over_once_flam3_has_cost_what_its_start_does_and_stays(
    watched: Watched, draft: TaskDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered = spec.parse(SMALL)
    order = RenderOrder(ordered, 2, input=draft.input)
    with closing(render.open_chain(order, watched)) as chain:
        theirs = pictures.pixels(chain.render(order))
        monkeypatch.setattr(render, "ENGINE_START_S", 0.0)
        chain.render(order)
        ours = pictures.pixels(chain.render(order))
        assert watched.seen == ["flam3-animate", "engine"]
    assert pictures.psnr(ours, theirs) != pictures.IDENTICAL
    assert pictures.psnr(ours, theirs) > compare.LEAST_PSNR_DB


def test_a_dear_frame_is_the_engines_at_once(bench: Bench, draft: TaskDraft) -> None:
    dear = RenderOrder(spec.parse({"width": 1280, "height": 720, "quality": 500}), 2, input=draft.input)
    cheap = RenderOrder(spec.parse(SMALL), 2, input=draft.input)
    with closing(render.open_chain(dear, bench)) as chain:
        assert chain._is_engines(dear)
        assert not chain._is_engines(cheap)
        assert not chain._is_engines(RenderOrder({"format": "png"}, 2, input=draft.input))


@pytest.mark.parametrize(
    ("words", "is_dear"),
    [('size="1280 720" quality="500"', True), ('size="64 48" quality="500"', False), ('size="1280 720"', False),
     ('size="1280" quality="500"', False), ('size="1280 720" quality="inf"', False), ("", False)],
)  # fmt: skip
def test_where_a_wire_tells_no_size_the_genome_says_how_dear_a_frame_is(
    bench: Bench, tmp_path: Path, words: str, *, is_dear: bool
) -> None:
    """Electric Sheep's words are `format`, `bits` and a seed."""
    path = tmp_path / "get.xml"
    path.write_text(f'<get gen="1"><flame time="1" {words}/><flame time="2" {words}/></get>')
    order = RenderOrder({"format": "png", "bits": 33, "seed": "a"}, 1, input=path)
    with closing(render.open_chain(order, bench)) as chain:
        assert chain._is_engines(order) == is_dear


def test_what_the_engine_cannot_render_is_flam3s_from_then_on(
    genomes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (genomes / "r2.flam3").read_text().replace(' passes="1"', "").replace("<flame ", '<flame passes="3" ', 1)
    (tmp_path / "in.flam3").write_text(re.sub(r' size="[^"]*"', ' size="64 48"', text))
    (tmp_path / "room").mkdir()
    bench = Watched(tmp_path / "room")
    order = RenderOrder(spec.parse(SMALL), 0, input=tmp_path / "in.flam3")
    monkeypatch.setattr(render, "ENGINE_START_S", 0.0)
    with closing(render.open_chain(order, bench)) as chain:
        chain.render(order)
        chain.render(order)
    assert bench.seen == ["engine", "flam3-animate", "flam3-animate"]
    monkeypatch.setattr(flam3, "find", lambda _: None)
    with pytest.raises(RenderFailed, match="a frame of 3 passes"):
        render.render(order, bench)


def test_a_genome_is_not_written_through_a_link_that_a_renderer_left(
    bench: Bench, draft: TaskDraft, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the volunteer's")
    (bench.folder / "frame-2-0.flam3").symlink_to(secret)
    render.render(RenderOrder(spec.parse(SMALL), 2, input=draft.input), bench)
    assert secret.read_text() == "the volunteer's"


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
