"""What a stage works with: it asks here, and here it says what it had to do without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from outthink.core.batch import Batch
from outthink.core.cost import Role
from outthink.core.errors import BudgetExhausted, Incompatible
from outthink.core.key import Key
from outthink.core.run import Run
from outthink.core.task import Candidate
from outthink.pipeline.asking import Ask, Asked, AskingProcess, Inner, with_more
from outthink.pipeline.members import Flow, Members
from outthink.pipeline.wording import TOLD_TESTS, fill

CROWD = 32
"""More candidates than this in one prompt are said to be many: long prompts overflow windows, and models lose the middle of them."""


@dataclass
class Desk:
    """One stage's door to the run.

    Attributes:
        solvers: what the stages "solve" of this layer run, in their order.
        notes: what the stage had to do without, for the record. said: what else the record should hold.
    """

    run: Run
    solvers: Sequence[Inner] = ()
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

    def crowd(self, n: int, who: str) -> None:
        """Say so when very many candidates go into one prompt."""
        if n > CROWD:
            self.run.warn(f"{who}: {n} candidates in one prompt; above {CROWD} they may not fit, or not be read.")

    async def ask(self, asks: Sequence[Ask], key: Key, *, kind: str, role: Role = "generate") -> Batch:
        """One member an ask, sent together; those that failed or did not fit are there, failed or unfinished."""
        batch = await self.run.start(len(asks), key)
        batch = replace(batch, states=tuple(Asked(ask=one) for one in asks))
        moved = await self.run.advance(batch, key, steps=None, scored=False, kind=kind, role=role)
        await self.run.view(moved.batch)
        return moved.batch

    async def replies(self, asks: Sequence[Ask], key: Key, *, kind: str, role: Role = "verify") -> list[str | None]:
        """The reply to each ask, without thinking; None where there is none.

        Raises `BudgetExhausted` where there is none at all, and a limit or a cut is why.
        """
        batch = await self.ask(asks, key, kind=kind, role=role)
        if asks and (gone := self.run.session.cut.reason) and not batch.done.any():
            # Nobody was heard: that is no reply that cannot be read, and the stage has not been gone through.
            raise BudgetExhausted(gone)
        shown = [self.process.shown(state) for state in batch.states]
        return [text if done else None for text, done in zip(shown, batch.finished.tolist(), strict=True)]

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
