"""Beam search: n beams, of which the best n / width survive each step and are expanded again.

Finished beams leave to the completed list; the search ends when n are complete or nothing is left to expand. It trusts the verifier more
than a particle filter does. If unsure: n = 8, width = 4.

Source: spec 05, beam search (search-and-learn's form). Departs from its code: exact duplicates are kept, since search never looks into
content; a search in which nothing completes returns no answer instead of dividing by zero; completed beams beyond the n-th still compete.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.batch import Batch
from outthink.core.checkpoint import Saved
from outthink.core.errors import Incompatible, SettingsError, explain
from outthink.core.key import Key
from outthink.core.rows import Rows
from outthink.core.run import Run
from outthink.core.settings import Positive
from outthink.core.verifier import ScoreSpec
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Beamed(Rows):
    """Beams with their last scores, [n]; nan for no opinion."""

    batch: Batch
    score: FloatArray


@dataclass(frozen=True)
class Beams(Saved):
    """Beams that go on, and beams that are complete."""

    active: Beamed
    complete: Beamed
    round: int = 0


class Beam(Algorithm[Beams]):
    """Keep the best n / width beams after each step and expand each into `width`.

    Attributes:
        n: beams; the budget in sequences.
        width: children of each surviving beam; divides n.
        rounds: the last round moves every beam to its end.
    """

    n: Positive = 8
    width: Positive = 4
    rounds: Positive = 40

    def check(self) -> None:
        if self.n % self.width:
            raise SettingsError(
                explain(
                    "Beam.n must be divisible by Beam.width.",
                    got=f"n = {self.n}, width = {self.width}",
                    expected="a multiple",
                    remedy=f"Try n = {max(1, self.n // self.width) * self.width}.",
                )
            )

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is not None and not spec.partial and self.width > 1:
            raise Incompatible(
                explain(
                    "'beam' ranks unfinished beams, and this verifier rates finished answers only.",
                    got=f"a verifier of {spec.kind.value}s",
                    expected="one that rates partial answers",
                    remedy="Use 'best-of-n', or a verifier of steps or prefixes.",
                )
            )

    async def init(self, run: Run, key: Key) -> Beams:
        batch = await run.start(self.n, key)
        active = Beamed(batch, np.full(self.n, np.nan))
        return Beams(active, active.take([]))

    async def step(self, state: Beams, run: Run, key: Key) -> Beams:
        # Fewer than n: the survivors are repeated in turn, best first.
        spread = state.active.take(np.arange(self.n) % len(state.active))
        last = state.round + 1 >= self.rounds
        moved = await run.advance(spread.batch, key, steps=None if last else 1)
        beams = Beamed(moved.batch, await run.score(moved.batch))
        complete = state.complete.join(beams.take(beams.batch.finished))
        alive = beams.take(beams.batch.alive)
        order = np.argsort(-np.where(np.isnan(alive.score), -np.inf, alive.score), kind="stable")
        return Beams(alive.take(order[: self.n // self.width]), complete, state.round + 1)

    def done(self, state: Beams) -> bool:
        return len(state.active) == 0 or len(state.complete) >= self.n or state.round >= self.rounds

    def answer(self, state: Beams) -> Answer:
        beams = state.complete.join(state.active)
        return Answer.argmax(beams.batch, beams.score)
