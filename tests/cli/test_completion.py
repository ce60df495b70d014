"""Completion in a shell: by real bash, zsh and fish, and without importing what the word at hand does not need."""

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


IN_ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'autoload -U compinit; compinit -u -D; eval "$(sheepfold completion zsh)"; echo rea""dy'
zpty -r shell seen '*ready*'
zpty -n -w shell $'sheepfold job canc\t'
zpty -r shell seen '*cancel*'
zpty -d shell
echo completed
"""
IN_FISH = """
source (sheepfold completion fish | psub)
complete -C 'sheepfold job canc'
complete -C 'sheepfold order flame {}'
"""


def test_zsh_completes_with_the_script():
    assert said("zsh", "-f", "-c", IN_ZSH).endswith("completed\n")


def test_fish_completes_words_and_where_none_is_meant_files(tmp_path):
    (tmp_path / "coral.flam3").touch()
    told = said("fish", "-N", "-c", IN_FISH.format(tmp_path / "cor"))
    assert [line.split("\t")[0] for line in told.splitlines()] == ["cancel", str(tmp_path / "coral.flam3")]


def test_completing_the_first_word_imports_no_server():
    asked = "from sheepfold.cli.completion import candidates; candidates(['']); print('sqlalchemy' in sys.modules)"
    assert said(sys.executable, "-c", f"import sys; {asked}") == "False\n"
