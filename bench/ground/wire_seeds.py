"""Seeds of the old wires: what clients of SheepIt, Browsershots and Electric Sheep ask."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from sheepfold.protocols.browsershots import wire as browsershots

from .furnished import (
    PAGE,
    USER_AGENT,
    Furnished,
    Machine,
    picture,
    size_of,
)
from .fuzzing import Asked, Header
from .seed import (
    PARTS,
    RARE,
    TYPED,
    XML,
    Make,
    Seed,
    form,
    got,
    named,
)

# --- SheepIt


_LOGIN = {"version": "6.20294.0", "os": "linux", "bits": "64bit", "cpu_family": "6", "cpu_model": "167",
          "cpu_model_name": "Xeon", "cpu_cores": "1", "ram": "24903680", "hostname": "vm", "ui": "GuiText",
          "extras": "", "headless": "1"}  # fmt: skip
_WAYS = [(method, in_path) for method in ("GET", "POST") for in_path in (True, False)]
_ABLE = "computemethod=1&cpu_cores=1&ram_max=24117248&rendertime_max=-1"


def sheepit_seeds() -> Iterator[Seed]:
    """Give one at least for each route of SheepIt's wire, by each method and with the token in both places."""
    def seed(name: str, query: str, body: bytes = b"", *told: Header, machine: str = "") -> Iterator[Seed]:
        """Give a request by POST and GET, with its token in the path or in a cookie."""
        for method, in_path in _WAYS:
            yield Seed("sheepit", _by_session(_Line(method, in_path, name, query, body, told), machine), 0.5)

    for method in ("GET", "POST"):
        yield Seed("sheepit", _logged_in(method))
    yield from seed("request_job", _ABLE, b"<cache><file md5='d41d8cd98f00b204e9800998ecf8427e'/></cache>", XML)
    yield from seed("keepmealive", "")
    yield from seed("keepmealive", "job={job}&frame={frame}&rendertime=3&remainingtime=4")
    yield from seed("archive", "type=job&job={job}&revision=0")
    yield from seed("archive", "type=binary&job={job}")
    yield from seed("download", "type=job&job={job}")
    yield from seed("bin", "job={job}")
    yield from seed("chunk", "chunk={chunk}")
    yield from seed("speedtest", "", b"speed=1")
    yield from seed("error", "type=6&job={job}&frame={frame}", form(("file", b"a log")), PARTS)
    yield from seed("last_frame", "", machine="finisher")
    yield from seed("credits", "", machine="finisher")
    yield from seed("logout", "", machine="new")
    for method in ("GET", "POST"):
        yield Seed("sheepit", _left(method))
    yield from (Seed("sheepit", _frame(method, in_path), RARE) for method, in_path in _WAYS)


@dataclass(frozen=True, slots=True)
class _Line:
    """A request of a session, whose token is in the path, or else in a cookie."""

    method: str
    in_path: bool
    name: str
    query: str
    body: bytes = b""
    told: tuple[Header, ...] = ()

    def of(self, machine: Machine) -> Asked:
        """Return it as a machine sends it."""
        root = f"/s/{machine.token}" if self.in_path else ""
        cookie = () if self.in_path else ((b"cookie", f"farm={machine.token}".encode()),)
        return Asked(self.method, f"{root}/server/{self.name}.php", self.query.encode(), (*cookie, *self.told),
                     self.body)


def _by_session(line: _Line, whose: str) -> Make:
    def make(room: Furnished) -> Asked:
        if whose:
            return line.of(room.finisher if whose == "finisher" else room.new_machine("sheepit"))
        if "{" not in line.query:
            return line.of(room.machine("sheepit"))
        machine, granted = room.lease("sheepit")
        chunk = room.archive(granted.job) if "{chunk}" in line.query else ""
        words = line.query.format(job=granted.job.id, frame=f"{granted.frame:04d}", chunk=chunk)
        return replace(line, query=words).of(machine)

    return make


def _logged_in(method: str) -> Make:
    def make(room: Furnished) -> Asked:
        person = room.owner
        told = urlencode(_LOGIN | {"login": person.name, "password": person.key.key}).encode()
        if method == "GET":
            return Asked(method, "/server/config.php", told)
        return Asked(method, "/server/config.php", b"", (TYPED,), told)

    return make


def _left(method: str) -> Make:
    return lambda room: Asked(method, "/account.php", b"mode=logout", (
        (b"cookie", f"farm={room.new_machine('sheepit').token}".encode()),))


def _frame(method: str, in_path: bool) -> Make:
    def make(room: Furnished) -> Asked:
        machine, granted = room.lease("sheepit")
        frame = f"{granted.frame:04d}"
        query = f"job={granted.job.id}&frame={frame}&revision=0&extras={machine.token}&rendertime=4&memoryused=223450"
        body = form(("file", picture(*size_of(granted), room.number())))
        return _Line(method, in_path, "send_frame", query, body, (PARTS,)).of(machine)

    return make


# --- Browsershots


def _call(request: browsershots.Request) -> Asked:
    return Asked("POST", "/xmlrpc/", b"", (XML,), browsershots.encode_call(request))


def browsershots_seeds() -> Iterator[Seed]:
    """Give one at least for each method and route of Browsershots' wire."""
    def many(room: Furnished) -> Asked:
        calls = [browsershots.Challenge(room.machine("browsershots").name), browsershots.ListMethods()]
        return _call(browsershots.Multicall(tuple(one.to_call() for one in calls)))

    def by_factory(sort: Callable[..., browsershots.Request]) -> Make:
        def make(room: Furnished) -> Asked:
            machine = room.machine("browsershots")
            return _call(sort(machine.name, room.proof(machine)))

        return make

    makes: list[Make] = [
        lambda _: _call(browsershots.ListMethods()), lambda _: _call(browsershots.MethodHelp("requests.poll")),
        lambda _: _call(browsershots.MethodSignature("requests.poll")), many,
        lambda _: _call(browsershots.ActiveBrowsers()),
        lambda room: _call(browsershots.Features(room.machine("browsershots").name)),
        lambda room: _call(browsershots.Challenge(room.machine("browsershots").name)),
        lambda room: _call(browsershots.ChallengeUser(room.owner.name)),
        by_factory(browsershots.Verify), by_factory(browsershots.Poll),
        lambda room: _call(browsershots.VerifyUser(room.owner.name, room.proof_of_owner())),
        lambda room: _call(browsershots.Submit(room.owner.name, room.proof_of_owner(), PAGE, ("linux_firefox_3_0",))),
        lambda room: _call(browsershots.Status(room.page.id)),
        _redirect("GET"), _redirect("POST"), *(got(path) for path in (
            "/xmlrpc/", "/xmlrpc/requests.poll/", "/screenshots/", "/screenshots/{hashkey}/", "/xmlrpc",
            "/xmlrpc/requests.poll", "/screenshots", "/screenshots/{hashkey}", "/redirect/",
            "/redirect/box/abc/{new}", "/png/original/{head}/{hashkey}.png", "/png/160/{head}/{hashkey}.png")),
    ]
    yield from (Seed("browsershots", make) for make in makes)
    yield Seed("browsershots", _screenshot, RARE)


def _redirect(method: str) -> Make:
    def make(room: Furnished) -> Asked:
        machine, task_id, _ = room.polled()
        path = f"/redirect/{machine.name}/{room.proof(machine)}/{task_id}/"
        return Asked(method, path, b"", ((b"user-agent", USER_AGENT.encode()),))

    return make


def _screenshot(room: Furnished) -> Asked:
    machine, task_id, size = room.visited()
    body = picture(*size, room.number())
    upload = browsershots.Upload(machine.name, room.proof(machine), task_id, browsershots.Base64(len(body)))
    return Asked("POST", "/xmlrpc/", b"", (XML,), b"".join(browsershots.write_upload(upload, [body])))


# --- Electric Sheep


def electric_sheep_seeds() -> Iterator[Seed]:
    """Give one at least for each route of Electric Sheep's wire."""
    def asked(path: str, query: str = "") -> Make:
        return lambda room: Asked("GET", named(path, room), named(query, room).encode())

    makes = [
        asked("/query.php", "q=redir&u=spot&p=d41d8cd98f00b204e9800998ecf8427e&v=LNX_2.7b12&i=AB"),
        asked("/cgi/list", "u=AB&v=LNX_2.7b12"), asked("/cgi/vote", "u=AB{new}&v=LNX_3.0.2&id={sheep}&vote=1"),
        asked("/cgi/vote.cgi", "id={sheep}&vote=1&u=AB"), asked("/cgi/status.cgi"),
        asked("/gen/{generation}/{sheep}/sheep.avi"), asked("/gen/{generation}/{sheep}/sheep.mp4"),
        lambda room: Asked("GET", f"/gen/{room.sheep.generation}/{room.sheep.number}/electricsheep."
                                  f"{room.sheep.generation}.{room.sheep.number:05d}.flam3"),
        lambda room: Asked("GET", "/cgi/get",
                           f"n=a&w=b&v=LNX_2.7b12&u={room.machine('electricsheep').name}&r=1&c=1".encode()),
    ]
    yield from (Seed("electricsheep", make) for make in makes)
    yield Seed("electricsheep", _put, RARE)


def _put(room: Furnished) -> Asked:
    machine, granted = room.lease("electricsheep")
    sheep, body = room.sheep_of(granted.job.id), picture(*size_of(granted), room.number())
    query = (f"j={granted.frame * granted.job.spec['parts'] + granted.part}&id={sheep.number}&s={len(body)}"
             f"&g={sheep.generation}&v=LNX_3.0.2&u={machine.name}")
    return Asked("PUT", "/cgi/put", query.encode(), (), body)
