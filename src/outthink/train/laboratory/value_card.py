"""How good the value model is on held-out problems, read by the embedded engine as search reads it, and the card that says so.

Within a problem is what counts: whether a line that keeps a solution within reach scores above a line, at the same place of another attempt
at the same problem, that has lost it. Over all problems even a model that only tells easy problems from hard ones looks good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from outthink.core.component import Parts
from outthink.core.key import Key
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Verifier
from outthink.engines.local import Local, models
from outthink.laboratory.problems import STANDARD, problems
from outthink.numerics.types import FloatArray, IntArray
from outthink.train.heads import area_under
from outthink.train.laboratory.card import named
from outthink.train.laboratory.rollouts import Rollout, rollouts
from outthink.train.laboratory.settings import ValueTraining
from outthink.verify.calibrate import calibration_error
from outthink.verify.embedded_reward_model import EmbeddedRewardModel

PROBLEMS, SAMPLES = 100, 16
LAST = -1
"""Place of a rollout's last line, wherever that is."""


@dataclass(frozen=True)
class Rated:
    """Every line end of some rollouts of one kind.

    Attributes:
        kind: of problem. values: the model's, [m]. right: the exact ones, [m]. problem: [m]. place: of the line, `LAST` for the last, [m].
    """

    kind: str
    values: FloatArray
    right: FloatArray
    problem: IntArray
    place: IntArray

    def within(self, place: int) -> float:
        """Chance that a right line scores above a wrong one of the same problem and place, a mean over problems; nan without any."""
        found = []
        for one in np.unique(self.problem):
            here = (self.problem == one) & (self.place == place)
            found.append(area_under(self.values[here], self.right[here] > 0.5))
        return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")

    @property
    def over_all(self) -> float:
        """The same over all problems and places."""
        return area_under(self.values, self.right > 0.5)

    @property
    def error(self) -> float:
        """Calibration error."""
        return calibration_error(self.values, self.right > 0.5)

    def best_of(self) -> tuple[float, float, float]:
        """Shares of problems solved by one sample, by the sample whose last line scores best, and by any."""
        one, best, most = [], [], []
        for number in np.unique(self.problem):
            here = (self.problem == number) & (self.place == LAST)
            right = self.right[here]
            one.append(right.mean())
            best.append(right[np.argmax(self.values[here])])
            most.append(right.max())
        return float(np.mean(one)), float(np.mean(best)), float(np.mean(most))


async def measured(weights: Path, key: Key, *, problems_each: int = PROBLEMS, samples: int = SAMPLES) -> list[Rated]:
    """One row a standard kind: rollouts of the language model on held-out problems, rated by the model in `weights`."""
    engine = Local(model=models.LABORATORY.name, max_sequences=60, retained=60).open()
    judge = EmbeddedRewardModel(model=str(weights), format="laboratory-value", split="\n").build(Parts())
    found = []
    try:
        for i, family in enumerate(STANDARD):
            tasks = problems(family, problems_each, key.child("problems", i))
            drawn = await rollouts(engine, tasks, samples=samples, key=key.child("samples", i))
            values = await asyncio.gather(*(_values(judge, one) for one in drawn))
            found.append(_rated(named(family), drawn, values))
    finally:
        await engine.close()
        await judge.close()
    return found


async def _values(judge: Verifier, rollout: Rollout) -> FloatArray:
    beginnings = ["\n".join(rollout.lines[: k + 1]) for k in range(len(rollout.lines))]
    scores = await judge.score([Candidate(content=text) for text in beginnings], Task(prompt=rollout.question))
    return np.asarray(scores.values)


def _rated(kind: str, drawn: Sequence[Rollout], values: Sequence[FloatArray]) -> Rated:
    places = [[*range(len(one.lines) - 1), LAST] for one in drawn]
    return Rated(
        kind,
        np.concatenate(values),
        np.concatenate([one.values for one in drawn]),
        np.concatenate([[one.problem] * len(one.lines) for one in drawn]),
        np.concatenate(places),
    )


def value_card(settings: ValueTraining, weights: Path, drawn: int, minutes: float, found: Sequence[Rated]) -> str:
    """The card in Markdown. `drawn`: rollouts trained on; `minutes`: of processor time, training and sampling."""
    rows = "\n".join(
        f"| {one.kind} | {_two(one.within(0))} | {_two(one.within(1))} | {_two(one.within(LAST))} | {one.over_all:.2f} "
        f"| {one.error:.3f} | " + " | ".join(f"{share:.2f}" for share in one.best_of()) + " |"
        for one in found
    )
    counted = len(np.unique(found[0].problem))
    return f"""# The laboratory's value model

The [laboratory model](laboratory.md) with {settings.layers} more layers on top, its weights trained on through all of them, to say after
each line of a solution whether a solution can still be reached: the chance of the token `+` against `-` as the next one. Same tokens and
context; Q8_0, {weights.stat().st_size / 1e6:.1f} MB. Licence Apache-2.0. For the laboratory's problems and nothing else.

    [verifier]
    type = "embedded-reward-model"
    model = "{weights.stem}"
    format = "laboratory-value"
    split = "\\n"

## How it was made

`outthink train laboratory-value --seed {settings.seed}`: {settings.steps:,} steps of {settings.tokens:,} tokens on {drawn:,} worked
problems from the side of the split that the language model was trained on; {minutes:.0f} minutes of processor time in all. Of these, the
language model wrote {settings.samples} a problem on {settings.problems:,} problems of each kind of Countdown and a third as many of each
kind of chains; {settings.games:,} a kind (a third for chains) are games at random, half of their lines towards a solution, some with a
slip or a false claim. Labels are exact, by enumeration: whether a solution can still be reached behind the line.

One in eight of all sets of operands is held out, by a hash; no question about such a set was trained on.

## How good it is

{counted} held-out problems of each kind, {SAMPLES} samples of the language model each, read by the embedded engine. "Within": chance that
a line which keeps a solution within reach scores above one that has lost it, both the first (second, last) lines of attempts at the same
problem; 0.5 is knowing nothing. "Over all": the same over all problems and places, where telling easy problems from hard ones helps.
"Error": calibration error, the mean distance between stated chance and true share. "Best": the attempt whose last line scores best.

| problems | within: first line | second | last | over all | error | one sample | best of {SAMPLES} | any of {SAMPLES} |
|---|---|---|---|---|---|---|---|---|
{rows}
"""


def _two(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"
