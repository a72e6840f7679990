"""What the operator of a gateway decides: its models, its recipes, its ceilings and its limits, in one TOML file.

    [models.small]
    type = "local"
    [models.large]
    type = "openai"
    base_url = "http://10.0.0.5:8000/v1"
    model = "Qwen/Qwen3-8B"
    key_env = "UPSTREAM_KEY"

    [recipes.careful]
    model = "large"
    algorithm = { type = "vote", n = 16 }

    [ceilings]
    n = 32
    budget = { tokens = 100000, seconds = 120 }

Model servers are named here and nowhere else: no request can say where it is sent. A recipe is the recipe of the rest of the package, with
`model` in place of the table [engine]. Without a file there is one model, "local".
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from outthink.core.cost import Budget
from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Count, Positive, PositiveFloat, Settings

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}$")]
"""Names of models and recipes: no `@`, which stands between a method and its model."""


class Ceilings(Settings):
    """The most that one request may ask for.

    Attributes:
        n: size of a search. answers: `n` of the request. max_tokens: of one reply.
        budget: holds for every search, whatever its recipe and its request say.
    """

    n: Positive = 64
    answers: Positive = 16
    max_tokens: Positive = 8192
    budget: Budget = Budget(tokens=200_000, seconds=300.0)


class Limits(Settings):
    """What the server takes on at once.

    Attributes:
        in_flight: searches at work. waiting: requests that wait for their turn; further ones are answered 429.
        wait_seconds: the longest wait before a 429. retry_seconds: what it then asks the client to wait.
        body_bytes, body_seconds: the largest body, and the longest that a client may take to send it.
        keep_alive_seconds: after so much silence a stream carries a comment.
        leave_seconds: how long a search whose client has left may take to take its requests back, before it is dropped as it is.
    """

    in_flight: Positive = 8
    waiting: Count = 64
    wait_seconds: PositiveFloat = 60.0
    retry_seconds: PositiveFloat = 2.0
    body_bytes: Positive = 2_000_000
    body_seconds: PositiveFloat = 20.0
    keep_alive_seconds: PositiveFloat = 10.0
    leave_seconds: PositiveFloat = 5.0


class Configuration(Settings):
    """A gateway's whole configuration.

    Attributes:
        models: [engine] tables by name; the first is the default of recipes that name none.
        recipes: recipes by name, as tables.
        methods: methods that requests may choose; empty for all.
    """

    models: dict[Name, dict[str, Any]] = msgspec.field(default_factory=lambda: {"local": {"type": "local"}})
    recipes: dict[Name, dict[str, Any]] = msgspec.field(default_factory=dict)
    methods: tuple[str, ...] = ()
    ceilings: Ceilings = Ceilings()
    limits: Limits = Limits()

    def check(self) -> None:
        if not self.models:
            raise SettingsError(
                explain(
                    "A gateway needs a model.",
                    got="no table under [models]",
                    expected="one at least",
                    remedy='Write [models.local] with type = "local".',
                )
            )
        both = sorted(set(self.models) & set(self.recipes))
        if both:
            raise SettingsError(
                explain(
                    "A model and a recipe share a name.",
                    got=", ".join(both),
                    expected="different names",
                    remedy="Rename one of the two.",
                )
            )


def load_configuration(path: Path) -> Configuration:
    """The configuration in a file. Raises `SettingsError`."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _unreadable(path, str(error)) from None
    return configuration_from(tables, str(path))


def configuration_from(tables: Mapping[str, Any], where: str) -> Configuration:
    """The configuration that these tables describe; `where` names them in messages."""
    try:
        return msgspec.convert(dict(tables), Configuration)
    except msgspec.ValidationError as error:
        raise SettingsError(
            explain(
                f"The gateway's configuration {where!r} has a mistake: {error}.",
                got="see above",
                expected="the tables models, recipes, ceilings and limits",
                remedy="docs/gateway.md shows a whole file.",
            )
        ) from None


def _unreadable(path: Path, why: str) -> SettingsError:
    return SettingsError(
        explain(
            f"The gateway's configuration cannot be read: {why}.",
            got=str(path),
            expected="a readable TOML file",
            remedy="Check the path and the line named.",
        )
    )
