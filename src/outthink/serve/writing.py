"""Whole replies as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response


def written(body: object, *, status: int = 200, headers: Mapping[str, Any] | None = None) -> Response:
    """A JSON reply."""
    return Response(
        msgspec.json.encode(body), status_code=status, media_type="application/json", headers=dict(headers or {})
    )
