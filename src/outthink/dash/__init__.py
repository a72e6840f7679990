"""The dashboard: what searches did and what they cost, in a browser, from a store of runs and nothing else.

    outthink ui --store runs.sqlite                                     # on this machine alone
    Starlette(routes=[mount(store, "/ui"), ...])                        # inside another application, such as the gateway

`mount` gives one route that holds every page, its pictures, scripts and streams. It writes nothing to the store and asks no model, and it
lets everybody in: whoever mounts it decides who may come that far. `application` is the same by itself, for the names of this machine only.
`Readers` hands in what a store does not know: the engines and keys of a gateway, and folders of benchmarks.
"""

from __future__ import annotations

from outthink.dash.dashboard import application, mount
from outthink.dash.readers import EngineFacts, KeyFacts, Quota, Readers

__all__ = ["EngineFacts", "KeyFacts", "Quota", "Readers", "application", "mount"]
