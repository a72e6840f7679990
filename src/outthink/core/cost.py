"""What something cost, and what it may cost.

`Cost` is a value that adds up column by column; it is charged in one place, the ledger. Cached input is part of input, reasoning is
part of output. `Cost.tokens` is what `Budget(tokens=...)` limits: output plus input that was not cached, over all roles.
Money is `nan` where no price is known: unknown is unknown, not zero, and it stays unknown in every sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Positive, PositiveFloat, Settings

Role = Literal["generate", "verify", "refine"]
ROLES: tuple[Role, ...] = ("generate", "verify", "refine")

COUNTED = (
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "calls",
    "verifier_calls",
    "denoiser_evals",
)


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Resources used. Tokens and calls are counts, seconds are wall-clock, money is in the price file's currency.

    Attributes:
        input_tokens: prompt tokens, cached ones included.
        cached_input_tokens: prompt tokens that the backend did not have to compute; part of `input_tokens`.
        output_tokens: generated tokens, reasoning included.
        reasoning_tokens: thinking tokens; part of `output_tokens`.
        calls: requests to a generator.
        verifier_calls: candidates judged.
        denoiser_evals: network evaluations of a diffusion or flow model.
        seconds: wall-clock time of the run; filled in by the ledger, not by calls (calls overlap).
        money: nan when unknown.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    calls: int = 0
    verifier_calls: int = 0
    denoiser_evals: int = 0
    seconds: float = 0.0
    money: float = 0.0

    @property
    def tokens(self) -> int:
        """Output plus uncached input, in tokens."""
        return self.output_tokens + self.input_tokens - self.cached_input_tokens

    def __add__(self, other: Cost) -> Cost:
        if other is ZERO:
            return self
        if self is ZERO:
            return other
        return Cost(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_input_tokens=self.cached_input_tokens + other.cached_input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            calls=self.calls + other.calls,
            verifier_calls=self.verifier_calls + other.verifier_calls,
            denoiser_evals=self.denoiser_evals + other.denoiser_evals,
            seconds=self.seconds + other.seconds,
            money=self.money + other.money,
        )

    def __sub__(self, other: Cost) -> Cost:
        return self if other is ZERO else self + other.times(-1)

    def times(self, n: int) -> Cost:
        """`n` such costs; none cost nothing, whatever the price."""
        if n == 0:
            return ZERO
        return Cost(
            input_tokens=self.input_tokens * n,
            cached_input_tokens=self.cached_input_tokens * n,
            output_tokens=self.output_tokens * n,
            reasoning_tokens=self.reasoning_tokens * n,
            calls=self.calls * n,
            verifier_calls=self.verifier_calls * n,
            denoiser_evals=self.denoiser_evals * n,
            seconds=self.seconds * n,
            money=self.money * n,
        )

    def column(self, name: str) -> float:
        """The amount that the budget column `name` limits."""
        return float(self.tokens if name == "tokens" else getattr(self, name))


ZERO = Cost()


def total_of(costs: Iterable[Cost]) -> Cost:
    """The sum of many costs."""
    total = ZERO
    for cost in costs:
        if cost is not ZERO:
            total = total + cost
    return total


class Budget(Settings):
    """Limits; each column by itself, None for no limit. `tokens` = output + uncached input over all roles.

    `seconds` counts from the start of the task. A limit that cannot be measured (money without prices) is refused when the run starts.
    """

    tokens: Positive | None = None
    input_tokens: Positive | None = None
    output_tokens: Positive | None = None
    calls: Positive | None = None
    verifier_calls: Positive | None = None
    denoiser_evals: Positive | None = None
    seconds: PositiveFloat | None = None
    money: PositiveFloat | None = None

    def check(self) -> None:
        for name in ("seconds", "money"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise SettingsError(
                    explain(
                        f"Budget.{name} must be finite.",
                        got=value,
                        expected="a positive number",
                        remedy="Leave it out for no limit.",
                    )
                )

    def limits(self) -> dict[str, float]:
        """The columns that have a limit."""
        return {name: float(value) for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read "tokens=4000,seconds=30". Raises `SettingsError` that names the bad part."""
        values: dict[str, Any] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, separator, number = part.partition("=")
            name = name.strip().replace("-", "_")
            if not separator or name not in cls.__struct_fields__:
                raise SettingsError(
                    explain(
                        "A budget is written as NAME=NUMBER, with commas between.",
                        got=part,
                        expected=" or ".join(f"{n}=..." for n in cls.__struct_fields__),
                        remedy='For example --budget "tokens=4000,seconds=30".',
                    )
                )
            if name in values:
                raise SettingsError(
                    explain(
                        f"The budget names {name} twice.",
                        got=text,
                        expected="each name once",
                        remedy="Drop one of them.",
                    )
                )
            try:
                values[name] = float(number) if name in ("seconds", "money") else int(number.strip().replace("_", ""))
            except ValueError:
                raise SettingsError(
                    explain(
                        f"The budget for {name} is not a number.",
                        got=number,
                        expected="a number",
                        remedy="Use digits only.",
                    )
                ) from None
        return cls(**values)
