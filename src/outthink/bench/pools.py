"""Pools of finished samples: drawn once, judged once, and chosen from by every method that only selects.

    pools = await draw_pools(questions, seeds, 64, sampler, session, journal, verifiers={"head": head})
    pools.at("sum-1", seed=0).process(16)            # a process that hands out the first 16 of them, each at its own price

Selection methods over one pool differ by how they choose and by nothing else, and a larger size sees the smaller one's samples again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from outthink.bench.contest import Question, is_cut, unrecorded
from outthink.bench.journal import Journal
from outthink.core.cost import Cost
from outthink.core.errors import Failure, OutthinkError
from outthink.core.ledger import Ledger
from outthink.core.run import Run
from outthink.core.session import Session
from outthink.core.solver import ProcessFor
from outthink.core.task import Candidate
from outthink.core.verifier import ScoreSpec, Verifier
from outthink.replay.stored_samples import StoredSample, StoredSamples
from outthink.replay.stored_scores import StoredScore, StoredScores


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What one verifier said of one sample; None for no opinion."""

    value: float | None
    cost: Cost = Cost()


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One sample with its own bill, or the failure in its place, and what each verifier said, by name."""

    content: str = ""
    answer: str | None = None
    right: bool = False
    cost: Cost = Cost()
    failure: str = ""
    judged: dict[str, Judged] = {}


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """The samples of one question under one seed."""

    question: str
    seed: int
    samples: tuple[Sample, ...]

    def process(self, n: int | None = None) -> StoredSamples:
        """The first `n` samples as a process; None for all."""
        return StoredSamples([_stored(sample) for sample in self.samples[:n]])

    def scores(self, verifier: str, spec: ScoreSpec) -> StoredScores:
        """What `verifier` said of them, as a verifier."""
        return StoredScores(
            spec,
            {
                s.content: StoredScore(float("nan") if (j := s.judged[verifier]).value is None else j.value, j.cost)
                for s in self.samples
                if not s.failure
            },
        )


@dataclass(frozen=True)
class Pools:
    """All pools, by question and seed."""

    by_place: Mapping[tuple[str, int], Pool]

    def at(self, question: str, seed: int) -> Pool:
        """One pool."""
        return self.by_place[question, seed]


async def draw_pools(
    questions: Sequence[Question],
    seeds: Sequence[int],
    n: int,
    process: ProcessFor,
    session: Session,
    journal: Journal[Pool],
    *,
    verifiers: Mapping[str, Verifier],
    in_flight: int = 4,
) -> Pools:
    """`n` samples for each question and seed, judged by every verifier, but for those that the journal has.

    `in_flight` pools at a time: n times as many requests. A cut leaves out the pools that are not whole.
    """
    had = {(pool.question, pool.seed): pool for pool in journal.rows}
    gate = asyncio.Semaphore(in_flight)

    async def one(question: Question, seed: int) -> None:
        async with gate:
            if is_cut(session):
                return
            child = unrecorded(session.child(f"pool/{seed}/{question.task.id}"))
            try:
                samples = await asyncio.gather(
                    *(_sample(question, process, verifiers, child.child(str(i))) for i in range(n))
                )
            finally:
                child.close()
        if not is_cut(session):
            pool = Pool(question=question.task.id, seed=seed, samples=tuple(samples))
            journal.add(pool)
            had[question.task.id, seed] = pool

    async with asyncio.TaskGroup() as group:
        for seed in seeds:
            for question in questions:
                if (question.task.id, seed) not in had:
                    group.create_task(one(question, seed))
    return Pools(had)


async def _sample(
    question: Question, process: ProcessFor, verifiers: Mapping[str, Verifier], session: Session
) -> Sample:
    # Every verifier looks at the same candidate, which shows what any of them wants to see.
    wants = frozenset().union(*(verifier.spec.wants for verifier in verifiers.values()))
    run = Run(process(question.asked), session, task=question.asked)
    try:
        moved = await run.advance(await run.start(1, session.key), session.key, steps=None, scored=False)
        (candidate,) = await run.view(moved.batch, wants)
        failures = list(run.failures.values())
    except OutthinkError as error:
        failures, candidate = [Failure.of(error)], Candidate(content="", final=False)
    finally:
        session.close()
    if failures:
        return Sample(cost=session.ledger.total, failure=f"{failures[0].kind}: {failures[0].message}")
    judged = {name: await _judge(verifier, candidate, question) for name, verifier in verifiers.items()}
    return Sample(
        content=candidate.content,
        answer=candidate.answer,
        right=candidate.final and question.right(candidate),
        cost=session.ledger.total,
        judged=judged,
    )


async def _judge(verifier: Verifier, candidate: Candidate, question: Question) -> Judged:
    # An oracle is shown the right answer and nobody else.
    task = question.task if verifier.spec.reads_reference else question.asked
    scores = await verifier.score([candidate], task)
    value = float(scores.values[0])
    # A contest apart bills this to whoever asks for it; the pool's own ledger counts samples only.
    return Judged(value=None if value != value else value, cost=_at_least_one_call(scores.cost))


def _at_least_one_call(cost: Cost) -> Cost:
    return cost if cost.verifier_calls else cost + Cost(verifier_calls=1)


def _stored(sample: Sample) -> StoredSample:
    if sample.failure:
        kind, _, message = sample.failure.partition(": ")
        return StoredSample(Failure(kind, message), sample.cost)
    return StoredSample(Candidate(content=sample.content, answer=sample.answer), sample.cost)


def apart(session: Session) -> Session:
    """A session whose costs are not added to `session`'s: for replays of what was paid for when it was drawn."""
    return replace(session, ledger=Ledger())
