import pytest

from sheepfold.kinds import registry

SERVERS = {"spec": "parse", "split": "split", "inspect": "inspect", "compare": "same", "preview": "preview"}


@pytest.mark.parametrize("kind", registry.KINDS)
@pytest.mark.parametrize(("module", "function"), [*SERVERS.items(), ("assemble", "assemble")])
def test_every_kind_answers_what_the_house_asks(kind: str, module: str, function: str) -> None:
    assert callable(getattr(registry.module_of(kind, module), function))
