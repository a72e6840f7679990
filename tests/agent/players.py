"""Scripted agents: an engine that plays a fixed mixture of actions, and one that plays what a function of the conversation says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outthink.core import Allowance, Key
from outthink.engines.scripted_table import Rule, Scripted


def playing(*actions: str, then: Mapping[str, str] | None = None) -> Any:
    """An engine whose replies are these actions, equally likely; `then`: patterns of the question with their one reply, looked at first."""
    rules = [Rule(pattern=pattern, replies=(reply,)) for pattern, reply in (then or {}).items()]
    return Scripted(rules=(*rules, Rule(pattern="", replies=actions)), cached=False).open()


async def played(process: Any, n: int = 4, name: str = "play") -> Any:
    """n episodes to their end."""
    seeds = Key(7).child(name).seeds(n)
    return (await process.advance(await process.start(seeds), seeds, steps=None, allowance=Allowance())).states


def contents(transcript: Sequence[Any]) -> list[str]:
    """What was said, in order."""
    return [str(message.content) for message in transcript]
