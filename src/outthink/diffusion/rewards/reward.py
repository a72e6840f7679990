"""Rewards: any function of a batch of decoded samples as a verifier, for samples under way by what the network predicts of them.

    brightness = reward(lambda images: images.mean(dim=(1, 2, 3)))            # [n, ...] to [n]
    Search(lambda task: process, ParticleFilter(n=16, twist=Difference(strength=10.0)), brightness)

The function is given all samples of a call as one tensor and returns one number for each; nan is no opinion. A reply of another shape is
a failure that names both; nothing of it is taken. Where the function raises for a batch, the samples are shown to it one by one, so that
only those at fault fail, by name, and what the others got is kept. Finished samples stay in any case. A number counts as a log-weight as
it is; `strength` of a method scales it.

If unsure: `partial=True`, so that predicted samples are judged on the way; `partial=False` for rewards that mean nothing on blurry ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import torch

from outthink.core.cost import Cost
from outthink.core.errors import Failure, VerifierError, explain
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec, Verifier
from outthink.diffusion.off_loop import MOMENT, Crew, off_loop
from outthink.numerics.types import FloatArray

_RATERS = Crew("outthink-reward", min(32, (os.cpu_count() or 1) + 4))
"""Where rewards are computed: not on the event loop, and not behind the network calls of other searches."""

RewardFunction = Callable[[torch.Tensor], Any]
"""Decoded samples [n, ...] to one number each, [n]: a tensor, an array or a list."""


@dataclass(frozen=True)
class Reward(Verifier):
    """A function of decoded samples. See `reward`."""

    function: RewardFunction
    name: str
    what: ScoreSpec
    at_once: int | None

    @property
    def spec(self) -> ScoreSpec:
        return self.what

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        values, failures = await off_loop(_RATERS, self._rated, [one.content for one in candidates], moment=MOMENT)
        return Scores(values, cost=Cost(verifier_calls=len(candidates)), failures=failures)

    def _rated(self, samples: list[torch.Tensor]) -> tuple[FloatArray, dict[int, Failure]]:
        n, most = len(samples), self.at_once or max(len(samples), 1)
        values, failures = np.full(n, np.nan), dict[int, Failure]()
        for first in range(0, n, most):
            rows = range(first, min(n, first + most))
            try:
                got = self._of([samples[row] for row in rows])
            except VerifierError as wrong:
                # Whether a part of the reply may be meant, nobody can say; samples that have finished are not lost by it.
                failures |= dict.fromkeys(rows, Failure.of(wrong))
                continue
            if isinstance(got, Failure) and len(rows) > 1 and not self.what.relative:
                # One of them is at fault; alone, each shows whether it is.
                for row in rows:
                    alone = self._of([samples[row]])
                    if isinstance(alone, Failure):
                        failures[row] = alone
                    else:
                        values[row] = alone[0]
            elif isinstance(got, Failure):
                failures |= dict.fromkeys(rows, got)
            else:
                values[first : first + len(rows)] = got
        return values, failures

    def _of(self, samples: list[torch.Tensor]) -> FloatArray | Failure:
        try:
            with torch.no_grad():
                reply = self.function(torch.stack(samples))
            host = reply.detach().cpu().double().numpy() if isinstance(reply, torch.Tensor) else reply
            values = np.asarray(host, np.float64)
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises is that sample's failure, with its cause
            return Failure.of(error)
        if values.shape != (len(samples),):
            raise wrong_shape(self.name, list(values.shape), len(samples), list(samples[0].shape))
        return values


class Said(TypedDict, total=False):
    """Keywords of `reward` and of what is made like it.

    Attributes:
        partial: whether predicted samples of members under way are judged too, as values of the prefix; else finished ones, as outcomes.
        low, high: the range; a score outside it is an error. log_map: how a score becomes nats.
        name: for messages; by default the function's own.
        at_once: the most samples of one call; None for no limit.
    """

    partial: bool
    low: float
    high: float
    log_map: LogMap | str
    name: str | None
    at_once: int | None


def reward(
    function: RewardFunction,
    *,
    partial: bool = True,
    low: float = -np.inf,
    high: float = np.inf,
    log_map: LogMap | str = LogMap.RAW,
    name: str | None = None,
    at_once: int | None = None,
) -> Reward:
    """A verifier that calls `function` on decoded samples. The keywords: see `Said`."""
    spec = spec_of(partial=partial, low=low, high=high, log_map=log_map)
    return Reward(function, name_of(function, name), spec, at_once)


def set_reward(
    function: RewardFunction,
    *,
    partial: bool = True,
    low: float = -np.inf,
    high: float = np.inf,
    name: str | None = None,
) -> Reward:
    """A verifier whose `function` sees all samples of a call together, [n, ...], and rates each by what it adds to the set, [n].

    Its scores compare the samples of one call only (`ScoreSpec.relative`), so methods that keep scores from call to call refuse it. Where
    it raises, all samples of the call fail, for none of them can be rated alone.
    """
    spec = spec_of(partial=partial, low=low, high=high, log_map=LogMap.RAW, relative=True)
    return Reward(function, name_of(function, name), spec, None)


def spec_of(
    *, partial: bool, low: float, high: float, log_map: LogMap | str = LogMap.RAW, relative: bool = False
) -> ScoreSpec:
    """What the scores of a reward are; arguments as of `reward`."""
    return ScoreSpec(
        kind=ScoreKind.PREFIX_VALUE if partial else ScoreKind.OUTCOME,
        partial=partial,
        low=low,
        high=high,
        log_map=LogMap(log_map),
        relative=relative,
    )


def name_of(function: RewardFunction, name: str | None) -> str:
    """What a function is called in messages."""
    called: str = name or getattr(function, "__name__", "") or type(function).__name__
    return called


def wrong_shape(name: str, got: list[int], n: int, sample: list[int]) -> VerifierError:
    """The error of a reward that returns no number for each sample."""
    return VerifierError(
        explain(
            f"The reward {name!r} returned another shape than one number for each sample.",
            got=f"{got} for {n} samples of {sample}",
            expected=f"[{n}]",
            remedy="Reduce over all axes but the first, and keep that one even for a single sample.",
        )
    )
