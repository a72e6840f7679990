"""Who may ask: the holder of a key where keys are asked for, else whoever is on this machine and calls it by one of its own names.

Admin pages (the dashboard, the metrics) take an admin's key, also as the password of a browser's own dialogue. An admin's key opens
everything that other keys open; other keys open no admin page.
"""

from __future__ import annotations

import base64
import binascii

from starlette.requests import HTTPConnection

from outthink.serve.keys import Key, KeyFile
from outthink.serve.names import LOCAL
from outthink.serve.refusal import Refusal


class Access:
    """The door. `keys`: whose keys are asked for; None: nobody is asked."""

    def __init__(self, keys: KeyFile | None) -> None:
        self.keys = keys

    def holder(self, request: HTTPConnection, *, admin: bool = False) -> Key | None:
        """Whose request it is; None where nobody is asked. Raises `Refusal` for those who may not."""
        if self.keys is None:
            if not _is_local(request):
                # A page in the user's browser may reach this address under a name of its own.
                raise Refusal(403, "This server answers to the names of its own machine only.", code="wrong_host")
            return None
        secret = _secret(request.headers.get("authorization", ""), basic=admin)
        found = self.keys.holder(secret) if secret else None
        if found is None:
            raise Refusal(
                401,
                "An API key is needed: Authorization: Bearer KEY.",
                code="invalid_api_key",
                kind="authentication_error",
                headers={"www-authenticate": 'Basic realm="outthink", charset="UTF-8"' if admin else "Bearer"},
            )
        if admin and not found.admin:
            raise Refusal(403, "This takes an admin's key.", code="not_admin", kind="permission_error")
        return found


def _is_local(request: HTTPConnection) -> bool:
    """Whether the request calls the server by a name of this machine; read strictly, as the header stands."""
    host = request.headers.get("host", "").lower()
    name, port, number = host.rpartition(":")
    return host in LOCAL or (name in LOCAL and port == ":" and number.isascii() and number.isdigit())


def _secret(header: str, *, basic: bool) -> str:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if not basic or scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
