"""Seeds of the pages: what a browser asks that is signed in, and the forms that it sends."""

import json
from collections.abc import Iterator
from urllib.parse import urlencode

from sheepfold.farm import people, sight
from sheepfold.model.accounts import Role
from sheepfold.web.program import wheel_name

from .furnished import (
    BLEND,
    GENOME,
    PAGE,
    PASSWORD,
    Furnished,
    Person,
)
from .fuzzing import Asked, Header
from .seed import (
    BEGIN,
    FLAME,
    PARTS,
    RARE,
    SHOTS,
    SLOW,
    TYPED,
    Make,
    Seed,
    Who,
    bearer,
    cookie,
    form,
    got,
    invitation,
    named,
)


def page_seeds() -> Iterator[Seed]:
    """Give one at least for each page and each form."""
    yield from _forms()
    yield from _forms_of_people()
    for path in (
        "/", "/fragments/now", "/fragments/jobs/{done}", "/jobs", "/mine", "/jobs/{done}", "/jobs/{done}/head",
        "/jobs/{done}/frames/1.0", "/jobs/{done}/frames.zip", "/shared/{share}", "/tasks/{task}", "/flock",
        "/flock/player", "/flock/{generation}/{sheep}", "/shots", "/shots/{page}", "/shots/{page}/changes", "/order",
        "/order/flame", "/order/blender", "/order/screenshot", "/begin", "/sign-in", "/sign-up", "/forgotten",
        "/machines", "/fragments/machines", "/machines/add", "/join", "/people", "/account", "/account/data.json",
        "/account/webhooks", "/teams", "/teams/{team}", "/owner", "/owner/people", "/owner/machines", "/owner/audit",
        "/fragments/backup", "/previews/{task}.jpg", "/pictures/{task}", "/products/{done}/{product}", "/events",
        "/healthz", "/readyz", "/static/fold.svg",
    ):  # fmt: skip
        yield Seed("pages", got(path))
    yield Seed("pages", lambda room: Asked("GET", f"/invited/{invitation(room)}", b"", (cookie(room.owner),)))
    yield Seed("pages", lambda room: Asked("GET", f"/jobs/{room.flame.id}/tiles", b"ids=%d,%d" % tuple(room.tasks[:2]),
                                           (cookie(room.owner),)))
    yield Seed("pages", lambda room: Asked("GET", "/metrics", b"", (bearer(room.owner.key.key),)))
    yield Seed("pages", lambda _: Asked("GET", f"/program/{wheel_name()}"), RARE)


def _sent(path: str, who: Who | None = None, **fields: str) -> Make:
    """Make a form that somebody, else the owner, sends from a page of the farm; names in braces are as in paths."""

    def make(room: Furnished) -> Asked:
        person = room.owner if who is None else who(room)
        words = {name: named(value, room) for name, value in fields.items()}
        return _of_page(person, named(path, room), urlencode(words).encode(), TYPED)

    return make


def _of_page(person: Person, path: str, body: bytes, media_type: Header) -> Asked:
    own = ((b"host", b"localhost"), (b"origin", b"http://localhost"))
    return Asked("POST", path, b"", (cookie(person), *own, media_type), body)


def _forms() -> Iterator[Seed]:
    for path, fields in (
        ("/jobs/{spare}/cancel", {}), ("/jobs/{spare}/priority", {"priority": "3"}),
        ("/jobs/{blend}/more", {"frames": "950-951"}), ("/jobs/{spare}/private", {"private": "yes"}),
        ("/jobs/{spare}/keep", {"keep": "yes"}), ("/jobs/{done}/share", {}), ("/jobs/{done}/unshare", {}),
        ("/tasks/{task}/problem", {"text": "too dark"}), ("/flock/{generation}/{sheep}/vote", {"value": "-1"}),
        ("/flock/{generation}/{lamb}/retire", {}), ("/shots/{spare}/prolong", {}), ("/shots/{page}/accept", {}),
        ("/machines/add", {"name": "box-{new}", "scope": "order"}), ("/account/invite", {"role": "artist"}),
        ("/machines/{machine}/rules", {"idle_min": "3", "hours": "22-7", "mains_only": "yes", "load_limit": "1.5"}),
        ("/machines/{machine}/resume", {"back": "owner"}), ("/owner/backup", {}),
        ("/account/webhooks", {"url": PAGE, "form": "json", "topic": "job.done", "reach": "farm", "token": ""}),
        ("/account/webhooks/{hook}", {"deed": "test"}), ("/teams/{team}/invite", {}),
        ("/owner/people/{passing}", {"deed": "role", "role": "artist"}), ("/order/flame/sample", {"title": "Coral"}),
    ):  # fmt: skip
        yield Seed("pages", _sent(path, None, **fields), RARE if path.endswith(("/sample", "/retire")) else 1.0)
    yield Seed("pages", lambda room: _of_page(room.owner, f"/tasks/{room.tasks_again[1]}/again", b"", TYPED))
    yield Seed("pages", _page_in_team)
    yield Seed("pages", _sent("/owner/check"), RARE)
    yield Seed("pages", _ordered("/order/screenshot", SHOTS))
    yield Seed("pages", _ordered("/order/screenshot/check", SHOTS))
    genome = "genome", GENOME.read_bytes()
    yield Seed("pages", _ordered("/order/flame/sketch", FLAME, genome), SLOW)
    yield Seed("pages", _kept_file)


def _page_in_team(room: Furnished) -> Asked:
    job = room.spare().id
    sight.set_private(room.farm, room.owner.account, job, is_private=True)
    return _sent(f"/jobs/{job}/team", team="yes")(room)


def _ordered(path: str, order: object, *files: tuple[str, bytes]) -> Make:
    body = form(("order", json.dumps(order).encode()), *files)
    return lambda room: _of_page(room.owner, path, body, PARTS)


def _kept_file(room: Furnished) -> Asked:
    return _of_page(room.passer, "/order/blender/files", BLEND + str(room.number()).encode(), (b"content-type", b""))


def _forms_of_people() -> Iterator[Seed]:
    def passer(room: Furnished) -> Person:
        return room.passer

    makes: list[Make] = [
        lambda room: _sent("/account/verify", passer, code=room.ticket(people.VERIFY, room.passer))(room),
        _sent("/account/sessions", passer, session="{session}"), _sent("/account/keys", passer, key="{key}"),
    ]
    yield from (Seed("pages", make) for make in makes)
    rare: list[Make] = [
        _sent("/account/email", Furnished.person, email="ann@example.org"), _sent("/sign-out", Furnished.person),
        _sent("/teams", Furnished.person, name="band{new}"),
        lambda room: _sent(f"/invited/{invitation(room)}", Furnished.person)(room),
        _member_made_leader, _sent("/forgotten", email="ann@example.org"),
    ]
    yield from (Seed("pages", make, RARE) for make in rare)
    slow: list[Make] = [
        _sent("/account/password", Furnished.person, old=PASSWORD, password=PASSWORD + "!"),
        _sent("/account/forget", Furnished.person, password=PASSWORD),
        _sent("/sign-in", name="{passing}", password=PASSWORD),
        lambda room: _sent("/forgotten", code=room.ticket(people.RESET, room.person()), password=PASSWORD)(room),
        lambda room: _sent("/sign-up", name="new-{new}", password=PASSWORD,
                           code=people.invite(room.farm, room.owner.account, Role.VOLUNTEER))(room),
        _sent(BEGIN, name="an-owner", password=PASSWORD),
    ]
    yield from (Seed("pages", make, SLOW) for make in slow)


def _member_made_leader(room: Furnished) -> Asked:
    leader, member, team = room.member()
    return _sent(f"/teams/{team}/members/{member.name}", lambda _: leader, deed="lead")(room)
