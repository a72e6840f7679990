"""A cache of replies in a file: a request that was answered once, in whatever run, is served again for nothing.

    engine = cached(engine, "cache.jsonl")

The k-th time that a process sends the same request it is given the k-th reply kept, so eight equal samples stay eight samples. What the
cache serves costs nothing and counts for no budget: an earlier run paid for it. To repeat a run with its bill, record it
(`outthink.engines.recording`) and replay that.
"""

from __future__ import annotations

from pathlib import Path

from outthink.engines.cassette import REPLIES, Cassette
from outthink.engines.engine import Engine
from outthink.engines.recording import RecordingEngine, recording


def cached(engine: Engine, path: str | Path) -> RecordingEngine:
    """`engine` behind the cache in this file, which is made where it is missing. Closing the engine returned closes `engine`."""
    return recording(engine, Cassette.append(path, REPLIES), free=True)
