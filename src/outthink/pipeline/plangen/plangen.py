"""PlanGEN: find the conditions of a problem, rate every plan against them, and let a bandit choose the algorithm that improves it.

    [[layers]]
    type = "plangen"

A layer of several rounds: the first draws a plan, the second finds the conditions and rates it, and each one after that has one algorithm
write a better plan, until a plan passes or the rounds are over. The best plan seen is kept, never the last: rewriting makes things worse
about as often as better. Each round is a step of the pipeline, so a run can be cut off or taken up after any of them. A budget that ends
inside a round leaves what that had come to: ratings that were given count, plans that nobody has rated yet stand behind the best one, and
the rest of the round is made up for when the run is taken up.

A model that rates plans likes many wrong ones; where a program can check them, say `judge = "verifier"`. If unsure otherwise, leave all as
it is. The bandit's state belongs to one problem.

Source: spec 09 (arXiv 2502.16111). Departures: the bandit's (`outthink.pipeline.plangen.bandit`) and the algorithms' own; ratings that
cannot be read count as 0, and the record says so; a stage of the pipeline may come before, whose first candidate is then the first plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from outthink.core.batch import Batch
from outthink.core.checkpoint import Saved
from outthink.core.errors import BudgetExhausted
from outthink.core.key import Key
from outthink.core.settings import Count, NonNegativeFloat, Positive, PositiveFloat
from outthink.pipeline.asking import Ask
from outthink.pipeline.desk import Desk
from outthink.pipeline.members import Flow, Members
from outthink.pipeline.plangen import wording
from outthink.pipeline.plangen.agents import VERIFICATION_AGENT, Agents
from outthink.pipeline.plangen.bandit import Arms, Bandit
from outthink.pipeline.plangen.growing import PLANNER, Growing, Growth, Tree
from outthink.pipeline.pricing import Need
from outthink.pipeline.stage import LABEL, AnyEngine, Rehearsal, Retries, Sizes, Stage
from outthink.pipeline.wording import fill

Arm = Literal["best-of-n", "tree-of-thought", "rebase"]


@dataclass(frozen=True)
class Planning(Saved):
    """A problem under way.

    Attributes:
        round: 0 while the first plan is not rated. score, feedback: of the best plan; nan and "" before that.
        seen: the rating of every attempt, in order. growth: of the attempt under way; None between two rounds.
    """

    arms: Arms
    constraints: tuple[str, ...] = ()
    round: int = 0
    score: float = float("nan")
    feedback: str = ""
    seen: tuple[float, ...] = ()
    growth: Growth | None = None


class Plangen(Stage):
    """Plan, rate the plan against the problem's conditions, and have algorithms improve it until it passes.

    Attributes:
        threshold: the rating at which a plan passes, from -100 to 100. rounds: attempts at most after the first plan.
        algorithms: what the bandit chooses among, in the order that decides ties.
        best_of: plans of best-of-n. width: next steps for each open path of the tree; beam: paths that it keeps; depth: steps at most.
        rebase_width: next steps of REBASE at its first level; rebase_temperature: of its sharing, for scores scaled to [0, 1].
        bandit: weights of the choice. ask_prior: whether a model is asked which algorithm suits.
        constraints: the conditions, where they are known; empty: a model finds them. hint: what kinds to look for.
        judge: who rates whole plans: the verification agent, or the recipe's verifier, whose scores are stretched to -100 to 100.
        execute: whether a last request answers the problem by the plan.
        engine: an engine of its own; None: the recipe's.
        temperature: of plans and steps. max_tokens: of one of them; None: the process's own.
        agent_tokens: of an agent's reply. retries: how often one that cannot be read is asked for again.
    """

    makes: ClassVar[bool] = True

    threshold: Annotated[float, Meta(ge=-100.0, le=100.0)] = 95.0
    rounds: Count = 4
    algorithms: Annotated[tuple[Arm, ...], Meta(min_length=1)] = ("best-of-n", "tree-of-thought", "rebase")
    best_of: Positive = 5
    width: Positive = 3
    beam: Positive = 1
    depth: Positive = 6
    rebase_width: Positive = 10
    rebase_temperature: PositiveFloat = 0.2
    bandit: Bandit = Bandit()
    ask_prior: bool = True
    constraints: tuple[str, ...] = ()
    hint: str = ""
    judge: Literal["model", "verifier"] = "model"
    execute: bool = False
    engine: AnyEngine | None = None
    temperature: NonNegativeFloat = 0.7
    max_tokens: Positive | None = None
    agent_tokens: Positive = 512
    retries: Retries = 1

    async def run(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        planning = flow.progress
        if not isinstance(planning, Planning):
            return await self._begin(flow, desk, key)
        agents = self._agents(flow, desk)
        if self._passes(planning):
            # The plan stood before; there was no room to carry it out.
            return await self._ended(flow, desk, key.child("execute"))
        if planning.round == 0:
            flow = await self._rated(flow, planning, agents, key)
        else:
            flow = await self._improved(flow, planning, agents, key.child(planning.round))
        if not self._passes(flow.progress):
            return flow
        try:
            return await self._ended(flow, desk, key.child("execute"))
        except BudgetExhausted:
            desk.keeps()  # the plan of this round is carried out when there is room
            return flow

    # -- rounds -----------------------------------------------------------------------------------------------------

    async def _begin(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        """The first plan: the best candidate of the layer before, or one drawn from the question."""
        members = flow.members.take([0]) if len(flow.members) else Members.fresh(await self._drawn(desk, key))
        started = Planning(Arms.fresh(len(self.algorithms)), self.constraints) if members.batch.finished.any() else None
        if started is None:
            desk.note("plangen: the first plan was lost")
        return replace(flow, members=members, progress=started, agreement=None)

    async def _drawn(self, desk: Desk, key: Key) -> Batch:
        ask = Ask(
            engine=desk.process.index_of(self.engine), temperature=self.temperature, max_tokens=self._longest(desk)
        )
        return await desk.ask([ask], key.child("first"), kind="plan")

    async def _rated(self, flow: Flow, planning: Planning, agents: Agents, key: Key) -> Flow:
        found = planning.constraints or await agents.constraints(self.hint, key.child("constraints"))
        texts = agents.desk.texts(flow.members)
        try:
            (rated,) = await agents.judge(flow.members.batch, texts, found, key.child("judge"))
            if rated is None:
                raise BudgetExhausted(agents.desk.run.limit)
        except BudgetExhausted:
            if found == planning.constraints:
                raise
            agents.desk.keeps()
            return self._with(flow, replace(planning, constraints=found))
        agents.desk.say(f"first plan: {rated.score:.0f}")
        planning = replace(
            planning, constraints=found, round=1, score=rated.score, feedback=rated.feedback, seen=(rated.score,)
        )
        return self._with(flow, planning)

    async def _improved(self, flow: Flow, planning: Planning, agents: Agents, key: Key) -> Flow:
        """One algorithm's attempt, or as much of it as there is room for; the best plan seen stays."""
        taken_up, desk, number = planning.growth is not None, agents.desk, planning.round
        begun = flow
        try:
            while planning.round == number:
                growth = planning.growth
                if growth is None:
                    planning = replace(planning, growth=await self._chosen(flow, planning, agents, key.child("select")))
                    flow = self._with(flow, planning)
                elif not growth.drawn:
                    flow = await self._grown(flow, planning, growth, agents, key.child("attempt"))
                elif len(flow.members) > 1:
                    flow = await self._judged(flow, planning, growth, agents, key.child("judge"))
                else:
                    desk.say(self._told(growth, number, taken_up) + f": {growth.score:.0f}")
                    flow = self._with(flow, self._after(planning, growth))
                planning = flow.progress
        except BudgetExhausted:
            if flow is begun or planning.growth is None:
                raise
            desk.say(self._told(planning.growth, number, taken_up) + ": no room to finish it")
            desk.keeps()
        return flow

    async def _chosen(self, flow: Flow, planning: Planning, agents: Agents, key: Key) -> Growth:
        """The algorithm that the bandit chooses, at its beginning."""
        arms, prior = planning.arms, [0.5] * len(self.algorithms)
        if self.ask_prior and len(self.algorithms) > 1:
            (plan,) = agents.desk.texts(flow.members)
            prior = await agents.prior(self.algorithms, plan, planning.feedback, key)
        values = zip(self.algorithms, arms.values(prior, self.bandit), strict=True)
        return Growth(arms.choose(prior, self.bandit), ", ".join(f"{arm} {value:.2f}" for arm, value in values))

    async def _grown(self, flow: Flow, planning: Planning, growth: Growth, agents: Agents, key: Key) -> Flow:
        """The attempt after its next requests; its whole plans wait behind the best one."""
        desk = agents.desk
        plan, longest = desk.texts(flow.members)[0], self._longest(desk)
        growing = Growing(agents, planning.constraints, plan, planning.feedback, self.temperature, longest)
        arm, batch = self.algorithms[growth.arm], None
        if arm == "best-of-n":
            batch = await growing.best_of(self.best_of, key.child("plans"))
            growth = replace(growth, drawn=True)
        else:
            growth = await growing.grown(growth, self._tree(arm), key.child("level", growth.level))
            if growth.drawn and growth.best:
                batch = await desk.written([growth.best], key.child("written"))
        if growth.drawn and not batch:
            desk.note(f"plangen: round {planning.round} came to nothing")
        members = flow.members.join(Members.fresh(batch)) if batch else flow.members
        return self._with(replace(flow, members=members), replace(planning, growth=growth))

    async def _judged(self, flow: Flow, planning: Planning, growth: Growth, agents: Agents, key: Key) -> Flow:
        """The best plan after rating those that wait behind it; who could not be rated goes on waiting."""
        best, waiting = flow.members.take([0]), flow.members.take(list(range(1, len(flow.members))))
        rated = await agents.judge(waiting.batch, agents.desk.texts(waiting), planning.constraints, key)
        for i, one in enumerate(rated):
            if one is None:
                continue
            growth = replace(growth, score=max(growth.score, one.score))
            if one.score > planning.score:
                best, growth = waiting.take([i]), replace(growth, better=True)
                planning = replace(planning, score=one.score, feedback=one.feedback)
        left = waiting.take([i for i, one in enumerate(rated) if one is None])
        return self._with(replace(flow, members=best.join(left)), replace(planning, growth=growth))

    def _after(self, planning: Planning, growth: Growth) -> Planning:
        """What is known when the attempt is over."""
        passed = growth.score >= self.threshold
        return replace(
            planning,
            arms=planning.arms.after(growth.arm, (growth.score + 100) / 200, passed=passed, best=growth.better),
            round=planning.round + 1,
            seen=(*planning.seen, growth.score),
            growth=None,
        )

    def _tree(self, arm: Literal["tree-of-thought", "rebase"]) -> Tree:
        if arm == "rebase":
            return Tree(self.rebase_width, self.depth, temperature=self.rebase_temperature)
        return Tree(self.width, self.depth, beam=self.beam)

    def _told(self, growth: Growth, number: int, taken_up: bool) -> str:
        arm = self.algorithms[growth.arm]
        return f"round {number} taken up: {arm}" if taken_up else f"round {number}: {arm} ({growth.why})"

    async def _ended(self, flow: Flow, desk: Desk, key: Key) -> Flow:
        if not self.execute:
            return replace(flow, progress=None)
        (plan,) = desk.texts(flow.members)
        said = fill(wording.EXECUTE, question=desk.question(flow), plan=plan)
        batch = await desk.ask([self._asked(said, desk)], key, kind="execute", role="refine")
        if not batch.finished.any():
            desk.note("plangen: the plan could not be carried out; it is the answer")
            return replace(flow, progress=None)
        return replace(flow, members=Members.fresh(batch), progress=None)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _passes(self, planning: Planning) -> bool:
        """Whether the plan is good enough, or the rounds are over."""
        return planning.growth is None and (planning.score >= self.threshold or planning.round > self.rounds)

    def _with(self, flow: Flow, planning: Planning) -> Flow:
        score = np.full(len(flow.members), np.nan)
        score[0] = planning.score
        members = replace(flow.members, score=score)
        return replace(flow, members=members, progress=planning, chosen=0, agreement=None)

    def _agents(self, flow: Flow, desk: Desk) -> Agents:
        place = desk.process.index_of(self.engine)
        return Agents(desk, desk.question(flow), place, self.agent_tokens, self.retries, self.judge == "verifier")

    def _longest(self, desk: Desk) -> int:
        return self.max_tokens or desk.process.settings.max_tokens

    def _asked(self, said: str, desk: Desk) -> Ask:
        place = desk.process.index_of(self.engine)
        return Ask((("system", PLANNER), *desk.earlier(), ("user", said)), "", place, 0.0, self._longest(desk))

    # -- beforehand -------------------------------------------------------------------------------------------------

    def judges(self, sizes: Sizes) -> int:
        return 1 + self.rounds * self._whole_plans() if self.judge == "verifier" else 0

    def needs(self, sizes: Sizes, rehearsal: Rehearsal) -> Sequence[Need]:
        place, longest = rehearsal.place_of(self.engine), self.max_tokens or rehearsal.longest
        question, agent = rehearsal.question, 2 * self.agent_tokens + LABEL
        path = 2 * (self.depth * longest + LABEL)
        text = path if {"tree-of-thought", "rebase"} & set(self.algorithms) else 2 * longest + LABEL
        context = agent + sizes.shown

        def ask(said: str, tokens: int) -> Ask:
            return Ask((("system", VERIFICATION_AGENT), ("user", said)), engine=place, max_tokens=tokens, whole=True)

        blank = dict.fromkeys(("constraints", "plan", "feedback", "path", "before", "what", "rest", "methods"), "")
        plan, step = (fill(one, question=question, **blank) for one in (wording.PLAN, wording.STEP))
        rate = ask(fill(wording.VERIFY, question=question, **blank), self.agent_tokens)
        rates = self.rounds * (self._proposals() + self._whole_plans())
        needs = [
            Need(
                Ask(engine=place, temperature=self.temperature, max_tokens=longest),
                0 if sizes.n else 1,
                more=sizes.shown,
            ),
            Need(rate, 1 + rates, (1 + rates) * self.retries, more=context + text),
            Need(
                ask(max(plan, step, key=len), longest), self.rounds * self._proposals(), more=context + agent + 2 * text
            ),
        ]
        if not self.constraints:
            hint = fill(wording.CONSTRAINTS, question=question, hint=self.hint)
            needs.append(Need(ask(hint, self.agent_tokens), 1, more=sizes.shown + LABEL))
        if self.ask_prior and len(self.algorithms) > 1:
            select = ask(fill(wording.SELECT, question=question, **blank), self.agent_tokens)
            listed = LABEL * 8 * len(self.algorithms)
            needs.append(Need(select, self.rounds, self.rounds * self.retries, more=context + text + listed))
        if {"tree-of-thought", "rebase"} & set(self.algorithms):
            complete = ask(fill(wording.COMPLETE, question=question, path=""), self.agent_tokens)
            needs.append(Need(complete, self.rounds * self.depth, more=context + text))
        if self.execute:
            needs.append(Need(ask(fill(wording.EXECUTE, question=question, plan=""), longest), 1, more=context + text))
        return needs

    def after(self, sizes: Sizes, longest: int) -> Sizes:
        return replace(sizes, n=1, length=self.depth * (self.max_tokens or longest), remark=0)

    def _proposals(self) -> int:
        """Plans or steps that one round draws at most."""
        levels = range(self.depth)
        most = {
            "best-of-n": self.best_of,
            "tree-of-thought": sum(self.width * (self.beam if level else 1) for level in levels),
            "rebase": sum(max(0, self.rebase_width - level) for level in levels),
        }
        return max(most[arm] for arm in self.algorithms)

    def _whole_plans(self) -> int:
        """Whole plans that one round has rated at most, besides the steps on the way."""
        return max(self.best_of if "best-of-n" in self.algorithms else 0, 1)
