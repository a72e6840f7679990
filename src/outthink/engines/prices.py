"""Prices of hosted models: a dated file with sources, `prices.toml` beside this one, and your own over it.

    listed("api.openai.com", "gpt-5.4-mini")        # a `Listed` with its day and its source, or None

Your own file has the same form and wins entry by entry; it lies at `prices.toml` in the configuration folder of outthink
(`~/.config/outthink` on Linux), or where the variable `OUTTHINK_PRICES` says. What neither holds is unknown, which is not zero: bills show
nan, and a budget of money is refused. A price older than 90 days is used and said to be old, in every run that uses it.

    ["api.openai.com"."gpt-5.4-mini"]
    input = 0.75
    output = 4.5
    as_of = 2026-11-01
    source = "our contract"
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import msgspec

from outthink.core.errors import SettingsError, explain
from outthink.core.process import Adaptation
from outthink.core.settings import NonNegativeFloat, Settings

VARIABLE = "OUTTHINK_PRICES"
OLD = datetime.timedelta(days=90)


class Listed(Settings):
    """One entry of a price file.

    Attributes:
        input, output, cached_input: money for a million tokens; cached input costs as much as any where its price is not given.
        as_of: the day for which the source vouches. `source`: where the price stands.
    """

    input: NonNegativeFloat
    output: NonNegativeFloat
    as_of: datetime.date
    source: str
    cached_input: NonNegativeFloat | None = None

    def notice(self, today: datetime.date | None = None) -> tuple[Adaptation, ...]:
        """What a run says of a price that is older than 90 days; nothing of a fresh one."""
        day = today or datetime.datetime.now(datetime.UTC).date()
        if day - self.as_of <= OLD:
            return ()
        told = (
            f"warning: of {self.as_of.isoformat()}, {(day - self.as_of).days} days old; "
            f"check them and set your own ({VARIABLE}). Source: {self.source}"
        )
        return (Adaptation("prices", told),)


PriceFile = dict[str, dict[str, Listed]]
"""Host to model to price."""


def own_file() -> Path:
    """Where your own prices are looked for."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "outthink" / "prices.toml"


def listed(host: str, model: str) -> Listed | None:
    """The price of a model at a host, from your own file before ours; None where neither has it. Raises `SettingsError` for a bad file."""
    path = own_file()
    own: Mapping[str, Mapping[str, Listed]] = {}
    if path.exists():
        own = read(path.read_bytes(), str(path))
    elif os.environ.get(VARIABLE):
        raise _bad(str(path), "no such file")
    found = own.get(host, {}).get(model)
    return found if found is not None else shipped().get(host, {}).get(model)


def shipped() -> PriceFile:
    """The prices that come with the package."""
    data = resources.files(__package__).joinpath("prices.toml").read_bytes()
    return read(data, "prices.toml of the package")


def read(data: bytes, where: str) -> PriceFile:
    """The prices in a file; `where` names it. Raises `SettingsError`."""
    try:
        return msgspec.toml.decode(data, type=PriceFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _bad(where, str(error)) from None


def _bad(where: str, problem: str) -> SettingsError:
    return SettingsError(
        explain(
            f"The price file {where!r} cannot be read.",
            got=problem,
            expected='tables ["HOST"."MODEL"] with input, output, as_of and source',
            remedy=f"Correct it, or unset {VARIABLE}.",
        )
    )
