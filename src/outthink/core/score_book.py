"""What a run knows about its members' scores: each node is judged once, and its share of the budget is promised beforehand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from outthink.core.batch import Batch
from outthink.core.cost import ZERO, Cost, total_of
from outthink.core.errors import Failure, VerifierError, explain
from outthink.core.half_pairs import mended
from outthink.core.ledger import Allowance
from outthink.core.session import Session
from outthink.core.task import Candidate, Feature, Task
from outthink.core.verifier import Scores, ScoreSpec, Verifier
from outthink.numerics.types import FloatArray

View = Callable[[Batch, frozenset[Feature]], Awaitable[list[Candidate]]]


@dataclass(frozen=True)
class Judged:
    """What one round of judging gave: the members judged, their values [m], and why the others were not."""

    batch: Batch
    values: FloatArray
    warnings: tuple[str, ...] = ()
    limit: str = ""


@dataclass
class ScoreBook:
    """Scores by node, and the verifier's shares that are promised for nodes not judged yet."""

    verifier: Verifier
    task: Task
    session: Session
    view: View
    known: dict[int, float] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)
    _held: dict[int, Cost] = field(default_factory=dict)

    def share(self) -> Cost:
        """The most that judging one member can cost."""
        return self.verifier.most(self.task)

    def hold(self, nodes: list[int], share: Cost) -> None:
        """Promise each node its share."""
        self.session.ledger.claim(share.times(len(nodes)))
        self._held.update(dict.fromkeys(nodes, share))

    def held(self) -> dict[int, Cost]:
        """The promises that stand, by node."""
        return dict(self._held)

    def state(self) -> dict[str, Any]:
        """What a resumed run must know of the scores so far."""
        return {
            "known": dict(self.known),
            "held": self.held(),
            "verifier_failures": dict(self.failures),
            "notes": dict(self.notes),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` described."""
        self.known, self.notes = dict(state["known"]), dict(state["notes"])
        self.failures = dict(state["verifier_failures"])
        for node, share in state["held"].items():
            self.hold([node], share)

    def release(self, nodes: list[int] | None = None) -> None:
        """Take back the promises made for `nodes`; None: all of them."""
        found = [self._held.pop(node, ZERO) for node in (list(self._held) if nodes is None else nodes)]
        # Members that moved on together hold one and the same share.
        together = [list(alike) for _, alike in groupby(found, id)]
        self.session.ledger.release(total_of(alike[0].times(len(alike)) for alike in together))

    def values(self, batch: Batch) -> FloatArray:
        """Scores, [n]; nan where there is none."""
        known = self.known
        return np.array(
            [
                np.nan if lost else known.get(node, np.nan)
                for node, lost in zip(batch.id.tolist(), batch.failed.tolist(), strict=True)
            ]
        )

    async def judge(self, batch: Batch) -> Judged | None:
        """Judge the members that can be rated and have no score yet; None when there are none."""
        nodes = batch.id.tolist()
        self.release(nodes)
        ledger, spec = self.session.ledger, self.verifier.spec
        ratable = ~batch.failed & (batch.done | spec.partial)
        first: dict[int, int] = {}
        for i in ratable.nonzero()[0].tolist():
            first.setdefault(nodes[i], i)
        fresh = [i for node, i in first.items() if node not in self.known]
        if not fresh:
            return None
        allowance, share = Allowance(ledger, cut=self.session.cut), self.share()
        granted = allowance.claim_each(len(fresh), fixed=share)
        served = [i for i, units in zip(fresh, granted, strict=True) if units is not None]
        judged = batch if len(served) == len(batch) else batch.take(served)
        scores: Scores | None = None
        sent = len(judged) > 0 and (spec.local or not self.session.cut.reason)
        try:
            if sent:
                candidates = await self.view(judged, spec.wants)
                if spec.local:
                    scores = await self.verifier.score(candidates, self.task)
                else:
                    scores = await self.verifier.score_until(candidates, self.task, self.session.cut)
        finally:
            lost = allowance.claimed if sent and not spec.local else ZERO
            ledger.settle(
                allowance.claimed, scores.cost if scores else ZERO, "verify", scores.uncertain if scores else lost
            )
        short = len(fresh) - len(judged)
        warnings = [f"The budget's {allowance.limit} left {short} members without a score."] if short else []
        limit = allowance.limit if short else ""
        cut = len(judged) if scores is None else len(scores.unjudged)
        if cut:
            limit = limit or self.session.cut.reason or ""
            warnings.append(f"Judging was cut short ({self.session.cut.reason}): {cut} members are without a score.")
        if scores is None:
            return Judged(judged.take([]), np.zeros(0), tuple(warnings), limit)
        values = _checked(scores, judged, spec)
        warnings.extend(scores.warnings)
        rated = [i for i in range(len(judged)) if i not in scores.unjudged]
        nodes, found = judged.id.tolist(), values.tolist()
        for i in rated:
            node = nodes[i]
            self.known[node] = found[i]
            if scores.notes and scores.notes[i]:
                self.notes[node] = mended(scores.notes[i])
            if i in scores.failures:
                self.failures[node] = scores.failures[i]
                warnings.append(f"The verifier failed on node {node}: {scores.failures[i].message}")
        if len(rated) == len(judged):
            return Judged(judged, values, tuple(warnings), limit)
        return Judged(judged.take(rated), values[rated], tuple(warnings), limit)


def _checked(scores: Scores, batch: Batch, spec: ScoreSpec) -> FloatArray:
    values = np.array(scores.values, dtype=np.float64)
    if values.shape != (len(batch),):
        raise VerifierError(
            explain(
                "The verifier returned the wrong number of scores.",
                got=values.shape,
                expected=f"({len(batch)},)",
                remedy="Return one value per candidate, nan for no opinion.",
            )
        )
    if scores.failures or scores.unjudged:
        values[[*scores.failures, *scores.unjudged]] = np.nan
    within = (values >= spec.low) & (values <= spec.high)
    bad = (~(within | np.isnan(values))).nonzero()[0]
    if len(bad):
        raise VerifierError(
            explain(
                f"The score of node {int(batch.id[bad[0]])} is outside the verifier's range.",
                got=float(values[bad[0]]),
                expected=f"a number in [{spec.low}, {spec.high}]",
                remedy="Declare the true range in the verifier's spec, with log_map = 'raw' for log-weights.",
            )
        )
    return values
