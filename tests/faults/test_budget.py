"""A budget is a promise: a thousand random combinations of method, cap and fault, each with its own seed.

In this process on a scripted engine that counts truly, so that a thousand are cheap; and some over a socket, against the faulty backend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Algorithm,
    AllFailed,
    Budget,
    Cost,
    Parts,
    Result,
    Search,
    Session,
    Stop,
    Task,
    Verifier,
)
from outthink.core.events import Advanced
from outthink.recipes.build import WholeTexts
from outthink.search import (
    Adaptive,
    Beam,
    BestFirst,
    BestOfN,
    DiverseVerifierTreeSearch,
    Evolve,
    ParallelTempering,
    ParticleFilter,
    ParticleGibbs,
    Pruning,
    Rebase,
    Refine,
    Rewind,
    Rollover,
    StepBestOfN,
    Threshold,
    Tree,
    Vote,
    ZeroOrder,
)
from outthink.testing import FunctionOfContent, run_virtual
from outthink.testing.openai_server import Counters, misbehaviours
from outthink.text import TextProcess, Tokens
from outthink.verify import Judge
from tests.faults.searching import METHODS as OVER_A_SOCKET
from tests.faults.searching import liked, search
from tests.faults.unreliable import KINDS, OVER, Lot, UnreliableEngine, priced
from tests.laws.law import FULL

COMBINATIONS = 1000
COLUMNS = ("tokens", "calls", "verifier_calls", "money")
LONGEST = 12

Judged = Callable[[UnreliableEngine], Verifier | None]


def by_judge(engine: UnreliableEngine) -> Verifier:
    settings = Judge(
        rubric="short", n_evaluate=1, temperature=1.0, max_tokens=8, candidate_tokens=32, constrain="never"
    )
    return settings.build(Parts(engine=engine))


def by_function(engine: UnreliableEngine) -> Verifier:
    return FunctionOfContent(liked, low=0.0, high=1.0)


def by_nobody(engine: UnreliableEngine) -> None:
    """No verifier."""


METHODS: tuple[tuple[Algorithm[Any], Judged], ...] = (
    (BestOfN(n=4), by_judge),
    (BestOfN(n=4, select="weighted"), by_function),
    (Vote(n=4), by_nobody),
    (ParticleFilter(n=4), by_function),
    (ParticleFilter(n=3, ess_threshold=1.0), by_function),
    (Beam(n=4, width=2), by_function),
    (DiverseVerifierTreeSearch(n=4, width=2), by_function),
    (StepBestOfN(n=3), by_function),
    (Rebase(n=4), by_function),
    (BestFirst(n=10), by_function),
    (Tree(n=4, batch=2), by_function),
    (
        Adaptive(n=5, stop=Threshold(value=0.6), choose="score", waves=(2,), pruning=Pruning(at=(1,), keep=0.5)),
        by_function,
    ),
    (Adaptive(n=5), by_nobody),
    (Refine(n=2, rounds=2), by_judge),
    (ParticleGibbs(n=2, sweeps=2), by_function),
    (ParallelTempering(n=2, sweeps=2), by_function),
    (Rollover(n=2, first=2, quota=2, proposals=6), by_function),
    (Rewind(n=2, children=2, rounds=2), by_function),
    (Evolve(n=2, schedule=(1, 2), elites=1, tournament=2), by_function),
    (Evolve(n=2, schedule=(1,), elites=1, tournament=2, mutation="revise"), by_judge),
    (ZeroOrder(n=2, rounds=2, around="end"), by_judge),
    (ZeroOrder(n=2, rounds=2), by_function),
)


@dataclass(frozen=True)
class Outcome:
    """One search: its result or None where every member failed, and both sides of the bill."""

    result: Result | None
    session: Session
    engine: UnreliableEngine
    finished: int

    @property
    def true(self) -> Cost:
        """What was spent: by the engine's own counters, and judgements by the ledger."""
        return self.engine.true + Cost(verifier_calls=self.session.ledger.total.verifier_calls)


def run(algorithm: Algorithm[Any], judged: Judged, lot: Lot, seed: int, budget: Budget | None) -> Outcome:
    """One search in this process."""

    async def work() -> Outcome:
        engine = UnreliableEngine(lot)
        session = Session.open(seed=seed, budget=budget)
        solver = Search(
            lambda task: TextProcess(engine, task, max_tokens=LONGEST, stepper=Tokens(n=3)),
            algorithm,
            judged(engine),
            WholeTexts(),
        )
        try:
            result = await solver.solve(Task(prompt="Say."), session)
        except AllFailed:
            result = None
        session.close()
        moves = [event for event in session.trace.events if isinstance(event, Advanced) and event.kind != "look-ahead"]
        return Outcome(result, session, engine, sum(sum(move.done) for move in moves))

    return run_virtual(work())


def slack(column: str, engine: UnreliableEngine, lot: Lot) -> float:
    """By how much a cap may be passed: what one reply each in flight may go on for, where limits are ignored."""
    if lot.kind != "over-limit" or column not in ("tokens", "money"):
        return 0.0
    return OVER * max(engine.sizes, default=0) * (4e-6 if column == "money" else 1.0)


def only_blank_votes(result: Result) -> bool:
    """Blank answers have no vote, and where there is no other there is no answer."""
    told = [str(one.content).strip() for one in result.candidates if one.final]
    return result.method in ("vote", "adaptive") and not any(told)


def check(column: str, cap: float, lot: Lot, got: Outcome) -> str:
    """What the promises say of one combination; how it ended, in a word."""
    ledger = got.session.ledger
    spent, low, more = got.true, ledger.total, ledger.uncertain
    assert ledger.claimed.column(column) == pytest.approx(0.0, abs=1e-12)
    over = slack(column, got.engine, lot)
    assert spent.column(column) <= cap * (1 + 1e-9) + over
    assert low.output_tokens <= spent.output_tokens <= low.output_tokens + more.output_tokens
    assert low.calls <= spent.calls <= low.calls + more.calls
    result = got.result
    if result is None:
        assert lot.kind in ("fails", "breaks", "loses")
        return "all failed"
    if got.finished and not only_blank_votes(result):
        assert result.answer is not None, "a candidate finished, and there is no answer"
    if result.stop is not Stop.DONE:
        assert (result.stop, result.limit) == (Stop.BUDGET, column)
    passed = result.overshoot.get(column, 0.0)
    assert passed == pytest.approx(max(0.0, low.column(column) - cap), abs=1e-9)
    return "cut" if result.stop is Stop.BUDGET else "done"


@dataclass(frozen=True)
class Combination:
    """One draw: a method, its misfortune, a column and a cap."""

    algorithm: Algorithm[Any]
    judged: Judged
    lot: Lot
    column: str
    cap: float


def drawn(rng: np.random.Generator, free: dict[tuple[int, str], Cost]) -> Combination:
    """A random combination whose cap lies between nearly nothing and more than a free run costs."""
    which = int(rng.integers(len(METHODS)))
    algorithm, judged = METHODS[which]
    lot = Lot(KINDS[int(rng.integers(len(KINDS)))])
    columns = [c for c in COLUMNS if c != "verifier_calls" or judged is not by_nobody]
    column = columns[int(rng.integers(len(columns)))]
    if (which, lot.kind) not in free:
        free[which, lot.kind] = run(algorithm, judged, lot, 0, None).true
    whole = max(free[which, lot.kind].column(column), 1e-6 if column == "money" else 1.0)
    cap = float(whole * rng.uniform(0.02, 1.2))
    return Combination(algorithm, judged, lot, column, cap if column == "money" else max(1, round(cap)))


def test_a_thousand_random_combinations_keep_their_caps() -> None:
    rng = np.random.default_rng(6)
    free: dict[tuple[int, str], Cost] = {}
    ends: Counter[str] = Counter()
    for seed in range(COMBINATIONS):
        one = drawn(rng, free)
        got = run(one.algorithm, one.judged, one.lot, seed, Budget(**{one.column: one.cap}))
        ends[check(one.column, one.cap, one.lot, got)] += 1
    assert ends["cut"] > 500, ends
    assert min(ends["done"], ends["all failed"]) > 10, ends


def test_a_judge_whose_share_is_not_promised_would_be_noticed() -> None:
    """The same check against a known-wrong verifier: one that promises nothing and spends all the same."""

    class Unpromised(FunctionOfContent):
        def most(self, task: Task) -> Cost:
            return Cost()

    lot, wrong = Lot("none"), lambda engine: Unpromised(liked, low=0.0, high=1.0)
    with pytest.raises(AssertionError):
        check("verifier_calls", 2, lot, run(BestOfN(n=4), wrong, lot, 0, Budget(verifier_calls=2)))
    check("verifier_calls", 2, lot, run(BestOfN(n=4), by_function, lot, 0, Budget(verifier_calls=2)))


SOCKET_COMBINATIONS = 1000 if FULL else 48


@pytest.mark.laws
def test_caps_hold_over_a_socket_against_the_faulty_backend() -> None:
    rng = np.random.default_rng(7)
    faults = [
        name
        for name, one in misbehaviours().items()
        if name not in ("dead", "huge-reply", "odd-unicode") and one.replies != "none"
    ]
    methods, free = list(OVER_A_SOCKET), {name: search(OVER_A_SOCKET[name]).low for name in OVER_A_SOCKET}
    for seed in range(SOCKET_COMBINATIONS):
        name, fault = methods[seed % len(methods)], faults[int(rng.integers(len(faults)))]
        one = misbehaviours()[fault]
        column = COLUMNS[int(rng.integers(len(COLUMNS)))]
        column = column if free[name].column(column) else "tokens"
        cap = free[name].column(column) * rng.uniform(0.05, 1.5)
        cap = cap if column == "money" else max(1, round(cap))
        got = search(
            OVER_A_SOCKET[name], one.personality, budget=Budget(**{column: cap, "seconds": 60.0}), seed=seed, retries=1
        )
        assert got.inside(), (name, fault, got.low, got.more, got.counters)
        assert got.seconds <= 60.05
        spent = counted_by(got.counters) if column != "verifier_calls" else got.low
        over = 8 * got.counters.most_in_flight * (4e-6 if column == "money" else 1.0) if not one.honours_limits else 0.0
        assert spent.column(column) <= cap * (1 + 1e-9) + (over if column in ("tokens", "money") else 0.0), (
            name,
            fault,
            column,
        )
        if got.result is not None and any(candidate.final for candidate in got.result.candidates):
            assert got.result.answer is not None or only_blank_votes(got.result)
            if got.result.stop is not Stop.DONE:
                assert got.result.limit in (column, "seconds")


def counted_by(counters: Counters) -> Cost:
    """What a server has counted, with its money."""
    counted = Cost(
        **{name: getattr(counters, name) for name in ("input_tokens", "cached_input_tokens", "output_tokens", "calls")}
    )
    return priced(counted)
