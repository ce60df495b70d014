"""Completion in a shell: by a real bash, and without importing what the word at hand does not need."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sheepfold.cli.completion import candidates
from sheepfold.cli.main import COMMANDS

BIN = Path(sys.executable).parent


def test_the_first_word_is_one_of_our_commands():
    assert candidates([""]).keys() == COMMANDS.keys()
    assert candidates(["ser"]) == {"serve": COMMANDS["serve"].help}


@pytest.mark.parametrize(("words", "found"), [
    (["job", "canc"], {"cancel"}),
    (["serve", "--tls-p"], {"--tls-port"}),
    (["serve", "--log", ""], {"plain", "json"}),
    (["completion", "b"], {"bash"}),
    (["serve", "--tls-cert", ""], set()),
    (["nonsense", "x"], set()),
    (["job", "nonsense", ""], set()),
])  # fmt: skip
def test_further_words_are_those_of_the_command(words, found):
    assert candidates(words).keys() == found


TYPED = """
eval "$(sheepfold completion bash)"
COMP_WORDS=(sheepfold job canc); COMP_CWORD=2; _sheepfold; echo ${COMPREPLY[@]}
COMP_WORDS=(sheepfold ser); COMP_CWORD=1; _sheepfold; echo ${COMPREPLY[@]}
"""


def said(*command: str) -> str:
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=True).stdout


def test_bash_completes_with_the_script():
    assert said("bash", "-c", TYPED).splitlines() == ["cancel", "serve"]


def test_completing_the_first_word_imports_no_server():
    asked = "from sheepfold.cli.completion import candidates; candidates(['']); print('sqlalchemy' in sys.modules)"
    assert said(sys.executable, "-c", f"import sys; {asked}") == "False\n"
