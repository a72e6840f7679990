"""The embedded engine: a GGUF model in this process, many sequences in one batch, shared prefixes computed once.

    from outthink.engines.local import Local
    engine = Local().open()

Nothing heavy is imported before an engine is opened; `LocalEngine` and `open_local` load their module when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outthink.engines.local.settings import Local

if TYPE_CHECKING:
    from outthink.engines.local.engine import LocalEngine
    from outthink.engines.local.shared import open_local

__all__ = ["Local", "LocalEngine", "open_local"]


def __getattr__(name: str) -> Any:
    if name == "LocalEngine":
        from outthink.engines.local.engine import LocalEngine

        return LocalEngine
    if name == "open_local":
        from outthink.engines.local.shared import open_local

        return open_local
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
