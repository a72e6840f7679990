"""Text columns that hold every Python string, also where the database would not.

PostgreSQL refuses the character NUL and lone surrogates, which a model may well produce. Such characters are written behind an escape
character (U+001A, which text does not contain by itself) and read back as they were; all other text is stored as it is.
"""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

ESCAPE = "\x1a"
_UNSAFE = re.compile(f"[\0{ESCAPE}\ud800-\udfff]")
_ESCAPED = re.compile(f"{ESCAPE}([0-9a-f]{{4}})")


class AnyText(sa.types.TypeDecorator[str]):
    """Text, escaped where a database could not hold it."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """Escape what is not safe."""
        return None if value is None else _UNSAFE.sub(lambda found: f"{ESCAPE}{ord(found.group()):04x}", value)

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        """Undo the escapes."""
        if value is None or ESCAPE not in value:
            return value
        return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), value)
