"""Stages that write candidates: `generate` from the question, `fuse` from the candidates before, `solve` by a whole search.

Several of them may stand side by side in one layer (`side-by-side`); their candidates are put together in the order in which they stand.
A member that fails leaves the others; where nothing comes of a layer, the candidates before it stay.

Source: spec 08, generator and fuser (Saad-Falcon et al. 2024, arXiv 2409.15254). Departure: a later layer of generators replaces the
candidates, as the published code does; the paper's rules have generators in the first layer alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta

from outthink.core.batch import Batch
from outthink.core.cost import Role
from outthink.core.cut import gather_until
from outthink.core.errors import BudgetExhausted, Failure, OutthinkError, SettingsError, explain
from outthink.core.key import Key
from outthink.core.settings import NonNegativeFloat, Positive
from outthink.pipeline.asking import Ask, Inner
from outthink.pipeline.desk import Desk
from outthink.pipeline.members import Flow, Members, labelled
from outthink.pipeline.pricing import Need
from outthink.pipeline.stage import LABEL, AnyEngine, Rehearsal, Sizes, Stage, unscored
from outthink.pipeline.wording import BRIEF, FUSE, check_places, fill

FUSER = "You write one answer out of several."


class Making(Stage):
    """Base of stages that draw candidates by single requests.

    Attributes:
        samples: candidates that it draws.
        engine: an engine of its own; None: the recipe's.
        temperature: None: the process's own sampling.
        max_tokens: of one answer; None: the process's own.
    """

    samples: Annotated[int, Meta(ge=1, le=1000)] = 1
    engine: AnyEngine | None = None
    temperature: NonNegativeFloat | None = None
    max_tokens: Positive | None = None

    @abstractmethod
    def asks(self, flow: Flow, desk: Desk) -> list[Ask]:
        """Its requests, one a candidate."""

    async def run(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        return await drawn([self], flow, desk, key)

    def after(self, sizes: Sizes, longest: int) -> Sizes:
        return replace(sizes, n=self.samples, length=self.max_tokens or longest, remark=0)


class Generate(Making):
    """Draw candidates from the question, in the form of the recipe's [process]."""

    makes: ClassVar[bool] = True

    def asks(self, flow: Flow, desk: Desk) -> list[Ask]:
        longest = self.max_tokens or desk.process.settings.max_tokens
        return [self._ask(desk.process.index_of(self.engine), longest, desk.told(flow))] * self.samples

    def needs(self, sizes: Sizes, rehearsal: Rehearsal) -> Sequence[Need]:
        ask = self._ask(rehearsal.place_of(self.engine), self.max_tokens or rehearsal.longest, "")
        return [Need(ask, self.samples, more=sizes.shown)]

    def _ask(self, place: int, longest: int, more: str) -> Ask:
        return Ask(engine=place, temperature=self.temperature, max_tokens=longest, more=more)


class Fuse(Making):
    """Write new answers out of all candidates, and of what critics said of them.

    Attributes:
        brief: ask for an answer that is no longer than those it is made of.
        prompt: what the model is told, with {question}, {candidates}, and {brief} where the wish for brevity goes.
    """

    temperature: NonNegativeFloat | None = 0.7
    brief: bool = False
    prompt: str = FUSE

    def check(self) -> None:
        check_places(self.prompt, ("question", "candidates"), self.name())

    def asks(self, flow: Flow, desk: Desk) -> list[Ask]:
        desk.crowd(len(flow.members), self.name())
        texts, said = desk.texts(flow.members), flow.members.critique.texts
        shown = [
            f"{text}\n(Said about it: {remark})" if remark else text for text, remark in zip(texts, said, strict=True)
        ]
        place, longest = desk.process.index_of(self.engine), self.max_tokens or desk.process.settings.max_tokens
        one = self._ask(place, longest, desk.question(flow), labelled(shown), len(texts), desk.earlier())
        return [one] * self.samples

    def needs(self, sizes: Sizes, rehearsal: Rehearsal) -> Sequence[Need]:
        place, longest = rehearsal.place_of(self.engine), self.max_tokens or rehearsal.longest
        ask = self._ask(place, longest, rehearsal.question, "", sizes.n, ())
        return [Need(ask, self.samples, more=sizes.quoted() + sizes.n * LABEL)]

    def _ask(
        self, place: int, longest: int, question: str, shown: str, n: int, earlier: Sequence[tuple[str, str]]
    ) -> Ask:
        brief = BRIEF if self.brief else ""
        said = fill(self.prompt, question=question, candidates=shown, n=n, brief=brief)
        messages = (("system", FUSER), *earlier, ("user", said))
        return Ask(messages, engine=place, temperature=self.temperature, max_tokens=longest)


class Solve(Stage):
    """Any search, or another pipeline, as a stage: its answer becomes a candidate.

    Attributes:
        recipe: a preset's name, or the tables of a recipe. Tables that it lacks (engine, process, verifier, answer) are the outer recipe's.
        take: its answer alone, or all its finished candidates.
    """

    makes: ClassVar[bool] = True

    recipe: str | dict[str, Any]
    take: Literal["answer", "all"] = "answer"

    async def run(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        return await drawn([self], flow, desk, key)

    async def solved(self, solver: Inner, desk: Desk, name: str) -> list[str]:
        """The texts that the search found; empty where it failed, which is recorded."""
        session = desk.run.session.child(name, budget=solver.budget)
        try:
            result = await solver.search.solve(desk.process.task, session)
        except OutthinkError as error:
            failure = Failure.of(error)
            desk.note(f"solve: {failure.kind}: {failure.message}")
            return []
        finally:
            session.close()
        for said in result.degraded:
            desk.note(f"solve: {said}")
        taken = [one for one in result.candidates if one.final]
        if self.take == "answer":
            taken = [] if result.chosen is None else [result.candidates[result.chosen]]
        texts = [one.content if isinstance(one.content, str) else one.answer for one in taken]
        found = [text for text in texts if text is not None]
        if len(found) < len(texts):
            desk.note(
                f"solve: {len(texts) - len(found)} of {len(texts)} candidates have no text, and no answer in words"
            )
        return found

    def needs(self, sizes: Sizes, rehearsal: Rehearsal) -> Sequence[Need]:
        return ()

    def after(self, sizes: Sizes, longest: int) -> Sizes:
        return replace(sizes, n=1, length=longest, remark=0)


class SideBySide(Stage):
    """Several stages that make candidates in one layer: all at the same time, their candidates in the order in which they stand here."""

    stages: Annotated[tuple[Generate | Fuse | Solve, ...], Meta(min_length=1)]

    def check(self) -> None:
        kinds = sorted({"fuse" if isinstance(stage, Fuse) else "generate or solve" for stage in self.stages})
        if len(kinds) > 1:
            raise SettingsError(
                explain(
                    "Stages of different kinds cannot stand side by side.",
                    got=" and ".join(kinds),
                    expected="stages that all draw from the question, or all fuse",
                    remedy="Give each kind a layer of its own.",
                )
            )

    def parts(self) -> tuple[Stage, ...]:
        return self.stages

    async def run(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        return await drawn(self.stages, flow, desk, key)

    def needs(self, sizes: Sizes, rehearsal: Rehearsal) -> Sequence[Need]:
        return [need for stage in self.stages for need in stage.needs(sizes, rehearsal)]

    def after(self, sizes: Sizes, longest: int) -> Sizes:
        each = [stage.after(sizes, longest) for stage in self.stages]
        return replace(each[0], n=sum(one.n for one in each), length=max(one.length for one in each))


async def drawn(stages: Sequence[Stage], flow: Flow, desk: Desk, key: Key) -> Flow:
    """What these stages draw, all at the same time, in their order. What failed or was cut short is dropped."""
    making = [stage for stage in stages if isinstance(stage, Making)]
    solving = [stage for stage in stages if isinstance(stage, Solve)]
    asks = [ask for stage in making for ask in stage.asks(flow, desk)]
    kinds = sorted({stage.name() for stage in making})
    drawing: list[Batch] = []
    refused: list[BudgetExhausted] = []

    async def asked() -> list[str]:
        role: Role = "refine" if "fuse" in kinds else "generate"
        try:
            kind = "-".join(kinds)
            drawing.extend([await desk.ask(asks, key, kind=kind, role=role, judged=desk.judged)] if asks else [])
        except BudgetExhausted as error:
            refused.append(error)
        return []

    searches = [
        stage.solved(solver, desk, f"layer-{flow.layer + 1}-{at}")
        for at, (stage, solver) in enumerate(zip(solving, desk.solvers, strict=True))
    ]
    # What breaks one of them ends the others, so that nobody goes on spending for a run that is over.
    _, *found = await gather_until(None, [asked(), *searches])
    texts = [one or [] for one in found]
    if refused and not any(texts):
        raise refused[0]
    return await _together(stages, drawing[0] if drawing else None, texts, flow, desk, key)


async def _together(
    stages: Sequence[Stage], batch: Batch | None, texts: Sequence[Sequence[str]], flow: Flow, desk: Desk, key: Key
) -> Flow:
    parts: list[Batch] = []
    at, found = 0, iter(texts)
    for stage in stages:
        if isinstance(stage, Making) and batch is not None:
            parts.append(batch.take(np.arange(at, at + stage.samples)))
            at += stage.samples
        elif isinstance(stage, Solve):
            parts.append(await desk.written(next(found), key.child("written", len(parts))))
    everyone = Batch.concat(parts)
    lost = len(everyone) - int(everyone.finished.sum())
    if lost:
        desk.note(f"{lost} of {len(everyone)} candidates of layer {flow.layer + 1} were lost")
    if everyone.finished.any():
        return unscored(replace(flow, members=Members.fresh(everyone.take(everyone.finished))))
    if len(flow.members):
        desk.note(f"nothing came of layer {flow.layer + 1}; the candidates before it stay")
        return flow
    return replace(flow, members=Members.fresh(everyone))
