"""What the documents say, held against the code: commands, names, tables, messages, and the example that extends it."""

import ast
import dataclasses
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main
from pydantic import BaseModel
from starlette.routing import Route
from starlette.testclient import TestClient

from sheepfold.cli.main import COMMANDS
from sheepfold.config import Settings, written
from sheepfold.farm.farm import open_farm
from sheepfold.protocols.browsershots.faults import ERROR_FAULTS
from sheepfold.protocols.browsershots.methods import METHODS
from sheepfold.protocols.browsershots.xmlrpc import Fault, Value, read_response
from sheepfold.protocols.electricsheep import wire as sheep_wire
from sheepfold.protocols.electricsheep.endpoints import routes as sheep_routes
from sheepfold.protocols.registry import PROTOCOLS
from sheepfold.protocols.rest import wire as rest_wire
from sheepfold.protocols.rest.endpoints import application
from sheepfold.protocols.rest.problem_wire import REFUSALS, Problem
from sheepfold.protocols.sheepit import wire as sheepit_wire

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "sheepfold"
WIRES = DOCS / "protocols"
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|\s|/bin/)sheepfold ([a-z]+ .*)")


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECK_DOCS = script("check_docs")


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def fences(page: Path, language: str) -> list[tuple[str, str]]:
    """Give the blocks of code in a language: what stands behind its name, and the code."""
    found = [(info.partition(" "), code) for info, code in FENCE.findall(text_of(page))]
    return [(rest, code) for (name, _, rest), code in found if name == language]


def rows(page: Path, first_head: str, nth: int = 0) -> list[list[str]]:
    """Give the cells of the table whose first column has a head, the `nth` of them on a page."""
    tables = re.findall(r"(?:^\|.*\n)+", text_of(page), re.MULTILINE)
    cells = [[[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()]
             for table in tables]
    return [table for table in cells if table[0][0] == first_head][nth][2:]


def bare(cell: str) -> str:
    return cell.strip("`")


# --- commands ---------------------------------------------------------------------------------------------------------


def commands() -> Iterator[str]:
    for page in pages():
        for code in CHECK_DOCS.code_of(text_of(page)):
            if found := COMMAND.search(CHECK_DOCS.END_OF_COMMAND.split(code)[0]):
                yield found[1].strip()


@cache
def parser_of(word: str) -> Any:
    return typer.main.get_command(importlib.import_module(COMMANDS[word].module).app)


def complaint_about(command: str) -> str:
    """Say what a command line names that does not exist, or that too much stands in it; empty if all is well."""
    first, *words = command.split()
    if first not in COMMANDS:
        return f"there is no command {first}"
    parser = parser_of(first)
    while hasattr(parser, "commands") and words:
        if words[0] not in parser.commands:
            return f"there is no command {first} {words[0]}"
        parser = parser.commands[words.pop(0)]
    return _complaint_about_words(parser, words)


def _complaint_about_words(parser: Any, words: list[str]) -> str:
    options = {name: one for one in parser.params for name in one.opts if name.startswith("--")}
    places = [one for one in parser.params if not one.opts[0].startswith("--")]
    arguments = 0
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            arguments += 1
        elif word not in {*options, "--help"}:
            return f"there is no option {word}"
        elif word in options and not getattr(options[word], "is_flag", False):
            words = words[1:]
    return "" if arguments <= len(places) else f"{arguments} arguments, where {len(places)} are taken"


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_every_command_line_of_the_documents_can_be_typed(command: str):
    assert complaint_about(command) == ""


def test_a_command_line_that_cannot_be_typed_is_found():
    assert complaint_about("graze --data farm") == "there is no command graze"
    assert complaint_about("job graze 1000") == "there is no command job graze"
    assert complaint_about("serve --data farm --grass 3") == "there is no option --grass"
    assert complaint_about("key revoke one two --data farm") == "2 arguments, where 1 are taken"


def test_every_command_is_in_the_documents():
    assert {command.split()[0] for command in commands()} >= COMMANDS.keys() - {"demo", "dev"}


def test_the_volunteers_page_names_options_that_the_worker_has():
    options = {name for one in parser_of("work").params for name in one.opts}
    named = [bare(row[0]).split()[0] for row in rows(DOCS / "volunteer" / "README.md", "option")]
    assert len(named) > 5
    assert set(named) <= options


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_of_the_documents_exist(page: Path):
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    assert set(re.findall(r"`?\bmake ([a-z-]+)(?:`|\s+#| [A-Z]+=)", text_of(page))) <= targets


# --- names and paths --------------------------------------------------------------------------------------------------


def named_paths(page: Path) -> set[str]:
    spans = re.findall(r"`((?:src|tests|docs|bench|scripts)/[^`\s]+)`", text_of(page))
    return {span for span in spans if not re.search(r"[A-Z]{4,}", span)}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_of_the_documents_exists(page: Path):
    assert {path for path in named_paths(page) if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_the_documents_leads_somewhere(page: Path):
    text = CHECK_DOCS.FENCE.sub("", text_of(page))
    assert list(CHECK_DOCS._complain_of_links(ROOT, page, text)) == []


def names_defined_in(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(text_of(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def stops() -> list[tuple[str, set[str]]]:
    """Give the stops of the tour: a path, and the names to be read there."""
    lines = re.findall(r"^> `(src/[^`]+)`: (.*)$", text_of(DOCS / "tour" / "README.md"), re.MULTILINE)
    return [(path, set(re.findall(r"`(\w+)`", names))) for path, names in lines]


def test_the_tour_visits_functions_that_exist():
    missing = {path: names - names_defined_in(ROOT / path) for path, names in stops()}
    assert {path: names for path, names in missing.items() if names} == {}


def test_the_tour_visits_every_layer_of_the_house():
    visited = {path.split("/")[2].removesuffix(".py") for path, _ in stops()}
    layers = {path.stem for path in SOURCE.iterdir() if not path.stem.startswith("_")}
    assert layers - visited == {"certificate", "client", "config", "py"}


def public_classes(path: Path) -> set[str]:
    classes = (node for node in ast.parse(text_of(path)).body if isinstance(node, ast.ClassDef))
    return {node.name for node in classes if not node.name.startswith("_")}


@pytest.mark.parametrize("path", sorted((SOURCE / "model").glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_the_glossary_names_every_noun_of_the_model(path: Path):
    page = text_of(DOCS / "glossary.md")
    assert f"`{path.relative_to(ROOT).as_posix()}`" in page
    if path.stem != "errors":
        assert {name for name in public_classes(path) if f"`{name}`" not in page} == set()


def test_what_the_glossary_names_stands_where_it_says():
    wrong = []
    for row in rows(DOCS / "glossary.md", "word"):
        if found := re.fullmatch(r"((?:`\w+`(?:, )?)+) in `(\S+)`", row[2]):
            names = set(re.findall(r"\w+", found[1]))
            wrong += [f"{name} in {found[2]}" for name in names - names_defined_in(ROOT / found[2])]
    assert wrong == []


# --- tables -----------------------------------------------------------------------------------------------------------


def test_the_table_of_settings_is_that_of_the_code():
    told = {bare(row[0]): bare(row[2]) for row in rows(DOCS / "operate" / "README.md", "setting")}
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    assert list(told) == list(fields)
    assert told.pop("data") == ""
    for name, text in told.items():
        assert text == written(fields[name].default), name


def by_name(table: Mapping[type[Exception], object]) -> dict[str, object]:
    return {error.__name__: value for error, value in table.items()}


def test_the_errors_of_electric_sheep_are_those_of_the_code():
    page = WIRES / "electricsheep.md"
    told = {bare(row[0]): (int(row[1]), row[2]) for row in rows(page, "error")}
    known = {name: (one.status, one.body.decode().strip()) for name, one in by_name(sheep_wire.ERROR_ANSWERS).items()}
    assert told == known
    told_of_put = {bare(row[0]): int(row[1]) for row in rows(page, "error", 1)}
    assert told_of_put == {name: one.status for name, one in by_name(sheep_wire.PUT_ANSWERS).items()}


def test_the_errors_of_rest_are_those_of_the_code():
    told = {bare(row[0]): (int(row[1]), row[2]) for row in rows(WIRES / "rest.md", "error")}
    assert told == {name: (one.status, one.title) for name, one in by_name(REFUSALS).items()}


def test_the_errors_of_sheepit_are_those_of_the_code():
    told = {bare(row[0]): tuple(int(cell) for cell in row[1:]) for row in rows(WIRES / "sheepit.md", "error")}
    known = by_name(sheepit_wire.ERROR_STATUS)
    assert told == {name: (one.config, one.job, one.validation, one.heartbeat) for name, one in known.items()}


def test_the_faults_of_browsershots_are_those_of_the_code():
    told = {bare(row[0]): (int(row[1]), row[2]) for row in rows(WIRES / "browsershots.md", "error")}
    assert told == {name: (one.code, one.message) for name, one in by_name(ERROR_FAULTS).items()}


def test_the_methods_of_browsershots_are_those_of_the_code():
    told = {bare(row[0]): (row[1], row[2]) for row in rows(WIRES / "browsershots.md", "method")}
    known = {name: (", ".join(one.name for one in row.parameters), row.returns) for name, row in METHODS.items()}
    assert told == known


def test_the_paths_of_sheepit_are_those_of_the_code():
    page = text_of(WIRES / "sheepit.md")
    assert {name for name in sheepit_wire.FILE_NAMES.values() if f"`{name}`" not in page} == set()
    assert {str(endpoint) for endpoint in sheepit_wire.FILE_NAMES if str(endpoint) not in page} == set()


def test_protocols_without_routes_are_called_unserved():
    told = {row[0]: row[3] for row in rows(WIRES / "README.md", "protocol")}
    for protocol, row in PROTOCOLS.items():
        state = next(state for link, state in told.items() if f"({protocol}.md)" in link)
        page = text_of(WIRES / f"{protocol}.md")
        assert state.startswith("served") is bool(row.routes), protocol
        assert ("No server answers it" in page) is not bool(row.routes), protocol


def test_every_request_that_is_served_is_on_its_page(tmp_path: Path):
    with open_farm(Settings(tmp_path), lambda key, name: []) as farm:
        sheep = {(method, route.path) for route in sheep_routes(farm) if isinstance(route, Route)
                 for method in (route.methods or set()) - {"HEAD"}}
        document = TestClient(application(farm)).get("/openapi.json").json()
        api = {(method.upper(), path.removeprefix("/v1")) for path, one in document["paths"].items() for method in one}
    told = [tuple(bare(row[0]).split()) for row in rows(WIRES / "electricsheep.md", "request")]
    assert set(told) == sheep
    assert {tuple(bare(row[0]).split()) for row in rows(WIRES / "rest.md", "request")} == api


def test_the_proxy_of_the_documents_writes_anew_whatever_the_farm_believes():
    (example,) = [code for _, code in fences(DOCS / "operate" / "README.md", "") if "proxy_pass" in code]
    told = dict(re.findall(r"proxy_set_header (\S+) (\S+);", example))
    assert told == {"Host": "$http_host", "X-Forwarded-Proto": "$scheme", "X-Forwarded-For": "$remote_addr"}


# --- messages ---------------------------------------------------------------------------------------------------------


def value_or_fault(body: bytes) -> Value | Fault:
    try:
        return read_response(body)
    except Fault as fault:
        return fault


READERS = {
    "query": lambda body: sheep_wire.decode_redirect_answer(body).host,
    "list": lambda body: sheep_wire.decode_flock(body).sheep[0].file_name,
    "get": sheep_wire.decode_get_answer,
    "config": sheepit_wire.ConfigAnswer.from_xml,
    "jobrequest": lambda body: sheepit_wire.JobAnswer.from_xml(body).job,
    "jobvalidate": sheepit_wire.ValidationAnswer.from_xml,
    "keepmealive": sheepit_wire.KeepAliveAnswer.from_xml,
    "methodResponse": value_or_fault,
}
XML = [pytest.param(code, id=f"{page.stem}-{number}") for page in sorted(WIRES.glob("*.md"))
       for number, (_, code) in enumerate(fences(page, "xml"))]


@pytest.mark.parametrize("code", XML)
def test_every_answer_of_the_documents_is_read_by_its_wire(code: str):
    root = re.match(r"<(\w+)", code)
    assert root
    assert READERS[root[1]](code.encode()) is not None


@pytest.mark.parametrize(("name", "code"), fences(WIRES / "rest.md", "json"))
def test_every_message_of_rest_is_read_by_its_model(name: str, code: str):
    model: type[BaseModel] = getattr(rest_wire, name, Problem)
    assert model.model_validate_json(code)


# --- decisions and changes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted((DOCS / "decisions").glob("0*.md")), ids=lambda page: page.stem)
def test_a_decision_says_context_choice_and_cost(page: Path):
    headings = re.findall(r"^## (.+)$", text_of(page), re.MULTILINE)
    assert {word for word in ("context", "choice", "cost") if not re.search(word, " ".join(headings).lower())} == set()
    assert text_of(page).startswith(f"# {int(page.stem[:4])}. ")
    assert len(text_of(page).splitlines()) < 80, "a decision is one page"


def test_the_changelog_speaks_to_volunteers_first():
    for section in re.split(r"^## ", text_of(ROOT / "CHANGELOG.md"), flags=re.MULTILINE)[1:]:
        assert re.findall(r"^### (.+)$", section, re.MULTILINE) == ["For volunteers", "For operators", "For developers"]


# --- the example of docs/extend ---------------------------------------------------------------------------------------

EXTEND = DOCS / "extend" / "README.md"
JOURNEY = '''
"""Order evening skies of the copied house, make them over its new protocol, and print what came of it."""
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from starlette.testclient import TestClient

from sheepfold.app import make_app
from sheepfold.config import Settings, written
from sheepfold.farm import accounts, browse, checkup
from sheepfold.farm.chores import do_next_chore
from sheepfold.farm.farm import open_farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.kinds.registry import module_of
from sheepfold.kinds.seam import RenderOrder
from sheepfold.model.accounts import Role
from sheepfold.model.jobs import Terms
from sheepfold.protocols.plain.wire import decode_granted
from sheepfold.protocols.registry import verifiers
from sheepfold.worker.bench import Bench
from sheepfold.worker.sandbox import Limits


def main(folder: Path) -> None:
    with open_farm(Settings(folder / "farm"), verifiers) as farm, ThreadPoolExecutor(1) as executor:
        owner = accounts.add_account(farm, "shepherd", Role.OWNER, "")
        keys = [accounts.add_key(farm, "shepherd", machine).key for machine in ("east", "west")]
        job = order_job(farm, owner, Order("sunset", {"frames": 2}, terms=Terms(quorum=2)))
        client = TestClient(make_app(farm))
        print("nobody", client.post("/plain/claim", content="sunset").status_code)
        for key in keys:
            while make_one(client, key, folder):
                pass
        while do_next_chore(farm, executor):
            pass
        view = browse.view_job(farm, job.id)
        print(view.job.state, *(product.name for product in view.products))
        credit = browse.purses(farm)["shepherd"].earned
        print("findings", len(list(checkup.check(farm, read_blobs=True))), "credit", credit)


def make_one(client: TestClient, key: str, folder: Path) -> bool:
    headers = {"Authorization": f"Bearer {key}"}
    answer = client.post("/plain/claim", content="sunset", headers=headers)
    if answer.status_code == 204:
        return False
    work = decode_granted(answer.text)
    room = folder / f"lease-{work.lease}"
    room.mkdir()
    bench = Bench(room, folder / "log", Limits(), has_walls=False)
    picture = module_of(work.kind, "render").render(RenderOrder(work.spec, work.frame), bench)
    print(client.put(f"/plain/leases/{work.lease}", content=picture.read_bytes(), headers=headers).text.strip())
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]))
'''


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a copy of the house with the kind and the protocol of docs/extend, as the page says."""
    root = tmp_path_factory.mktemp("extended")
    house = root / "src" / "sheepfold"
    shutil.copytree(SOURCE, house, ignore=shutil.ignore_patterns("__pycache__"))
    for name, code in fences(EXTEND, "python"):
        target = house / name
        if target.exists():
            target.write_text(with_line(text_of(target), code))
            continue
        target.parent.mkdir(exist_ok=True)
        (target.parent / "__init__.py").touch()
        target.write_text(code)
    return root


def with_line(text: str, line: str) -> str:
    """Put a row behind the first of a registry's one table."""
    changed, count = re.subn(r"^([A-Z]+: dict\[str, \w+\] = \{\n)", rf"\1{line}", text, count=1, flags=re.MULTILINE)
    assert count == 1
    return changed


def test_the_extended_house_renders_its_kind_over_its_protocol(extended: Path, tmp_path: Path):
    journey = tmp_path / "journey.py"
    journey.write_text(JOURNEY)
    environment = os.environ | {"PYTHONPATH": str(extended / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, str(journey), str(tmp_path)]
    run = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "nobody 401",
        "pending", "pending",
        "valid", "valid",
        "done film.avi film.mp4 sheet.jpg",
        "findings 0 credit 80",
    ]  # fmt: skip


def test_the_example_obeys_the_rules_of_the_house(extended: Path):
    files = [str(extended / "src" / "sheepfold" / name) for name, _ in fences(EXTEND, "python")]
    argv = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--no-cache", *files]
    run = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout


def test_the_seam_in_the_documents_is_that_of_the_code():
    tables = [*rows(EXTEND, "module"), *rows(EXTEND, "further module")]
    told = {(bare(row[0]), bare(row[1])) for row in tables}
    docstring = ast.get_docstring(ast.parse(text_of(SOURCE / "kinds" / "seam.py"))) or ""
    known = set(re.findall(r"^\| `(\w+)` +\| `([^`]+)`", docstring, re.MULTILINE))
    assert told == known
