"""The verifier by a model: it examines each candidate, then says of that examination whether the candidate is correct.

Two requests a candidate. A verdict that says both words or neither is not "correct". Where nobody is verified everyone stays, with what was
said of them, and the record says so. Where the budget ends between the two, what the examinations said is kept for whoever takes the run up
again. For a verifier of the library, exact ones among them, take the stage `score`.

Source: spec 08, verifier and step 6 (arXiv 2409.15254). Departure: all candidates are examined at once, so `first` cuts afterwards; the
published code goes through them one by one and stops early.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from outthink.core.checkpoint import Saved
from outthink.core.errors import BudgetExhausted
from outthink.core.key import Key
from outthink.core.settings import Count, Positive
from outthink.pipeline.desk import Desk
from outthink.pipeline.members import Flow
from outthink.pipeline.reading import verdict
from outthink.pipeline.stage import LABEL, ModelStage, Need, Rehearsal, Retries, Sizes, read_each
from outthink.pipeline.wording import JUSTIFY, VERDICT, check_places, fill

EXAMINER = "You examine answers step by step."
JUDGE = "You say whether answers are correct."


@dataclass(frozen=True)
class Examined(Saved):
    """What was said of each candidate, [n]; None of whom nobody has examined yet."""

    reasons: tuple[str | None, ...]


class Verify(ModelStage):
    """Keep the candidates that a model finds correct after it has examined them.

    Attributes:
        first: how many of them stay, in their order; 0 for all.
        retries: how often a verdict that cannot be read is asked for again.
        justify: the prompt of the examination, with {question} and {candidate}.
        prompt: the prompt of the verdict, with {question}, {candidate} and {reasons}.
    """

    max_tokens: Positive = 512
    first: Count = 0
    retries: Retries = 1
    justify: str = JUSTIFY
    prompt: str = VERDICT

    def check(self) -> None:
        check_places(self.justify, ("question", "candidate"), self.name())
        check_places(self.prompt, ("question", "candidate", "reasons"), self.name())

    async def run(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        members, question, texts = flow.members, desk.question(flow), desk.texts(flow.members)
        place, earlier = desk.process.index_of(self.engine), desk.earlier()
        before = flow.progress.reasons if isinstance(flow.progress, Examined) else (None,) * len(texts)
        reasons = list(before)
        waiting = [i for i, said in enumerate(before) if said is None]
        asks = [
            self.ask(fill(self.justify, question=question, candidate=texts[i]), EXAMINER, place, earlier)
            for i in waiting
        ]
        try:
            replies = await desk.replies(asks, key.child("justify"), kind="justify")
        except BudgetExhausted:
            if len(waiting) == len(texts):
                raise
            replies = [None] * len(waiting)
        for i, said in zip(waiting, replies, strict=True):
            reasons[i] = said
        known = [i for i, said in enumerate(reasons) if said is not None]
        asks = [
            self.ask(
                fill(self.prompt, question=question, candidate=texts[i], reasons=reasons[i]), JUDGE, place, earlier
            )
            for i in known
        ]
        try:
            found = await read_each(
                desk,
                asks,
                lambda _, reply: verdict(reply),
                key.child("verdict"),
                kind=self.name(),
                retries=self.retries,
            )
        except BudgetExhausted:
            if tuple(reasons) == before:
                raise
            desk.say(f"{len(known)} of {len(texts)} candidates were examined, and there was no room for a verdict")
            desk.keeps()
            return replace(flow, progress=Examined(tuple(reasons)))
        unknown = found.count(None) + len(texts) - len(known)
        if unknown:
            desk.note(f"verify: {unknown} of {len(texts)} candidates have no verdict and do not count as verified")
        flow = replace(flow, progress=None, agreement=None)
        score = np.full(len(texts), np.nan)
        score[known] = [np.nan if right is None else float(right) for right in found]
        good = np.flatnonzero(score == 1.0)
        if len(good) == 0:
            desk.note("verify: nobody was verified; all candidates stay")
            return replace(flow, members=replace(members, score=score))
        kept = good[: self.first] if self.first else good
        return replace(flow, members=replace(members, score=score).take(kept))

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
