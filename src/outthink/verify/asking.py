"""The door of judges to their engine: what a judgement may cost at most, and what came of the requests.

A judge promises its cost before it sees a candidate. So candidates have a longest length, in tokens as the engine counts them (an engine
that cannot count tokens takes bytes); the promise is the prompt without candidates, that many tokens for each, and the longest reply.
Before anything is sent each prompt is quoted, and one that would break the promise, or that leaves no room for the reply, fails by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from outthink.core.component import Parts
from outthink.core.cost import ZERO, Cost
from outthink.core.errors import EngineError, Failure, Incompatible, explain
from outthink.core.task import Candidate, Message, Task
from outthink.engines.engine import ChatPrompt, Constraint, Engine, Request, Sampling
from outthink.engines.paid_failure import PaidFailure
from outthink.verify.exact import reference_of
from outthink.verify.model_verifier import ModelVerifier
from outthink.verify.rubrics import Rubric
from outthink.verify.verdicts import Verdict, read

OWNER = "judge"


@dataclass(frozen=True)
class Asked:
    """What came of some requests: a verdict, None for a reply without one, or a failure, in order; and what they cost."""

    verdicts: list[Verdict | Failure | None]
    cost: Cost = ZERO
    uncertain: Cost = ZERO


@dataclass
class Judging:
    """Asks one engine by one rubric.

    Attributes:
        candidate_tokens: the most that one candidate may add to a prompt.
        owned: whether the engine is this judge's own, to be closed with it.
    """

    engine: Engine
    rubric: Rubric
    sampling: Sampling
    max_tokens: int
    candidate_tokens: int
    constraint: Constraint | None = None
    owned: bool = False
    _quote: tuple[tuple[str, str | None], Cost, float] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: ModelVerifier, parts: Parts, rubric: Rubric) -> Judging:
        """By a judge's settings, on its own engine or the recipe's. Raises `Incompatible`, and what opening an engine raises."""
        engine = parts.engine if settings.engine is None else settings.engine.open()
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
        judging.owned = settings.engine is not None
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
        return judging

    def taken(self, constraint: Constraint) -> Constraint | None:
        """The constraint, if the engine takes it."""
        if not self.engine.capabilities.constraints:
            return None
        try:
            self.engine.most([replace(self.request({}, Task(), 0), constraint=constraint)])
        except EngineError:
            return None
        return constraint

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
            owner=OWNER,
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
        try:
            quote = self.engine.most([request])[0]
        except EngineError as error:
            return Failure.of(error)
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

    async def ask(self, requests: Sequence[Request]) -> Asked:
        """Send the requests, all together."""
        if not requests:
            return Asked([])
        cost, uncertain = ZERO, ZERO
        verdicts: list[Verdict | Failure | None] = []
        for reply in await self.engine.generate(list(requests)):
            if isinstance(reply, Failure):
                verdicts.append(Failure(reply.kind, reply.message, reply.status, reply.retryable))
                if isinstance(reply, PaidFailure):
                    cost, uncertain = cost + reply.cost, uncertain + reply.uncertain
                continue
            cost, uncertain = cost + reply.cost, uncertain + reply.uncertain
            verdicts.append(read(reply, self.rubric))
        return Asked(verdicts, cost, uncertain)

    async def close(self) -> None:
        """Close the engine, if it is the judge's own."""
        if self.owned:
            await self.engine.close()

    def _priced(self, texts: Mapping[str, str], task: Task) -> Cost:
        """What a request with these texts costs at most, nothing of it cached."""
        return msgspec.structs.replace(self.engine.most([self.request(texts, task, 0)])[0], cached_input_tokens=0)


def text_of(candidate: Candidate) -> str | Failure:
    """A candidate as text: what it says, or its messages one below the other."""
    content = candidate.content
    if isinstance(content, str):
        return content
    if isinstance(content, (list, tuple)) and all(isinstance(one, Message) for one in content):
        return "\n".join(f"{one.role}: {one.content}" for one in content)
    return Failure("Incompatible", f"A judge reads texts and transcripts, and this is a {type(content).__name__}.")
