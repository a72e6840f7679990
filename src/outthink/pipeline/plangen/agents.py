"""The agents of PlanGEN: who finds the conditions, who rates a plan against them, who says which algorithm suits.

All of them are single requests through the stage's desk, so the budget holds and everything is in the record.

Source: spec 09, steps 1, 2 and 6 (arXiv 2502.16111).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.batch import Batch
from outthink.core.errors import Incompatible, explain
from outthink.core.key import Key
from outthink.pipeline.asking import Ask
from outthink.pipeline.desk import Desk, numbered
from outthink.pipeline.plangen import wording
from outthink.pipeline.stage import read_each
from outthink.pipeline.wording import fill

CONSTRAINT_AGENT = "You find the conditions that a solution must keep to."
VERIFICATION_AGENT = "You check plans against conditions and rate them strictly."
SELECTION_AGENT = "You say which method suits a problem."


@dataclass(frozen=True)
class Rated:
    """A plan's score in [-100, 100] and what was said about it. `known`: False where nobody could tell, which counts as 0."""

    score: float
    feedback: str
    known: bool = True


@dataclass
class Agents:
    """The agents of one round.

    Attributes:
        question: the problem in words. place: of the engine. tokens: of a reply. retries: for replies that cannot be read.
        by_verifier: whether whole plans are rated by the recipe's verifier.
    """

    desk: Desk
    question: str
    place: int
    tokens: int
    retries: int
    by_verifier: bool = False

    def ask(self, said: str, role: str) -> Ask:
        """A request of an agent: greedy."""
        messages = (("system", role), *self.desk.earlier(), ("user", said))
        return Ask(messages, engine=self.place, temperature=0.0, max_tokens=self.tokens, whole=True)

    async def constraints(self, hint: str, key: Key) -> tuple[str, ...]:
        """The conditions of the problem; empty where none could be found, which is recorded."""
        more = f" Look for: {hint}." if hint else ""
        ask = self.ask(fill(wording.CONSTRAINTS, question=self.question, hint=more), CONSTRAINT_AGENT)
        (reply,) = await self.desk.replies([ask], key, kind="constraints")
        found = wording.read_lines(reply or "")
        if not found:
            self.desk.note("plangen: no conditions were found; plans are rated without")
        return found

    async def rate(self, texts: Sequence[str], constraints: Sequence[str], key: Key, *, partial: bool) -> list[Rated]:
        """The verification agent's view of each text, [n]. `partial`: of what has been worked out so far."""
        what, rest = ("beginning", ", as far as it goes") if partial else ("solution", "")
        blank = {"question": self.question, "constraints": numbered(constraints), "what": what, "rest": rest}
        asks = [self.ask(fill(wording.VERIFY, **blank, plan=text), VERIFICATION_AGENT) for text in texts]

        def read(at: int, reply: str) -> Rated | None:
            score = wording.read_score(reply)
            return None if score is None else Rated(score, reply)

        found = await read_each(self.desk, asks, read, key, kind="rate", retries=self.retries)
        unknown = sum(one is None for one in found)
        if unknown:
            self.desk.note(f"plangen: {unknown} of {len(texts)} ratings could not be read and count as 0")
        return [one or Rated(0.0, "", known=False) for one in found]

    async def judge(self, batch: Batch, texts: Sequence[str], constraints: Sequence[str], key: Key) -> list[Rated]:
        """Whole plans rated: by the recipe's verifier where that is asked for, else by the verification agent."""
        if not self.by_verifier:
            return await self.rate(texts, constraints, key, partial=False)
        verifier = self.desk.run.verifier
        if verifier is None:
            raise unbounded()
        low, high = verifier.spec.low, verifier.spec.high
        scores, notes = await self.desk.run.score(batch), self.desk.run.notes(batch)
        return [
            Rated(0.0, note, known=False) if np.isnan(score) else Rated(200 * (score - low) / (high - low) - 100, note)
            for score, note in zip(scores.tolist(), notes, strict=True)
        ]

    async def complete(self, path: str, key: Key) -> bool:
        """Whether what has been worked out is a whole solution; False where the reply says neither."""
        ask = self.ask(fill(wording.COMPLETE, question=self.question, path=path), VERIFICATION_AGENT)
        (reply,) = await self.desk.replies([ask], key, kind="complete")
        return wording.read_complete(reply or "") is True

    async def prior(self, arms: Sequence[str], plan: str, feedback: str, key: Key) -> list[float]:
        """How suitable each algorithm is, in [0, 1]; the same for all where the reply cannot be read."""
        methods = "; ".join(f"{arm}: {wording.METHODS[arm]}" for arm in arms)
        example = "{" + ", ".join(f'"{arm}": 0.5' for arm in arms) + "}"
        said = fill(
            wording.SELECT, question=self.question, plan=plan, feedback=feedback, methods=methods, example=example
        )
        found = await read_each(
            self.desk,
            [self.ask(said, SELECTION_AGENT)],
            lambda _, reply: wording.read_prior(reply, arms),
            key,
            kind="select",
            retries=self.retries,
        )
        if found[0] is None:
            self.desk.note("plangen: the selection agent's view could not be read; all algorithms count alike")
            return [0.5] * len(arms)
        return found[0]


def unbounded() -> Incompatible:
    """The error for plans that are to be rated by a verifier which is not there, or whose scores have no bounds."""
    return Incompatible(
        explain(
            "The stage 'plangen' is told to rate plans by the recipe's verifier, and that gives no score between bounds.",
            got="no [verifier], or one whose scores are unbounded",
            expected="a verifier with a lowest and a highest score",
            remedy='Set [verifier], or judge = "model".',
        )
    )
