"""Styles, scripts and the sign, read once from the package: a name that is not among them finds nothing, whatever it looks like."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Static:
    """One file and the tag that tells whether a browser has it already."""

    body: bytes
    kind: str
    etag: str


@cache
def statics() -> dict[str, Static]:
    """Every file by its name."""
    found = {}
    for file in (resources.files("outthink.dash") / "static").iterdir():
        ending = "." + file.name.rpartition(".")[2]
        if ending in TYPES:
            body = file.read_bytes()
            found[file.name] = Static(body, TYPES[ending], f'"{hashlib.sha256(body).hexdigest()[:20]}"')
    return found


async def static(request: Request) -> Response:
    """The file of this name, or 404."""
    found = statics().get(str(request.path_params["name"]))
    if found is None:
        return Response("There is no such file.", status_code=404, media_type="text/plain")
    headers = {"etag": found.etag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type=found.kind, headers=headers)
