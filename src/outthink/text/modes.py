"""How a text that has begun is continued by the engine at hand: the best way that it offers and the settings allow.

- `tokens`: exactly, token by token (the embedded engine).
- `completion`: as raw text, tokenized again; plain prompts only.
- `assistant-prefix`: as the beginning of the assistant's reply; chat prompts only, and servers that document it.
- `prompted`: asked in words to go on. That is another distribution, so it is opt-in.
- `none`: not at all; only whole answers exist.
"""

from __future__ import annotations

from outthink.core.errors import Incompatible, explain
from outthink.engines.engine import Continuation, Engine, Tokenizing
from outthink.text.settings import Text

_FITS = {
    "chat": (Continuation.TOKENS, Continuation.ASSISTANT_PREFIX, Continuation.PROMPTED, Continuation.NONE),
    "plain": (Continuation.TOKENS, Continuation.COMPLETION, Continuation.NONE),
}


def continuation(engine: Engine, settings: Text) -> Continuation:
    """The mode for this engine under these settings. Raises `Incompatible` for a mode that was asked for and cannot be had."""
    offered = [mode for mode in engine.capabilities.continuations if mode in _FITS[settings.format]]
    if not isinstance(engine, Tokenizing):
        offered = [mode for mode in offered if mode is not Continuation.TOKENS]
    raw_text = {Continuation.TOKENS, Continuation.COMPLETION} & set(engine.capabilities.continuations)
    if settings.format == "plain" and not raw_text:
        raise Incompatible(
            explain(
                "Plain prompts need an engine that takes raw text.",
                got=f"{engine.name}, which takes chat messages only",
                expected="continuation 'tokens' or 'completion'",
                remedy="Set format = 'chat'.",
            )
        )
    wanted = settings.continuation
    if wanted is None:
        offered = [mode for mode in offered if mode not in (Continuation.PROMPTED, Continuation.NONE)]
        if offered:
            return offered[0]
        return Continuation.PROMPTED if settings.allow_prompted and settings.format == "chat" else Continuation.NONE
    # Asking in words, or not continuing at all, needs nothing of the engine; to name it is to opt in.
    free = {Continuation.PROMPTED, Continuation.NONE} & set(_FITS[settings.format])
    if wanted not in offered and wanted not in free:
        raise Incompatible(
            explain(
                f"The engine cannot continue a {settings.format} text in the mode {wanted.value!r}.",
                got=wanted.value,
                expected=" or ".join(repr(mode.value) for mode in dict.fromkeys([*offered, *sorted(free)])),
                remedy="Leave continuation out, or use an engine that offers it.",
            )
        )
    return wanted


def no_steps(engine: Engine, settings: Text) -> Incompatible:
    """The error for moving on step by step where only whole answers exist."""
    if settings.constraint is not None:
        return Incompatible(
            explain(
                "A constrained reply is drawn as a whole; it cannot be moved on step by step.",
                got=f"constraint {settings.constraint.__struct_config__.tag!r} with single steps",
                expected="whole answers",
                remedy="Use a method of whole answers ('best-of-n', 'vote'), or leave the constraint out.",
            )
        )
    return Incompatible(
        explain(
            "This engine cannot continue a text, so a search cannot move step by step.",
            got=f"continuation 'none' for {engine.name} with format {settings.format!r}",
            expected="'tokens', 'completion' or 'assistant-prefix'",
            remedy="Use a method of whole answers ('best-of-n', 'vote'), the embedded engine (--model local), a server that continues "
            "a text, or allow_prompted = true, which asks the model in words to go on and samples another distribution.",
        )
    )
