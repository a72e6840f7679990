"""What a stage works with: it asks here, and here it says what it had to do without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from outthink.core.batch import Batch
from outthink.core.cost import ZERO, Cost, Role
from outthink.core.errors import BudgetExhausted, Incompatible
from outthink.core.key import Key
from outthink.core.run import Run
from outthink.core.task import Candidate
from outthink.pipeline.asking import Ask, Asked, AskingProcess, Inner, with_more
from outthink.pipeline.members import Flow, Members
from outthink.pipeline.pricing import Need, together
from outthink.pipeline.wording import TOLD_TESTS, fill

T = TypeVar("T")

CROWD = 32
"""More candidates than this in one prompt are said to be many: long prompts overflow windows, and models lose the middle of them."""


@dataclass(frozen=True)
class Heard(Generic[T]):
    """What came of several requests.

    Attributes:
        found: of each, in their order; None where nothing came of it.
        unheard: places of those that a limit or a cut kept away: nothing is known of them, and they may be asked again.
    """

    found: list[T | None]
    unheard: frozenset[int] = frozenset()


@dataclass
class Desk:
    """One stage's door to the run.

    Attributes:
        solvers: what the stages "solve" of this layer run, in their order.
        judged: whether the next layer has the recipe's verifier judge what this one makes, so that its share is promised with each.
        last: whether no layer comes after this one.
        notes: what the stage had to do without, for the record. said: what else the record should hold.
    """

    run: Run
    solvers: Sequence[Inner] = ()
    judged: bool = False
    last: bool = False
    notes: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._limit = self.run.limit

    @property
    def process(self) -> AskingProcess:
        """The run's process. Raises `Incompatible` where it is of another kind."""
        if not isinstance(self.run.process, AskingProcess):
            raise Incompatible("A pipeline's stages ask models; they need an AskingProcess.")
        return self.run.process

    def note(self, text: str) -> None:
        """Say what was done without, once."""
        if text not in self.notes:
            self.notes.append(text)
            self.run.warn(text)

    def say(self, text: str) -> None:
        """Put something into the record of this layer."""
        self.said.append(text)

    def keeps(self) -> None:
        """Say that the limit which ended the stage here has cost it nothing: what there is goes into the next round as it is."""
        self.run.limit = self._limit

    @property
    def goes_on(self) -> bool:
        """Whether the pipeline can go on with less where a limit has ended this stage: a layer comes after it, and there is time."""
        return not self.last and not self.run.session.cut.reason

    def crowd(self, n: int, who: str) -> None:
        """Say so when very many candidates go into one prompt."""
        if n > CROWD:
            self.run.warn(f"{who}: {n} candidates in one prompt; above {CROWD} they may not fit, or not be read.")

    async def ask(
        self, asks: Sequence[Ask], key: Key, *, kind: str, role: Role = "generate", judged: bool = False
    ) -> Batch:
        """One member an ask, sent together; those that failed or did not fit are there, failed or unfinished.

        `judged`: whether the recipe's verifier judges them next. Its share is promised with each, as in a search, so that who does not fit
        with it is not made; where not even the first fits, an answer that nobody has judged is better than none.
        """
        scores = self.run.scores
        judged = judged and scores is not None and bool(asks) and self._fits_judged(asks[0], scores.share())
        batch = await self.run.start(len(asks), key)
        batch = replace(batch, states=tuple(Asked(ask=one) for one in asks))
        moved = await self.run.advance(batch, key, steps=None, scored=judged, kind=kind, role=role)
        batch = moved.batch
        if judged and scores is not None:
            scores.release(batch.id[~batch.finished].tolist())
        cut_short = batch.alive.nonzero()[0].tolist()
        if cut_short and not self.run.limit:
            # A reply that was granted fewer tokens than it wanted, and used them up.
            self.run.limit = self._bound(asks[cut_short[0]])
        await self.run.view(batch)
        return batch

    async def replies(self, asks: Sequence[Ask], key: Key, *, kind: str, role: Role = "verify") -> Heard[str]:
        """The reply to each ask, without thinking.

        Raises `BudgetExhausted` where there is none at all, and a limit or a cut is why.
        """
        batch = await self.ask(asks, key, kind=kind, role=role)
        unheard = frozenset(batch.alive.nonzero()[0].tolist())
        gone = self.run.session.cut.reason
        if asks and not batch.done.any() and (gone or unheard):
            # Nobody was heard: that is no reply that cannot be read, and the stage has not been gone through.
            raise BudgetExhausted(gone or self.run.limit)
        shown = [self.process.shown(state) for state in batch.states]
        found = [text if done else None for text, done in zip(shown, batch.finished.tolist(), strict=True)]
        return Heard(found, unheard)

    # -- room -------------------------------------------------------------------------------------------------------

    def fitting(self, costs: Sequence[Cost]) -> tuple[int, str]:
        """How many of these costs, from the first on, there is room for together, and the limit that bounds them ("" for none)."""
        total = ZERO
        for at, cost in enumerate(costs):
            total = total + cost
            units, bound = self.run.session.ledger.units(total, ZERO, 0)
            if units < 0:
                return at, bound
        return len(costs), ""

    def room(self, needs: Sequence[Need], beside: Sequence[Need]) -> Cost:
        """What `needs` cost at most, to be kept while others are asked; nothing where that and one of each `beside` do not fit."""
        kept = together(needs, self.process)
        own = together([replace(need, calls=min(1, need.calls)) for need in beside], self.process)
        if kept is None or own is None or self.fitting([own + kept])[0] == 0:
            return ZERO
        return kept

    @contextmanager
    def keeping(self, cost: Cost) -> Iterator[None]:
        """Keep room for so much: nobody else can claim it meanwhile."""
        ledger = self.run.session.ledger
        ledger.claim(cost)
        try:
            yield
        finally:
            ledger.release(cost)

    def _fits_judged(self, ask: Ask, share: Cost) -> bool:
        own = together([Need(ask, 1)], self.process)
        return own is not None and self.fitting([own + share])[0] == 1

    def _bound(self, ask: Ask) -> str:
        """The limit that keeps a request from being served in full; "" for none."""
        cost = together([Need(ask, 1)], self.process)
        return "" if cost is None else self.fitting([cost])[1]

    async def written(self, texts: Sequence[str], key: Key) -> Batch:
        """Finished members whose texts came from elsewhere."""
        batch = await self.run.start(len(texts), key)
        batch = replace(batch, states=tuple(Asked.written(text) for text in texts), done=batch.done | True)
        await self.run.view(batch)
        return batch

    async def candidates(self, members: Members) -> list[Candidate]:
        """The candidates as people see them."""
        return await self.run.view(members.batch)

    def texts(self, members: Members) -> list[str]:
        """The candidates' texts, without thinking."""
        return [self.process.shown(state) for state in members.batch.states]

    def told(self, flow: Flow) -> str:
        """What is put after the question: the unit tests, where they are to be shown."""
        return fill(TOLD_TESTS, tests=numbered(flow.tests)) if flow.told and flow.tests else ""

    def question(self, flow: Flow) -> str:
        """The question as stages quote it."""
        return with_more(self.process.task, self.told(flow)).question

    def earlier(self) -> list[tuple[str, str]]:
        """The turns of the conversation before the question; system messages, which the stages have of their own, are left out."""
        prompt = self.process.task.prompt
        if isinstance(prompt, str):
            return []
        turns = [(one.role, one.content) for one in prompt[:-1] if isinstance(one.content, str)]
        return [(role, words) for role, words in turns if role in ("user", "assistant")]


def numbered(texts: Sequence[str]) -> str:
    """Texts as a numbered list."""
    return "\n".join(f"{number}. {text}" for number, text in enumerate(texts, 1))
