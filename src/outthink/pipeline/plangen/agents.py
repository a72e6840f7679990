"""The agents of PlanGEN: who finds the conditions, who rates a plan against them, who says which algorithm suits.

All of them are single requests through the stage's desk, so the budget holds and everything is in the record.

Source: spec 09, steps 1, 2 and 6 (arXiv 2502.16111).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.batch import Batch
from outthink.core.cost import Cost
from outthink.core.errors import BudgetExhausted, Incompatible, explain
from outthink.core.key import Key
from outthink.pipeline.asking import Ask
from outthink.pipeline.desk import Desk, numbered
from outthink.pipeline.plangen import wording
from outthink.pipeline.pricing import Need
from outthink.pipeline.stage import LABEL, read_each
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

    def _rating(self, text: str, constraints: Sequence[str], *, partial: bool) -> Ask:
        what, rest = ("beginning", ", as far as it goes") if partial else ("solution", "")
        blank = {"question": self.question, "constraints": numbered(constraints), "what": what, "rest": rest}
        return self.ask(fill(wording.VERIFY, **blank, plan=text), VERIFICATION_AGENT)

    async def constraints(self, hint: str, key: Key) -> tuple[str, ...]:
        """The conditions of the problem; empty where none could be found, which is recorded."""
        more = f" Look for: {hint}." if hint else ""
        ask = self.ask(fill(wording.CONSTRAINTS, question=self.question, hint=more), CONSTRAINT_AGENT)
        (reply,) = (await self.desk.replies([ask], key, kind="constraints")).found
        found = wording.read_lines(reply or "")
        if not found:
            self.desk.note("plangen: no conditions were found; plans are rated without")
        return found

    def rating(self, constraints: Sequence[str], tokens: int, beside: Ask, path: str = "") -> Cost:
        """What rating `path` with so many tokens more costs at most; nothing where that and one request `beside` it do not fit."""
        need = Need(self._rating(path, constraints, partial=True), 1, more=2 * tokens + LABEL)
        return self.desk.room([need], [Need(beside, 1)])

    async def rate(
        self, texts: Sequence[str], constraints: Sequence[str], key: Key, *, partial: bool
    ) -> list[Rated | None]:
        """The verification agent's view of each text, [n]; None where there was no room. `partial`: of what has been worked out so far."""
        asks = [self._rating(text, constraints, partial=partial) for text in texts]

        def read(at: int, reply: str) -> Rated | None:
            score = wording.read_score(reply)
            return None if score is None else Rated(score, reply)

        heard = await read_each(self.desk, asks, read, key, kind="rate", retries=self.retries)
        unknown = heard.found.count(None) - len(heard.unheard)
        if unknown:
            self.desk.note(f"plangen: {unknown} of {len(texts)} ratings could not be read and count as 0")
        return [
            None if at in heard.unheard else one or Rated(0.0, "", known=False) for at, one in enumerate(heard.found)
        ]

    async def judge(
        self, batch: Batch, texts: Sequence[str], constraints: Sequence[str], key: Key
    ) -> list[Rated | None]:
        """Whole plans rated, [n]: by the recipe's verifier where that is asked for, else by the verification agent; None for want of room.

        Raises `BudgetExhausted` where there was room for none.
        """
        if not self.by_verifier:
            return await self.rate(texts, constraints, key, partial=False)
        run = self.desk.run
        if run.verifier is None or run.scores is None:
            raise unbounded()
        low, high = run.verifier.spec.low, run.verifier.spec.high
        scores, notes = await run.score(batch), run.notes(batch)
        rated = [
            Rated(0.0, note, known=False) if np.isnan(score) else Rated(200 * (score - low) / (high - low) - 100, note)
            for score, note in zip(scores.tolist(), notes, strict=True)
        ]
        heard = [one if node in run.scores.known else None for node, one in zip(batch.id.tolist(), rated, strict=True)]
        if not any(heard):
            raise BudgetExhausted(run.limit)
        return heard

    async def complete(self, path: str, key: Key) -> bool:
        """Whether what has been worked out is a whole solution; False where the reply says neither."""
        ask = self.ask(fill(wording.COMPLETE, question=self.question, path=path), VERIFICATION_AGENT)
        (reply,) = (await self.desk.replies([ask], key, kind="complete")).found
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
        view = found.found[0]
        if view is None:
            self.desk.note("plangen: the selection agent's view could not be read; all algorithms count alike")
            return [0.5] * len(arms)
        return view


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
