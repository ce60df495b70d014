"""The graphics card's kernels: PTX where there is numba-cuda, pictures where there is a device."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sheepfold.kinds.flame.engine import codegen, gpu, render, xml
from sheepfold.kinds.flame.engine.codegen import Shape, Structure
from sheepfold.kinds.flame.engine.render import Frame
from sheepfold.kinds.flame.engine.variations import TABLE

GENOMES = Path(__file__).parents[3] / "genomes"


@pytest.mark.slow  # twenty seconds of compiling; the two below go every other way through the source
def test_all_variations_compile_to_ptx():
    pytest.importorskip("numba_cuda")
    names = tuple(TABLE)
    thirds = tuple(Shape(names[start::3], has_post=start == 1) for start in range(3))
    ptx = gpu.to_ptx(Structure(thirds, final=Shape(("linear", "blur")), final_is_partial=True, has_opacity=True))
    assert ".visible .entry" in ptx
    assert "red." in ptx or "atom." in ptx


def test_a_partial_final_transform_and_opacity_compile_to_ptx():
    pytest.importorskip("numba_cuda")
    shapes = (Shape(("julian", "disc"), has_post=True), Shape(("blur",)))
    ptx = gpu.to_ptx(Structure(shapes, final=Shape(("linear",)), final_is_partial=True, has_opacity=True))
    assert ".visible .entry" in ptx
    assert "red." in ptx or "atom." in ptx


def test_xaos_compiles_to_ptx():
    pytest.importorskip("numba_cuda")
    assert ".entry" in gpu.to_ptx(Structure((Shape(("linear",)), Shape(("disc",))), has_xaos=True, count_apart=True))


def test_no_device_function_is_left():
    """A device function would be compiled for the device at hand, so that nothing compiled without one."""
    text = codegen.graphics_source(Structure((Shape(("bent", "julia")),)))
    assert "pick(" in text
    assert "xorshift" not in gpu._shifts_written_out(text)


@pytest.mark.skipif(not gpu.is_there(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["s11", "s14", "s16", "final"])
def test_the_gpus_picture_is_the_cpus(name):
    genome = replace(xml.read((GENOMES / f"{name}.flam3").read_bytes())[0], quality=200.0)
    pictures = [
        render.render(Frame((genome,)), seed, device=device).astype(float)
        for seed, device in ((1, render.CPU), (2, render.CPU), (1, render.GPU))
    ]
    noise, distance = (np.square(pictures[0] - other).mean() for other in pictures[1:])
    assert 10 * np.log10(distance / noise) < 0.3
