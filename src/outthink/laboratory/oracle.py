"""An oracle for the laboratory's problems: the exact value of every prefix, from the rules alone. It knows the problem, not the model.

    Search(process, ParticleFilter(n=8), LaboratoryOracle(), ...)

With `value = "reachable"` a prefix is worth 1 while a solution can still be reached and 0 from the line on that lost it: the value function
of a writer who makes no more mistakes. With `value = "chance"` it is worth the share of solutions among the ends that a writer reaches who
draws true and allowed lines at random. Both agree with a strict check on finished texts: 1 for a solution, 0 for anything else.

A strict check reads every line: a right number at the end of a wrong working does not count. Use it to see what a perfect verifier would
be worth; what can be had without knowing the rules is a trained head's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from outthink.core.cost import Cost
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.laboratory.value import chance, follow, reachable
from outthink.verify.live_settings import LiveVerifier


class LaboratoryOracle(LiveVerifier):
    """The exact value of a prefix of a laboratory problem's solution.

    Attributes:
        value: whether a solution can still be reached, or the chance of one who draws true and allowed lines at random.
    """

    value: Literal["reachable", "chance"] = "reachable"

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(kind=ScoreKind.PREFIX_VALUE, partial=True, log_map=LogMap.PROBABILITY, reads_reference=True)

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        values, notes = np.full(len(candidates), np.nan), []
        for i, candidate in enumerate(candidates):
            if not isinstance(candidate.content, str):
                notes.append("not a text")
                continue
            place = follow(task.question, candidate.content, final=candidate.final)
            if candidate.final:
                values[i] = place.solved
            else:
                values[i] = reachable(place) if self.value == "reachable" else chance(place)
            lost = "not solved" if candidate.final else "no solution can be reached"
            notes.append(f"wrong: {place.wrong}" if place.wrong else "" if values[i] else lost)
        return Scores(values, tuple(notes), Cost(verifier_calls=len(candidates)))
