"""The worker, installed from the farm itself."""

import io
import os
import subprocess
import sys
import zipfile

import pytest
from playwright.sync_api import expect

from sheepfold.client import FarmClient
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.model.accounts import Role
from sheepfold.web.program import wheel, wheel_name


def test_a_volunteer_installs_the_worker_from_the_farm_and_renders(site, tmp_path):
    job = site.order("A still", frames=1)
    add_account(site.farm, "vera", Role.VOLUNTEER, "")
    key = add_key(site.farm, "vera", "veras-box").key
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    target = tmp_path / "installed"
    subprocess.run([*pip, "--target", str(target), f"{site.url}/program/{wheel_name()}"], check=True)
    where = {**os.environ, "PYTHONPATH": str(target), "SHEEPFOLD_KEY": key}
    told = subprocess.run([sys.executable, "-c", "import sheepfold; print(sheepfold.__file__)"], env=where, check=True,
                          capture_output=True, text=True).stdout
    assert told.startswith(str(target))
    words = ["work", "--server", site.url, "--folder", str(tmp_path / "work"), "--once", "--kind", "flame"]
    subprocess.run([sys.executable, str(target / "bin" / "sheepfold"), *words], env=where, check=True)
    with FarmClient(site.url, key) as client:
        assert client.job(job.id).tasks_done == 1


def test_the_wheel_brings_its_licence_and_nothing_that_python_made(site):
    with zipfile.ZipFile(io.BytesIO(wheel())) as archive:
        names = archive.namelist()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "sheepfold/web/templates/join.html" in names
    assert not [name for name in names if "__pycache__" in name or ".." in name]


@pytest.mark.parametrize("name", ["sheepfold-0.0.0-py3-none-any.whl", "%2e%2e%2fconfig.py"])
def test_another_program_is_not_here(site, name):
    assert site.http.get(f"/program/{name}").status_code == 404


def test_the_page_for_volunteers_tells_what_to_type(site, look, axe):
    page = look("/")
    page.get_by_role("link", name="Join").click()
    expect(page.locator("h1")).to_have_text("Give your machine's time")
    assert f"pip install {site.url}/program/{wheel_name()}" in " ".join(page.locator(".words").all_inner_texts())
    assert axe(page) == []
