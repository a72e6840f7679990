"""What a search hands back: the answer, how it was chosen, what it cost, and why it stopped."""

from __future__ import annotations

import html
import math
from enum import StrEnum
from typing import Any

import msgspec

from outthink.core.cost import ZERO, Cost, total_of
from outthink.core.errors import Failure
from outthink.core.half_pairs import as_json
from outthink.core.task import Candidate


class Stop(StrEnum):
    """Why a search ended. `Result.limit` names the limit behind BUDGET."""

    DONE = "done"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"
    MAX_STEPS = "max-steps"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one search on one task. `to_json` and `from_json` round-trip everything but the trace.

    Attributes:
        answer: the chosen candidate's answer, or its whole content where none was extracted; None when nothing finished.
        chosen: index into `candidates`; None when there is no answer.
        scores: the verifier's, None for no opinion. `weights`: the method's belief, summing to 1 (all 0 when nothing is eligible).
        agreement: share of the votes behind the answer, where the method votes.
        effective_n: effective number of members behind the weights, 1 / sum of squares.
        log_evidence: estimate of the log normalising constant in nats, where the method has one.
        by_role: cost by role (generate, verify, refine). `uncertain`: how much more it may be where a backend could not tell.
        overshoot: by how much a limit was passed, by column; empty when every limit held.
        stop, limit: why it ended; the limit's name where a limit ended it.
        degraded: what fell short of the request, in words; empty when all is well.
        run: name of the run in the trace. `seconds`: wall clock.
    """

    answer: Any
    chosen: int | None
    candidates: tuple[Candidate, ...]
    scores: tuple[float | None, ...]
    weights: tuple[float, ...]
    by_role: dict[str, Cost]
    stop: Stop
    method: str
    seed: int
    run: str
    seconds: float
    steps: int
    task: str = ""
    limit: str = ""
    agreement: float | None = None
    effective_n: float = 0.0
    log_evidence: float | None = None
    uncertain: Cost = ZERO
    overshoot: dict[str, float] = {}
    degraded: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def cost(self) -> Cost:
        """All roles together."""
        return total_of(self.by_role.values())

    def to_json(self) -> str:
        """One JSON document. Numbers that are not finite become null, half surrogate pairs U+FFFD."""
        return as_json(self, _plain).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Result:
        """The result that `to_json` wrote."""
        plain = msgspec.json.decode(text)
        for cost in (*plain["by_role"].values(), plain["uncertain"]):
            # JSON has no nan: money that is not known was written as null.
            cost["money"] = math.nan if cost["money"] is None else cost["money"]
        return msgspec.convert(plain, type=cls)

    def table(self) -> str:
        """The candidates as a text table, best first, with the bill below."""
        rows = [("", "answer", "score", "weight", "state")]
        order = sorted(range(len(self.candidates)), key=lambda i: (i != self.chosen, -self.weights[i], i))
        rows.extend(self._row(i) for i in order)
        widths = [max(len(row[k]) for row in rows) for k in range(5)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, "", self.summary()])

    def summary(self) -> str:
        """One line: method, why it stopped, and what it cost by role."""
        why = f"{self.stop.value} ({self.limit})" if self.limit else self.stop.value
        roles = ", ".join(f"{role} {describe(cost)}" for role, cost in self.by_role.items())
        return f"{self.method}: {why}; {roles or 'no cost'}; {self.seconds:.2f} s"

    def _row(self, i: int) -> tuple[str, str, str, str, str]:
        candidate, score = self.candidates[i], self.scores[i]
        shown = candidate.answer if candidate.answer is not None else str(candidate.content)
        return (
            "*" if i == self.chosen else "",
            shown.replace("\n", " ")[:60],
            "-" if score is None else f"{score:.4g}",
            f"{self.weights[i]:.3f}",
            "finished" if candidate.final else "unfinished",
        )

    def _repr_html_(self) -> str:
        cells = "".join(
            "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in self._row(i)) + "</tr>"
            for i in range(len(self.candidates))
        )
        return (
            f"<p><b>{html.escape(str(self.answer))}</b></p><p>{html.escape(self.summary())}</p>"
            f"<table><tr><th></th><th>answer</th><th>score</th><th>weight</th><th>state</th></tr>{cells}</table>"
        )


def describe(cost: Cost) -> str:
    """A cost in words: only the columns that are not zero."""
    parts = []
    if cost.tokens:
        parts.append(
            f"{cost.tokens} tokens ({cost.output_tokens} out, {cost.input_tokens - cost.cached_input_tokens} in)"
        )
    for name, word in (("calls", "calls"), ("verifier_calls", "judged"), ("denoiser_evals", "denoiser evaluations")):
        if value := getattr(cost, name):
            parts.append(f"{value} {word}")
    if cost.money:
        parts.append(f"{cost.money:.4g} in money")
    return ", ".join(parts) or "nothing"


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
