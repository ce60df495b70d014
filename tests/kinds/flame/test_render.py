import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sheepfold.kinds import pictures
from sheepfold.kinds.flame import compare, flam3, render, spec, split
from sheepfold.kinds.flame.foresight import Outlook
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


class Watched(Bench):
    """A workbench that writes down which programs it ran, and which it started to stay; those set aside, too."""

    def __init__(self, folder: Path, kept: Path | None = None, *, has_walls: bool = False) -> None:
        super().__init__(folder, folder.parent / "log.txt", Limits(), has_walls=has_walls, kept=kept)
        self.seen: list[str] = []

    def run(self, argv: Sequence[str], env: Mapping[str, str], *, readable: Sequence[Path] = ()) -> None:
        self.seen.append(Path(argv[0]).name)
        super().run(argv, env, readable=readable)

    def start(self, argv: Sequence[str], env: Mapping[str, str], *, readable: Sequence[Path] = ()) -> Staying:
        self.seen.append("engine")
        return super().start(argv, env, readable=readable)

    @contextmanager
    def aside(self, time_s: float) -> Iterator[Bench]:
        self.seen.append("aside")
        with super().aside(time_s) as bench:
            yield bench


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what one worker keeps: a kernel is compiled once for all of these tests."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def watched(tmp_path: Path, kept: Path) -> Watched:
    shutil.rmtree(kept / "notes", ignore_errors=True)
    (tmp_path / "room").mkdir()
    return Watched(tmp_path / "room", kept, has_walls=sandbox.has_walls())


def test_without_flam3_the_engine_makes_the_same_picture(
    watched: Watched, draft: TaskDraft, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ordered = spec.parse(SMALL)
    theirs = tmp_path / "theirs.png"
    theirs.write_bytes(render.render(RenderOrder(ordered, 2, input=draft.input), watched).read_bytes())
    monkeypatch.setattr(flam3, "find", lambda _: None)
    ours = render.render(RenderOrder(ordered, 2, input=draft.input), watched)
    assert ours.read_bytes() != theirs.read_bytes()
    assert compare.same(ours, theirs, Facts(ordered, 2))


def test_the_engine_takes_over_once_flam3_has_cost_what_a_kernel_does_and_stays(
    watched: Watched, draft: TaskDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered = spec.parse(SMALL)
    order = RenderOrder(ordered, 2, input=draft.input)
    with closing(render.open_chain(order, watched)) as chain:
        theirs = pictures.pixels(chain.render(order))
        monkeypatch.setattr(render, "KERNEL_S", 0.0)
        chain.render(order)
        ours = pictures.pixels(chain.render(order))
        assert [name for name in watched.seen if name != "aside"] == ["flam3-animate", "engine"]
    assert pictures.psnr(ours, theirs) != pictures.IDENTICAL
    assert pictures.psnr(ours, theirs) > compare.LEAST_PSNR_DB


def test_a_kernel_that_is_kept_serves_the_next_order_of_such_frames(
    watched: Watched, draft: TaskDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = RenderOrder(spec.parse(SMALL), 2, input=draft.input)
    with monkeypatch.context() as patched:
        patched.setattr(render, "KERNEL_S", 0.0)
        render.render(order, watched)
    watched.seen.clear()
    render.render(RenderOrder(spec.parse(SMALL | {"seed": 7}), 2, input=draft.input), watched)
    assert watched.seen == ["flam3-animate"]  # for one cheap frame the engine is not even started
    monkeypatch.setattr(render, "START_S", 0.0)
    render.render(RenderOrder(spec.parse(SMALL | {"seed": 8}), 2, input=draft.input), watched)
    assert watched.seen == ["flam3-animate", "engine"]


def test_what_flam3_cost_is_counted_over_all_orders_of_such_frames(
    watched: Watched, draft: TaskDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wire of Electric Sheep knows no orders: each frame of a sheep comes by itself."""
    for seed in ("a", "b", "c"):
        order = RenderOrder({"format": "jpg", "bits": 33, "seed": seed}, 2, input=draft.input)
        render.render(order, watched)
    (note,) = (watched.kept / "notes").iterdir()
    spent_s = json.loads(note.read_text())["flam3_s"]
    assert spent_s > 0
    monkeypatch.setattr(render, "KERNEL_S", spent_s)
    render.render(RenderOrder({"format": "jpg", "bits": 33, "seed": "d"}, 2, input=draft.input), watched)
    assert [name for name in watched.seen if name != "aside"] == 3 * ["flam3-animate"] + ["engine"]


def test_at_half_of_its_price_a_kernel_is_compiled_beside_flam3(
    watched: Watched, draft: TaskDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(render, "START_S", 0.0)
    order = RenderOrder(spec.parse(SMALL), 2, input=draft.input)
    with closing(render.open_chain(order, watched)) as chain:
        monkeypatch.setattr(render, "KERNEL_S", 1.5 * flam3.cost_ms(order.spec) / 1000)
        chain.render(order)
        assert sorted(watched.seen)[:2] == ["aside", "flam3-animate"]
        monkeypatch.setattr(render, "KERNEL_S", 1000.0)
        assert chain._coming is not None
        wait([chain._coming.kernel])
        chain.render(order)
        assert watched.seen[-1] == "engine"


def test_a_chain_that_ends_ends_what_is_being_compiled(
    draft: TaskDraft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    order = RenderOrder(spec.parse(SMALL), 2, input=draft.input)
    (tmp_path / "room").mkdir()
    chain = render.open_chain(order, Watched(tmp_path / "room"))
    monkeypatch.setattr(render, "KERNEL_S", 1.5 * flam3.cost_ms(order.spec) / 1000)
    chain.render(order)
    assert chain._coming is not None
    chain.close()
    assert chain._coming is None
    assert not list(tmp_path.glob("aside-*"))


def test_a_dear_frame_is_the_engines_at_once(bench: Bench, draft: TaskDraft) -> None:
    dear, cheap = flam3.cost_ms(spec.parse({"width": 1280, "height": 720, "quality": 500})) / 1000, 0.1
    with closing(render.open_chain(RenderOrder({}, 2), bench)) as chain:
        assert chain._is_engines(Outlook(dear, "a"))
        assert not chain._is_engines(Outlook(cheap, "a"))


def test_what_the_engine_cannot_render_is_flam3s_from_then_on(
    genomes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = re.sub(r' scale="[^"]*"', ' scale="1e9"', (genomes / "r2.flam3").read_text())
    (tmp_path / "in.flam3").write_text(re.sub(r' size="[^"]*"', ' size="64 48"', text))
    (tmp_path / "room").mkdir()
    bench = Watched(tmp_path / "room")
    order = RenderOrder(spec.parse(SMALL), 0, input=tmp_path / "in.flam3")
    monkeypatch.setattr(render, "KERNEL_S", 0.0)
    with closing(render.open_chain(order, bench)) as chain:
        chain.render(order)
        chain.render(order)
    assert bench.seen == ["engine", "flam3-animate", "flam3-animate"]
    monkeypatch.setattr(flam3, "find", lambda _: None)
    with pytest.raises(RenderFailed, match="a camera so close"):
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
