"""One file for each quirk of the real clients: what they send, letter by letter, and what an answer must hold.

`{key}` stands for a machine's key, `{token}`, `{job}` and `{frame}` for what the farm last told, `{picture}` for a PNG.
A body of multipart is escaped as in Python, a line for each of its lines.
"""

import re
from pathlib import Path

import pytest

QUIRKS = sorted((Path(__file__).resolve().parents[2] / "traffic" / "sheepit" / "quirks").glob("*.txt"))
LEARNED = {"token": rb'path="/s/([0-9a-f]{32})/', "job": rb'<job id="([0-9]+)"', "frame": rb'frame="([0-9]+)"'}


def steps_of(text):
    """Return each request with what its answer must hold."""
    for step in text.split("--- REQUEST\n")[1:]:
        request, _, wanted = step.partition("--- ANSWER\n")
        yield request.rstrip("\n"), wanted.splitlines()


def sent(site, request, known, picture):
    head, _, body = request.partition("\n\n")
    line, *header_lines = head.splitlines()
    for name, value in known.items():
        line, body = line.replace(f"{{{name}}}", value), body.replace(f"{{{name}}}", value)
    headers = dict(one.replace("{token}", known.get("token", "")).split(": ", 1) for one in header_lines)
    content = body.encode()
    if "boundary=" in head:
        content = body.replace("\n", "").encode().decode("unicode_escape").encode("latin-1")
        content = content.replace(b"{picture}", picture)
    method, target, _ = line.split(" ")
    site.http.cookies.clear()
    return site.http.request(method, f"http://farm.example:8080{target}", content=content, headers=headers)


@pytest.mark.parametrize("path", QUIRKS, ids=lambda path: path.stem)
def test_a_quirk_is_served_as_its_clients_want_it(site, path):
    site.order(frames=3)
    known = {"key": site.key("vm")}
    for request, wanted in steps_of(path.read_text("utf-8")):
        answer = sent(site, request, known, site.picture())
        said = f"HTTP {answer.status_code}\n".encode() + answer.content
        assert all(word.encode() in said for word in wanted), (request, said[:2000])
        assert "content-encoding" not in answer.headers
        assert "location" not in answer.headers
        assert answer.content[:1] != b"<" or answer.headers["content-type"].startswith("text/xml")
        for name, pattern in LEARNED.items():
            if found := re.search(pattern, answer.content):
                known[name] = found[1].decode()
