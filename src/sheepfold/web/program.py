"""The program itself, as a wheel for pip: who helps a farm installs from the farm what the farm runs."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distribution

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm.farm import Farm
from sheepfold.model.errors import NotFound
from sheepfold.web.frame import ANYONE, HERE, Visit, on_thread, page_route

_DAY = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell: equal programs make equal wheels
_TOLD = ("METADATA", "entry_points.txt", "licenses/LICENSE")
_WHEEL = "Wheel-Version: 1.0\nGenerator: sheepfold\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of the program, and of the page that says how to get it."""
    return [page_route(farm, "/join", _join, ANYONE), page_route(farm, "/program/{name}", _program, ANYONE)]


def wheel_name() -> str:
    """Return the wheel's file name, which pip wants to be just so."""
    return f"{_stem()}-py3-none-any.whl"


@cache
def wheel() -> bytes:
    """Pack the running program as a wheel (PyPA's binary distribution format, version 1.0), about 1 MB."""
    packed, record = io.BytesIO(), []
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _contents():
            archive.writestr(zipfile.ZipInfo(name, _DAY), content, zipfile.ZIP_DEFLATED)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(content)}\n")
        name = f"{_stem()}.dist-info/RECORD"
        archive.writestr(zipfile.ZipInfo(name, _DAY), "".join([*record, f"{name},,\n"]), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _stem() -> str:
    return f"sheepfold-{distribution('sheepfold').version}"


def _contents() -> Iterator[tuple[str, bytes]]:
    package = HERE.parent
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(package.parent).as_posix(), path.read_bytes()
    for name in _TOLD:
        if text := distribution("sheepfold").read_text(name):
            yield f"{_stem()}.dist-info/{name}", text.encode()
    yield f"{_stem()}.dist-info/WHEEL", _WHEEL.encode()


async def _join(visit: Visit) -> Response:
    return visit.page("join.html", wheel=wheel_name())


async def _program(visit: Visit) -> Response:
    if visit.request.path_params["name"] != wheel_name():
        raise NotFound(f"This farm runs {wheel_name()}.")
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return Response(await on_thread(wheel), media_type="application/zip", headers=headers)
