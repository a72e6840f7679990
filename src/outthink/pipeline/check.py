"""The verifier by a model: it examines each candidate, then says of that examination whether the candidate is correct.

Two requests a candidate: nobody is examined unless there is room for the verdict as well, which is kept until it is asked for, so that a
budget judges some candidates instead of examining all and judging none. A verdict that says both words or neither is not "correct". Where
nobody is verified everyone stays, with what was said of them, and the record says so. Where time ends between the two, what the
examinations said is kept for whoever takes the run up again. For a verifier of the library, exact ones among them, take the stage `score`.

Source: spec 08, verifier and step 6 (arXiv 2409.15254). Departure: all candidates are examined at once, so `first` cuts afterwards; the
published code goes through them one by one and stops early.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from outthink.core.checkpoint import Saved
from outthink.core.cost import ZERO, total_of
from outthink.core.errors import BudgetExhausted
from outthink.core.key import Key
from outthink.core.settings import Count, Positive
from outthink.numerics.types import FloatArray, IntArray
from outthink.pipeline.asking import Ask
from outthink.pipeline.desk import Desk, Heard
from outthink.pipeline.members import Flow
from outthink.pipeline.pricing import Need, together
from outthink.pipeline.reading import verdict
from outthink.pipeline.stage import LABEL, ModelStage, Rehearsal, Retries, Sizes, read_each
from outthink.pipeline.wording import JUSTIFY, VERDICT, check_places, fill

EXAMINER = "You examine answers step by step."
JUDGE = "You say whether answers are correct."


@dataclass(frozen=True)
class Examined(Saved):
    """What is known of each candidate so far, [n].

    Attributes:
        reasons: what its examination said; None while nobody has examined it.
        right: the verdict; None while there is none.
        over: whether nothing more is asked about it; without a verdict then, its examination failed or its verdict cannot be read.
    """

    reasons: tuple[str | None, ...]
    right: tuple[bool | None, ...]
    over: tuple[bool, ...]

    @classmethod
    def nobody(cls, n: int) -> Examined:
        """n candidates of which nothing is known."""
        return cls((None,) * n, (None,) * n, (False,) * n)

    def examined(self, places: Sequence[int], heard: Heard[str]) -> Examined:
        """The same after the examinations of these; one that came to nothing is over."""
        reasons, over = list(self.reasons), list(self.over)
        for at, i in enumerate(places):
            reasons[i] = heard.found[at]
            over[i] = heard.found[at] is None and at not in heard.unheard
        return replace(self, reasons=tuple(reasons), over=tuple(over))

    def judged(self, places: Sequence[int], heard: Heard[bool]) -> Examined:
        """The same after the verdicts on these."""
        right, over = list(self.right), list(self.over)
        for at, i in enumerate(places):
            right[i], over[i] = heard.found[at], at not in heard.unheard
        return replace(self, right=tuple(right), over=tuple(over))

    @property
    def score(self) -> FloatArray:
        """1 for correct, 0 for wrong, nan without a verdict, [n]."""
        return np.array([np.nan if right is None else float(right) for right in self.right])

    @property
    def order(self) -> IntArray:
        """Places: those found correct, those without a verdict, those found wrong; each in their order, [n]."""
        order: IntArray = np.argsort(-np.nan_to_num(self.score, nan=0.5), kind="stable")
        return order

    @property
    def undecided(self) -> list[int]:
        """Places of those that are examined and wait for a verdict."""
        return [i for i, said in enumerate(self.reasons) if said is not None and not self.over[i]]

    @property
    def unseen(self) -> list[int]:
        """Places of those that nobody has examined."""
        return [i for i, said in enumerate(self.reasons) if said is None and not self.over[i]]


class Verify(ModelStage):
    """Keep the candidates that a model finds correct after it has examined them.

    Attributes:
        first: how many of them stay, in their order; 0 for all.
        retries: how often a verdict that cannot be read is asked for again.
        justify: the prompt of the examination, with {question} and {candidate}.
        prompt: the prompt of the verdict, with {question}, {candidate} and {reasons}.
    """

    one_by_one: ClassVar[bool] = True

    max_tokens: Positive = 512
    first: Count = 0
    retries: Retries = 1
    justify: str = JUSTIFY
    prompt: str = VERDICT

    def check(self) -> None:
        check_places(self.justify, ("question", "candidate"), self.name())
        check_places(self.prompt, ("question", "candidate", "reasons"), self.name())

    async def run(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        """As many as there is room for are examined and judged; the others in a further round, out of what these have left over."""
        before = flow.progress if isinstance(flow.progress, Examined) else Examined.nobody(len(flow.members))
        state = before
        try:
            if not state.undecided:
                state = await self._examined(state, flow, desk, key.child("justify"))
            state = await self._judged(state, flow, desk, key.child("verdict"))
        except BudgetExhausted as error:
            if any(right is not None for right in state.right) and desk.goes_on:
                desk.run.limit = error.limit
                return self._concluded(state, flow, desk)
            if state == before:
                raise
            n = len(state.undecided)
            desk.say(f"{n} of {len(state.over)} candidates were examined, and there was no room for a verdict")
        if not (state.undecided or state.unseen):
            return self._concluded(state, flow, desk)
        desk.keeps()
        members = replace(flow.members, score=state.score)
        return replace(flow, members=members, progress=state, chosen=int(state.order[0]))

    async def _examined(self, state: Examined, flow: Flow, desk: Desk, key: Key) -> Examined:
        """After examining those for which there is room together with their verdicts, which is kept for these meanwhile."""
        unseen, texts = state.unseen, desk.texts(flow.members)
        asks = [self._asked(self.justify, EXAMINER, flow, desk, texts[i]) for i in unseen]
        verdicts = [self._asked(self.prompt, JUDGE, flow, desk, texts[i], "") for i in unseen]
        reasons = 2 * self.max_tokens + LABEL
        kept = [together([Need(ask, 1, more=reasons)], desk.process) or ZERO for ask in verdicts]
        own = [together([Need(ask, 1)], desk.process) or ZERO for ask in asks]
        n, bound = desk.fitting([one + other for one, other in zip(own, kept, strict=True)])
        if unseen and n == 0:
            raise BudgetExhausted(bound)
        with desk.keeping(total_of(kept[:n])):
            return state.examined(unseen[:n], await desk.replies(asks[:n], key, kind="justify"))

    async def _judged(self, state: Examined, flow: Flow, desk: Desk, key: Key) -> Examined:
        """After the verdicts on those that are examined."""
        places, texts = state.undecided, desk.texts(flow.members)
        asks = [self._asked(self.prompt, JUDGE, flow, desk, texts[i], state.reasons[i] or "") for i in places]
        heard = await read_each(
            desk, asks, lambda _, reply: verdict(reply), key, kind=self.name(), retries=self.retries
        )
        return state.judged(places, heard)

    def _concluded(self, state: Examined, flow: Flow, desk: Desk) -> Flow:
        """The flow with those that were found correct; everyone where nobody was, those found wrong after those without a verdict."""
        unknown = state.right.count(None)
        if unknown:
            desk.note(
                f"verify: {unknown} of {len(state.right)} candidates have no verdict and do not count as verified"
            )
        members = replace(flow.members, score=state.score)
        kept = np.flatnonzero(state.score == 1.0)
        if len(kept) == 0:
            desk.note("verify: nobody was verified; all candidates stay")
            kept = state.order
        elif self.first:
            kept = kept[: self.first]
        return replace(flow, members=members.take(kept), progress=None, agreement=None)

    def _asked(self, prompt: str, role: str, flow: Flow, desk: Desk, text: str, reasons: str | None = None) -> Ask:
        said = fill(
            prompt, question=desk.question(flow), candidate=text, **({} if reasons is None else {"reasons": reasons})
        )
        return self.ask(said, role, desk.process.index_of(self.engine), desk.earlier())

    def needs(self, sizes: Sizes, rehearsal: Rehearsal) -> Sequence[Need]:
        place, blank = rehearsal.place_of(self.engine), {"question": rehearsal.question, "candidate": "", "reasons": ""}
        examine = self.ask(fill(self.justify, **blank), EXAMINER, place)
        judge = self.ask(fill(self.prompt, **blank), JUDGE, place)
        reasons = 2 * self.max_tokens + LABEL
        return [
            Need(examine, sizes.n, more=sizes.one),
            Need(judge, sizes.n, sizes.n * self.retries, more=sizes.one + reasons),
        ]

    def after(self, sizes: Sizes, longest: int) -> Sizes:
        return sizes  # when nobody is verified, all stay
