"""One engine for one set of settings in a process, for callers that come again and again, such as `outthink.solve(model="local")`.

    engine = open_local()        # loads the model
    engine = open_local()        # the same engine, its cache warm

A shared engine lives until somebody closes it or nobody holds it; the next call then opens another. `Local(...).open()` never shares.
"""

from __future__ import annotations

import threading
from weakref import WeakValueDictionary

import msgspec

from outthink.engines.local.engine import LocalEngine
from outthink.engines.local.settings import Local

_engines: WeakValueDictionary[bytes, LocalEngine] = WeakValueDictionary()
_lock = threading.Lock()


def open_local(settings: Local | None = None) -> LocalEngine:
    """The process's engine for `settings`, opened if there is none. Raises what `LocalEngine` raises."""
    wanted = settings or Local()
    key = msgspec.json.encode(wanted, order="deterministic")
    with _lock:
        engine = _engines.get(key)
        if engine is None or engine.closed:
            engine = _engines[key] = LocalEngine(wanted)
        return engine
