"""Spec 15 on a model with exact arithmetic: replies are what they would be alone, and no token is computed twice without need."""

from __future__ import annotations

import math

import numpy as np
import pytest

from outthink.core.cost import ZERO, Cost
from outthink.engines.engine import StopReason
from outthink.engines.local.scheduler import Scheduler
from outthink.engines.local.work import Job
from tests.engines.local.toy import ToyBackend, alone, greedy, job, run, scheduler_of


def crowd(seed: int, n: int = 40) -> list[Job]:
    """Requests of many lengths, some with shared beginnings, some greedy, some stopped by strings."""
    rng = np.random.default_rng(seed)
    stems = [rng.integers(1, 40, size=rng.integers(1, 30)).tolist() for _ in range(5)]
    jobs = []
    for i in range(n):
        stem = stems[int(rng.integers(5))]
        tokens = stem[: int(rng.integers(1, len(stem) + 1))] + rng.integers(1, 40, size=rng.integers(0, 6)).tolist()
        changes = {"sampling": greedy()} if rng.random() < 0.3 else {}
        stop = ("q", "xy") if rng.random() < 0.3 else ()
        jobs.append(job(tokens, int(rng.integers(1, 25)), seed=i, owner=f"run {i % 3}", stop=stop, **changes))
    return jobs


def reply(done: Job) -> tuple[object, ...]:
    outcome = done.outcome()
    return outcome.tokens, outcome.text, outcome.stop, outcome.stop_text


@pytest.mark.parametrize("reclaims", [True, False])
@pytest.mark.parametrize("cells", [1000, 90])
def test_replies_equal_those_of_a_fresh_engine(cells: int, reclaims: bool) -> None:
    """40 requests that arrive at random, in company, with eviction and interruption: token for token what they are alone."""
    backend = ToyBackend(cells, reclaims=reclaims)
    scheduler = scheduler_of(backend, context=80)
    jobs, rng = crowd(1), np.random.default_rng(2)
    left = list(jobs)
    while left or scheduler.busy:
        for _ in range(int(rng.integers(0, 3))):
            if left:
                scheduler.submit([left.pop(0)])
        scheduler.step()
    assert [reply(done) for done in jobs] == [reply(alone(done.order)) for done in jobs]
    statistics = scheduler.statistics
    if cells == 90:
        assert statistics.preempted + statistics.cleared > 0
    assert scheduler.counters == sum((done.cost for done in jobs), ZERO)


def test_a_stale_cache_would_be_noticed() -> None:
    """The check above has teeth: a backend that shares one token too few gives other replies or trips over positions."""

    class Forgetful(ToyBackend):
        def share(self, source: int, target: int, length: int) -> None:
            super().share(source, target, length)
            self.rows[target] = self.rows[target][:-1] + self.rows[target][:1]

    jobs = crowd(1)
    run(scheduler_of(Forgetful()), jobs)
    assert [reply(done) for done in jobs] != [reply(alone(done.order)) for done in jobs]


@pytest.mark.parametrize(("lengths", "continuous"), [([8, 1, 1, 1] * 2, 9), ([8, 1, 1, 1] * 4, 14)])
def test_iteration_counts(lengths: list[int], continuous: int) -> None:
    """Spec 15, check 3: a finished sequence's place is taken at once; static batches of four would need 8 steps each."""
    backend = ToyBackend()
    scheduler = scheduler_of(backend, places=4, ends=False)
    run(scheduler, [job([1], length, seed=i) for i, length in enumerate(lengths)])
    # The first step also computes the one prompt that all share.
    assert len(backend.batches) == continuous
    assert len(backend.batches) >= max(math.ceil(sum(lengths) / 4), max(lengths))
    assert scheduler.statistics.fill >= 0.9


def test_a_shared_prompt_is_computed_once_and_forks_are_free() -> None:
    backend = ToyBackend()
    scheduler = scheduler_of(backend, places=16, rows=32, ends=False)
    prompt = list(range(1, 31))
    members = [job(prompt, 5, seed=i) for i in range(16)]
    run(scheduler, members)
    assert scheduler.statistics.prefilled == 30
    assert scheduler.statistics.recomputed == 0
    assert scheduler.statistics.decoded == 16 * 4
    assert backend.shares == 15
    assert members[0].cost == Cost(input_tokens=30, output_tokens=5, calls=1)
    assert {m.cost for m in members[1:]} == {Cost(input_tokens=30, cached_input_tokens=30, output_tokens=5, calls=1)}
    assert backend.most_cells == 30 + 16 * 4


def test_a_prompt_that_comes_again_costs_nothing() -> None:
    backend = ToyBackend()
    scheduler = scheduler_of(backend)
    prompt = list(range(1, 31))
    run(scheduler, [job(prompt, 5)])
    again = job(prompt, 5, seed=1)
    assert scheduler.promised([again]) == [0]
    run(scheduler, [again])
    assert scheduler.statistics.prefilled == 30
    assert scheduler.statistics.recomputed == 0
    assert again.cost.tokens == again.cost.output_tokens


def test_stepwise_search_computes_only_the_newest_token() -> None:
    """A particle filter sends prompt and partial reply at every step, after resampling: what is in the cache is found by content."""
    backend = ToyBackend(cells=4000, sequences=40)
    scheduler = scheduler_of(backend, places=8, rows=32, retained=32, ends=False)
    contents = [list(range(1, 41))] * 8
    rng = np.random.default_rng(3)
    for step in range(6):
        jobs = [job(content, 4, seed=100 * step + i) for i, content in enumerate(contents)]
        before = scheduler.statistics
        run(scheduler, jobs)
        done = scheduler.statistics - before
        # Each distinct content was generated before, up to its last token, which nobody had fed to the model.
        distinct = len({tuple(content) for content in contents})
        assert done.prefilled == (40 if step == 0 else distinct)
        assert done.recomputed == 0
        assert sum(j.cost.input_tokens - j.cost.cached_input_tokens for j in jobs) == done.prefilled
        ancestors = rng.integers(0, 8, size=8)
        contents = [contents[a] + list(jobs[a].generated) for a in ancestors]


def test_two_forks_with_one_stream_agree_and_with_two_differ() -> None:
    """Spec 15, check 5."""
    scheduler = scheduler_of(ToyBackend(), ends=False)
    jobs = [job([1, 2, 3], 20, seed=seed) for seed in (7, 7, 8)]
    run(scheduler, jobs)
    assert jobs[0].generated == jobs[1].generated
    assert jobs[0].generated != jobs[2].generated


def test_a_newcomer_in_an_old_place_sees_nothing_of_the_old() -> None:
    """Spec 15, check 4: evict and admit into the same sequence."""
    scheduler = scheduler_of(ToyBackend(sequences=1), places=1, retained=0)
    run(scheduler, [job([5, 6, 7], 12)])
    newcomer = job([8, 9], 12, seed=4)
    run(scheduler, [newcomer])
    assert reply(newcomer) == reply(alone(newcomer.order))


def test_long_prompts_do_not_stall_those_who_generate() -> None:
    backend = ToyBackend(cells=2000)
    scheduler = scheduler_of(backend, rows=16, context=1000, ends=False)
    talker = job([1], 60)
    scheduler.submit([talker])
    scheduler.step()
    scheduler.submit([job(np.random.default_rng(0).integers(1, 40, size=600).tolist(), 2, seed=1)])
    for _ in range(40):
        before = len(talker.generated)
        scheduler.step()
        assert len(talker.generated) == before + 1
    assert max(len(batch.tokens) for batch in backend.batches) <= 16


def test_owners_share_places_fairly() -> None:
    """Round robin over owners, in order of submission within one: a late run is not behind all the work of an early one."""
    order: list[tuple[str, int]] = []
    scheduler = scheduler_of(ToyBackend(), places=2, ends=False)

    def noted(owner: str, i: int) -> Job:
        from outthink.engines.local.work import Order

        return Job(Order(tokens=(1, 2), limit=3, seed=i, owner=owner), lambda j: order.append((owner, i)))

    scheduler.submit([noted("early", i) for i in range(10)])
    scheduler.submit([noted("late", i) for i in range(3)])
    while scheduler.busy:
        scheduler.step()
    assert [i for owner, i in order if owner == "early"] == list(range(10))
    assert [i for owner, i in order if owner == "late"] == [0, 1, 2]
    last = max(at for at, (owner, _) in enumerate(order) if owner == "late")
    assert last <= 7, order


def test_the_batch_stays_full_while_work_waits() -> None:
    scheduler = scheduler_of(ToyBackend(cells=5000, sequences=24), places=8, rows=16)
    rng = np.random.default_rng(5)
    jobs = [
        job(rng.integers(1, 40, size=10).tolist(), int(rng.integers(1, 30)), seed=i, owner=f"run {i % 4}")
        for i in range(100)
    ]
    run(scheduler, jobs)
    assert scheduler.statistics.fill >= 0.9


def test_cancellation_within_one_step() -> None:
    backend = ToyBackend()
    scheduler = scheduler_of(backend, places=3, ends=False)
    jobs = [job([1, 2, 3], 50, seed=i) for i in range(5)]
    others = [job([9, 8], 20, seed=50)]
    scheduler.submit([*jobs[:2], *others, *jobs[2:]])
    for _ in range(4):
        scheduler.step()
    generated = [len(j.generated) for j in jobs]
    scheduler.cancel(jobs)
    steps = len(backend.batches)
    assert scheduler.step() == 5
    assert len(backend.batches) == steps + 1, "cancelled jobs leave before the next decode, which the others still get"
    assert backend.batches[-1].sequences.tolist() == [others[0].sequence]
    assert [len(j.generated) for j in jobs] == generated
    assert {j.stop for j in jobs} == {StopReason.CANCELLED}
    while scheduler.busy:
        scheduler.step()
    assert reply(others[0]) == reply(alone(others[0].order, ends=False)), "cancelling one leaves the others as they are"
    assert scheduler.counters == sum((j.cost for j in [*jobs, *others]), ZERO)
    assert jobs[4].cost == ZERO, "what never began costs nothing"


def test_a_cancelled_leader_leaves_its_work_to_the_next() -> None:
    backend = ToyBackend()
    scheduler = scheduler_of(backend, rows=4, ends=False)
    prompt = list(range(1, 31))
    jobs = [job(prompt, 4, seed=i) for i in range(4)]
    scheduler.submit(jobs)
    for _ in range(3):
        scheduler.step()
    scheduler.cancel(jobs[:1])
    while scheduler.busy:
        scheduler.step()
    assert jobs[0].cost == Cost(input_tokens=12, calls=1)
    assert sum(len(batch.tokens) for batch in backend.batches) == 30 + 3 * 3
    for done in jobs[1:]:
        assert reply(done) == reply(alone(done.order, ends=False))
        assert done.cost.cached_input_tokens == 30, "it was promised that the first would compute it"
    assert scheduler.counters == sum((j.cost for j in jobs), ZERO)


def test_hidden_states_are_those_after_the_last_token() -> None:
    scheduler = scheduler_of(ToyBackend())
    jobs = [job([3, 4], 6, seed=i, hidden=i % 2 == 0) for i in range(6)]
    run(scheduler, jobs)
    for done in jobs:
        if done.order.hidden:
            follow = job([*done.order.tokens, *done.generated], 1, sampling=greedy())
            backend = ToyBackend()
            backend.decode = lambda batch, b=backend: ToyBackend.decode(b, batch)  # type: ignore[method-assign]
            run(scheduler_of(backend), [follow])
            expected = backend.rows[0][len(done.order.tokens) + len(done.generated) - 1].logits()[:8]
            assert done.hidden is not None
            assert np.array_equal(done.hidden, expected)
        else:
            assert done.hidden is None


def test_given_continuations_are_rated_from_the_cache() -> None:
    scheduler = scheduler_of(ToyBackend(), rows=5)
    sampled = job([3, 4, 5, 6], 9, seed=1, log_probs=True)
    run(scheduler, [sampled])
    rating = job(sampled.order.tokens, 0, continuation=tuple(sampled.generated))
    before = scheduler.statistics
    run(scheduler, [rating])
    assert np.allclose(rating.log_probs, sampled.log_probs, atol=1e-5)
    assert rating.cost.input_tokens == 4 + len(sampled.generated) - 1
    # The prompt's last token is computed again for its logits, and what follows with it.
    assert rating.cost.cached_input_tokens == 3
    assert (scheduler.statistics - before).prefilled == len(sampled.generated)


def test_an_error_of_one_job_is_its_own() -> None:
    class Broken:
        def apply(self, row: np.ndarray) -> None:  # type: ignore[type-arg]
            from outthink.core.errors import EngineError

            raise EngineError("no token is left")

        def accept(self, token: int) -> bool:
            return False

    scheduler = scheduler_of(ToyBackend())
    good, bad = job([1, 2], 6, seed=1), job([1, 2], 6, seed=2)
    bad.processors = Broken()  # type: ignore[assignment]
    run(scheduler, [bad, good])
    assert bad.failure is not None
    assert bad.failure.kind == "EngineError"
    assert reply(good) == reply(alone(good.order))
    assert bad.cost == ZERO
    assert scheduler.counters == good.cost


@pytest.mark.parametrize("reclaims", [True, False])
def test_a_full_cache_makes_work_wait_and_never_fail(reclaims: bool) -> None:
    backend = ToyBackend(cells=40, reclaims=reclaims)
    scheduler = scheduler_of(backend, places=8, rows=16, context=40, ends=False)
    jobs = [job([i + 1, 2, 3, 4], 30, seed=i) for i in range(8)]
    run(scheduler, jobs)
    assert scheduler.statistics.preempted > 0
    assert {len(done.generated) for done in jobs} == {30}
    assert [reply(done) for done in jobs] == [reply(alone(done.order, ends=False)) for done in jobs]
    assert scheduler.counters == sum((done.cost for done in jobs), ZERO)
    assert scheduler.counters.tokens == 8 * (4 + 30), "computing again is the engine's own expense"


def test_promises_are_kept_whatever_happens_in_between() -> None:
    """What `promised` says before submission is what the bill says, to the token, also under eviction; `max_uncached` caps it."""
    scheduler: Scheduler = scheduler_of(ToyBackend(cells=90), context=80)
    for round_ in range(4):
        jobs = crowd(11 + round_, n=12)
        promised = scheduler.promised(jobs)
        run(scheduler, jobs)
        assert [done.cost.input_tokens - done.cost.cached_input_tokens for done in jobs] == promised
    capped = job(list(range(1, 40)), 3, max_uncached=5)
    run(scheduler, [capped])
    assert capped.cost.input_tokens - capped.cost.cached_input_tokens == 5


def test_what_is_retained_leaves_room_and_goes_in_order_of_use() -> None:
    """At most so many sequences, in at most half of the cells, and the least recently used go first."""
    scheduler = scheduler_of(ToyBackend(cells=100), retained=3, ends=False)
    prompts = [[i + 1] * 10 for i in range(5)]
    for i, prompt in enumerate(prompts[:4]):
        run(scheduler, [job(prompt, 3, seed=i)])
    assert scheduler.promised([job(prompt, 1, log_probs=True) for prompt in prompts[:4]]) == [10, 0, 0, 0]
    run(scheduler, [job(prompts[1], 3, seed=9)])
    run(scheduler, [job(prompts[4], 3, seed=4)])
    left = scheduler.promised([job([*prompt, 39], 1) for prompt in prompts])
    assert left == [11, 1, 11, 11, 1], "two replies to the second prompt are kept, and the newest"
    assert scheduler.statistics.evicted == 3
    roomy = scheduler_of(ToyBackend(cells=40), retained=16, ends=False)
    for i, prompt in enumerate(prompts[:3]):
        run(roomy, [job(prompt, 3, seed=i)])
    assert roomy.promised([job([*prompt, 39], 1) for prompt in prompts[:3]]) == [11, 11, 1], "12 cells each, 20 in all"


def test_old_sequences_make_way_where_they_slow_down_every_step() -> None:
    """What has just run together is kept whole, and of older ones only what `checks` allow for; where a cell costs nothing, all stay."""

    def kept(checks: int | None) -> list[int]:
        scheduler = scheduler_of(ToyBackend(cells=400, sequences=40), retained=36, ends=False, checks=checks)
        groups = [[[20 + i] * 10 + [k] for k in range(4)] for i in range(3)]
        for group in groups:
            run(scheduler, [job(prompt, 3, seed=k) for k, prompt in enumerate(group)])
        return [sum(scheduler.promised([job([*prompt, 39], 1) for prompt in group])) for group in groups]

    everything, nothing = 4, 10 + 4 * 2
    assert kept(None) == [everything] * 3
    assert kept(4) == [nothing, nothing, everything]
    assert kept(4 * 50) == [nothing, everything, everything], "22 cells a group"
