"""The ledger under every order of claims, settlements and releases: no limit is ever passed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from outthink.core import Allowance, Budget, Cost, Incompatible, Ledger
from outthink.core.cost import ZERO
from outthink.core.ledger import Role

amounts = st.integers(0, 40)


class LedgerMachine(RuleBasedStateMachine):
    """An outer ledger with one inside it; slots claim, calls settle at less than they claimed, or release."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = Ledger(Budget(tokens=100, calls=30))
        self.inner = Ledger(Budget(tokens=60, verifier_calls=12), parent=self.outer)
        self.open: list[tuple[Ledger, Cost]] = []
        self.paid = {id(self.outer): ZERO, id(self.inner): ZERO}

    @rule(inside=st.booleans(), fixed=amounts, most=amounts, least=amounts, judged=st.booleans())
    def claim(self, inside: bool, fixed: int, most: int, least: int, judged: bool) -> None:
        ledger = self.inner if inside else self.outer
        allowance = Allowance(ledger, extra=Cost(verifier_calls=1) if judged else ZERO)
        before = ledger.remaining("tokens")
        got = allowance.claim(
            fixed=Cost(input_tokens=fixed, calls=1), unit=Cost(output_tokens=1), most=most, least=min(least, most)
        )
        if got is None:
            assert allowance.claimed == ZERO
            assert allowance.limit
            return
        assert min(least, most) <= got <= most
        assert allowance.claimed.tokens == fixed + got == before - ledger.remaining("tokens")
        self.open.append((ledger, allowance.claimed))

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 10**6), share=st.floats(0, 1), role=st.sampled_from(["generate", "verify", "refine"]))
    def settle(self, which: int, share: float, role: Role) -> None:
        ledger, claimed = self.open.pop(which % len(self.open))
        cost = Cost(
            input_tokens=claimed.input_tokens,
            output_tokens=int(claimed.output_tokens * share),
            calls=claimed.calls,
            verifier_calls=claimed.verifier_calls,
        )
        ledger.settle(claimed, cost, role)
        self.paid[id(ledger)] += cost

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 10**6))
    def release(self, which: int) -> None:
        ledger, claimed = self.open.pop(which % len(self.open))
        ledger.release(claimed)

    @invariant()
    def no_limit_is_passed(self) -> None:
        for ledger in (self.outer, self.inner):
            for column, limit in ledger.budget.limits().items():
                assert ledger.total.column(column) + ledger.claimed.column(column) <= limit
            for column in ledger.columns():
                assert ledger.remaining(column) >= 0

    @invariant()
    def costs_add_up(self) -> None:
        inner, outer = self.paid[id(self.inner)], self.paid[id(self.outer)]
        assert self.inner.total == inner
        assert self.outer.total == inner + outer
        assert sum((c.tokens for c in self.outer.bill().by_role.values()), 0) == self.outer.total.tokens
        assert self.outer.claimed == sum((c for _, c in self.open), start=ZERO)
        assert self.outer.bill().overshoot == {}


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

TOKEN, CALL = Cost(output_tokens=1), Cost(calls=1)


def test_the_first_slot_is_shortened_and_later_ones_wait() -> None:
    ledger = Ledger(Budget(tokens=10))
    allowance = Allowance(ledger)
    assert allowance.claim(unit=TOKEN, most=15, least=1) == 10
    assert allowance.limit == "tokens"
    other = Allowance(Ledger(Budget(tokens=10)))
    assert [other.claim(unit=TOKEN, most=6, least=1) for _ in range(3)] == [6, None, None]


def test_nobody_overtakes_a_slot_that_waits() -> None:
    allowance = Allowance(Ledger(Budget(tokens=10)))
    assert allowance.claim(unit=TOKEN, most=6) == 6
    assert allowance.claim(unit=TOKEN, most=6, least=1) is None
    assert allowance.claim(unit=TOKEN, most=1) is None, "it would fit, but it is not its turn"


def test_a_slot_that_needs_more_than_there_is_ends_the_call() -> None:
    allowance = Allowance(Ledger(Budget(tokens=10)))
    assert allowance.claim(unit=TOKEN, most=20, least=11) is None
    assert allowance.claim(unit=TOKEN, most=1) is None
    assert allowance.claimed == ZERO


@given(
    st.integers(1, 60),
    st.integers(0, 6),
    st.integers(0, 5),
    st.integers(0, 8),
    st.integers(0, 8),
    st.booleans(),
    st.integers(0, 2),
)
def test_claiming_for_many_is_claiming_one_by_one(
    cap: int, n: int, fixed: int, most: int, least: int, judged: bool, before: int
) -> None:
    def allowance() -> Allowance:
        fresh = Allowance(Ledger(Budget(tokens=cap, verifier_calls=4)), extra=Cost(verifier_calls=int(judged)))
        for _ in range(before):
            fresh.claim(fixed=Cost(input_tokens=1))
        return fresh

    price = {"fixed": Cost(input_tokens=fixed), "unit": TOKEN, "most": most, "least": min(least, most)}
    one, many = allowance(), allowance()
    singly = [one.claim(**price) for _ in range(n)]  # type: ignore[arg-type]
    assert many.claim_each(n, **price) == singly  # type: ignore[arg-type]
    assert many.claimed == one.claimed
    assert many.claim(unit=TOKEN, most=1) == one.claim(unit=TOKEN, most=1)


def test_the_verifiers_share_is_claimed_with_the_slot() -> None:
    ledger = Ledger(Budget(verifier_calls=3))
    allowance = Allowance(ledger, extra=Cost(verifier_calls=1))
    granted = [allowance.claim(fixed=CALL, unit=TOKEN, most=5) for _ in range(5)]
    assert granted == [5, 5, 5, None, None]
    assert allowance.claimed == Cost(calls=3, output_tokens=15, verifier_calls=3)
    assert allowance.limit == "verifier_calls"


def test_uncertain_costs_are_counted_against_the_limit() -> None:
    ledger = Ledger(Budget(tokens=10))
    ledger.claim(Cost(output_tokens=4))
    ledger.settle(Cost(output_tokens=4), ZERO, "generate", uncertain=Cost(output_tokens=4))
    assert ledger.remaining("tokens") == 6
    assert ledger.bill().uncertain == Cost(output_tokens=4)


def test_overshoot_is_told() -> None:
    ledger = Ledger(Budget(tokens=10))
    ledger.settle(ZERO, Cost(output_tokens=13), "generate")
    assert ledger.bill().overshoot == {"tokens": 3.0}
    assert Allowance(ledger).claim(unit=TOKEN, most=1, least=1) is None


def test_a_limit_on_what_has_no_price_is_refused() -> None:
    ledger = Ledger(Budget(money=1.0))
    with pytest.raises(Incompatible, match="money"):
        Allowance(ledger).claim(fixed=Cost(money=math.nan))
    assert Allowance(Ledger(Budget(tokens=1))).claim(fixed=Cost(money=math.nan)) == 0


def test_money_may_be_spent_to_the_last_cent() -> None:
    ledger = Ledger(Budget(money=0.3))
    for _ in range(3):
        allowance = Allowance(ledger)
        assert allowance.claim(unit=Cost(money=0.1), most=1, least=1) == 1
        ledger.settle(allowance.claimed, allowance.claimed, "generate")
    assert Allowance(ledger).claim(unit=Cost(money=0.1), most=1, least=1) is None


def test_no_limit_no_bound() -> None:
    ledger = Ledger()
    assert ledger.remaining("tokens") == math.inf
    assert Allowance(ledger).claim(unit=TOKEN, most=10**9) == 10**9
    assert ledger.columns() == ()


def test_a_ledger_starts_from_what_an_interrupted_one_had() -> None:
    ledger = Ledger(Budget(tokens=50))
    ledger.settle(ZERO, Cost(output_tokens=5), "generate", uncertain=Cost(output_tokens=1))
    ledger.settle(ZERO, Cost(verifier_calls=2), "verify")
    again = Ledger(Budget(tokens=50))
    again.restore(ledger.state(), ledger.uncertain)
    assert again.bill() == ledger.bill()
    assert again.remaining("tokens") == ledger.remaining("tokens") == 44


def test_seconds_belong_to_the_run_as_a_whole() -> None:
    ledger = Ledger(Budget(seconds=5))
    assert ledger.columns() == ()
    assert ledger.bill(seconds=2.0).by_role == {"generate": Cost(seconds=2.0)}
