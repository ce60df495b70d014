"""What tasks need and what machines can do."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.model.matching import ANY, Abilities, Browser, Compute, Needs, Program, satisfies

WORDS = st.text(max_size=12)
COUNTS = st.integers(0, 2**20)
NEEDS = st.builds(
    Needs, kind=WORDS, renderer=WORDS, renderer_version=WORDS, browser=WORDS, browser_version=WORDS, platform=WORDS,
    protocol=WORDS, width=COUNTS, height=COUNTS, depth=COUNTS, memory_mib=COUNTS, compute=st.sampled_from(Compute),
)  # fmt: skip
FEW_WORDS = st.sampled_from(["", "a", "b", "a b", "b c", "c", "b c 1", "1"])
PROGRAMS = st.frozensets(st.builds(Program, FEW_WORDS, FEW_WORDS), max_size=3)
ABILITIES = st.builds(
    Abilities, kinds=st.frozensets(FEW_WORDS, max_size=2), renderers=PROGRAMS, browsers=PROGRAMS, platform=FEW_WORDS,
    protocol=FEW_WORDS, sizes=st.frozensets(st.tuples(COUNTS, COUNTS), max_size=2),
    depths=st.frozensets(COUNTS, max_size=2), memory_mib=COUNTS, cpu=st.booleans(), gpu=st.booleans(),
)  # fmt: skip

ABLE = Abilities(
    kinds=frozenset({"screenshot"}),
    renderers=frozenset({Program("blender", "4.2.1")}),
    browsers=frozenset({Program("Firefox", "128.0.3")}),
    platform="linux",
    protocol="browsershots",
    sizes=frozenset({(1024, 768), (800, 600)}),
    depths=frozenset({16, 24}),
    memory_mib=4096,
)
EASY = Needs(kind="screenshot")


@given(NEEDS)
def test_needs_come_back_from_their_canonical_text(needs: Needs):
    assert Needs.from_canonical(needs.canonical()) == needs


@given(NEEDS, NEEDS)
def test_different_needs_have_different_texts(one: Needs, other: Needs):
    assert (one.canonical() == other.canonical()) == (one == other)


def test_needs_that_are_any_are_left_out_of_the_text():
    assert Needs("flame", width=800).canonical() == '{"kind":"flame","width":800}'


@given(ABILITIES, ABILITIES)
def test_different_abilities_have_different_texts(one: Abilities, other: Abilities):
    assert (one.canonical() == other.canonical()) == (one == other)


def test_a_programs_name_and_version_are_not_run_together():
    one = replace(ABLE, browsers=frozenset({Program("Internet Explorer", "6.0")}))
    other = replace(ABLE, browsers=frozenset({Program("Internet", "Explorer 6.0")}))
    assert one.canonical() != other.canonical()


def test_abilities_text_does_not_depend_on_the_order_of_sets():
    programs = [Program(name, "1") for name in "abcdefgh"]
    forth, back = (Abilities(frozenset({"x"}), frozenset(order)) for order in (programs, programs[::-1]))
    assert forth.canonical() == back.canonical()


@pytest.mark.parametrize(
    ("version", "wanted", "covered"),
    [
        ("3.1.1", ANY, True), ("3.1.1", "3.1.1", True), ("3.1.1", "3.1", True), ("3.1.1", "3", True),
        ("3.10.1", "3.1", False), ("3.1", "3.1.1", False), (ANY, "3.1", False), (ANY, ANY, True),
    ],
)  # fmt: skip
def test_a_version_covers_what_it_begins_with(version: str, wanted: str, covered: bool):
    assert Program("flam3", version).covers("FLAM3", wanted) is covered


def test_another_programs_version_covers_nothing():
    assert not Program("flam3", "3.1.1").covers("flam", "3.1.1")


@pytest.mark.parametrize(
    "needs",
    [
        EASY,
        replace(EASY, renderer="blender"),
        replace(EASY, renderer="Blender", renderer_version="4.2"),
        replace(EASY, browser="firefox", browser_version="128"),
        replace(EASY, platform="linux"),
        replace(EASY, protocol="browsershots"),
        replace(EASY, width=1024),
        replace(EASY, height=600),
        replace(EASY, width=1024, height=768),
        replace(EASY, depth=24),
        replace(EASY, memory_mib=4096),
        replace(EASY, compute=Compute.CPU),
    ],
    ids=Needs.canonical,
)
def test_a_machine_satisfies_what_it_can_do(needs: Needs):
    assert satisfies(ABLE, needs)


@pytest.mark.parametrize(
    "needs",
    [
        Needs(kind="flame"),
        replace(EASY, renderer="flam3"),
        replace(EASY, renderer="blender", renderer_version="5"),
        replace(EASY, browser="Firefox", browser_version="12"),
        replace(EASY, browser="Opera"),
        replace(EASY, platform="windows"),
        replace(EASY, protocol="rest"),
        replace(EASY, width=640),
        replace(EASY, width=1024, height=600),
        replace(EASY, depth=32),
        replace(EASY, memory_mib=4097),
        replace(EASY, compute=Compute.GPU),
    ],
    ids=Needs.canonical,
)
def test_a_machine_does_not_satisfy_what_it_cannot_do(needs: Needs):
    assert not satisfies(ABLE, needs)


def test_without_sizes_and_depths_any_can_be_made():
    free = Abilities(frozenset({"screenshot"}))
    assert satisfies(free, replace(EASY, width=12_345, height=7, depth=3))


@pytest.mark.parametrize(("cpu", "gpu", "served"), [(True, False, True), (False, True, True), (False, False, False)])
def test_either_processor_serves_a_task_that_names_none(cpu: bool, gpu: bool, served: bool):
    assert satisfies(replace(ABLE, cpu=cpu, gpu=gpu), EASY) is served


@given(ABILITIES, NEEDS)
def test_asking_for_less_is_never_harder(abilities: Abilities, needs: Needs):
    if not satisfies(abilities, needs):
        return
    for field in fields(Needs):
        if field.name != "kind" and field.name not in {"width", "height"}:
            assert satisfies(abilities, replace(needs, **{field.name: field.default})), field.name


@pytest.mark.parametrize(
    ("wanted", "found", "is_served"),
    [
        ("", "disabled", True),
        ("disabled", "disabled", True),
        ("disabled", "enabled", False),
        ("enabled", "enabled", True),
        ("enabled", "1.5", True),
        ("enabled", "disabled", False),
        ("1.5", "1.5", True),
        ("1.5", "enabled", False),
    ],
)
def test_a_browsers_features_are_matched_as_browsershots_did(wanted: str, found: str, is_served: bool) -> None:
    able = replace(ABLE, browsers=frozenset({Browser("Firefox", "2.0", java=found)}))
    assert satisfies(able, Needs("screenshot", browser="firefox", java=wanted)) is is_served


def test_one_browser_must_have_both_the_version_and_the_feature() -> None:
    browsers = frozenset({Browser("Firefox", "2.0", java="enabled"), Browser("Firefox", "3.0", java="disabled")})
    able = replace(ABLE, browsers=browsers)
    assert not satisfies(able, Needs("screenshot", browser="firefox", browser_version="3.0", java="enabled"))


def test_a_browser_that_nothing_is_known_of_runs_scripts_or_not_but_no_plugins() -> None:
    assert satisfies(ABLE, Needs("screenshot", browser="firefox", javascript="disabled"))
    assert not satisfies(ABLE, Needs("screenshot", browser="firefox", flash="enabled"))
