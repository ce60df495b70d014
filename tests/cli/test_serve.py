"""Serving by the command line: what it logs, and what it must never log."""

import json
import re

import httpx
import pytest

from sheepfold.protocols.electricsheep.credentials import password_verifiers

SMALL = ("--frames", "2", "--size", "32x32", "--quality", "1")


@pytest.mark.parametrize("form", ["plain", "json"])
def test_no_secret_reaches_the_log_whatever_is_spoken(fold, run, form):
    key = fold.key("ann", "desk", "owner")
    serving = fold.serve("--log", form)
    number = run("order", "flame", fold.genome(), *SMALL, "--server", serving.url, "--key", key).out.strip()
    assert fold.paint_all(serving.url, "ann", key) == 2
    with httpx.Client(base_url=serving.url, trust_env=False, timeout=30) as http:
        for password_hash in password_verifiers(key, "ann"):
            http.get(f"/query.php?q=redir&u=ann&p={password_hash}&v=LNX_3.0.2&i=AB")
            http.get(f"/cgi/get?p={password_hash}", auth=("ann", password_hash))
        asked = {"abilities": {"kinds": ["flame"], "renderers": [{"name": "flam3"}]}}
        opened = http.post("/api/v1/sessions", headers={"Authorization": f"Bearer {key}"}, json=asked)
        session = opened.json()["session"]
        http.post("/api/v1/leases", headers={"Authorization": f"Bearer {session}"}, json={"nonsense": session})
        http.get(f"/api/v1/jobs?key={key}", headers={"Authorization": f"Bearer {key}x"})
        for password, status in (("correct horse", 303), ("incorrect horse", 403)):
            person = {"name": "ann", "password": password}
            assert http.post("/sign-in", data=person, headers={"Origin": serving.url}).status_code == status
        cookie = http.cookies["sheepfold_web"]
    assert run("job", "wait", number, "--server", serving.url, "--key", key, "--timeout", "60").status == 0
    fold.end()
    log = "".join(serving.log).lower()
    assert "wire=electricsheep" in log
    for secret in (key, session, cookie, *password_verifiers(key, "ann"), "correct horse", "correct+horse"):
        assert secret.lower() not in log
    assert "traceback" not in log
    if form == "json":
        assert all({"at", "level", "logger", "message"} == set(json.loads(line)) for line in serving.log)


@pytest.mark.parametrize("form", ["plain", "json"])
def test_nobody_writes_lines_of_their_own_into_the_log(fold, form):
    serving = fold.serve("--log", form)
    called = "<methodCall><methodName>x\n23:00:00 INFO forged=yes\u202e\x7f</methodName></methodCall>"
    httpx.post(f"{serving.url}/xmlrpc/", content=called, headers={"Content-Type": "text/xml"}, trust_env=False)
    httpx.get(f"{serving.url}/api/v1/jobs/%0A23:00:00%20INFO%20forged=yes", trust_env=False)
    fold.end()
    assert any("wire=browsershots method=x" in line for line in serving.log)
    assert not any(line.startswith("23:00:00 INFO forged") for line in serving.log)
    if form == "plain":
        assert all(line.rstrip("\n").isprintable() for line in serving.log)


def test_it_says_where_it_listens_and_ends_cleanly(fold):
    serving = fold.serve()
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", serving.url)
    assert httpx.get(serving.url, trust_env=False).status_code == 200
    fold.end()
    assert serving.process.returncode == 0


def test_a_new_farm_that_makes_its_certificate_is_its_user_s_alone(fold):
    fold.data = fold.folder / "new"
    fold.serve("--tls-port", "0")
    assert (fold.data / "tls" / "key.pem").exists()
    assert fold.data.stat().st_mode & 0o077 == 0


def test_half_a_certificate_is_refused(fold):
    ended = fold.do("serve", "--port", "0", "--tls-port", "0", "--tls-cert", fold.genome())
    assert ended.status == 2
    assert "belong together" in ended.err


def test_a_certificate_without_a_port_to_use_it_at_is_refused(fold):
    genome = fold.genome()
    ended = fold.do("serve", "--port", "0", "--tls-cert", genome, "--tls-key", genome)
    assert ended.status == 2
    assert "are for --tls-port" in " ".join(ended.err.replace("│", " ").split())


@pytest.mark.parametrize("command", ["serve", "house"])
def test_a_setting_that_makes_no_sense_is_refused_and_one_that_is_none_is_warned_of(tmp_path, apart, command):
    ended = apart(command, "--data", tmp_path / "new", SHEEPFOLD_KEEP_DAYS="-1", SHEEPFOLD_KEEP_DAY="3")
    warning, refusal = ended.err.splitlines()
    assert warning.endswith("WARNING setting=SHEEPFOLD_KEEP_DAY ignored=unknown nearest=SHEEPFOLD_KEEP_DAYS")
    assert re.fullmatch(r"sheepfold: SHEEPFOLD_KEEP_DAYS cannot be '-1': .* 0 means for ever; .*", refusal)
    assert (ended.status, (tmp_path / "new").exists()) == (1, False)


def test_a_certificate_that_is_none_is_refused(fold):
    genome = fold.genome()
    ended = fold.do("serve", "--port", "0", "--tls-port", "0", "--tls-cert", genome, "--tls-key", genome)
    assert ended.status == 2
    assert "no certificate and its key" in " ".join(ended.err.replace("│", " ").split())
