"""The only door to effects: a run pays, records and seeds.

An algorithm asks its run to start members, move them on, judge them and name their answers. The run claims from the ledger before each
call and settles after it, numbers the nodes, writes the events, and gives every slot its own seed. It keeps what was paid for: members
that finished before a limit or a cut are handed back, the others come back whole.

The escape hatch is the same door: any `async def my_search(run, key)` may call it directly.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from outthink.core.abridging import keep, looked_at
from outthink.core.batch import Batch
from outthink.core.cost import ZERO, Cost, Role
from outthink.core.errors import BudgetExhausted, Failure, Incompatible, OutthinkError, explain
from outthink.core.events import (
    Adapted,
    Advanced,
    AnyEvent,
    Charged,
    MemberFailed,
    Resampled,
    Scored,
    Started,
    Warned,
)
from outthink.core.half_pairs import mended
from outthink.core.key import Key
from outthink.core.ledger import Allowance
from outthink.core.moved import Moved
from outthink.core.process import Advance, Completable, Perturbable, Process, Revisable, Rewindable, lacks, stuck
from outthink.core.rows import Index
from outthink.core.score_book import ScoreBook
from outthink.core.session import Session
from outthink.core.task import Candidate, Feature, Task
from outthink.core.tolerance import Survival
from outthink.core.verifier import Equivalence, Verifier
from outthink.numerics.types import BoolArray, FloatArray, IntArray, SeedArray

__all__ = ["Moved", "Run"]

Call = Callable[[Any, SeedArray, IntArray, Allowance], Awaitable[Advance[Any]]]


class Run:
    """One search on one task. Made by a solver; algorithms only use it."""

    def __init__(
        self,
        process: Process[Any],
        session: Session,
        *,
        task: Task | None = None,
        verifier: Verifier | None = None,
        equivalence: Equivalence | None = None,
        max_batch: int | None = None,
    ) -> None:
        self.process = process
        self.session = session
        self.task = task or Task()
        self.verifier = verifier
        self.scores = ScoreBook(verifier, self.task, session, self.view) if verifier is not None else None
        self.equivalence = equivalence
        self.max_batch = max_batch
        self.failures: dict[int, Failure] = {}
        self.limit = ""
        self.survival = Survival()
        self._next_node = 0

    @property
    def key(self) -> Key:
        """The root of this run's randomness."""
        return self.session.key

    # -- members ----------------------------------------------------------------------------------------------------

    async def start(self, n: int, key: Key) -> Batch:
        """n fresh members; costs nothing."""
        states = await self.process.start(key.child("start").seeds(n))
        nodes = self._nodes(n)
        self.emit(Started(nodes=tuple(nodes.tolist())))
        return Batch(self.process, states, nodes, np.zeros(n, np.int64), np.zeros(n, bool), np.zeros(n, bool))

    async def advance(
        self,
        batch: Batch,
        key: Key,
        *,
        steps: int | None = 1,
        scored: bool = True,
        kind: str = "step",
        role: Role = "generate",
    ) -> Moved:
        """Move the living members on by `steps` (None: to the end); the others pass through untouched.

        `scored`: whether these members will be judged, so that the verifier's share is claimed with them. `kind`: what the record calls
        the move, such as "look-ahead" for one that may be dropped. `role`: what the bill calls it.
        Raises `BudgetExhausted` when nothing useful fits for any member; nothing was paid then.
        """

        def call(states: Any, seeds: SeedArray, slots: IntArray, allowance: Allowance) -> Awaitable[Advance[Any]]:
            return self.process.advance(states, seeds, steps=steps, allowance=allowance)

        return await self._move(batch, batch.alive, key.child("advance"), call, role=role, kind=kind, scored=scored)

    async def revise(self, batch: Batch, feedback: Sequence[str], key: Key, *, scored: bool = True) -> Moved:
        """Rewrite the finished members, each told its own feedback."""
        process = self.process
        if not isinstance(process, Revisable):
            raise lacks(process, Revisable)

        def call(states: Any, seeds: SeedArray, slots: IntArray, allowance: Allowance) -> Awaitable[Advance[Any]]:
            return process.revise(states, [feedback[i] for i in slots], seeds, allowance=allowance)

        return await self._move(
            batch,
            batch.finished,
            key.child("revise"),
            call,
            role="refine",
            kind="revise",
            scored=scored,
            depth=batch.depth,
        )

    async def rewind(self, batch: Batch, level: Index, key: Key) -> Moved:
        """Take every member that has not failed back to its level, [n]."""
        process = self.process
        if not isinstance(process, Rewindable):
            raise lacks(process, Rewindable)
        levels = np.asarray(level)

        def call(states: Any, seeds: SeedArray, slots: IntArray, allowance: Allowance) -> Awaitable[Advance[Any]]:
            return process.rewind(states, levels[slots], seeds, allowance=allowance)

        depth = np.minimum(batch.depth, levels)
        return await self._move(
            batch, ~batch.failed, key.child("rewind"), call, kind="rewind", scored=False, depth=depth
        )

    async def perturb(self, batch: Batch, strength: FloatArray, key: Key, *, scored: bool = True) -> Moved:
        """A neighbour of every member that has not failed."""
        process = self.process
        if not isinstance(process, Perturbable):
            raise lacks(process, Perturbable)

        def call(states: Any, seeds: SeedArray, slots: IntArray, allowance: Allowance) -> Awaitable[Advance[Any]]:
            return process.perturb(states, strength[slots], seeds, allowance=allowance)

        return await self._move(
            batch, ~batch.failed, key.child("perturb"), call, kind="perturb", scored=scored, depth=batch.depth
        )

    async def complete(self, batch: Batch, key: Key, *, scored: bool = True) -> Moved:
        """A cheap finished fork of every living member; the batch given stays as it is."""
        process = self.process
        if not isinstance(process, Completable):
            raise lacks(process, Completable)

        def call(states: Any, seeds: SeedArray, slots: IntArray, allowance: Allowance) -> Awaitable[Advance[Any]]:
            return process.complete(states, seeds, allowance=allowance)

        return await self._move(batch, batch.alive, key.child("complete"), call, kind="complete", scored=scored)

    # -- judgement --------------------------------------------------------------------------------------------------

    async def score(self, batch: Batch) -> FloatArray:
        """The verifier's scores, [n]; nan for no opinion, for failed members, and for unfinished ones it cannot rate.

        A node is judged once: forks that have not moved since share their score.
        """
        if self.scores is None:
            raise Incompatible(
                explain(
                    "A score was asked for and no verifier is set.",
                    got="none",
                    expected="a verifier",
                    remedy="Set [verifier].",
                )
            )
        judged = await self.scores.judge(batch)
        if judged is not None:
            self.limit = judged.limit or self.limit
            for warning in judged.warnings:
                self.warn(warning)
            self._charged("verify")
            values = tuple([None if math.isnan(v) else v for v in judged.values.tolist()])
            self.emit(Scored(nodes=tuple(judged.batch.id.tolist()), values=values))
        return self.scores.values(batch)

    def notes(self, batch: Batch) -> list[str]:
        """What the verifier said of each member besides its score, [n]; "" where it said nothing, or has not judged."""
        known = self.scores.notes if self.scores is not None else {}
        return [known.get(node, "") for node in batch.id.tolist()]

    async def answer_keys(self, batch: Batch) -> list[Hashable | None]:
        """Which answers are the same, [n]; None for members that are unfinished, failed, or abstain."""
        at = np.flatnonzero(batch.finished)
        keys: list[Hashable | None] = [None] * len(batch)
        if len(at) == 0:
            return keys
        candidates = await self.view(batch.take(at))
        found = (
            [c.answer for c in candidates]
            if self.equivalence is None
            else await self.equivalence.keys(candidates, self.task)
        )
        for i, key in zip(at.tolist(), found, strict=True):
            keys[i] = key
        return keys

    async def view(self, batch: Batch, wants: frozenset[Feature] = frozenset()) -> list[Candidate]:
        """What verifiers and people see, one a member, numbered by node."""
        seen = await self.process.view(batch.states, looked_at(self.process, wants))
        numbered = [
            msgspec.structs.replace(candidate, id=node, final=done)
            for candidate, node, done in zip(seen, batch.id.tolist(), batch.done.tolist(), strict=True)
        ]
        await keep(self.process, self.session.trace, self.session.name, numbered)
        return numbered

    # -- record -----------------------------------------------------------------------------------------------------

    def emit(self, event: AnyEvent) -> None:
        """Record an event of this run."""
        self.session.trace.emit(msgspec.structs.replace(event, run=self.session.name, seconds=self.session.elapsed()))

    def warn(self, message: str) -> None:
        """Tell the user something about this run."""
        self.emit(Warned(message=mended(message)))

    def adapted(self, what: str, instead: str) -> None:
        """Record that the method adapted to the backend."""
        self.emit(Adapted(what=what, instead=instead))

    def resampled(self, step: int, ancestors: IntArray, effective: float) -> None:
        """Record a resampling; `ancestors` are nodes, [n]."""
        self.emit(Resampled(step=step, ancestors=tuple(ancestors.tolist()), effective=effective))

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What a resumed run must know besides the algorithm's state."""
        return {
            "next_node": self._next_node,
            "spent": dict(self.session.ledger.state()),
            "uncertain": self.session.ledger.uncertain,
            # A cut ends with the session that it cut; a limit that bound stays.
            "limit": "" if self.limit == self.session.cut.reason else self.limit,
            "failures": dict(self.failures),
            "survival": self.survival,
            "scores": self.scores.state() if self.scores else {},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` described. Raises `KeyError` for what it lacks."""
        self._next_node = state["next_node"]
        self.failures = dict(state["failures"])
        self.survival = state["survival"]
        if self.scores is not None:
            self.scores.restore(state["scores"])
        self.limit = state["limit"]
        self.session.ledger.restore(state["spent"], state["uncertain"])

    def finish(self) -> None:
        """Release promises that were not used."""
        if self.scores is not None:
            self.scores.release()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _nodes(self, n: int) -> IntArray:
        nodes = np.arange(self._next_node, self._next_node + n, dtype=np.int64)
        self._next_node += n
        return nodes

    async def _move(
        self,
        batch: Batch,
        which: BoolArray,
        key: Key,
        call: Call,
        *,
        role: Role = "generate",
        kind: str = "step",
        scored: bool = True,
        depth: IntArray | None = None,
    ) -> Moved:
        n, slots = len(batch), which.nonzero()[0]
        log_ratio, moved, short = np.zeros(n), np.zeros(n, bool), np.zeros(n, bool)
        if len(slots) == 0:
            return Moved(batch, log_ratio, moved, short)
        if (gone := self.session.cut.reason) is not None:
            raise BudgetExhausted(gone)
        extra = self.scores.share() if scored and self.scores is not None else ZERO
        seeds = key.seeds(n)
        done, failed = batch.done.copy(), batch.failed.copy()
        parts, origin = [batch.states], np.arange(n)
        offset, queue, limit, shares = n, slots, "", ZERO
        try:
            while len(queue):
                chunk = queue[: self.max_batch] if self.max_batch else queue
                whole = len(chunk) == n
                states = batch.states if whole else self.process.take(batch.states, chunk)
                got, allowance = await self._pay(states, seeds[chunk], chunk, call, extra, role)
                waiting = got.was_untouched()
                for slot, failure in sorted(got.failures.items()):
                    self._lost(int(batch.id[chunk[slot]]), failure)
                    failed[chunk[slot]] = True
                went = (~(waiting | failed[chunk])).nonzero()[0]
                at = chunk[went]
                parts.append(got.states)
                origin[at] = offset + went
                offset += len(chunk)
                moved[at], done[at], log_ratio[at] = True, got.done[went], got.log_ratio[went]
                short[chunk] = got.was_short() | waiting
                queue = np.concatenate([chunk[waiting], queue[len(chunk) :]])
                if waiting.all() or self.session.cut.reason:
                    limit = self.session.cut.reason or allowance.limit
                    if not limit:
                        raise stuck(self.process)
                    break
                if len(queue) and extra != ZERO:
                    # The shares of those that moved stay promised while the others are served.
                    share = extra.times(len(went))
                    self.session.ledger.claim(share)
                    shares = shares + share
        finally:
            self.session.ledger.release(shares)
        short[queue] = True
        if limit and short.any():
            self.limit = limit
            if not moved.any() and not (failed & ~batch.failed).any():
                raise BudgetExhausted(limit)
        went = moved.nonzero()[0]
        states = parts[1] if len(parts) == 2 and len(went) == n else self._assemble(parts, origin)
        nodes = batch.id.copy()
        nodes[went] = fresh = self._nodes(len(went))
        numbers = fresh.tolist()
        self.survival = self.survival.with_kept(len(went))
        if self.scores is not None and extra != ZERO:
            self.scores.hold(numbers, extra)
        self.emit(
            Advanced(
                parents=tuple(batch.id[went].tolist()),
                nodes=tuple(numbers),
                done=tuple(done[went].tolist()),
                kind=kind,
            )
        )
        depths = np.where(moved, batch.depth + 1 if depth is None else depth, batch.depth)
        out = replace(batch, states=states, id=nodes, depth=depths, done=done, failed=failed)
        return Moved(out, log_ratio, moved, short)

    async def _pay(
        self, states: Any, seeds: SeedArray, slots: IntArray, call: Call, extra: Cost, role: Role
    ) -> tuple[Advance[Any], Allowance]:
        """Call the process under an allowance, and settle whatever happens."""
        ledger = self.session.ledger
        allowance = Allowance(ledger, extra=extra, cut=self.session.cut)
        try:
            got = await call(states, seeds, slots, allowance)
        except OutthinkError:
            # Raised before anything was sent: once work is under way, processes hand back failures instead.
            ledger.release(allowance.claimed)
            raise
        except BaseException:
            ledger.settle(allowance.claimed, ZERO, role, uncertain=allowance.claimed)
            raise
        ledger.settle(allowance.claimed, got.cost, role, got.uncertain)
        self._charged(role)
        return got, allowance

    def _assemble(self, parts: list[Any], origin: IntArray) -> Any:
        return self.process.take(self.process.concat(parts), origin)

    def _lost(self, node: int, failure: Failure) -> None:
        self.failures[node] = failure
        self.survival = self.survival.with_lost(failure)
        self.emit(MemberFailed(node=node, kind=failure.kind, message=failure.message, status=failure.status))

    def _charged(self, role: Role) -> None:
        total = self.session.ledger.total
        self.emit(
            Charged(
                role=role,
                tokens=total.tokens,
                calls=total.calls,
                verifier_calls=total.verifier_calls,
                denoiser_evals=total.denoiser_evals,
            )
        )
