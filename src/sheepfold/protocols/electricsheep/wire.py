"""Electric Sheep's messages, as both sides of the wire read and write them: redirect, list, get, put and vote.

The source is seed 002 and the protocol note on Electric Sheep, whose sections are cited here. Queries come raw and go
out without a leading slash, to be put behind a base URL, which ends in one. Lists and orders travel as gzip files,
redirections as plain XML.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from lxml import etree

from sheepfold.model.errors import (
    BadInput,
    BadResult,
    Conflict,
    MalformedMessage,
    NoRenderer,
    NotAllowed,
    NotFound,
    SheepfoldError,
    TooLarge,
    Unavailable,
)
from sheepfold.protocols.electricsheep.credentials import (
    ANONYMOUS_HASH,
    clean_hash,
    clean_nick,
    clean_uid,
    clean_version,
    required_uid,
)
from sheepfold.protocols.electricsheep.envelope import (
    MAX_INTEGER,
    attributes,
    document_of,
    first_values,
    integer,
    optional_integer,
    packed,
    parameters,
    percent,
    printable,
    required,
    root_of,
    unpacked,
)

# The clients count plays in an array of 100000, and file names have five digits (protocol note 1.2 and 2.2).
MAX_SHEEP = 99_999
MAX_URL_CHARACTERS = 1024
MAX_MESSAGE_CHARACTERS = 500
# Times of flam3's control points; a film of a million frames is beyond anything.
MAX_FRAME = 999_999
GZIP_MEDIA_TYPE = "application/x-gzip"
XML_MEDIA_TYPE = "text/xml"
PUT_ACCEPTED = b"<put/>"


# --- redirect --------------------------------------------------------------------------------------------------------


class Role(StrEnum):
    """What an account is to the farm; clients show it and name their cached list after it."""

    NONE = "none"
    REGISTERED = "registered"
    MEMBER = "member"
    GOLD = "gold"
    ERROR = "error"    # the name or the password is wrong


@dataclass(frozen=True, slots=True)
class RedirectRequest:
    """A client that asks which server is its own. The UID is empty where it sends none (macOS's preference pane)."""

    nick: str = ""
    password_hash: str = ANONYMOUS_HASH
    version: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class RedirectAnswer:
    """Base URLs, each made to end in '/': `host` for everything, unless `vote` or `render` (get only) say otherwise.

    Keep them below 150 characters: Windows clients build put and vote URLs in a buffer of 260. Raises MalformedMessage.
    """

    host: str
    vote: str = ""
    render: str = ""
    role: str = Role.NONE

    def __post_init__(self) -> None:
        for name in ("host", "vote", "render"):
            if name == "host" or getattr(self, name):
                object.__setattr__(self, name, _web_address(getattr(self, name)).rstrip("/") + "/")
        # The clients make a file name of it.
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", self.role):
            raise MalformedMessage(f"A role is a short word, unlike {self.role[:40]!r}.")

    @property
    def vote_base(self) -> str:
        """Return the base URL of votes."""
        return self.vote or self.host

    @property
    def render_base(self) -> str:
        """Return the base URL of get, not of put."""
        return self.render or self.host


def decode_redirect_request(query: str | bytes) -> RedirectRequest:
    """Read `query.php?q=redir…`; 2.7b29 sends its UID as a second `u` where all others say `i`."""
    fields = first_values(query)
    if required(fields, "q") != "redir":
        raise MalformedMessage(f"'q' must be 'redir', not {fields['q'][:40]!r}.")
    users = [value for name, value in parameters(query) if name == "u"]
    second = users[1] if len(users) > 1 else ""
    return RedirectRequest(clean_nick(fields.get("u", "")), clean_hash(fields.get("p", "")),
                           clean_version(fields.get("v", "")), clean_uid(fields.get("i", second)))


def encode_redirect_request(request: RedirectRequest) -> str:
    """Write the query for the redirection host."""
    return (f"query.php?q=redir&u={percent(request.nick)}&p={percent(request.password_hash)}"
            f"&v={clean_version(request.version)}&i={request.uid}")


def decode_redirect_answer(body: bytes) -> RedirectAnswer:
    """Read a redirection; raises MissingParameter, MalformedMessage, TooLarge."""
    redir = root_of(unpacked(body, 64 * 1024), "query").find("redir")
    fields = {} if redir is None else attributes(redir)
    return RedirectAnswer(required(fields, "host"), fields.get("vote", ""), fields.get("render", ""),
                          fields.get("role") or Role.NONE)


def encode_redirect_answer(answer: RedirectAnswer) -> bytes:
    """Write a redirection: plain XML always, since clients cannot read a gzipped one; the role is never left out."""
    root = etree.Element("query")
    redir = etree.SubElement(root, "redir", host=answer.host)
    for name in ("vote", "render", "role"):
        if getattr(answer, name):
            redir.set(name, getattr(answer, name))
    return document_of(root)


def _web_address(text: str) -> str:
    clean = printable(text.strip(), MAX_URL_CHARACTERS)
    try:
        parts = urlsplit(clean)
    except ValueError as error:
        raise MalformedMessage(f"{clean[:80]!r} is no URL.") from error
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise MalformedMessage(f"A URL begins with http:// or https:// and a host, unlike {clean[:80]!r}.")
    return clean


# --- list ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A player that asks for the flock."""

    version: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class ListedSheep:
    """One film of the flock. `first` and `last` are its keyframes; `size_bytes` must be the file's exactly.

    `time` is in Unix seconds. `generation` is written by the Flock that holds the sheep. Raises MalformedMessage where
    a real client would crash (a URL without a scheme) or overrun its counters.
    """

    id: int
    first: int
    last: int
    size_bytes: int
    url: str
    time: int = 0
    rating: int = 0
    state: str = "done"
    type: int = 0
    generation: int = 0

    def __post_init__(self) -> None:
        for name in ("id", "first", "last"):
            if not 0 <= getattr(self, name) <= MAX_SHEEP:
                raise MalformedMessage(f"A sheep's {name} is between 0 and {MAX_SHEEP}, not {getattr(self, name)}.")
        if _web_address(self.url) != self.url:
            raise MalformedMessage(f"A sheep's URL is too long or not printable: {self.url[:80]!r}.")

    @property
    def is_loop(self) -> bool:
        """Say whether it begins and ends with the same keyframe."""
        return self.first == self.last

    @property
    def file_name(self) -> str:
        """Return the name under which every player stores it: GGGGG=IIIII=FFFFF=LLLLL.avi (seed 002)."""
        return f"{self.generation:05d}={self.id:05d}={self.first:05d}={self.last:05d}.avi"


@dataclass(frozen=True, slots=True)
class Flock:
    """The live sheep of a generation, with the size of their pictures in pixels.

    A message or error beside no sheep makes real clients empty their flock and forget what was voted down: answer
    trouble with `answer_for`. A Flock of nothing at all leaves their previous list in force.
    """

    generation: int
    width: int
    height: int
    sheep: tuple[ListedSheep, ...] = ()
    retry_s: int = 600
    message: str = ""
    error: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.generation <= MAX_SHEEP:
            raise MalformedMessage(f"A generation is between 1 and {MAX_SHEEP}, not {self.generation}.")
        stamped = (one if one.generation == self.generation else replace(one, generation=self.generation)
                   for one in self.sheep)
        object.__setattr__(self, "sheep", tuple(stamped))


def decode_list_request(query: str | bytes) -> ListRequest:
    """Read `cgi/list`; anyone may look, so an odd UID is only forgotten."""
    fields = first_values(query)
    return ListRequest(clean_version(fields.get("v", "")), clean_uid(fields.get("u", "")))


def encode_list_request(request: ListRequest) -> str:
    """Write the query for the flock, in the order of 2.7b29 and later."""
    return f"cgi/list?v={clean_version(request.version)}&u={request.uid}"


def decode_flock(body: bytes) -> Flock:
    """Read a list, gzipped or plain, passing over sheep that make no sense; raises BadInput."""
    root = root_of(unpacked(body), "list")
    fields = attributes(root)
    generation = integer(fields, "gen", 1, MAX_SHEEP)
    width, height = _size(fields.get("size", ""))
    sheep = (_listed(attributes(element), generation) for element in root.iterchildren("sheep"))
    return Flock(generation, width, height, tuple(one for one in sheep if one),
                 integer(fields, "retry", default=600), _message(root), _error(root))


def encode_flock(flock: Flock) -> bytes:
    """Write a list as a gzip file, to be sent without Content-Encoding."""
    size = f"{flock.width} {flock.height}"
    root = etree.Element("list", gen=str(flock.generation), size=size, retry=str(flock.retry_s))
    root.text = "\n"
    for one in flock.sheep:
        etree.SubElement(root, "sheep", id=str(one.id), type=str(one.type), state=one.state, time=str(one.time),
                         size=str(one.size_bytes), rating=str(one.rating), first=str(one.first), last=str(one.last),
                         url=one.url).tail = "\n"
    _add_words(root, flock.message, flock.error)
    return packed(document_of(root) + b"\n")


def _listed(fields: Mapping[str, str], generation: int) -> ListedSheep | None:
    try:
        return ListedSheep(
            id=integer(fields, "id"), first=integer(fields, "first"), last=integer(fields, "last"),
            size_bytes=integer(fields, "size"), url=required(fields, "url"), time=integer(fields, "time", default=0),
            rating=integer(fields, "rating", -MAX_INTEGER, default=0), state=printable(required(fields, "state"), 32),
            type=integer(fields, "type", default=0), generation=generation)
    except BadInput:
        return None


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,5}) ([0-9]{1,5})", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _message(root: etree._Element) -> str:
    return printable(root.findtext("message") or "", MAX_MESSAGE_CHARACTERS)


def _error(root: etree._Element) -> str:
    element = root.find("error")
    return "" if element is None else printable(element.get("type") or "", MAX_MESSAGE_CHARACTERS)


def _add_words(root: etree._Element, message: str, error: str) -> None:
    if message:
        etree.SubElement(root, "message").text = printable(message, MAX_MESSAGE_CHARACTERS)
    if error:
        etree.SubElement(root, "error", type=printable(error, MAX_MESSAGE_CHARACTERS))


# --- get -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GetRequest:
    """A machine that asks for a frame. `url` is where its nick's credit shall link: text that nobody checked."""

    nick: str
    url: str
    version: str
    uid: str


# Real clients make an environment variable of every attribute, LD_PRELOAD too; ours takes these and only such values.
ALLOWED_ARGS: Mapping[str, re.Pattern[str]] = MappingProxyType({
    "bits": re.compile(r"16|32|33|64"),
    "format": re.compile(r"png|jpg"),
    "jpeg": re.compile(r"[1-9][0-9]?|100"),
    "frame": re.compile(r"[0-9]{1,6}"),
    "time": re.compile(r"[0-9]{1,6}"),
    "enable_png_comments": re.compile(r"[01]"),
    "enable_jpeg_comments": re.compile(r"[01]"),
    "isaac_seed": re.compile(r"[A-Za-z0-9_.:-]{1,128}"),
})


def allowed_args(args: Mapping[str, str]) -> dict[str, str]:
    """Return the arguments that a renderer may be given, leaving out unknown names and odd values."""
    return {name: value for name, value in args.items()
            if name in ALLOWED_ARGS and ALLOWED_ARGS[name].fullmatch(value)}


@dataclass(frozen=True, slots=True)
class FrameOrder:
    """A frame to render: the genome is the `<flame>` elements of three moments, one after another without a root.

    One part a frame: `job`, `frame` and `time` are the frame's number. Several parts: no `frame`, since it would
    override `job`, which tells the parts apart. `args` are the renderer's; send `format`, and `frame` or `time`, or
    clients render double time and make PNG. Raises MalformedMessage for args that our own client would not take.
    """

    generation: int
    sheep: int
    job: int
    genome: bytes
    args: Mapping[str, str] = field(default_factory=dict)
    frame: int | None = None
    time: int | None = None

    def __post_init__(self) -> None:
        refused = sorted(self.args.keys() - allowed_args(self.args).keys())
        if refused:
            raise MalformedMessage(f"Arguments that no renderer is given: {', '.join(refused)[:200]}.")

    @property
    def put_job(self) -> int:
        """Return the number that comes back as `j` with the picture: `frame` overrides `job`."""
        return self.job if self.frame is None else self.frame

    @property
    def moment(self) -> int:
        """Return the time to render: what the renderer is told, or in the seed's bare form the frame."""
        told = self.args.get("frame", self.args.get("time"))
        if told is not None:
            return int(told)
        return next(number for number in (self.frame, self.time, self.job) if number is not None)


@dataclass(frozen=True, slots=True)
class NoWork:
    """There is nothing to render.

    With `retry_s`, real clients leave out a fixed pause of 600 seconds; none obeys its value.
    """

    generation: int
    retry_s: int | None = None
    message: str = ""
    error: str = ""


def decode_get_request(query: str | bytes) -> GetRequest:
    """Read `cgi/get`; raises MissingParameter without a UID, by which the picture's lease will be found."""
    fields = first_values(query)
    return GetRequest(clean_nick(fields.get("n", "")), printable(fields.get("w", ""), MAX_URL_CHARACTERS),
                      clean_version(fields.get("v", "")), required_uid(fields))


def encode_get_request(request: GetRequest) -> str:
    """Write the query for a frame."""
    return (f"cgi/get?n={percent(request.nick)}&w={percent(request.url)}&v={clean_version(request.version)}"
            f"&u={request.uid}&r=1&c=1")


def decode_get_answer(body: bytes) -> FrameOrder | NoWork:
    """Read an order, gzipped or plain; without `<args>` it is no order. Arguments are whitelisted. Raises BadInput."""
    root = root_of(unpacked(body, 4 * 2**20), "get")
    fields = attributes(root)
    args = root.find("args")
    if args is None:
        generation = integer(fields, "gen", 0, MAX_SHEEP, default=0)
        return NoWork(generation, optional_integer(fields, "retry"), _message(root), _error(root))
    frame = optional_integer(fields, "frame", 0, MAX_FRAME)
    job = integer(fields, "job", default=frame)
    return FrameOrder(integer(fields, "gen", 0, MAX_SHEEP), integer(fields, "id", 0, MAX_SHEEP), job, _genome(root),
                      allowed_args(attributes(args)), frame, optional_integer(fields, "time", 0, MAX_FRAME))


def encode_get_answer(answer: FrameOrder | NoWork) -> bytes:
    """Write an order or its absence as a gzip file, always rooted in `<get>`: any other root crashes real clients.

    Raises MalformedMessage for a genome that is not flames alone.
    """
    root = etree.Element("get", gen=str(answer.generation))
    if isinstance(answer, NoWork):
        _set_numbers(root, retry=answer.retry_s)
        _add_words(root, answer.message, answer.error)
        return packed(document_of(root) + b"\n")
    for name, value in (("id", str(answer.sheep)), ("type", "0"), ("prog", "flame")):
        root.set(name, value)
    _set_numbers(root, job=answer.job, frame=answer.frame, time=answer.time)
    root.text = "\n"
    etree.SubElement(root, "args", dict(answer.args)).tail = "\n"
    for flame in _flames(answer.genome):
        flame.tail = "\n"
        root.append(flame)
    return packed(document_of(root) + b"\n")


def rooted_genome(genome: bytes) -> bytes:
    """Put a root around the flames of an order, so that they are a document."""
    return b"<flames>\n" + genome + b"\n</flames>\n"


def _genome(root: etree._Element) -> bytes:
    flames = root.findall("flame")
    if not flames:
        raise MalformedMessage("An order with <args> must hold <flame> elements.")
    return b"\n".join(etree.tostring(flame, with_tail=False) for flame in flames)


def _flames(genome: bytes) -> list[etree._Element]:
    root = root_of(rooted_genome(genome), "flames")
    while len(root) == 1 and root[0].tag != "flame":    # flam3-genome puts a root around them unless `enclosed=0`
        root = root[0]
    if not len(root) or any(child.tag != "flame" for child in root):
        raise MalformedMessage("A genome must hold <flame> elements and nothing else.")
    return list(root)


def _set_numbers(root: etree._Element, **numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None:
            root.set(name, str(number))


# --- put and vote ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PutRequest:
    """A picture that is about to come: which it is, and how many bytes it has. A number that the order lacked is -1."""

    job: int
    sheep: int
    size_bytes: int
    generation: int
    version: str
    uid: str


@dataclass(frozen=True, slots=True)
class VoteRequest:
    """A viewer's opinion of a sheep of the present generation: `vote` is 1 or -1."""

    sheep: int
    vote: int
    uid: str
    version: str = ""


def decode_put_request(query: str | bytes) -> PutRequest:
    """Read `cgi/put`; raises MissingParameter, MalformedMessage."""
    fields = first_values(query)
    return PutRequest(integer(fields, "j", -1), integer(fields, "id", -1), integer(fields, "s"),
                      integer(fields, "g", -1), clean_version(fields.get("v", "")), required_uid(fields))


def encode_put_request(request: PutRequest) -> str:
    """Write the query for an upload."""
    return (f"cgi/put?j={request.job}&id={request.sheep}&s={request.size_bytes}&g={request.generation}"
            f"&v={clean_version(request.version)}&u={request.uid}")


def decode_vote_request(query: str | bytes) -> VoteRequest:
    """Read `cgi/vote` and `cgi/vote.cgi`; raises MissingParameter, MalformedMessage."""
    fields = first_values(query)
    vote = integer(fields, "vote", -1, 1)
    if vote == 0:
        raise MalformedMessage("'vote' must be 1 or -1, not 0.")
    return VoteRequest(integer(fields, "id"), vote, required_uid(fields), clean_version(fields.get("v", "")))


def encode_vote_request(request: VoteRequest) -> str:
    """Write a vote as 2.7b29 and later do; with a version in the seed's form, the only one that names it."""
    version = clean_version(request.version)
    if version:
        return f"cgi/vote?u={request.uid}&v={version}&id={request.sheep}&vote={request.vote}"
    return f"cgi/vote.cgi?id={request.sheep}&vote={request.vote}&u={request.uid}"


# --- refusals --------------------------------------------------------------------------------------------------------


class RequestKind(StrEnum):
    """What was asked; `media` are films, pictures and genomes."""

    REDIRECT = "redirect"
    LIST = "list"
    GET = "get"
    PUT = "put"
    VOTE = "vote"
    MEDIA = "media"


class ErrorAnswer(NamedTuple):
    """What a refusal looks like: `retry_after_s` is for the Retry-After header, where it is not None."""

    status: int
    body: bytes
    media_type: str = "text/plain; charset=utf-8"
    retry_after_s: int | None = None


# Never 401, at which clients forget their credentials; never 200 for lists, which they would keep for an hour; and of
# the server's errors only 503 (protocol note 1.0, 1.2).
ERROR_ANSWERS: Mapping[type[SheepfoldError], ErrorAnswer] = MappingProxyType({
    BadInput: ErrorAnswer(400, b"bad request\n"),
    TooLarge: ErrorAnswer(413, b"too large\n"),
    NotAllowed: ErrorAnswer(403, b"not allowed\n"),
    NotFound: ErrorAnswer(404, b"not found\n"),
    Conflict: ErrorAnswer(409, b"too late\n"),
    BadResult: ErrorAnswer(422, b"not the picture that was asked for\n"),
    NoRenderer: ErrorAnswer(404, b"no renderer\n"),
    Unavailable: ErrorAnswer(503, b"try again later\n", retry_after_s=60),
})

# A client throws a refused frame away and sleeps for ten minutes (protocol note 1.5): a frame that arrived whole is
# thanked for, and judged afterwards.
PUT_ANSWERS: Mapping[type[SheepfoldError], ErrorAnswer] = MappingProxyType({
    row: ErrorAnswer(200, PUT_ACCEPTED, XML_MEDIA_TYPE) for row in (BadResult, NotFound, Conflict, NotAllowed)
})


def answer_for(error: SheepfoldError, request_kind: RequestKind) -> ErrorAnswer:
    """Return what a client is told of an error; an error of no known class counts as Unavailable."""
    for row in type(error).__mro__:
        if request_kind is RequestKind.PUT and row in PUT_ANSWERS:
            return PUT_ANSWERS[row]
        if row in ERROR_ANSWERS:
            return ERROR_ANSWERS[row]
    return ERROR_ANSWERS[Unavailable]
