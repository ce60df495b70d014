import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.kinds.flame import flam3
from sheepfold.kinds.flame.spec import parse


def test_this_machines_flam3_tells_its_version() -> None:
    assert flam3.version().split(".")[0] == "3"


def test_the_arguments_say_one_frame_in_one_format_with_one_seed() -> None:
    spec = parse({"format": "jpg", "jpeg_quality": 90, "seed": 7})
    args = flam3.animate_args(spec, 12, 1)
    assert args == {
        "bits": "33",
        "format": "jpg",
        "jpeg": "90",
        "time": "12",
        "isaac_seed": flam3.isaac_seed(spec, 12, 1),
        "enable_png_comments": "0",
        "enable_jpeg_comments": "0",
    }


def test_the_arguments_of_a_png_have_no_jpeg_quality() -> None:
    assert "jpeg" not in flam3.animate_args(parse({}), 0)


@given(st.sets(st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 1999), st.integers(0, 15)), min_size=2, max_size=50))
def test_every_part_of_every_frame_of_every_order_has_a_seed_of_its_own(places: set[tuple[int, int, int]]) -> None:
    seeds = {flam3.isaac_seed({"seed": seed}, frame, part) for seed, frame, part in places}
    assert len(seeds) == len(places)
    assert all(len(seed) == 16 and seed.isalnum() for seed in seeds)


def test_a_seed_that_a_wire_told_is_used_as_it_is() -> None:
    assert flam3.isaac_seed({"seed": "0123abcd"}, 5, 1) == "0123abcd"


def test_cost_grows_with_the_picture_and_parts_share_it() -> None:
    small, large = flam3.cost_ms(parse({"width": 400, "height": 296})), flam3.cost_ms(parse({}))
    assert 3.5 < large / small < 4.5
    assert flam3.cost_ms(parse({"quality": 1000, "parts": 10})) < flam3.cost_ms(parse({"quality": 1000})) / 8
    assert flam3.cost_ms(parse({"width": 16, "height": 16, "quality": 0.01})) == 1


def test_only_a_monstrous_picture_needs_memory_that_a_client_must_tell_of() -> None:
    assert flam3.memory_mib(parse({"width": 1920, "height": 1080})) == 0
    assert flam3.memory_mib(parse({"width": 8192, "height": 8192})) > 2000


@pytest.mark.parametrize("bits", [33, 64])
def test_the_memory_told_is_what_flam3_takes(genomes: Path, tmp_path: Path, bits: int) -> None:
    spec = parse({"width": 8192, "height": 1024, "supersample": 2, "bits": bits})
    told = flam3.memory_mib(spec) / 4  # of a picture that is a fourth as wide, to be quick
    text = (genomes / "r2.flam3").read_text().replace('size="100 100"', 'size="2048 1024"')
    (tmp_path / "in").write_text(text.replace('supersample="1"', 'supersample="2"'))
    args = {"in": str(tmp_path / "in"), "out": str(tmp_path / "out.png"), "bits": str(bits), "nthreads": "1"}
    used = _peak_mib([str(flam3.find("flam3-render"))], args)
    assert (tmp_path / "out.png").stat().st_size > 0
    assert told * 0.6 < used < told * 1.4


PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=sys.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _peak_mib(argv: list[str], env: dict[str, str]) -> float:
    """Run a program and return its peak of memory; from the tests it would have that of theirs, so from a small one."""
    small = [sys.executable, "-I", "-S", "-c", PEAK, *argv]
    return int(subprocess.run(small, env=env, capture_output=True, check=True).stdout) / 1024
