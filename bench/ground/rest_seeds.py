"""Seeds of the REST API: what people's programs and machines ask."""

import json
from collections.abc import Iterator

from sheepfold.farm import people, sight, uploads
from sheepfold.farm.accounts import add_key
from sheepfold.model.errors import Conflict

from .furnished import (
    ABLE_TEXT,
    BLEND,
    GENOME,
    PAGE,
    PASSWORD,
    USER_AGENT,
    Furnished,
    Machine,
    Person,
    picture,
    sha256,
    size_of,
)
from .fuzzing import Asked
from .seed import (
    FLAME,
    JSON,
    PARTS,
    RARE,
    SHOTS,
    SLOW,
    Make,
    Seed,
    Who,
    bearer,
    form,
    invitation,
    named,
)


def _asked(method: str, path: str, body: object = None, query: str = "", who: Who | None = None) -> Make:
    """Make a request of the owner's program, or of somebody's; names in braces stand for what the farm has."""

    def make(room: Furnished) -> Asked:
        person = room.owner if who is None else who(room)
        sent = b"" if body is None else json.dumps(body).encode()
        told = (bearer(person.key.key), *((JSON,) if sent else ()))
        return Asked(method, "/api/v1" + named(path, room), query.encode(), told, sent)

    return make


def _new_upload(room: Furnished, body: bytes) -> tuple[Person, str]:
    """Return an upload and whose it is: somebody else's where who passes by has as many as one may have."""
    size_bytes, digest = len(body), sha256(body)
    try:
        return room.passer, uploads.create_upload(room.farm, room.passer.account, size_bytes, digest).id
    except Conflict:
        other = room.person()
        return other, uploads.create_upload(room.farm, other.account, size_bytes, digest).id


def _order(order: object, path: str = "/jobs", *files: tuple[str, bytes]) -> Make:
    def make(room: Furnished) -> Asked:
        body = form(("order", json.dumps(order).encode()), *files)
        return Asked("POST", "/api/v1" + path, b"", (bearer(room.owner.key.key), PARTS), body)

    return make


def seeds_of_rest() -> Iterator[Seed]:
    """Give one at least for each operation of the REST API."""
    yield from _of_people()
    yield from _of_machines()
    genome = "genome", GENOME.read_bytes()
    makes = [
        _order(SHOTS), _order(SHOTS, "/appraisals"),
        *(_asked("GET", path, query="limit=3") for path in (
            "/jobs", "/jobs/{done}/tasks", "/browsers", "/flock", "/machines", "/teams", "/webhooks", "/account/keys",
            "/account/browsers", "/leaders", "/people", "/audit", "/queue", "/backups", "/webhooks/{hook}/deliveries")),
        *(_asked("GET", path) for path in (
            "/jobs/{done}", "/jobs/{done}/frames.zip", "/jobs/{done}/products/{product}", "/jobs/{page}/changes",
            "/tasks/{task}/picture", "/tasks/{task}/story", "/browsers/alive", "/machines/{machine}/rules",
            "/machines/{machine}/browsers", "/whoami", "/storage", "/flock/{generation}/{sheep}", "/now", "/account",
            "/account/data", "/teams/{team}", "/backups/{backup}")),
        _asked("GET", "/tasks/{task}/preview", query="width=320"), _asked("GET", "/events", query="after=0"),
        _asked("PATCH", "/jobs/{spare}", {"priority": 3, "private": False, "kept": True}),
        _asked("DELETE", "/jobs/{spare}"), _asked("POST", "/jobs/{blend}/frames", {"frames": "900-901"}),
        _asked("POST", "/jobs/{again}/again", {"frame": 0, "part": 0}), _asked("POST", "/jobs/{done}/remake"),
        _asked("POST", "/jobs/{done}/shares"), _asked("DELETE", "/jobs/{done}/shares"),
        _asked("POST", "/jobs/{page}/accept"), _asked("POST", "/jobs/{spare}/expiry"),
        _in_team("PUT"), _in_team("DELETE"),
        _asked("POST", "/tasks/{task}/problems", {"text": "it is too dark"}),
        _asked("PUT", "/machines/{machine}/rules", {"idle_min": 5, "hours": "22-7", "load_limit": 1.5}),
        _asked("POST", "/machines/{machine}/commands", {"command": "resume"}),
        _asked("POST", "/machines/{machine}/browsers", {"name": "Firefox", "version": "3.0", "user_agent": USER_AGENT}),
        _asked("DELETE", "/machines/{machine}/browsers/{browser}"),
        _asked("POST", "/flock/{sheep}/votes", {"value": 1, "generation": 1}),
        _asked("POST", "/webhooks", {"url": PAGE, "form": "json", "topics": ["job.done"]}),
        _asked("DELETE", "/webhooks/{hook}"), _asked("POST", "/webhooks/{hook}/test"),
        _asked("POST", "/webhooks/{hook}/enable"), _upload("POST"), _upload("GET"), _upload("HEAD"), _upload("PATCH"),
        _upload("DELETE"), _asked("POST", "/backups"), _asked("POST", "/invitations", {"role": "volunteer"}),
        lambda room: Asked("GET", "/api/openapi.json"), lambda room: Asked("GET", "/api/docs"),
    ]
    yield from (Seed("rest", make) for make in makes)
    rare = [
        _order(FLAME, "/appraisals", genome), _order(FLAME, "/jobs", genome),
        _order({"kind": "blender", "spec": {"frames": "1-2"}}, "/jobs", ("project", BLEND)),
        _asked("DELETE", "/flock/{generation}/{lamb}"), _replaced, _asked("POST", "/check"),
    ]
    yield from (Seed("rest", make, RARE) for make in rare)
    yield Seed("rest", _order(FLAME, "/sketches", genome), SLOW)


def _replaced(room: Furnished) -> Asked:
    body = BLEND + str(room.number()).encode()
    return Asked("PUT", f"/api/v1/jobs/{room.spare('blender').id}/inputs/project", b"", (bearer(room.owner.key.key),),
                 body)


def _in_team(method: str) -> Make:
    def make(room: Furnished) -> Asked:
        job = room.spare().id
        sight.set_private(room.farm, room.owner.account, job, is_private=True)
        return _asked(method, f"/jobs/{job}/team")(room)

    return make


def _upload(method: str) -> Make:
    def make(room: Furnished) -> Asked:
        body = f"a file {room.number()}".encode()
        if method == "POST":
            return _asked(method, "/uploads", {"size_bytes": len(body), "sha256": sha256(body)},
                          who=lambda room: room.passer)(room)
        person, upload = _new_upload(room, body)
        told = (bearer(person.key.key), *(((b"upload-offset", b"0"),) if method == "PATCH" else ()))
        return Asked(method, f"/api/v1/uploads/{upload}", b"", told, body if method == "PATCH" else b"")

    return make


def _of_people() -> Iterator[Seed]:
    """Give what changes accounts: somebody's who passes by, and where it must be, somebody's who came for it alone."""
    def passer(room: Furnished) -> Person:
        return room.passer

    makes = [
        _asked("PATCH", "/people/{passing}", {"role": "artist", "closed": False}),
        lambda room: _asked("POST", "/account/email/proof", {"code": room.ticket(people.VERIFY, room.passer)},
                            who=passer)(room),
        _asked("DELETE", "/account/keys/{key}", who=passer),
        _asked("DELETE", "/account/browsers/{session}", who=passer),
        _asked("POST", "/machines/box-{new}/keys", {"scope": "work"}, who=passer),
        _keys_of_a_machine,
    ]
    yield from (Seed("rest", make) for make in makes)
    slow = [
        _asked("PUT", "/account/password", {"old": PASSWORD, "password": PASSWORD + "!"}, who=Furnished.person),
        _asked("POST", "/account/forget", {"password": PASSWORD}, who=Furnished.person),
    ]
    yield from (Seed("rest", make, SLOW) for make in slow)
    rare: list[Make] = [
        _asked("PUT", "/account/email", {"email": "ann@example.org"}, who=Furnished.person),
        _asked("POST", "/teams", {"name": "a-team"}, who=Furnished.person),
        lambda room: _asked("POST", "/teams/join", {"invitation": invitation(room)}, who=Furnished.person)(room),
        _led("PATCH", "/teams/{team}"), _led("POST", "/teams/{team}/invitation"),
        _led("DELETE", "/teams/{team}/members/{member}"),
    ]
    yield from (Seed("rest", make, RARE) for make in rare)


def _keys_of_a_machine(room: Furnished) -> Asked:
    name = f"box-{room.number()}"
    add_key(room.farm, room.passer.name, name)
    return _asked("DELETE", f"/machines/{name}/keys", who=lambda room: room.passer)(room)


def _led(method: str, path: str) -> Make:
    def make(room: Furnished) -> Asked:
        leader, member, team = room.member()
        body = {"leader": member.name} if method == "PATCH" else None
        named = path.replace("{team}", team).replace("{member}", member.name)
        return _asked(method, named, body, who=lambda _: leader)(room)

    return make


def _of_machines() -> Iterator[Seed]:
    """Give what machines ask of the REST API."""
    yield from (Seed("rest", make) for make in (
        _asked("POST", "/sessions", {"abilities": json.loads(ABLE_TEXT)}),
        _by_machine("GET", "/sessions/current"), _by_machine("POST", "/leases", {"wait_s": 0}),
        _by_machine("POST", "/leases"), _by_new_machine("DELETE", "/sessions/current"),
        _held("GET", "/input", "flame"), _held("GET", "/inputs/genome", "flame"),
        _held("GET", "/inputs/project", "blender"), _held("POST", "/heartbeat", "flame", b'{"seconds_done": 3}'),
        _held("DELETE", "", "screenshot", b"a log of a renderer"),
    ))
    yield from (Seed("rest", _result(kind), RARE) for kind in ("flame", "blender", "screenshot"))


def _by_machine(method: str, path: str, body: object = None) -> Make:
    return lambda room: _of_machine(room.machine("rest"), method, path, body)


def _by_new_machine(method: str, path: str) -> Make:
    return lambda room: _of_machine(room.new_machine("rest"), method, path, None)


def _of_machine(machine: Machine, method: str, path: str, body: object) -> Asked:
    sent = b"" if body is None else json.dumps(body).encode()
    return Asked(method, "/api/v1" + path, b"", (bearer(machine.token), *((JSON,) if sent else ())), sent)


def _held(method: str, path: str, kind: str, body: bytes = b"") -> Make:
    def make(room: Furnished) -> Asked:
        machine, granted = room.lease("rest", kind)
        query = b"reason=why&failed=0" if method == "DELETE" else b""
        told = (bearer(machine.token), *((JSON,) if method == "POST" else ()))
        return Asked(method, f"/api/v1/leases/{granted.lease_id}{path}", query, told, body)

    return make


def _result(kind: str) -> Make:
    def make(room: Furnished) -> Asked:
        machine, granted = room.lease("rest", kind)
        body = picture(*size_of(granted), room.number())
        return Asked("PUT", f"/api/v1/leases/{granted.lease_id}/result", b"render_time_s=4&cores=2",
                     (bearer(machine.token), (b"x-sha256", sha256(body).encode())), body)

    return make
