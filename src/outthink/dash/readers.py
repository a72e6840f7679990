"""What the dashboard shows besides a store, handed in by who knows it: a gateway its engines and keys, a user folders of benchmarks.

    mount(store, "/ui", Readers(engines=gateway.engine_facts, keys=gateway.key_facts))

Each reader is a plain function, called for every page in a thread of its own. None: there is nothing to ask, and the page says so.
No reader gives secrets: a key is an id, a name and what its holder used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec


class EngineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One engine. `state` in a word ("ready", "opening", "failed"); `about`: terms and values, such as the model and where it runs."""

    name: str
    state: str
    about: dict[str, str] = {}


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """One limit of a key: what it limits ("requests a minute"), how much is used, and the most; None is no limit."""

    name: str
    used: float
    most: float | None = None


class KeyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One API key, without what it is. `created`: seconds since 1970, UTC. `admin`: whether it opens this dashboard."""

    id: str
    name: str
    created: float
    admin: bool = False
    quotas: tuple[Quota, ...] = ()


@dataclass(frozen=True)
class Readers:
    """Who to ask; see the module. `benches`: folders that `outthink bench run` wrote, or folders that hold such folders."""

    engines: Callable[[], Sequence[EngineFacts]] | None = None
    keys: Callable[[], Sequence[KeyFacts]] | None = None
    benches: tuple[Path, ...] = ()
