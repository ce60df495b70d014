import inspect

import pytest

from sheepfold.kinds import registry
from sheepfold.model.errors import InvalidSpec

SERVERS = {"spec": "parse", "split": "split", "inspect": "inspect", "compare": "same", "preview": "preview"}


@pytest.mark.parametrize("kind", registry.KINDS)
@pytest.mark.parametrize(("module", "function"), [*SERVERS.items(), ("assemble", "assemble")])
def test_every_kind_answers_what_the_house_asks(kind: str, module: str, function: str) -> None:
    assert callable(getattr(registry.module_of(kind, module), function))


OPTIONAL = {("complete", "complete"): 3, ("archive", "pack"): 3, ("render", "open_chain"): 2, ("offer", "offer"): 0}


@pytest.mark.parametrize("kind", registry.KINDS)
@pytest.mark.parametrize(("module", "function"), OPTIONAL)
def test_what_a_kind_answers_besides_takes_what_the_house_gives(kind: str, module: str, function: str) -> None:
    answering = getattr(registry.optional_module_of(kind, module), function, None)
    if answering is not None:
        assert len(inspect.signature(answering).parameters) == OPTIONAL[module, function]


def test_a_module_that_a_kind_need_not_have_may_be_missing() -> None:
    assert registry.optional_module_of("flame", "complete") is None
    assert registry.optional_module_of("blender", "complete") is not None
    with pytest.raises(InvalidSpec):
        registry.optional_module_of("sculpture", "complete")


@pytest.mark.parametrize("kind", registry.KINDS)
def test_what_a_kind_offers_can_be_ordered(kind: str) -> None:
    offered = registry.module_of(kind, "offer").offer()
    parse = registry.module_of(kind, "spec").parse
    assert all(parse(sample.spec) and all(path.is_file() for path in sample.inputs.values())
               for sample in offered.samples)
    assert not offered.sketch or parse(offered.sketch)
