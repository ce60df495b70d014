"""Houses for the tests of faults: each ends with its test, whatever has become of it."""

import pytest
from tests.conftest import new_database
from tests.faults.ground import House


@pytest.fixture
def build(request, tmp_path):
    """Build a house on a database of a sort."""
    built, open_databases = [], []

    def build_(dialect="sqlite", **more):
        folder = tmp_path / f"house{len(built)}"
        folder.mkdir()
        url = ""
        if dialect == "postgresql":
            database = new_database(dialect, request, folder)
            open_databases.append(database)
            url = database.url
        built.append(House(folder, url, **more))
        return built[-1]

    yield build_
    for house in built:
        if house.process is not None and house.process.poll() is None:
            house.kill()
    for database in open_databases:
        database.__exit__()
