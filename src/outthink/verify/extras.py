"""Optional parts: a clear word before anything is spent, instead of an import error in the middle of a search."""

from __future__ import annotations

from importlib.util import find_spec

from outthink.core.errors import Incompatible, explain


def require(module: str, *, extra: str, needed_by: str) -> None:
    """Raise `Incompatible` unless `module` is installed. Does not import it."""
    if find_spec(module) is None:
        raise Incompatible(
            explain(
                f"A package is missing that {needed_by} need.",
                got=f"no {module}",
                expected=f"{module}, which the extra {extra!r} brings",
                remedy=f"Run: pip install 'outthink[{extra}]'",
            )
        )
