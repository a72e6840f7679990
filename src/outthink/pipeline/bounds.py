"""The most that a pipeline can cost, found without asking anything.

How many requests a layer makes follows from how many candidates may reach it (`Sizes`): who survives a verifier or passes tests is not
known beforehand, so everyone counts. What a request costs at most is asked of its engine, for the prompt without the texts that will be
put into it; those count as the longest replies that they can be, twice, since a text that is read again may fall into more tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from outthink.core.cost import ZERO, Cost
from outthink.pipeline.asking import Ask, AskingProcess
from outthink.pipeline.pipeline import Pipeline
from outthink.pipeline.stage import Need, Rehearsal, Sizes

PROBE = "x" * 64


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


def priced(need: Need, process: AskingProcess) -> Cost:
    """The most that one such request costs, nothing of it cached. Raises what refuses the bare prompt."""
    engine, request = process.engines[need.ask.engine], process.request(need.ask, 0)
    bare = msgspec.structs.replace(engine.price(request), cached_input_tokens=0)
    output = max(bare.output_tokens, need.ask.max_tokens)
    money = bare.money
    if money and need.more:
        longer = engine.price(process.request(_longer(need.ask), 0))
        grown = max(1, longer.input_tokens - bare.input_tokens)
        money += max(0.0, longer.money - bare.money) / grown * need.more
    return msgspec.structs.replace(bare, input_tokens=bare.input_tokens + need.more, output_tokens=output, money=money)


def _longer(ask: Ask) -> Ask:
    """The ask with something more in it, to see what a token of the prompt costs."""
    if ask.messages is None:
        return replace(ask, more=PROBE)
    *before, (role, said) = ask.messages
    return replace(ask, messages=(*before, (role, said + PROBE)))
