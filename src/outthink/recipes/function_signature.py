"""What a plain function that generates answers wants to be called with, read from its parameters and never found out by trying."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, Literal

from outthink.core.errors import SettingsError, explain

Generate = Callable[..., Any]
Takes = Literal["prompt", "prompts", "messages", "task"]

EXPECTED = "generate(prompt) or generate(prompt, seed), batched generate(prompts, seeds), or messages or task in place of prompt"

_LIST = re.compile(r"\b(?:list|List|tuple|Tuple|Sequence|Iterable|Collection)\[str\b")


def refuse(parameters: str) -> SettingsError:
    """The error for a signature that is none of the known ones."""
    return SettingsError(
        explain(
            "The function's parameters are none that Function knows.",
            got=parameters,
            expected=EXPECTED,
            remedy="Wrap it in a lambda or a function of that form.",
        )
    )


def read_signature(generate: Generate) -> tuple[Takes, bool]:
    """What the function takes first, and whether it takes seeds. Raises `SettingsError` for any other signature."""
    try:
        signature = inspect.signature(generate)
    except (TypeError, ValueError):
        raise refuse("a signature that cannot be read") from None
    kinds = inspect.Parameter
    named = {
        p.name: p for p in signature.parameters.values() if p.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
    }
    seed = next((named.pop(name) for name in ("seed", "seeds") if name in named), None)
    first = next((p for p in named.values() if p.kind is not kinds.KEYWORD_ONLY), None)
    needed = [p for p in named.values() if p is not first and p.default is kinds.empty]
    if first is None or needed or (seed is not None and seed.kind is kinds.POSITIONAL_ONLY):
        raise refuse(str(signature))
    takes: Takes = "prompt"
    if first.name in ("messages", "task", "prompts"):
        takes = first.name  # type: ignore[assignment]
    elif (seed is not None and seed.name == "seeds") or _LIST.search(str(first.annotation)):
        takes = "prompts"
    if seed is not None and (seed.name == "seeds") != (takes == "prompts"):
        raise refuse(str(signature))
    return takes, seed is not None
