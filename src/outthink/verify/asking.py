"""The door of judges to their engine: what a judgement may cost at most, and what came of the requests.

A judge promises its cost before it sees a candidate. So candidates have a longest length, in tokens as the engine counts them (an engine
that cannot count tokens takes bytes); the promise is the prompt without candidates, that many tokens for each, and the longest reply.
Before anything is sent each prompt is quoted, and one that would break the promise, or that leaves no room for the reply, fails by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import msgspec

from outthink.core.component import Parts
from outthink.core.cost import ZERO, Cost, total_of
from outthink.core.cut import Cut
from outthink.core.errors import Failure, Incompatible, explain
from outthink.core.process import Adaptation
from outthink.core.task import Candidate, Message, Task, in_words
from outthink.engines.engine import ChatPrompt, Constraint, Engine, Request, Sampling, StopReason, owner_of
from outthink.engines.paid_failure import PaidFailure, Ungiven, unpaid
from outthink.verify.exact import reference_of
from outthink.verify.model_verifier import ModelVerifier
from outthink.verify.rubrics import Rubric
from outthink.verify.verdicts import Verdict, read

OWNER = "judge"


class Unheard(Enum):
    """A request that a cut ended before its reply."""

    CUT = "cut"


CUT = Unheard.CUT
Judgement = Verdict | Failure | Unheard | None
"""What came of one request: its verdict, None for a reply without one, why there is no reply, or that it was cut short."""


@dataclass(frozen=True)
class Asked:
    """What came of some requests: a verdict, None for a reply without one, a failure, or `CUT`, in order; and what they cost."""

    verdicts: list[Judgement]
    cost: Cost = ZERO
    uncertain: Cost = ZERO


@dataclass
class Judging:
    """Asks one engine by one rubric.

    Attributes:
        candidate_tokens: the most that one candidate may add to a prompt.
        owned: whether the engine was opened here, to be closed with the judge.
        adaptations: what the judge's own engine, or the judge itself, does in place of what the engine's backend cannot do.
    """

    engine: Engine
    rubric: Rubric
    sampling: Sampling
    max_tokens: int
    candidate_tokens: int
    constraint: Constraint | None = None
    owned: bool = False
    adaptations: tuple[Adaptation, ...] = ()
    _quote: tuple[tuple[str, str | None], Cost, float] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: ModelVerifier, parts: Parts, rubric: Rubric) -> Judging:
        """By a judge's settings, on its own engine or the recipe's. Raises `Incompatible`, and what opening an engine raises."""
        own = settings.engine
        engine = parts.engine if own is None else parts.opened(own)
        owned = own is not None and engine is None
        if own is not None and engine is None:
            engine = own.open()
        if not isinstance(engine, Engine):
            raise Incompatible(
                explain(
                    f"The verifier {settings.name()!r} asks a model, and there is no engine.",
                    got=type(engine).__name__,
                    expected="an engine",
                    remedy="Set [verifier.engine], or [engine] for the whole recipe.",
                )
            )
        sampling = Sampling(temperature=settings.temperature)
        judging = cls(engine, rubric, sampling, settings.max_tokens, settings.candidate_tokens)
        judging.owned = owned
        judging.constraint = None if settings.constrain == "never" else judging.taken(rubric.constraint)
        if settings.constrain == "always" and judging.constraint is None:
            raise Incompatible(
                explain(
                    "The judge's replies are to be constrained, and the engine does not take this constraint.",
                    got=engine.name,
                    expected="an engine with constrained replies",
                    remedy='Set constrain = "auto".',
                )
            )
        if settings.engine is not None:
            judging.adaptations = tuple(Adaptation(f"judge: {one.what}", one.instead) for one in engine.adaptations)
        return judging

    def taken(self, constraint: Constraint) -> Constraint | None:
        """The constraint, if the engine takes it."""
        if not self.engine.capabilities.constraints:
            return None
        quote = self.engine.most([replace(self.request({}, Task(), 0), constraint=constraint)])[0]
        return None if isinstance(quote, Failure) else constraint

    def request(self, texts: Mapping[str, str], task: Task, seed: int) -> Request:
        """The request that shows these texts."""
        shown = {"question": task.question, "reference": task.reference or ""}
        blank = {"candidate": "", "first": "", "second": ""}
        said = [Message("system", self.rubric.system)] if self.rubric.system else []
        said.append(Message("user", self.rubric.fill({**shown, **blank, **texts})))
        return Request(
            prompt=ChatPrompt(tuple(said)),
            seed=seed,
            max_tokens=self.max_tokens,
            sampling=self.sampling,
            constraint=self.constraint,
            owner=owner_of(task, OWNER),
        )

    def most(self, task: Task, candidates: int) -> Cost:
        """The most that one request about so many candidates costs. Raises `Incompatible` for a task that cannot be judged."""
        if self.rubric.reads_reference:
            reference_of(task)
        asked = (task.question, task.reference)
        if self._quote is None or self._quote[0] != asked:
            short = self._priced({}, task)
            longer = self._priced({"candidate" if not self.rubric.compares else "first": "x" * 64}, task)
            grown = max(1, longer.input_tokens - short.input_tokens)
            self._quote = (asked, short, max(0.0, longer.money - short.money) / grown if short.money else 0.0)
        _, short, money = self._quote
        more = self.candidate_tokens * candidates
        return msgspec.structs.replace(short, input_tokens=short.input_tokens + more, money=short.money + money * more)

    def refused(self, request: Request, promised: Cost) -> Failure | None:
        """Why this request cannot be sent within the promise; None where it can."""
        quote = self.engine.most([request])[0]
        if isinstance(quote, Failure):
            return quote
        if quote.input_tokens > promised.input_tokens:
            return Failure(
                "ContextOverflow",
                explain(
                    "The candidate is longer than the judge was told to expect.",
                    got=f"a prompt of {quote.input_tokens} tokens",
                    expected=f"at most {promised.input_tokens} tokens",
                    remedy=f"Raise the judge's candidate_tokens (now {self.candidate_tokens}).",
                ),
            )
        if quote.output_tokens < request.max_tokens:
            return Failure(
                "ContextOverflow",
                f"The prompt leaves room for {quote.output_tokens} of the verdict's {request.max_tokens} tokens.",
            )
        return None

    async def ask(self, requests: Sequence[Request], cut: Cut | None = None) -> Asked:
        """Send the requests, all together. When `cut` fires, those that have been answered are kept."""
        if not requests:
            return Asked([])
        cost, uncertain = ZERO, ZERO
        verdicts: list[Judgement] = []
        replies = await self.engine.generate(list(requests), cut=cut)
        left_out = {i: reply for i, reply in enumerate(replies) if isinstance(reply, Ungiven)}
        if left_out:
            # Each was promised as a request of its own.
            cost = total_of(one.cost for one in left_out.values())
            uncertain = total_of(one.uncertain for one in left_out.values())
            for i, reply in zip(
                left_out, await self.engine.generate([requests[i] for i in left_out], cut=cut), strict=True
            ):
                replies[i] = reply
        for reply in replies:
            if isinstance(reply, Failure):
                verdicts.append(unpaid(reply))
                if isinstance(reply, PaidFailure):
                    cost, uncertain = cost + reply.cost, uncertain + reply.uncertain
                continue
            cost, uncertain = cost + reply.cost, uncertain + reply.uncertain
            verdicts.append(CUT if reply.stop is StopReason.CANCELLED else read(reply, self.rubric))
        return Asked(verdicts, cost, uncertain)

    async def close(self) -> None:
        """Close the engine, if it is the judge's own."""
        if self.owned:
            await self.engine.close()

    def _priced(self, texts: Mapping[str, str], task: Task) -> Cost:
        """What a request with these texts costs at most, nothing of it cached."""
        return msgspec.structs.replace(self.engine.price(self.request(texts, task, 0)), cached_input_tokens=0)


def text_of(candidate: Candidate) -> str | Failure:
    """A candidate as text: what it says, or its messages one below the other."""
    content = candidate.content
    text = in_words(tuple(content) if isinstance(content, list) else content)
    if text is not None:
        return text
    return Failure("Incompatible", f"A judge reads texts and transcripts, and this is a {type(content).__name__}.")
