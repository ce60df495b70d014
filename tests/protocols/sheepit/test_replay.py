"""What two real clients sent is sent again, header by header, to a real farm; ids, tokens and frames are mapped."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest

from sheepfold.model.tasks import TaskState, Verdict
from sheepfold.protocols.sheepit import wire

FOLDER = Path(__file__).resolve().parents[2] / "traffic" / "sheepit"
SKIPPED = {"host", "content-length", "connection"}


@dataclass(frozen=True)
class Recorded:
    """One exchange as it was recorded."""

    method: str
    path: str
    pairs: dict[str, str]
    headers: dict[str, str]
    body: bytes
    answer: bytes


def recorded(path: Path) -> Recorded:
    request, answer = path.read_text("utf-8").split("\n--- RESPONSE\n")
    head, _, body = re.split(r"(\n\[body \d+ bytes\]\n?)", request.split("--- REQUEST\n")[1])
    line, *header_lines = head.splitlines()
    method, target, _ = line.split(" ")
    url, _, query = target.partition("?")
    headers = {name.lower(): value for name, value in (header.split(": ", 1) for header in header_lines)}
    return Recorded(method, url, wire.read_pairs(query.encode()), headers, _bytes(headers, body),
                    answer.partition("\n\n")[2].encode())


def _bytes(headers: dict[str, str], body: str) -> bytes:
    """Return a body as it went over the line; recordings of multipart ones are escaped, a line for each of theirs."""
    if not headers.get("content-type", "").startswith("multipart/"):
        return body.encode()
    raw = body.replace("\n", "").encode().decode("unicode_escape").encode("latin-1")
    assert len(raw) == int(headers["content-length"])
    return raw


@dataclass
class Replay:
    """A recorded client against our farm: it learns from our answers what the real one learned from its own."""

    site: object
    key: str
    token: str = ""
    jobs: list[wire.Job] = field(default_factory=list)
    sent: int = 0

    def answer(self, seen: Recorded):
        headers = {name: value for name, value in seen.headers.items() if name not in SKIPPED}
        if "cookie" in headers:
            headers["cookie"] = re.sub("farm=one", f"farm={self.token}", headers["cookie"])
        query = urlencode(self._mapped(seen.pairs))
        body = seen.body.replace(b"password=s3cret", b"password=" + self.key.encode())
        url = f"http://farm.example:8080{seen.path}" + (f"?{query}" if query else "")
        return self.site.http.request(seen.method, url, content=body, headers=headers)

    def _mapped(self, pairs: dict[str, str]) -> dict[str, str]:
        mapped = dict(pairs)
        if "password" in mapped:
            mapped["password"] = self.key
        if "job" in mapped:
            job = self.jobs[min(self.sent, len(self.jobs) - 1)]
            mapped["job"] = str(job.id)
            mapped |= {"frame": job.frame} if "frame" in mapped else {}
            mapped |= {"extras": job.extras} if "extras" in mapped else {}
        return mapped


@pytest.mark.parametrize(("year", "frames"), [("2015", "340"), ("2020", "340,341")])
def test_a_recorded_client_is_served_from_login_to_logout(site, year, frames):
    ordered = site.order(frames=frames, width=32, height=32)
    replay = Replay(site, site.key("vm"))
    site.http.cookies.clear()
    for path in sorted((FOLDER / f"{year}-client").iterdir()):
        seen = recorded(path)
        answer = replay.answer(seen)
        site.http.cookies.clear()
        assert answer.status_code == 200, path.name
        check(replay, seen, answer)
    tasks = site.tasks(ordered.id)
    assert {task.state for task in tasks} == {TaskState.DONE}
    assert [result.verdict for result in site.results(ordered.id)] == [Verdict.VALID] * len(tasks)
    gone = site.http.post(f"/s/{replay.token}/server/request_job.php")
    assert wire.JobAnswer.from_xml(gone.content).status == 202


def check(replay: Replay, seen: Recorded, answer) -> None:
    """See that our answer tells the client what the recorded one told it, and learn from it."""
    match wire.Endpoint.KEEPALIVE if seen.path == wire.CONFIG_PATH else wire.LITERAL_PATHS[seen.path]:
        case wire.Endpoint.KEEPALIVE:
            assert wire.ConfigAnswer.from_xml(answer.content).status == wire.ConfigAnswer.from_xml(seen.answer).status
            replay.token = answer.headers["set-cookie"].split("=")[1].split(";")[0]
        case wire.Endpoint.REQUEST_JOB:
            ours, theirs = wire.JobAnswer.from_xml(answer.content), wire.JobAnswer.from_xml(seen.answer)
            assert ours.status == theirs.status
            replay.jobs += [ours.job] if ours.job else []
            assert (ours.job is None) is (theirs.job is None)
        case wire.Endpoint.DOWNLOAD_ARCHIVE:
            job = replay.jobs[-1]
            wanted = job.renderer.md5 if seen.pairs["type"] == "binary" else job.archive_md5
            assert hashlib.md5(answer.content).hexdigest() == wanted
        case wire.Endpoint.VALIDATE_JOB:
            replay.sent += 1
            assert answer.headers["content-type"].startswith("text/xml")
            ours = wire.ValidationAnswer.from_xml(answer.content)
            assert ours == wire.ValidationAnswer.from_xml(seen.answer)
