"""One HTTP client of a farm's REST API: what goes wrong becomes FarmUnreachable, FarmRefused or a problem's error."""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from sheepfold.protocols.answers import CHUNK_BYTES, UNPACKED, whole_body
from sheepfold.protocols.link import FarmRefused, FarmUnreachable
from sheepfold.protocols.rest.problem_wire import PROBLEMS, Problem
from sheepfold.protocols.rest.wire import BASE

MAX_ANSWER_BYTES = 64 * 2**20
BOUNDLESS = 2**63 - 1
TRIES = 3
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
TIMEOUT = httpx.Timeout(60.0, connect=20.0)
# A result is answered when it has been inspected, which may wait behind others; an order, when it has been split.
PATIENT = httpx.Timeout(600.0, connect=20.0)

_LATER = {408, 425, 429, 500, 502, 503, 504}
Model = TypeVar("Model", bound=BaseModel)
T = TypeVar("T")


class FarmProblem(Exception):
    """The farm understood and said no: `status` and `problem` tell why, `str` of this is the sentence."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title)
        self.problem = problem
        self.status = problem.status

    def is_about(self, error_name: str) -> bool:
        """Say whether the farm's error has a name, such as `lease-not-held`."""
        return self.problem.type.partition("#")[2] == error_name


@dataclass(frozen=True, slots=True)
class Sent:
    """What a request carries: at most one of `json`, `content` and `files`, and how long its answer may take."""

    json: object = None
    content: bytes | BinaryIO | None = None
    files: Sequence[tuple[str, tuple[str, bytes | BinaryIO, str]]] | None = None
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: httpx.Timeout | None = None
    token: str = ""
    """Instead of the one that all requests carry."""


NOTHING = Sent()


class Calls:
    """A farm's address, a key or token, and the ways to ask; proxies and certificates are the environment's."""

    def __init__(self, server_url: str, user_agent: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._http = httpx.Client(
            base_url=server_url.rstrip("/") + BASE,
            headers={"User-Agent": user_agent, **UNPACKED},
            timeout=TIMEOUT,
        )
        self._pause = pause
        self.token = ""

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, method: str, path: str, answer: type[Model], sent: Sent = NOTHING) -> Model:
        """Ask and read the answer as a model; raises FarmUnreachable, FarmRefused, FarmProblem."""
        with self.stream(method, path, sent) as response:
            return read_answer(response, answer)

    def tell(self, method: str, path: str, sent: Sent = NOTHING) -> None:
        """Ask where the answer says nothing; raises as `ask`."""
        with self.stream(method, path, sent):
            pass

    @contextmanager
    def stream(self, method: str, path: str, sent: Sent = NOTHING) -> Iterator[httpx.Response]:
        """Ask and hand out a successful answer while it comes in; raises as `ask`."""
        token = sent.token or self.token
        if not re.fullmatch(r"[!-~]+", token):
            raise FarmRefused("A key holds letters and digits, and no spaces.")
        headers = {"Authorization": f"Bearer {token}", **sent.headers}
        try:
            with self._http.stream(method, path, params=sent.params, json=sent.json, content=sent.content,
                                   files=sent.files, headers=headers, timeout=sent.timeout or TIMEOUT) as response:
                if not response.is_success:
                    raise _failure(response)
                yield response
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FarmUnreachable(f"The farm does not answer: {str(error) or type(error).__name__}.") from error

    def download(self, path: str, target: Path, limit_bytes: int = BOUNDLESS) -> str:
        """Stream a file to `target`, trying three times, and return its SHA-256; nothing is left of a half one.

        Raises FarmProblem for more than `limit_bytes`, before the first of them is written where their number is told.
        """
        return self.again(lambda: self._downloaded(path, target, limit_bytes))

    def _downloaded(self, path: str, target: Path, limit_bytes: int) -> str:
        partial = target.with_name(target.name + ".part")
        sha256 = hashlib.sha256()
        try:
            with self.stream("GET", path, Sent(timeout=PATIENT)) as response, partial.open("wb") as file:
                _check_size(int(response.headers.get("Content-Length", "0")), target, limit_bytes)
                for chunk in response.iter_raw(CHUNK_BYTES):
                    file.write(chunk)
                    _check_size(file.tell(), target, limit_bytes)
                    sha256.update(chunk)
            promised = response.headers.get("ETag", "").strip('"')
            if re.fullmatch(r"[0-9a-f]{64}", promised) and promised != sha256.hexdigest():
                raise FarmUnreachable(f"{target.name} came with the digest {sha256.hexdigest()}, not {promised}.")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return sha256.hexdigest()

    def again(self, deed: Callable[[], T]) -> T:
        """Do what may be done twice up to three times while the farm is unreachable, as late as it wishes."""
        for left in reversed(range(TRIES)):
            try:
                return deed()
            except FarmUnreachable as error:
                if not left or (error.retry_after_s or 0) > LONGEST_PAUSE_S:
                    raise
                self._pause(max(FIRST_PAUSE_S * 2 ** (TRIES - 1 - left), error.retry_after_s or 0))
        raise AssertionError("The last try returns or raises.")


def _check_size(size_bytes: int, target: Path, limit_bytes: int) -> None:
    if size_bytes > limit_bytes:
        said = f"{target.name} has at least {size_bytes} bytes; {limit_bytes} are taken."
        raise FarmProblem(Problem(title="The file is too large", status=413, detail=said))


def read_answer(response: httpx.Response, answer: type[Model]) -> Model:
    """Read a successful answer as a model; raises FarmUnreachable where it is none."""
    try:
        return answer.model_validate_json(whole_body(response, MAX_ANSWER_BYTES))
    except ValidationError as error:
        raise FarmUnreachable(f"The farm's answer is no {answer.__name__}: is this the API of a farm?") from error


def query_of(values: Mapping[str, str | int | bool | None]) -> dict[str, str]:
    """Return the parameters that say something, as HTTP writes them."""
    said = {name: value for name, value in values.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in said.items()}


def _failure(response: httpx.Response) -> Exception:
    problem = _problem(response)
    said = f"The farm answered {response.status_code}: {problem.detail or problem.title}"
    if response.status_code in _LATER:
        return FarmUnreachable(said, _retry_after_s(response))
    if response.status_code in {401, 403}:
        return Unwelcome(said, problem)
    if response.is_redirect:
        return FarmUnreachable(f"The farm points to {response.headers.get('Location', '')[:200]!r}: is its URL right?")
    if response.status_code in {404, 405} and not problem.type.startswith(PROBLEMS):
        return FarmUnreachable(f"{said} Is this the API of a farm?")  # a proxy, or another server
    return FarmProblem(problem)


class Unwelcome(FarmRefused):
    """The farm will not have this key or session, with the problem that says why."""

    def __init__(self, message: str, problem: Problem) -> None:
        super().__init__(message)
        self.problem = problem


def _problem(response: httpx.Response) -> Problem:
    """Read what a refusal says; what stands between us and the farm may answer with anything."""
    plain = Problem(title=response.reason_phrase or "Refused", status=max(400, min(599, response.status_code)))
    try:
        return Problem.model_validate_json(whole_body(response, 2**20))
    except (ValidationError, FarmUnreachable):
        return plain


def _retry_after_s(response: httpx.Response) -> int | None:
    text = response.headers.get("Retry-After", "")
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else None
