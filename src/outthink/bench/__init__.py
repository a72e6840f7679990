"""Which method is worth it, on which task, for how much: the same questions to all, costs beside every result, nothing paid twice."""

from outthink.bench.contest import Contestant, Question, Watcher, contest
from outthink.bench.journal import Journal
from outthink.bench.outcome import Outcome, curve_of, mean_by_question
from outthink.bench.pools import Judged, Pool, Pools, draw_pools

__all__ = [
    "Contestant",
    "Journal",
    "Judged",
    "Outcome",
    "Pool",
    "Pools",
    "Question",
    "Watcher",
    "contest",
    "curve_of",
    "draw_pools",
    "mean_by_question",
]
