"""How common servers spell what the OpenAI interface does not define, as data: `presets.toml` beside this file.

A preset holds field names, the default address and key, and what is presumed of a server until it has been probed.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from outthink.core.errors import SettingsError, explain, nearest
from outthink.core.settings import Count, Positive, Settings
from outthink.engines.openai.abilities import Abilities, PrefixWay

GuidedField = Literal["", "structured-outputs", "guided", "regex", "gbnf", "response-format"]


class Preset(Settings):
    """One server's habits.

    Attributes:
        title, source, checked: the product, where its habits are documented, and when that was read (a date).
        base_url, key_env: default address, and the environment variable that holds the key ("" for none).
        limit_field: the name of the reply limit in chats.
        top_k, min_p, repetition_penalty: names of the sampling fields beyond the interface; "" where there is none.
        top_k_off: the value that switches top-k off.
        prefix: ways of sending an assistant's prefix, in the order in which a probe tries them.
        choice, regex, schema: how a constraint is sent; "" where it cannot be.
        most_stops: the most stop strings in a request; None for no bound.
        continuous_usage: whether every piece of a stream may carry the usage so far.
        token_ids: the field that asks for token ids; "" where there is none.
        abort_tokens: the most tokens generated after the client has closed the connection; None where nobody knows.
        seed_bits: how many bits of a seed the server takes.
        abilities: what is presumed until a probe knows better.
    """

    title: str
    source: str
    checked: str
    base_url: str = ""
    key_env: str = ""
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    top_k: str = ""
    top_k_off: int = 0
    min_p: str = ""
    repetition_penalty: str = ""
    prefix: tuple[PrefixWay, ...] = ("continue-final-message", "trailing", "prefix-flag")
    choice: GuidedField = ""
    regex: GuidedField = ""
    schema: GuidedField = "response-format"
    most_stops: Positive | None = 4
    continuous_usage: bool = False
    token_ids: str = ""
    abort_tokens: Count | None = None
    seed_bits: Annotated[int, Meta(ge=16, le=63)] = 31
    abilities: Abilities = msgspec.field(default_factory=Abilities)


@cache
def presets() -> dict[str, Preset]:
    """Every preset by its name."""
    data = resources.files(__package__).joinpath("presets.toml").read_bytes()
    return msgspec.toml.decode(data, type=dict[str, Preset])


def preset(name: str) -> Preset:
    """The preset of that name. Raises `SettingsError` with the nearest names."""
    known = presets()
    if name not in known:
        raise SettingsError(
            explain(
                "There is no preset of this name.",
                got=name,
                expected="one of " + ", ".join(sorted(known)),
                remedy=nearest(name, known),
            )
        )
    return known[name]
