"""The real flam3-genome, to compare genome operations with."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def oracle() -> ModuleType:
    """Return engine/oracle.py: random genomes, flam3-genome's answers, and how far two answers lie apart."""
    place = Path(__file__).parent / "engine" / "oracle.py"
    found = importlib.util.spec_from_file_location("flame_oracle", place)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
