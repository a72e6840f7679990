"""Pools of finished samples: drawn once, judged once, and chosen from by every method that only selects.

    pools = await draw_pools(questions, seeds, 64, sampler, session, journal, verifiers={"head": head})
    pools.at("sum-1", seed=0).process(16)            # a process that hands out the first 16 of them, each at its own price

Selection methods over one pool differ by how they choose and by nothing else, and a larger size sees the smaller one's samples again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from outthink.bench.contest import Question, is_cut, unrecorded
from outthink.bench.journal import Journal
from outthink.core.cost import Cost
from outthink.core.errors import Failure, InputError, OutthinkError, explain
from outthink.core.ledger import Ledger
from outthink.core.run import Run
from outthink.core.session import Session
from outthink.core.solver import ProcessFor
from outthink.core.task import Candidate
from outthink.core.verifier import ScoreSpec, Verifier
from outthink.replay.stored_samples import StoredSample, StoredSamples
from outthink.replay.stored_scores import StoredScore, StoredScores


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What one verifier said of one sample; None for no opinion. `failure`: why there is none, where it broke."""

    value: float | None
    cost: Cost = Cost()
    failure: str = ""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One sample with its own bill, or the failure in its place, and what each verifier said, by name.

    `length`: in tokens, and `stop`: why it ended, where the process says so; rules that go by length need them.
    """

    content: str = ""
    answer: str | None = None
    right: bool = False
    cost: Cost = Cost()
    failure: str = ""
    judged: dict[str, Judged] = {}
    length: float | None = None
    stop: str = ""


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """The samples of one question under one seed. `name`: which, where a question has several pools, such as one a temperature."""

    question: str
    seed: int
    samples: tuple[Sample, ...]
    name: str = ""

    def process(self, n: int | None = None) -> StoredSamples:
        """The first `n` samples as a process; None for all."""
        return StoredSamples([_stored(sample) for sample in self.samples[:n]])

    def lacks(self, verifier: str) -> bool:
        """Whether `verifier` has yet to judge a sample."""
        return any(verifier not in sample.judged for sample in self.samples if not sample.failure)

    def scores(self, verifier: str, spec: ScoreSpec) -> StoredScores:
        """What `verifier` said of them, as a verifier that bills each sample's own judgement, equal texts in the order of their places."""
        said: dict[str, list[StoredScore]] = {}
        for sample in self.samples:
            if not sample.failure:
                judged = sample.judged[verifier]
                value = float("nan") if judged.value is None else judged.value
                said.setdefault(sample.content, []).append(StoredScore(value, judged.cost))
        return StoredScores(spec, said)


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

    Pools of the journal that a verifier has not seen yet are shown to it, and written once more. `in_flight` pools at a time: n times as
    many requests. A cut leaves out the pools that are not whole. Raises `InputError` for a new verifier that looks at more than texts.
    """
    had = {(pool.question, pool.seed): pool for pool in journal.rows}
    gate = asyncio.Semaphore(in_flight)

    async def judge(question: Question, pool: Pool, lacking: dict[str, Verifier]) -> None:
        async with gate:
            if is_cut(session):
                return
            for name, verifier in lacking.items():
                pool = await _judged_later(question, pool, name, verifier)
        journal.add(pool)
        had[question.task.id, pool.seed] = pool

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
                    continue
                pool = had[question.task.id, seed]
                lacking = {name: verifier for name, verifier in verifiers.items() if pool.lacks(name)}
                if lacking:
                    group.create_task(judge(question, pool, lacking))
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
    try:
        right = candidate.final and await question.marks(candidate)
    except OutthinkError as error:
        return Sample(cost=session.ledger.total, failure=f"{type(error).__name__}: not marked: {error}")
    judged = {name: await _judge(verifier, candidate, question) for name, verifier in verifiers.items()}
    return Sample(
        content=candidate.content,
        answer=candidate.answer,
        right=right,
        cost=session.ledger.total,
        judged=judged,
    )


async def _judge(verifier: Verifier, candidate: Candidate, question: Question) -> Judged:
    task = question.shown_to(verifier)
    scores = await verifier.score([candidate], task)
    value = float(scores.values[0])
    # A contest apart bills this to whoever asks for it; the pool's own ledger counts samples only.
    return Judged(value=None if value != value else value, cost=_at_least_one_call(scores.cost))


async def _judged_later(question: Question, pool: Pool, name: str, verifier: Verifier) -> Pool:
    """The pool with what `verifier` says of its samples, which are shown to it as texts.

    A text that came before is billed as a second look at it was, so that it need not be looked at each time.
    """
    if verifier.spec.wants:
        raise InputError(
            explain(
                f"The verifier {name!r} cannot judge samples that were stored as texts.",
                got="it looks at " + ", ".join(sorted(verifier.spec.wants)),
                expected="a verifier of texts",
                remedy="Give another folder, so that the pools are drawn again.",
            )
        )
    counts = Counter(sample.content for sample in pool.samples if not sample.failure)
    answers = {sample.content: sample.answer for sample in pool.samples}

    async def look(texts: Sequence[str]) -> dict[str, Judged]:
        shown = [Candidate(content=text, answer=answers[text]) for text in texts]
        return dict(zip(texts, await asyncio.gather(*(_judge(verifier, one, question) for one in shown)), strict=True))

    first = await look(list(counts))
    again = await look([text for text, count in counts.items() if count > 1])
    samples, seen = [], set[str]()
    for sample in pool.samples:
        if not sample.failure:
            said = (again if sample.content in seen else first)[sample.content]
            sample = msgspec.structs.replace(sample, judged={**sample.judged, name: said})
            seen.add(sample.content)
        samples.append(sample)
    return msgspec.structs.replace(pool, samples=tuple(samples))


def _at_least_one_call(cost: Cost) -> Cost:
    return cost if cost.verifier_calls else cost + Cost(verifier_calls=1)


def _stored(sample: Sample) -> StoredSample:
    if sample.failure:
        kind, _, message = sample.failure.partition(": ")
        return StoredSample(Failure(kind, message), sample.cost)
    features = {} if sample.length is None else {"length": sample.length, "stop": sample.stop}
    return StoredSample(Candidate(content=sample.content, answer=sample.answer, features=features), sample.cost)


def apart(session: Session) -> Session:
    """A session whose costs are not added to `session`'s: for replays of what was paid for when it was drawn."""
    return replace(session, ledger=Ledger())
