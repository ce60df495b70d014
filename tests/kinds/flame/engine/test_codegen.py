from dataclasses import replace

import pytest

from sheepfold.kinds.flame.engine import codegen
from sheepfold.kinds.flame.engine.codegen import Shape, Structure
from sheepfold.kinds.flame.engine.variations import TABLE

PLAIN = Structure((Shape(("linear",)), Shape(("julian", "blur")), Shape(("linear",))))


@pytest.mark.parametrize("name", sorted(TABLE))
def test_each_rows_source_is_python(name):
    shape = Shape((name,), has_post=True)
    for source in (codegen.processor_source(Structure((shape,))), codegen.graphics_source(Structure((shape,)))):
        compile(source, name, "exec")


def test_numbers_become_float32_and_names_do_not():
    assert codegen.typed("2.0 * c10 + 1e-20 - u1") == "F(2.0) * c10 + F(1e-20) - u1"


def test_equal_shapes_share_a_function():
    assert len(codegen.distinct(PLAIN)) == 2


def test_the_key_tells_structures_apart():
    others = [replace(PLAIN, has_xaos=True), replace(PLAIN, count_apart=True), replace(PLAIN, final=Shape(("disc",)))]
    assert len({structure.key for structure in [PLAIN, *others]}) == 4
    assert PLAIN.key == Structure(PLAIN.shapes).key


def test_slices_lie_one_after_another():
    places = codegen.offsets(replace(PLAIN, final=Shape(("disc",))))
    assert [start for start, _ in places[1:]] == [end for _, end in places[:-1]]
