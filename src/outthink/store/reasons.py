"""Why a run stopped and why its answer won, in words, from its result alone."""

from __future__ import annotations

from outthink.core.result import Result, Stop

STOPS = {
    Stop.DONE: "the method was finished",
    Stop.BUDGET: "the budget was used up",
    Stop.INTERRUPTED: "it was interrupted",
    Stop.MAX_STEPS: "it had taken as many steps as it may",
}


def why_stopped(result: Result) -> str:
    """One clause, with the limit that ended it and what fell short."""
    why = STOPS[result.stop] + (f" ({result.limit})" if result.limit else "")
    return "; ".join([why, *result.degraded])


def why_won(result: Result) -> str:
    """What speaks for the answer: its share of the vote, its score and its weight, each beside the next best."""
    chosen = result.chosen
    if chosen is None:
        finished = sum(candidate.final for candidate in result.candidates)
        return "there is no answer: " + ("everyone abstained" if finished else "nothing finished")
    said = []
    if result.agreement is not None:
        votes = _votes(result)
        own = result.candidates[chosen].answer
        rest = {answer: share for answer, share in votes.items() if answer != own}
        second = max(rest, key=lambda answer: rest[answer], default=None)
        beside = f", the next, {_short(second)}, {rest[second]:.0%}" if second is not None and rest[second] > 0 else ""
        said.append(f"its answer has {result.agreement:.0%} of the vote{beside}")
    score = result.scores[chosen]
    if score is not None:
        known = sorted((s for i, s in enumerate(result.scores) if s is not None and i != chosen), reverse=True)
        rank = 1 + sum(other > score for other in known)
        place = "the best score" if rank == 1 else f"the score at place {rank}"
        beside = f" (the next {known[0]:.4g})" if known and rank == 1 else ""
        said.append(f"it has {place} of {len(known) + 1}, {score:.4g}{beside}")
    heaviest = max(result.weights, default=0.0)
    if len(set(result.weights)) > 1 and 0.0 < result.weights[chosen] < 1.0:
        place = "the largest weight" if result.weights[chosen] == heaviest else "a weight"
        said.append(f"it has {place}, {result.weights[chosen]:.3f}")
    alone = sum(candidate.final for candidate in result.candidates) == 1
    return "; ".join(said) or ("it alone finished" if alone else "neither a score nor a vote sets it apart")


def _votes(result: Result) -> dict[str | None, float]:
    votes: dict[str | None, float] = {}
    for candidate, weight in zip(result.candidates, result.weights, strict=True):
        votes[candidate.answer] = votes.get(candidate.answer, 0.0) + weight
    return votes


def _short(text: str | None) -> str:
    shown = " ".join((text or "").split())
    return shown if len(shown) <= 40 else shown[:39] + "…"
