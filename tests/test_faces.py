"""What can be done over REST, by the Python client, at a shell and on a page: the table in docs/faces.md tells all."""

import re
from pathlib import Path

import pytest
import typer.main
from fastapi.testclient import TestClient

from sheepfold.cli.completion import candidates
from sheepfold.cli.main import COMMANDS, app_of
from sheepfold.config import Settings
from sheepfold.farm.farm import open_farm
from sheepfold.protocols.rest.client import FarmClient
from sheepfold.protocols.rest.endpoints import application
from sheepfold.web.pages import routes

TABLE = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
PAGE = (Path(__file__).parent.parent / "docs" / "faces.md").read_text("utf-8")
REST, METHOD, COMMAND, FORM = range(4)
AFAR = {"--server", "--key", "--data", "--account", "--json"}
ALONE = {"account add", "people password", "work", "check"}
"""Commands of the table that serve one farm's folder, or a volunteer's machine, and take no key that orders."""
NO_WORDS = {"close", "url"}
"""What a client has besides its methods for requests."""


def told(column):
    """Return what stands in a column of the table."""
    return {name for row in TABLE.findall(PAGE)[1:] for name in re.findall(r"`([^`]+)`", row[column])}


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    with open_farm(Settings(tmp_path_factory.mktemp("farm")), lambda key, name: []) as opened:
        yield opened


def commands():
    """Return all commands by their words."""
    found = {}
    for word in COMMANDS:
        parser = typer.main.get_command(app_of(word))
        inner = {f"{word} {name}": one for name, one in getattr(parser, "commands", {word: parser}).items()}
        found |= inner if hasattr(parser, "commands") else {word: parser}
    return found


def options_of(command):
    return {word for one in command.params for word in one.opts if word.startswith("--")}


def test_every_operation_is_in_the_table(farm):
    paths = TestClient(application(farm)).get("/openapi.json").json()["paths"]
    served = {f"{method.upper()} {path.removeprefix('/v1')}" for path, methods in paths.items() for method in methods}
    assert told(REST) == served


def test_every_form_of_the_pages_is_in_the_table(farm):
    posted = {route.path for route in routes(farm) if "POST" in (getattr(route, "methods", None) or ())}
    assert told(FORM) == posted


def test_every_method_of_the_client_is_in_the_table():
    methods = {name for name in dir(FarmClient) if not name.startswith("_")} - NO_WORDS
    assert told(METHOD) == methods


def test_every_command_is_on_the_page():
    known = commands()
    assert told(COMMAND) <= set(known)
    alone = set(re.findall(r"`([^`]+)`", re.sub(r"\s+", " ", PAGE.rpartition("|\n")[2])))
    groups = {word for word in COMMANDS if word in alone}
    unsaid = {one for one in known if one not in told(COMMAND) | alone and one.split()[0] not in groups}
    assert unsaid == set()


def test_every_command_of_the_table_takes_a_farm_near_or_far_and_tells_json():
    known = commands()
    for words in told(COMMAND) - ALONE:
        assert options_of(known[words]) >= AFAR, words


def test_an_operation_without_method_and_command_is_for_workers_or_said_twice():
    bare = {row[REST].strip("`") for row in TABLE.findall(PAGE)[1:] if row[METHOD] == row[COMMAND] == "–"}
    assert bare - {"–"} == {"HEAD /uploads/{upload_id}"}


def test_every_command_is_completed():
    for words in told(COMMAND):
        assert words.split()[-1] in candidates(words.split())
