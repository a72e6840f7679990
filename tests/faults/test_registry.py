"""Nobody is forgotten: every registered method, verifier and engine is under the faults, or it is said here why it cannot be.

The tables are held against the registry, so that a new component fails here until it has a place. Verifiers that ask a server have their
own tests below: their bills, their share of a budget, what survives when half of their calls fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from outthink.core import Budget, Incompatible, Parts, Verifier
from outthink.core.component import VerifierSettings
from outthink.engines.openai import OpenAIEngine
from outthink.engines.openai.abilities import Abilities
from outthink.engines.scripted_tokens import ASSISTANT, END, question_of, reply_of
from outthink.recipes.registry import components
from outthink.search import BestOfN
from outthink.testing.openai_server import Fault, OpenAIServer, Personality, every, opinionated_model
from outthink.verify import Combine, Ensemble, Judge, Knockout, Pairwise, ScoringServer, SelfEvaluation
from tests.faults.searching import METHODS, PRICES, Judged, Method, by_judge, by_reward_model, search
from tests.faults.test_budget import METHODS as IN_THIS_PROCESS
from tests.faults.test_budget import counted_by

ASKING: dict[str, Any] = {"max_tokens": 16, "candidate_tokens": 256, "constrain": "never"}


def rating(text: str) -> Mapping[str, float]:
    """`opinionated_model`, which also says which of two answers is better where it is asked."""
    if "Answer B:" not in question_of(text):
        return opinionated_model(text)
    said = reply_of(text) if ASSISTANT in text else text
    opening = "Verdict: "
    if len(said) < len(opening):
        return {opening[len(said)]: 1.0}
    return {"A": 0.5, "B": 0.5} if said == opening else {END: 1.0}


def by(settings: VerifierSettings) -> Judged:
    """A verifier that asks the server that also generates."""

    def build(engine: OpenAIEngine, server: OpenAIServer) -> Verifier:
        return settings.build(Parts(engine=engine))

    return build


def by_two_reward_models(engine: OpenAIEngine, server: OpenAIServer) -> Verifier:
    """An ensemble whose members are on the server."""
    base_url = server.base_url.removesuffix("/v1")
    shared: dict[str, Any] = {"format": "qwen-prm", "base_url": base_url, "candidate_tokens": 512, "prices": PRICES}
    members = tuple(ScoringServer(model=name, backoff_seconds=0.01, retries=8, **shared) for name in ("one", "two"))
    return Ensemble(of=members).build(Parts(engine=engine))


ASKED: Mapping[str, Judged] = {
    "judge": by_judge("correctness"),
    "scoring-server": by_reward_model,
    "pairwise": by(Pairwise(rounds=2, **ASKING)),
    "knockout": by(Knockout(matches=2, order="both", **ASKING)),
    "ensemble": by_two_reward_models,
    "combine": by(Combine(of=(Judge(n_evaluate=1, **ASKING), Judge(n_evaluate=1, seed=1, **ASKING)), how="mean")),
}
"""Verifiers that ask a server."""

HERE = "It computes here and sends nothing, so that nothing of a server's can reach it but the text."
MODEL_HERE = "Its model runs in this process; a server has no part in it."
NOT_ASKED: Mapping[str, str] = {
    "exact": HERE,
    "math-verify": HERE,
    "matches-regex": HERE,
    "json-schema-valid": HERE,
    "arithmetic": HERE,
    "length": HERE,
    "marker-rate": HERE,
    "learned-features": HERE,
    "laboratory-oracle": HERE,
    "code": HERE,
    "episode-reward": "It asks the environment of an episode, which is in this process; a server has no part in it.",
    "confidence": "It reads the log-probabilities that came with the sample, and sends nothing.",
    "reward-head": MODEL_HERE,
    "embedded-reward-model": MODEL_HERE,
    "reward-model": MODEL_HERE,
    "self-evaluation": "Servers do not rate given continuations: it is refused on them before anything is sent, see below.",
}

ENGINES: Mapping[str, str] = {
    "openai": "",
    "scripted": "",
    "recorded": "It replays what another engine was answered, from a file, and has no server.",
    "local": "It decodes in this process, over no wire; its share of the promises is tests/faults/test_concurrency.py.",
    "transformers": "It decodes in this process, over no wire.",
}
"""Engines, and why faults of a server cannot reach those that are not under them."""


def test_every_method_is_under_the_faults() -> None:
    registered = set(components("algorithm"))
    assert {method.algorithm.name() for method in METHODS.values()} == registered
    assert {algorithm.name() for algorithm, _ in IN_THIS_PROCESS} == registered


def test_every_verifier_and_engine_has_a_place() -> None:
    assert not set(ASKED) & set(NOT_ASKED)
    assert set(ASKED) | set(NOT_ASKED) == set(components("verifier"))
    assert set(ENGINES) == set(components("engine"))


STEPS = "It moves texts on step by step, and such a server gives whole samples only."
NEED_STEPS: Mapping[str, str] = {
    "best-first": STEPS,
    "tree": STEPS,
    "particle-filter": STEPS,
    "particle-gibbs": STEPS,
    "parallel-tempering": STEPS,
    "beam": STEPS,
    "diverse-verifier-tree-search": STEPS,
    "rebase": STEPS,
    "step-best-of-n": STEPS,
    "rollover": STEPS,
    "rewind": STEPS,
    "adaptive": STEPS + " Without `pruning` it needs no steps.",
    "evolve": STEPS + ' With mutation = "revise" it needs no steps.',
}


@pytest.mark.parametrize("name", METHODS)
def test_on_whole_samples_a_method_works_or_is_refused_before_anything_is_sent(name: str) -> None:
    method = METHODS[name]
    whole = {"assume": Abilities(prefix="none", completion="no"), "seed": 1}
    if method.algorithm.whole_samples:
        done = search(method, **whole)
        assert done.failed is None
        assert done.exact()
        assert done.result is not None
        assert done.result.answer is not None
        return
    assert method.algorithm.name() in NEED_STEPS
    done = search(method, **whole)
    assert isinstance(done.failed, Incompatible)
    assert "whole samples only" in str(done.failed)
    assert done.counters.requests == 0


def test_reasons_are_given_for_no_method_that_works() -> None:
    works = {method.algorithm.name() for method in METHODS.values() if method.algorithm.whole_samples}
    assert works & set(NEED_STEPS) == {"adaptive", "evolve"}
    assert works | set(NEED_STEPS) == set(components("algorithm"))


# -- verifiers that ask ----------------------------------------------------------------------------------------------

REFUSED = Fault("status", status=400, text="Not this one.")


def judged(name: str, n: int = 4) -> Method:
    """Best-of-n under that verifier."""
    return Method(BestOfN(n=n), ASKED[name])


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("faults", [None, every(2, Fault("status", status=500))], ids=["no fault", "every second 500"])
def test_the_bill_of_a_verifier_is_what_was_counted(name: str, faults: Any) -> None:
    done = search(judged(name), Personality(faults=faults), seed=1, script=rating, retries=8)
    assert done.failed is None
    assert done.result is not None
    assert done.result.degraded == ()
    assert done.exact()
    finished = [score for one, score in zip(done.result.candidates, done.result.scores, strict=True) if one.final]
    assert None not in finished


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize(
    "who",
    [
        Personality(faults=every(3, Fault("cut-stream", after=3))),
        Personality(faults=every(3, Fault("not-json"))),
        Personality(usage="missing"),
        Personality(usage="wrong"),
    ],
    ids=["cut stream", "not json", "no usage", "wrong usage"],
)
def test_the_interval_of_a_verifier_holds_the_truth(name: str, who: Personality) -> None:
    assume = Abilities(usage="no" if who.usage != "yes" else "unknown")
    done = search(judged(name), who, seed=2, script=rating, assume=assume)
    assert done.inside(), (done.low, done.more, done.counters)


@pytest.mark.parametrize("name", ASKED)
def test_what_a_verifier_could_not_judge_has_a_reason(name: str) -> None:
    finished = kept = 0
    for seed in range(5):
        done = search(judged(name), Personality(faults=every(2, REFUSED)), seed=seed, script=rating, retries=0)
        assert done.result is not None, done.failed
        assert done.result.answer is not None
        assert done.result.degraded
        assert done.exact()
        warned = " ".join(one.message for one in done.session.trace.events if one.__class__.__name__ == "Warned")
        for candidate, score in zip(done.result.candidates, done.result.scores, strict=True):
            if candidate.final:
                finished += 1
                kept += score is not None or f"node {candidate.id}" in warned
    assert kept >= 0.95 * finished > 0


@pytest.mark.parametrize("name", ASKED)
def test_a_verifier_keeps_to_the_cap(name: str) -> None:
    method = replace(judged(name), algorithm=BestOfN(n=3))
    whole = search(method, seed=3, script=rating).low
    cut = 0
    for seed, share in enumerate((0.15, 0.3, 0.45, 0.6, 0.75, 0.9)):
        for column in ("tokens", "calls", "verifier_calls", "money"):
            cap = whole.column(column) * share
            cap = cap if column == "money" else max(1, round(cap))
            done = search(method, seed=seed, script=rating, budget=Budget(**{column: cap}))
            spent = counted_by(done.counters) if column != "verifier_calls" else done.low
            assert spent.column(column) <= cap * (1 + 1e-9), (column, cap)
            assert done.result is not None
            if any(candidate.final for candidate in done.result.candidates):
                assert done.result.answer is not None
            if done.result.limit:
                assert done.result.limit == column
                cut += 1
    assert cut > 6, "caps that bind"


def test_self_evaluation_is_refused_on_a_server() -> None:
    with pytest.raises(Incompatible, match="does not tell them"):
        search(Method(BestOfN(n=2), by(SelfEvaluation())))


def test_a_component_that_is_not_in_a_table_would_be_noticed() -> None:
    """The walk has teeth: without one of them it fails."""
    fewer = {name: method for name, method in METHODS.items() if method.algorithm.name() != "rewind"}
    assert {method.algorithm.name() for method in fewer.values()} != set(components("algorithm"))
