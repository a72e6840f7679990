"""What a server can do, found by looking at what it does, kept with a date.

    record = await probe(Openai(model="Qwen/Qwen3-8B", base_url="http://127.0.0.1:8000/v1"))
    record.abilities.prefix, record.requests

A probe is about a dozen tiny requests, counted in the record and held to `ProbeLimits`. `recorded` is what engines use: the record from the
cache if it is fresh, else a new probe. If unsure, leave `probe = "once"` in the engine's settings and everything happens by itself.
"""

from __future__ import annotations

import datetime
from typing import Any

from outthink.engines.openai.abilities import Abilities
from outthink.engines.openai.settings import Openai
from outthink.engines.probe_asking import Asker, ProbeLimits
from outthink.engines.probe_checks import Checks
from outthink.engines.probe_record import Probed, folder, load, place, save

__all__ = ["ProbeLimits", "Probed", "forget", "probe", "recorded"]


async def probe(settings: Openai, limits: ProbeLimits | None = None) -> Probed:
    """Look at the server now; nothing is read from the cache or written to it.

    Raises `EngineError` when it cannot be reached, refuses the key, or answers not even a plain question.
    """
    transport = settings.transport()
    asker = Asker(transport, settings.model, settings.api, settings.known, limits or ProbeLimits())
    try:
        listed = await asker.models()
        checks = Checks(asker)
        await checks.run()
    finally:
        await transport.close()
    context = _context(listed)
    return Probed(
        address=settings.address,
        model=settings.model,
        preset=settings.preset,
        api=settings.api,
        date=datetime.date.today().isoformat(),
        abilities=Abilities(**checks.found, context=context),
        notes=checks.notes | ({"context": "told by the server"} if context else {}),
        requests=asker.requests,
        input_tokens=asker.input_tokens,
        output_tokens=asker.output_tokens,
    )


async def recorded(settings: Openai, limits: ProbeLimits | None = None) -> Probed:
    """The record of this server and model: from the cache unless `settings.probe` is "always", else probed now and kept."""
    path = place(folder(settings.cache), settings.address, settings.model, settings.preset, settings.api)
    known = load(path) if settings.probe != "always" else None
    if known is not None:
        return known
    record = await probe(settings, limits)
    save(path, record)
    return record


def forget(settings: Openai) -> bool:
    """Drop the record of this server and model; whether there was one."""
    path = place(folder(settings.cache), settings.address, settings.model, settings.preset, settings.api)
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def _context(listed: dict[str, Any]) -> int | None:
    meta = listed.get("meta")
    for name in ("max_model_len", "context_length", "context_window", "n_ctx"):
        value = listed.get(name) or (meta.get(name) if isinstance(meta, dict) else None)
        if isinstance(value, int) and value > 0:
            return value
    return None
