"""The most that a pipeline can cost, found without asking anything.

How many requests a layer makes follows from how many candidates may reach it (`Sizes`): who survives a verifier or passes tests is not
known beforehand, so everyone counts. What a request costs at most is asked of its engine, for the prompt without the texts that will be
put into it; those count as the longest replies that they can be, twice, since a text that is read again may fall into more tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from outthink.core.cost import ZERO, Cost
from outthink.pipeline.asking import AskingProcess
from outthink.pipeline.pipeline import Pipeline
from outthink.pipeline.pricing import priced
from outthink.pipeline.stage import Rehearsal, Sizes


@dataclass(frozen=True)
class LayerBound:
    """One layer's part.

    Attributes:
        calls: requests when every reply can be read. `most`: with all retries.
        candidates: the most that it leaves.
        cost: of all its requests at most.
    """

    stage: str
    calls: int
    most: int
    candidates: int
    cost: Cost


def bounds(pipeline: Pipeline, process: AskingProcess) -> list[LayerBound]:
    """What each layer can cost at most, without the searches inside "solve" and the verifier of "score". Spends nothing."""
    rehearsal = Rehearsal(process.task.question, process.index_of, process.settings.max_tokens)
    sizes, found = Sizes(), []
    for layer in pipeline.layers:
        needs = layer.needs(sizes, rehearsal)
        cost = ZERO
        for need in needs:
            cost = cost + priced(need, process).times(need.calls + need.again)
        sizes = layer.after(sizes, rehearsal.longest)
        calls = sum(need.calls for need in needs)
        found.append(LayerBound(layer.name(), calls, calls + sum(need.again for need in needs), sizes.n, cost))
    return found


def calls(pipeline: Pipeline, process: AskingProcess) -> int:
    """Requests when every reply can be read and every candidate survives, searches inside "solve" left out."""
    return sum(layer.calls for layer in bounds(pipeline, process))


def judged(pipeline: Pipeline, process: AskingProcess) -> int:
    """Candidates that the recipe's verifier may have to judge."""
    sizes, total = Sizes(), 0
    for layer in pipeline.layers:
        total += layer.judges(sizes)
        sizes = layer.after(sizes, process.settings.max_tokens)
    return total
