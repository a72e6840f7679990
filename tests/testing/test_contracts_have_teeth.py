"""Each suite refuses parts that break one promise, and the promise is named by the test that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Advance,
    Algorithm,
    Allowance,
    Answer,
    Candidate,
    Cost,
    Cut,
    Equivalence,
    Failure,
    Key,
    Run,
    Scores,
    Task,
    decode,
    encode,
)
from outthink.engines import Generation, Request, StopReason, TextPrompt
from outthink.engines.scripted import ScriptedEngine
from outthink.engines.scripted_tokens import END
from outthink.search import BestOfN, ParticleFilter
from outthink.search.drawn import Drawn
from outthink.search.particle_filter import Particles
from outthink.testing import FunctionOfContent, Strings, TokenChain
from outthink.testing.contracts import (
    AlgorithmContract,
    EngineContract,
    EquivalenceContract,
    PerturbableContract,
    ProcessContract,
    VerifierContract,
)
from outthink.testing.contracts.algorithm import EXAMPLES


class OneNoiseForAll(TokenChain):
    async def advance(self, states: Strings, seeds: Any, **more: Any) -> Advance[Strings]:
        return await super().advance(states, np.repeat(seeds[:1], len(seeds)), **more)


class NoiseOfTheBatch(TokenChain):
    async def advance(self, states: Strings, seeds: Any, **more: Any) -> Advance[Strings]:
        return await super().advance(states, seeds + np.uint64(len(seeds)), **more)


class HiddenState(TokenChain):
    async def advance(self, states: Strings, seeds: Any, **more: Any) -> Advance[Strings]:
        self.calls += 1
        return await super().advance(states, seeds + np.uint64(self.calls), **more)


class Forgetful(TokenChain):
    def dump(self, states: Strings) -> bytes:
        return encode(replace(states, symbols=np.zeros_like(states.symbols)))


class TakesByHalves(TokenChain):
    def take(self, states: Strings, index: Any) -> Strings:
        return replace(super().take(states, index), log_prob=np.resize(states.log_prob, len(index)))


class ChangesItsInput(TokenChain):
    async def advance(self, states: Strings, seeds: Any, **more: Any) -> Advance[Strings]:
        got = await super().advance(states, seeds, **more)
        states.log_prob[:] = got.states.log_prob
        return got


class BillsTooLittle(TokenChain):
    def charge(self, calls: int, steps: int) -> Cost:
        return super().charge(calls, steps) - self.prices.step.times(min(steps, 1))


class ClaimsTooLittle(TokenChain):
    def claim(self, wanted: Any, allowance: Any) -> Any:
        super().claim(np.minimum(wanted, 1), allowance)
        return wanted


class ServesTheLastFirst(TokenChain):
    def claim(self, wanted: Any, allowance: Any) -> Any:
        return super().claim(wanted[::-1], allowance)[::-1]


class MovesTheFinished(TokenChain):
    async def advance(self, states: Strings, seeds: Any, **more: Any) -> Advance[Strings]:
        got = await super().advance(states, seeds, **more)
        changed = np.where(states.done, states.log_prob - 1.0, got.states.log_prob)
        return replace(got, states=replace(got.states, log_prob=changed))


class LosesTheUnserved(TokenChain):
    async def advance(self, states: Strings, seeds: Any, **more: Any) -> Advance[Strings]:
        got = await super().advance(states, seeds, **more)
        return replace(got, states=replace(got.states, log_prob=np.where(got.untouched, 1.0, got.states.log_prob)))


class StartsAtACost(TokenChain):
    async def start(self, seeds: Any) -> Strings:
        self.charge(1, 0)
        return await super().start(seeds)


class AnswersTooSoon(TokenChain):
    async def view(self, states: Strings, wants: Any) -> list[Candidate]:
        return [Candidate(content=text, final=False, answer=text) for text in self.texts(states)]


class NeverEnds(TokenChain):
    def draw(self, states: Strings, seeds: Any, counter: int) -> Any:
        after, ratio = super().draw(replace(states, level=np.minimum(states.level, self.length - 1)), seeds, counter)
        return replace(after, level=np.zeros_like(after.level), done=np.zeros_like(after.done)), ratio


@pytest.mark.parametrize(
    ("wrong", "law"),
    [
        (OneNoiseForAll, "test_rows_do_not_depend_on_batch_mates"),
        (NoiseOfTheBatch, "test_rows_do_not_depend_on_batch_mates"),
        (HiddenState, "test_same_seeds_same_outcome"),
        (Forgetful, "test_dump_and_load"),
        (TakesByHalves, "test_take_and_concat"),
        (ChangesItsInput, "test_states_are_values"),
        (BillsTooLittle, "test_costs_are_what_was_counted_and_within_the_claims"),
        (ClaimsTooLittle, "test_costs_are_what_was_counted_and_within_the_claims"),
        (ClaimsTooLittle, "test_allowance_holds_at_every_cap"),
        (ServesTheLastFirst, "test_allowance_holds_at_every_cap"),
        (LosesTheUnserved, "test_allowance_holds_at_every_cap"),
        (MovesTheFinished, "test_finished_members_are_left_alone"),
        (StartsAtACost, "test_starting_is_free_and_follows_the_seeds"),
        (AnswersTooSoon, "test_view_shows_one_candidate_each"),
        (NeverEnds, "test_everyone_finishes"),
    ],
)
async def test_a_wrong_process_is_refused(wrong: type[TokenChain], law: str) -> None:
    await getattr(ProcessContract(), law)(TokenChain("abc", length=4))
    with pytest.raises(AssertionError):
        await getattr(ProcessContract(), law)(wrong("abc", length=4))


async def test_a_dump_that_cannot_be_told_apart_needs_the_right_load() -> None:
    class LoadsAnother(TokenChain):
        def load(self, data: bytes) -> Strings:
            states: Strings = decode(data)
            return replace(states, level=np.minimum(states.level + 1, self.length - 1))

    with pytest.raises(AssertionError):
        await ProcessContract().test_dump_and_load(LoadsAnother("abc", length=4))


async def test_a_wrong_neighbour_is_refused() -> None:
    class AlwaysRedraws(TokenChain):
        async def perturb(self, states: Strings, strength: Any, seeds: Any, *, allowance: Any) -> Advance[Strings]:
            return await super().perturb(states, np.ones(len(seeds)), seeds, allowance=allowance)

    with pytest.raises(AssertionError):
        await PerturbableContract().test_no_strength_changes_nothing_and_is_free(AlwaysRedraws())


# -- engines --------------------------------------------------------------------------------------------------------------


def babble(text: str) -> dict[str, float]:
    return {"ba": 0.5, "bo": 0.45, END: 0.05}


class Changed(ScriptedEngine):
    """Changes every reply by `change`."""

    def __init__(self, change: Callable[[Generation, Request], Generation]) -> None:
        super().__init__(babble)
        self._change = change

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        got = await super().generate(requests, cut=cut)
        return [
            self._change(reply, request) if isinstance(reply, Generation) else reply
            for reply, request in zip(got, requests, strict=True)
        ]


class Shuffled(ScriptedEngine):
    def __init__(self) -> None:
        super().__init__(babble)

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        return list(reversed(await super().generate(requests, cut=cut)))


class Promising(ScriptedEngine):
    def __init__(self) -> None:
        super().__init__(babble)

    def most(self, requests: Sequence[Request]) -> list[Cost]:
        return [cost - Cost(output_tokens=cost.output_tokens - 1) for cost in super().most(requests)]


def free(reply: Generation, request: Request) -> Generation:
    return replace(reply, cost=reply.cost - Cost(calls=1))


def over(reply: Generation, request: Request) -> Generation:
    return replace(reply, cost=reply.cost + Cost(output_tokens=request.max_tokens))


def stop_kept(reply: Generation, request: Request) -> Generation:
    return replace(reply, text=reply.text + reply.stop_text)


def seedless(reply: Generation, request: Request) -> Generation:
    return replace(reply, text="same")


def certain(reply: Generation, request: Request) -> Generation:
    return replace(reply, log_probs=tuple(-p for p in reply.log_probs or ()))


def deaf(reply: Generation, request: Request) -> Generation:
    return replace(reply, stop=StopReason.LENGTH)


@pytest.mark.parametrize(
    ("wrong", "law"),
    [
        (lambda: Changed(free), "test_the_bill_equals_the_counters"),
        (lambda: Changed(over), "test_limits_are_hard"),
        (lambda: Changed(stop_kept), "test_stop_strings_cut_the_text_before_them"),
        (lambda: Changed(seedless), "test_a_seed_decides_the_reply"),
        (lambda: Changed(certain), "test_log_probs_when_wanted"),
        (lambda: Changed(deaf), "test_a_cut_before_the_call"),
        (Shuffled, "test_replies_come_in_order_and_alone_as_in_company"),
        (Promising, "test_most_is_a_bound_and_costs_nothing"),
    ],
)
async def test_a_wrong_engine_is_refused(wrong: Callable[[], ScriptedEngine], law: str) -> None:
    suite = EngineContract()
    suite.prompts = (TextPrompt("one"), TextPrompt("one two"), TextPrompt("three"))
    await getattr(suite, law)(ScriptedEngine(babble))
    with pytest.raises(AssertionError):
        await getattr(suite, law)(wrong())


# -- verifiers and equivalences -----------------------------------------------------------------------------------------------

CANDIDATES = [Candidate(content=text, answer=text or None) for text in ("ab", "", "abc", "xyz")]


class Ranking(FunctionOfContent):
    """Scores by place in the batch."""

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        got = await super().score(candidates, task)
        return replace(got, values=np.arange(len(candidates), dtype=float))


class Unpaid(FunctionOfContent):
    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        return replace(await super().score(candidates, task), cost=Cost())


class ErrorAsNought(FunctionOfContent):
    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        got = await super().score(candidates, task)
        return replace(got, values=np.nan_to_num(got.values))


class Emptiness(Equivalence):
    async def keys(self, candidates: Sequence[Candidate], task: Task) -> list[Any]:
        return [candidate.answer or "" for candidate in candidates]


@pytest.mark.parametrize(
    ("wrong", "law"),
    [
        (Ranking(len), "test_a_score_belongs_to_its_candidate"),
        (Unpaid(len), "test_the_bill_is_true_and_within_the_promise"),
        (ErrorAsNought(len, fails=lambda candidate: True), "test_one_score_each_within_the_range"),
        (FunctionOfContent(len, low=0.0, high=1.0), "test_one_score_each_within_the_range"),
    ],
)
async def test_a_wrong_verifier_is_refused(wrong: FunctionOfContent, law: str) -> None:
    with pytest.raises(AssertionError):
        await getattr(VerifierContract(), law)(wrong, CANDIDATES, Task())


async def test_an_equivalence_that_never_abstains_is_refused() -> None:
    with pytest.raises(AssertionError):
        await EquivalenceContract().test_no_answer_abstains(Emptiness(), CANDIDATES, Task())


# -- algorithms -----------------------------------------------------------------------------------------------------------


class ChoosesAnyone(BestOfN):
    def answer(self, state: Drawn) -> Answer:
        return replace(super().answer(state), chosen=0)


class WeighsThemAll(BestOfN):
    def answer(self, state: Drawn) -> Answer:
        return replace(super().answer(state), weights=np.ones(len(state)))


_TURN = iter(range(10**6))


class OwnNoise(ParticleFilter):
    """Its randomness does not follow from the key."""

    async def step(self, state: Particles, run: Run, key: Key) -> Particles:
        return await super().step(state, run, key.child(next(_TURN)))


class GoesRound(BestOfN):
    """Pays the process behind the run's back."""

    async def step(self, state: Drawn, run: Run, key: Key) -> Drawn:
        await run.process.advance(state.batch.states, key.seeds(len(state)), allowance=Allowance())
        return await super().step(state, run, key)


@pytest.mark.parametrize(
    ("right", "wrong", "law"),
    [
        (BestOfN, ChoosesAnyone, "test_there_is_an_answer_at_any_time"),
        (BestOfN, WeighsThemAll, "test_there_is_an_answer_at_any_time"),
        (ParticleFilter, OwnNoise, "test_the_same_seed_gives_the_same_search"),
        (ParticleFilter, OwnNoise, "test_resumed_is_uninterrupted"),
        (ParticleFilter, OwnNoise, "test_micro_batches_change_nothing"),
        (BestOfN, GoesRound, "test_no_cap_is_ever_passed"),
        (BestOfN, GoesRound, "test_a_free_run_ends_well"),
    ],
)
def test_a_wrong_algorithm_is_refused(right: type[Algorithm[Any]], wrong: type[Algorithm[Any]], law: str) -> None:
    getattr(AlgorithmContract(), law)(right(n=4), EXAMPLES[0])  # type: ignore[call-arg]
    with pytest.raises(AssertionError):
        getattr(AlgorithmContract(), law)(wrong(n=4), EXAMPLES[0])  # type: ignore[call-arg]
