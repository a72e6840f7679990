"""Unit tests in words: statements that a good answer fulfils (`write-tests`), and how many of them each candidate does (`run-tests`).

The tests have a place of their own beside the candidates; the question stays as it is. `show = true` puts them after the question for the
stages that follow, which is what the published code does by changing the question.

Source: spec 08, unit-test generator and evaluator, step 7 (arXiv 2409.15254). Departures: equal scores keep their order (the published code
sorts them by their text); a reply with too few tests is asked for again and then used; `keep` and `only` offer both the code's and the
paper's rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from outthink.core.key import Key
from outthink.core.settings import Count, Positive
from outthink.pipeline.desk import Desk
from outthink.pipeline.members import Flow, labelled
from outthink.pipeline.pricing import Need
from outthink.pipeline.reading import marks, statements
from outthink.pipeline.stage import LABEL, ModelStage, Rehearsal, Retries, Sizes, read_each
from outthink.pipeline.wording import RUN_TESTS, WRITE_TESTS, check_places, fill

WRITER = "You write tests that answers must pass."
TESTER = "You say which tests an answer passes."


class WriteTests(ModelStage):
    """Write statements that every good answer fulfils.

    Attributes:
        number: of tests. show: whether stages after this one show them with the question.
        retries: how often it is asked again when there are too few.
        prompt: what the model is told, with {question} and {number}.
    """

    number: Annotated[int, Meta(ge=1, le=50)] = 5
    show: bool = False
    retries: Retries = 1
    prompt: str = WRITE_TESTS

    def check(self) -> None:
        check_places(self.prompt, ("question", "number"), self.name())

    async def run(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        said = fill(self.prompt, question=desk.question(flow), number=self.number)
        ask = self.ask(said, WRITER, desk.process.index_of(self.engine), desk.earlier())
        best: list[str] = []

        def read(_: int, reply: str) -> bool | None:
            found = statements(reply, self.number)
            best[:] = found if len(found) > len(best) else best
            return True if len(best) == self.number else None

        await read_each(desk, [ask], read, key, kind=self.name(), retries=self.retries)
        if len(best) < self.number:
            desk.note(f"write-tests: {len(best)} of {self.number} tests were written")
        return replace(flow, tests=tuple(best), told=self.show)

    def needs(self, sizes: Sizes, rehearsal: Rehearsal) -> Sequence[Need]:
        said = fill(self.prompt, question=rehearsal.question, number=self.number)
        return [Need(self.ask(said, WRITER, rehearsal.place_of(self.engine)), 1, self.retries, more=sizes.shown)]

    def after(self, sizes: Sizes, longest: int) -> Sizes:
        return replace(sizes, tests=self.max_tokens, told=self.show)


class RunTests(ModelStage):
    """Sort the candidates by the number of tests that they pass, most first; equals keep their order.

    Attributes:
        only: "all" keeps everyone, "passers" those that pass every test, where there are any.
        keep: the most that stay; 0 for all.
        shown: whether the tests stay with the question here, where they were put there; false leaves the question as it was asked.
        retries: how often marks that cannot be read are asked for again.
        prompt: what the model is told, with {question}, {candidate} and {tests}; {number} is how many.
    """

    one_by_one: ClassVar[bool] = True

    max_tokens: Positive = 256
    only: Literal["all", "passers"] = "all"
    keep: Count = 0
    shown: bool = False
    retries: Retries = 1
    prompt: str = RUN_TESTS

    def check(self) -> None:
        check_places(self.prompt, ("question", "candidate", "tests"), self.name())

    async def run(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        members, tests = flow.members, flow.tests
        if not tests:
            desk.note("run-tests: there are no tests; all candidates stay as they are")
            return flow
        question = desk.question(flow if self.shown else replace(flow, told=False))
        place, earlier = desk.process.index_of(self.engine), desk.earlier()
        blank = {"question": question, "tests": labelled(tests), "number": len(tests)}
        asks = [
            self.ask(fill(self.prompt, **blank, candidate=text), TESTER, place, earlier) for text in desk.texts(members)
        ]

        def read(at: int, reply: str) -> int | None:
            passed = marks(reply, len(tests))
            return None if passed is None else sum(passed)

        found = (await read_each(desk, asks, read, key, kind=self.name(), retries=self.retries)).found
        if None in found:
            desk.note(f"run-tests: {found.count(None)} of {len(found)} candidates have no marks; they come last")
        score = np.array([np.nan if passed is None else float(passed) for passed in found])
        order = np.lexsort((np.arange(len(score)), -np.where(np.isnan(score), -1.0, score)))
        passers = order[score[order] == len(tests)]
        kept = passers if self.only == "passers" and len(passers) else order
        kept = kept[: self.keep] if self.keep else kept
        return replace(flow, members=replace(members, score=score).take(kept), agreement=None)

    def needs(self, sizes: Sizes, rehearsal: Rehearsal) -> Sequence[Need]:
        said = fill(self.prompt, question=rehearsal.question, candidate="", tests="", number=LABEL)
        ask = self.ask(said, TESTER, rehearsal.place_of(self.engine))
        # The tests stand under labels, besides where they are shown with the question.
        return [Need(ask, sizes.n, sizes.n * self.retries, more=sizes.one + 2 * sizes.tests + MOST_TESTS * LABEL)]

    def after(self, sizes: Sizes, longest: int) -> Sizes:
        return replace(sizes, n=min(sizes.n, self.keep) if self.keep else sizes.n)


MOST_TESTS = 50
"""The most tests that can be written."""
