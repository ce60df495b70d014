"""The first word of the command line, and the help of all others."""

import json
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from sheepfold.cli.main import COMMANDS

GROUPS = {
    "account": ("add", "list"),
    "key": ("add", "revoke"),
    "order": ("flame", "blender", "screenshot"),
    "job": ("list", "show", "wait", "download", "cancel"),
    "story": ("task",),
}


def test_without_words_it_says_what_it_can_do(run):
    for words in ((), ("--help",), ("-h",), ("help",)):
        ended = run(*words)
        assert ended.status == 0
        assert ended.lines[0].startswith("Usage: sheepfold [--verbose] COMMAND")
        assert all(re.search(rf"^ +{name}  +\w.*\. *$", ended.out, re.MULTILINE) for name in COMMANDS)


def test_its_help_fits_a_narrow_terminal(run):
    ended = run(COLUMNS="60")
    assert max(map(len, ended.lines[4:])) <= 60


def test_an_unknown_word_is_an_error_that_lists_the_known_ones(run):
    ended = run("rendr")
    assert (ended.status, ended.out) == (2, "")
    assert "there is no command 'rendr'" in ended.err
    assert all(name in ended.err for name in COMMANDS)


def test_it_says_its_version(run):
    assert run("--version").out == f"sheepfold {version('sheepfold')}\n"


@pytest.mark.parametrize("words", [(name,) for name in COMMANDS] + [
    (name, inner) for name, inners in GROUPS.items() for inner in inners])
def test_every_command_explains_itself(run, words):
    ended = run(*words, "--help")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.lstrip().startswith(f"Usage: sheepfold {' '.join(words)} ")
    first = next(line.strip() for line in ended.lines[2:] if line.strip())
    assert re.match(r"[A-Z].*[.:;,\w]$", first), first
    assert "install-completion" not in ended.out
    assert all(inner in ended.out for inner in GROUPS.get(words[0], ())) or len(words) == 2


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_without_a_command_explains_itself(run, name):
    ended = run(name)
    assert ended.status in {0, 2}
    assert "Usage: sheepfold " + name in ended.out + ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("words", [("serve",), ("check",), ("order", "flame"), ("job", "show", "x"), ("house", "--no"),
                                   ("account", "add"), ("story", "task", "1"), ("job", "list")])
def test_missing_and_wrong_words_are_said_without_a_traceback(run, words):
    ended = run(*words)
    assert ended.status == 2
    assert "Traceback" not in ended.err
    assert "Usage" in ended.err


def test_a_farms_command_says_what_a_volunteers_program_lacks():
    program = "import sys; sys.modules['sqlalchemy'] = None; from sheepfold.cli.main import main; main()"
    words = [sys.executable, "-c", program, "account", "list"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == ("sheepfold: `account` is for those who run a farm, and sqlalchemy is not installed here. "
                            "Install sheepfold[server] in place of sheepfold.\n")


def test_what_lists_also_writes_json(fold):
    fold.done("account", "add", "spot", "--role", "owner", "--password-stdin", said="correct horse\n")
    for words in (("account", "list"), ("people", "audit"), ("renderer", "list"), ("browser", "list"), ("check",)):
        json.loads(fold.done(*words, "--json"))
