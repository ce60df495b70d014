"""The first word of the command line, and the help of all others."""

import errno
import json
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from sheepfold.cli.explaining import explained
from sheepfold.cli.main import COMMANDS, app_of

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


def test_an_unknown_word_is_an_error_that_lists_the_known_ones(apart):
    ended = apart("rendr")
    assert (ended.status, ended.out) == (2, "")
    assert "there is no command 'rendr'" in ended.err
    assert all(name in ended.err for name in COMMANDS)


def test_it_says_its_version(apart):
    assert apart("--version").out == f"sheepfold {version('sheepfold')}\n"


def test_the_first_command_makes_the_farm_and_what_it_refuses_is_one_line(apart, tmp_path):
    words = ("account", "add", "spot", "--password-stdin", "--data", tmp_path / "farm")
    added = apart(*words, said="correct horse\n")
    assert (added.status, added.out) == (0, "Added spot (artist).\n")
    again = apart(*words, said="correct horse\n")
    assert (again.status, again.out, again.err.splitlines()[-1].startswith("sheepfold: ")) == (1, "", True)
    assert "Traceback" not in again.err


def every_command():
    """Yield the words of every command and group, with what they lead to."""
    for word in COMMANDS:
        parser = explained(app_of(word))
        yield (word,), parser
        for name, one in getattr(parser, "commands", {}).items():
            yield (word, name), one


def help_of(words, capsys):
    with pytest.raises(SystemExit) as ended:
        explained(app_of(words[0]))([*words[1:], "--help"], prog_name=f"sheepfold {words[0]}")
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", [words for words, _ in every_command()], ids=" ".join)
def test_every_command_explains_itself(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    out = help_of(words, capsys)
    assert out.lstrip().startswith(f"Usage: sheepfold {' '.join(words)} ")
    first = next(line.strip() for line in out.splitlines()[2:] if line.strip())
    assert re.match(r"[A-Z].*[.:;,\w]$", first), first
    assert "install-completion" not in out
    for noise in ("<bool>", "<str>", "<int>", "<float>"):
        assert noise not in out, noise


def test_every_option_says_what_it_is_for():
    for words, parser in every_command():
        options = [one for one in parser.params if one.param_type_name == "option" and not one.hidden]
        assert [one.opts for one in options if not one.help] == [], words


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
    for words in (("account", "list"), ("renderer", "list"), ("check",)):
        json.loads(fold.done(*words, "--json"))


def test_what_the_file_system_refuses_is_one_line_that_names_the_file(run):
    words = ("account", "add", "ann", "--password-stdin", "--data", "/proc/farm")
    refused = run(*words, said="correct horse\n")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.splitlines()[-1] == "sheepfold: /proc/farm: No such file or directory"
    assert "Traceback" not in refused.err
    assert "Traceback" in run("--verbose", *words, said="correct horse\n").err


@pytest.mark.parametrize("bug", [OSError(errno.EBADF, "Bad file descriptor"), KeyError("x"), ValueError("y")])
def test_a_bug_keeps_its_traceback(run, monkeypatch, tmp_path, bug):
    def stumble(*_):
        raise bug

    monkeypatch.setattr("sheepfold.cli.account.farm_in", stumble)
    with pytest.raises(type(bug)):
        run("account", "list", "--data", tmp_path)


def test_whoever_reads_only_the_first_lines_hears_nothing_of_the_rest(fold):
    fold.done("account", "add", "ann", "--password-stdin", said="correct horse\n")
    words = [sys.executable, "-m", "sheepfold", "account", "list", "--data", str(fold.data)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listing:
        listing.stdout.close()
        assert [line for line in listing.stderr if not line.startswith("20")] == []


@pytest.mark.parametrize("words", [("storage",), ("story", "task", "1"), ("people", "list"), ("farm", "queue"),
                                   ("job", "list"), ("flock", "list"), ("account", "list")], ids=" ".join)
def test_a_farm_s_folder_is_no_file(run, tmp_path, words):
    (tmp_path / "file").write_text("no folder")
    refused = run(*words, "--data", tmp_path / "file")
    assert (refused.status, "is a file" in refused.err) == (2, True), refused
