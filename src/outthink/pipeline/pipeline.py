"""A pipeline: layers of stages, each turning the candidates of the one before into its own.

    Pipeline(layers=(Generate(samples=8), Rank(keep=3), Fuse()))

It is a method like any other, so what holds for a search holds for it: a step is a layer, its requests are reserved before they are sent, a
budget or Ctrl-C ends it with the first candidate of the last complete layer, and it resumes after any layer. The paper returns the first
candidate of the last layer; its code a random one (`choose = "random"`).

If unsure: `Generate(samples=5)`, `Rank(keep=3)`, `Fuse()` with a model that follows instructions; with a small one, `Generate`, `Vote`.

Source: spec 08 (Saad-Falcon et al. 2024, arXiv 2409.15254).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.cost import ZERO, Cost
from outthink.core.errors import Incompatible, explain
from outthink.core.events import StageEnded
from outthink.core.key import Key
from outthink.core.process import Process
from outthink.core.run import Run
from outthink.core.verifier import ScoreSpec
from outthink.pipeline.asking import AskingProcess, Inner
from outthink.pipeline.check import Verify
from outthink.pipeline.choosing import Score, Vote, no_verifier
from outthink.pipeline.critique import Critique
from outthink.pipeline.desk import Desk
from outthink.pipeline.making import Fuse, Generate, SideBySide, Solve
from outthink.pipeline.members import Flow, Members
from outthink.pipeline.plangen import Plangen
from outthink.pipeline.plangen.agents import unbounded
from outthink.pipeline.pricing import Need
from outthink.pipeline.rank import Rank
from outthink.pipeline.rules import Rules, check_layers
from outthink.pipeline.stage import Rehearsal, Sizes, Stage
from outthink.pipeline.unit_tests import RunTests, WriteTests

Layer = Generate | Fuse | Critique | Rank | Verify | WriteTests | RunTests | Vote | Score | Solve | SideBySide | Plangen
"""The stages that a layer may be, by their `type`."""

_MAKERS = (Generate, Fuse, Solve)


class Pipeline(Algorithm[Flow]):
    """Layers of stages over one population of candidates.

    Attributes:
        layers: the stages in order; in a recipe the tables `[[layers]]`.
        rules: which layers may follow which: those of the paper, or only what a run needs.
        choose: which candidate of the last layer is the answer, where there are several.
    """

    needs: ClassVar[Sequence[type[Any]]] = (AskingProcess,)
    whole_samples: ClassVar[bool] = True

    layers: Annotated[tuple[Layer, ...], Meta(min_length=1)]
    rules: Rules = "paper"
    choose: Literal["first", "random"] = "first"

    def check(self) -> None:
        check_layers(self.layers, self.rules)

    @property
    def needs_verifier(self) -> bool:
        return any(
            isinstance(part, Score) or (isinstance(part, Plangen) and part.judge == "verifier")
            for part in self.stages()
        )

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is None and self.needs_verifier:
            raise no_verifier("score")
        for part in self.stages():
            if isinstance(part, Plangen) and part.judge == "verifier" and not (spec and isfinite(spec.high - spec.low)):
                raise unbounded()

    def stages(self) -> tuple[Stage, ...]:
        """Every stage, those side by side one after the other."""
        return tuple(part for layer in self.layers for part in layer.parts())

    def solves(self) -> tuple[Solve, ...]:
        """The stages that run a whole search, in order."""
        return tuple(part for part in self.stages() if isinstance(part, Solve))

    # -- the method -------------------------------------------------------------------------------------------------

    async def init(self, run: Run, key: Key) -> Flow:
        process = _asking(run.process)
        for solver in process.solvers:
            solver.search.check(solver.search.process(run.task))
        return Flow(Members.fresh(await run.start(0, key)), draw=float(key.child("choose").rng().random()))

    async def step(self, state: Flow, run: Run, key: Key) -> Flow:
        layer = self.layers[state.layer]
        solvers, follower = _solvers(self, _asking(run.process).solvers, state.layer), self._follower(state.layer)
        desk = Desk(run, solvers, judged=isinstance(follower, Score), last=follower is None)
        before = run.session.ledger.total.calls
        if state.layer and not len(state.members) and not isinstance(layer, WriteTests) and not _makes(layer):
            # Nothing was left to work on: the run ends with the failures that say why.
            return replace(state, layer=len(self.layers))
        with desk.keeping(self._kept(state, desk)):
            flow = await layer.run(state, desk, key.child("layer"))
        notes = (*state.notes, *(note for note in desk.notes if note not in state.notes))
        over = layer.over(flow)
        flow = replace(flow, notes=notes, layer=state.layer + (1 if over else 0), chosen=None if over else flow.chosen)
        if len(flow.members) and flow.members.batch.failed.all():
            flow = replace(flow, layer=len(self.layers))
        run.emit(
            StageEnded(
                layer=state.layer + 1,
                stage=layer.name(),
                came=len(state.members),
                nodes=tuple(flow.members.batch.id.tolist()),
                calls=run.session.ledger.total.calls - before,
                note="; ".join((*desk.said, *desk.notes)),
            )
        )
        return flow

    def _kept(self, state: Flow, desk: Desk) -> Cost:
        """What a layer that makes candidates leaves over: the price of judging one of them, where they are judged one by one next.

        Not of judging all: a request is priced as if everything in it were as long as it may be, and what is not used comes back after
        each, so that most budgets judge all candidates that they can pay for, and none ends before one is judged.
        """
        layer, later = self.layers[state.layer], self.layers[state.layer + 1 :]
        if not all(isinstance(part, _MAKERS) for part in layer.parts()):
            return ZERO
        writing = next((at for at, one in enumerate(later) if not isinstance(one, WriteTests)), len(later))
        judging = later[: writing + 1]
        if not judging or not judging[-1].one_by_one:
            return ZERO
        process = desk.process
        rehearsal = Rehearsal(process.task.question, process.index_of, process.settings.max_tokens)
        sizes, needs = Sizes(), list[Need]()
        for before in self.layers[: state.layer]:
            sizes = before.after(sizes, rehearsal.longest)
        sizes = replace(sizes, n=len(state.members))
        one = replace(layer.after(sizes, rehearsal.longest), n=1)
        for stage in judging:
            needs += stage.needs(one, rehearsal)
            one = replace(stage.after(one, rehearsal.longest), n=1)
        return desk.room(needs, layer.needs(sizes, rehearsal))

    def _follower(self, at: int) -> Layer | None:
        return self.layers[at + 1] if at + 1 < len(self.layers) else None

    def done(self, state: Flow) -> bool:
        return state.layer >= len(self.layers)

    def answer(self, state: Flow) -> Answer:
        batch, score = state.members.batch, state.members.score
        finished = np.flatnonzero(batch.finished)
        weights = np.zeros(len(batch))
        chosen: int | None = None
        if len(finished):
            at = 0 if self.choose == "first" else int(state.draw * len(finished))
            chosen = int(finished[at]) if state.chosen is None else state.chosen
            weights[chosen] = 1.0
        return Answer(batch, weights, score, chosen, agreement=state.agreement, degraded=state.notes)


def _asking(process: Process[Any]) -> AskingProcess:
    if isinstance(process, AskingProcess):
        return process
    raise Incompatible(
        explain(
            "A pipeline's stages ask models.",
            got=type(process).__name__,
            expected="an AskingProcess, as outthink.build makes it from [process] type = 'text'",
            remedy="Use a recipe with [[layers]], or a search method for this process.",
        )
    )


def _makes(layer: Stage) -> bool:
    return any(part.makes for part in layer.parts())


def _solvers(pipeline: Pipeline, solvers: Sequence[Inner], layer: int) -> Sequence[Inner]:
    """Those of one layer."""
    before = sum(isinstance(part, Solve) for one in pipeline.layers[:layer] for part in one.parts())
    here = sum(isinstance(part, Solve) for part in pipeline.layers[layer].parts())
    return solvers[before : before + here]
