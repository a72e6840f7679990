"""What if: the replay of a stored run says what a smaller run, or another rule, really answers."""

from __future__ import annotations

import pytest

from outthink.core import Algorithm
from outthink.dash.what_if import is_independent, rule_of, rules_for, what_if
from outthink.search import BestOfN, ParticleFilter, Vote
from outthink.store import Store
from tests.dash.solved import share_of_a, solved

N = 9


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("make", "rule"), [(Vote, "vote"), (BestOfN, "best-of-n")])
async def test_the_first_samples_answer_what_a_run_of_that_size_answers(
    store: Store, make: type[Vote] | type[BestOfN], rule: str, seed: int
) -> None:
    """Each slot draws from its own seed, so a run of k samples draws the first k of a larger one."""
    verifier = share_of_a() if make is BestOfN else None
    whole = store.run(await solved(store, make(n=N), verifier=verifier, seed=seed))
    found = what_if(whole, rule)
    assert found is not None
    assert rule_of(whole) == rule
    assert [size.size for size in found.sizes] == list(range(1, N + 1))
    for size in found.sizes:
        smaller = store.run(await solved(store, make(n=size.size), verifier=verifier, seed=seed))
        assert smaller.result is not None
        assert size.chosen is not None
        assert found.classes[size.chosen].answer == smaller.result.answer
    assert found.sizes[-1].chosen == found.actual
    assert found.sizes[-1].shares[found.sizes[-1].chosen or 0] == 1.0


async def test_shares_are_those_of_all_subsets(store: Store) -> None:
    run = store.run(await solved(store, Vote(n=N), seed=1))
    found = what_if(run, "vote")
    assert found is not None
    assert all(size.exact for size in found.sizes)
    # One sample out of nine is any of them; all nine are one set.
    assert found.sizes[0].shares == pytest.approx([one.count / N for one in found.classes], abs=1e-3)
    assert sorted(found.sizes[-1].shares)[-2:] == [0.0, 1.0]


async def test_another_rule_chooses_what_its_own_method_chooses(store: Store) -> None:
    """Best-of-n and a vote draw the same samples from one seed, so each run can be replayed as the other."""
    changed = 0
    for seed in range(6):
        scored = store.run(await solved(store, BestOfN(n=N), verifier=share_of_a(), seed=seed))
        voted = store.run(await solved(store, Vote(n=N), seed=seed))
        assert scored.result is not None
        assert voted.result is not None
        found = what_if(scored, "vote")
        assert found is not None
        chosen = found.sizes[-1].chosen
        assert chosen is not None
        assert found.classes[chosen].answer == voted.result.answer
        changed += voted.result.answer != scored.result.answer
    assert changed, "seeds on which both rules agree show nothing"


async def test_members_that_grew_together_are_not_taken_apart(store: Store) -> None:
    grown = store.run(await solved(store, ParticleFilter(n=6, ess_threshold=1.0), verifier=share_of_a(), seed=2))
    alone = store.run(await solved(store, Vote(n=6)))
    assert is_independent(alone)
    assert not is_independent(grown)
    found = what_if(grown, "best-of-n")
    assert found is not None
    assert [size.size for size in found.sizes] == [6]
    assert found.sizes[0].chosen == found.actual


@pytest.mark.parametrize("algorithm", [Vote(n=1), BestOfN(n=1)])
async def test_one_sample_has_nothing_to_replay(store: Store, algorithm: Algorithm[object]) -> None:
    run = store.run(await solved(store, algorithm, verifier=share_of_a() if isinstance(algorithm, BestOfN) else None))
    assert rules_for(run) == {}
    assert what_if(run, "vote") is None


async def test_a_rule_that_needs_scores_is_not_offered_without(store: Store) -> None:
    assert set(rules_for(store.run(await solved(store, Vote(n=4))))) == {"vote", "single"}
    scored = store.run(await solved(store, BestOfN(n=4), verifier=share_of_a()))
    assert {"best-of-n", "weighted"} <= set(rules_for(scored))
