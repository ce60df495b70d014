"""That the machine's browsers are found with the versions that they tell."""

import os
import subprocess
from pathlib import Path

import pytest

from sheepfold.kinds.screenshot.shooting import browsers


def test_each_browser_found_is_there_with_its_version_and_its_driver():
    found = {one.name: one for one in browsers.installed()}
    for one in found.values():
        assert os.access(one.program, os.X_OK)
        assert not one.driver or os.access(one.driver, os.X_OK)
        assert one.version[0].isdigit()
    if "firefox" in found:
        told = subprocess.run([found["firefox"].program, "--version"], capture_output=True, text=True, check=True)
        assert found["firefox"].version in told.stdout


def test_a_browser_is_found_by_the_beginning_of_its_version():
    for one in browsers.installed():
        assert browsers.find(one.name.upper(), one.version.split(".", maxsplit=1)[0]) == one
        assert browsers.find(one.name, "0.1") is None
    assert browsers.find("netscape") is None


def test_where_nothing_is_installed_nothing_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(browsers, "_PLACES", tuple(
        browsers._Place(one.name, one.engine, ("no-such-browser",), one.drivers) for one in browsers._PLACES
    ))  # fmt: skip
    assert list(browsers._looked_for()) == []
