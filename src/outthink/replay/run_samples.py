"""The samples of one stored run, to choose from again: what other ways and smaller sizes would have answered, and how surely.

    found = run_samples(store.run("last"))
    for choice in chances(found, select=("vote", "best-of-n"), sizes=(2, 4, 8)):
        print(choice.select, choice.size, choice.answers)          # [("42", 0.87), ("41", 0.13)]

Only runs whose candidates are whole samples, drawn independently, at once, and all still there, can be replayed: those of vote and
best-of-n. What a search that prunes or forks has left says nothing about what other choices would have met, and where drawing went on until
the answers agreed, how many there are depends on what they said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from outthink.core.errors import Incompatible, InputError, explain
from outthink.core.events import Advanced, Exchanged, Resampled, Started, Visited
from outthink.replay.reading import same_text
from outthink.replay.replay import Line, replay
from outthink.replay.row import SCORE, Keys
from outthink.replay.samples import ABSTAINS, QuestionSamples, gathered

if TYPE_CHECKING:
    from outthink.store import StoredRun


@dataclass(frozen=True)
class RunSamples:
    """The samples of a run.

    Attributes:
        row: they themselves; `right` is all False where nobody knows. answers: the text behind each class of answers.
        known: whether the right answer is known.
    """

    row: QuestionSamples
    answers: tuple[str, ...]
    known: bool


@dataclass(frozen=True)
class Chance:
    """One way of choosing at one size. `answers`: what it would have answered, with its chance, the likeliest first."""

    select: str
    size: int
    answers: tuple[tuple[str, float], ...]
    line: Line


def run_samples(run: StoredRun, *, keys: Keys = same_text, reference: str | None = None) -> RunSamples:
    """The samples of a run. `reference`: the right answer; by default the task's own, where it has one.

    Raises `Incompatible` for a run whose candidates are no independent samples, `InputError` for one that has not ended.
    """
    result = run.result
    if result is None:
        raise InputError(
            explain(
                "This run has no result.",
                got=f"{run.line.id}: {run.line.status}",
                expected="a run that has ended",
                remedy="Let it end, or resume it: outthink run --resume.",
            )
        )
    whole = [i for i, candidate in enumerate(result.candidates) if candidate.final]
    nodes = [result.candidates[i].id for i in whole]
    _check_independent(run, nodes, len(whole) + len(result.failures))
    texts = [_text(result.candidates[i].answer, result.candidates[i].content) for i in whole]
    wanted = run.task.reference if reference is None else reference
    *own, right = keys([*texts, wanted])
    classes: dict[object, int] = {}
    said: list[str] = []
    for key, text in zip(own, texts, strict=True):
        if key is not None and key not in classes:
            classes[key] = len(classes)
            said.append(str(text))
    tokens = {role: cost.tokens / max(1, len(whole)) for role, cost in result.by_role.items()}
    scores = [result.scores[i] for i in whole]
    judged = any(score is not None for score in scores)
    row = QuestionSamples(
        question=run.line.id,
        answers=[ABSTAINS if key is None else classes[key] for key in own],
        right=[right is not None and key == right for key in own],
        tokens=[sum(spent for role, spent in tokens.items() if role != "verify")] * len(whole),
        scores={SCORE: [np.nan if one is None else one for one in scores]} if judged else {},
        judging={SCORE: [tokens.get("verify", 0.0)] * len(whole)} if judged else {},
    )
    return RunSamples(row, tuple(said), right is not None)


def chances(
    samples: RunSamples, *, select: Sequence[str], sizes: Sequence[int], score: str | None = None, seed: int = 0
) -> list[Chance]:
    """What each way of choosing would have answered at each size."""
    lines = replay(gathered([samples.row]), select=select, sizes=sizes, score=score, seed=seed)
    answers = np.asarray(samples.row.answers)
    found: dict[tuple[str, int], list[tuple[str, float]]] = {}
    # "Right" is whatever gives this answer, so that its accuracy is the chance of choosing it.
    for number, text in enumerate(samples.answers):
        gives = gathered([replace(samples.row, right=answers == number)])
        plain = [name for name in select if name != "oracle"]
        for line in replay(gives, select=plain, sizes=sizes, score=score, seed=seed) if plain else ():
            if line.accuracy > 0.0:
                found.setdefault((line.select, line.size), []).append((text, line.accuracy))
    return [
        Chance(
            line.select,
            line.size,
            tuple(sorted(found.get((line.select, line.size), []), key=lambda one: -one[1])),
            line,
        )
        for line in lines
    ]


def _text(answer: str | None, content: object) -> str | None:
    if answer is not None:
        return answer
    return content if isinstance(content, str) else None


def _check_independent(run: StoredRun, nodes: Sequence[int], there: int) -> None:
    own = [event for event in run.events if event.run == ""]
    waves = [len(event.nodes) for event in own if isinstance(event, Started)]
    begun = sum(waves)
    met = any(isinstance(event, Resampled | Exchanged | Visited) for event in own)
    parents: dict[int, int] = {}
    for event in own:
        if isinstance(event, Advanced):
            met = met or event.kind != "step"
            parents.update(zip(event.nodes, event.parents, strict=True))
    if (
        met
        or len(waves) != 1
        or begun != there
        or there == 0
        or len({_root(node, parents) for node in nodes}) != len(nodes)
    ):
        raise Incompatible(
            explain(
                "The candidates of this run are not independent samples, so nothing follows from choosing among them otherwise.",
                got=f"{run.line.method} with {there} finished of {begun} that were begun in {len(waves)} turns",
                expected="a run of vote or best-of-n, whose samples are drawn at once and all there",
                remedy="Run vote or best-of-n, and replay that.",
            )
        )


def _root(node: int, parents: Mapping[int, int]) -> int:
    while parents.get(node, node) != node:
        node = parents[node]
    return node
