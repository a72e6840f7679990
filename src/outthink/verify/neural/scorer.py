"""A reward model in this process: candidates in, the head's numbers out, and each prefix computed once.

All candidates of a call go through the model together, tokens of many sequences in one forward; what a candidate shares with one that was
read before, in this call or an earlier one, is taken from the cache. Eviction costs time and never changes a score beyond rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from outthink.core.errors import ContextOverflow, Failure, explain
from outthink.engines.local.backend import StepBatch
from outthink.engines.torch.backend import TorchBackend
from outthink.engines.torch.engine import tokenizer_of
from outthink.engines.torch.fitness import check_fitness
from outthink.engines.torch.settings import Transformers
from outthink.engines.torch.tokenizer import TransformersTokenizer
from outthink.engines.torch.weights import Weights
from outthink.numerics.types import IntArray
from outthink.verify.neural.kept import KeptRow, KeptRows
from outthink.verify.neural.trunk import HeadedWeights, WholeClassifier, WordedWeights
from outthink.verify.readings import AnswerScorer, Rating
from outthink.verify.reward_formats import RewardFormat
from outthink.verify.reward_layout import PLACEHOLDER, Reading, laid_out, word

if TYPE_CHECKING:
    from outthink.verify.reward_model import RewardModel


SPARE_ROWS = 3
"""Rows beyond those retained: the check at opening needs as many."""


class NeuralScorer(AnswerScorer):
    """An open reward model whose attention looks back only, so that prefixes can be reused.

    Raises `ModelMissing` where there is no such model, `Incompatible` for one that the format or this way of running it does not fit.
    """

    def __init__(self, settings: Transformers, form: RewardFormat, head: str = "") -> None:
        self.form, self._step_tokens = form, settings.step_tokens
        source = tokenizer_of(settings)
        weights: Weights
        if form.head == "words":
            # The tokenizer is made twice, because which words are read is part of the model that says how long its vocabulary is.
            plain = TransformersTokenizer(source, frozenset(), len(source))
            weights = WordedWeights(settings, (word(plain, form.good), word(plain, form.bad)))
        else:
            weights = HeadedWeights(settings, head)
        self._tokenizer = TransformersTokenizer(source, frozenset(), weights.vocabulary)
        self._padding = getattr(weights.model.config.get_text_config(), "pad_token_id", None)
        cells = int(settings.memory * 1e6 / weights.cell_bytes())
        self.context = min(settings.context or weights.context, weights.context, cells)
        rows = settings.retained + SPARE_ROWS
        cells = min(cells, rows * self.context)
        self._backend = TorchBackend(weights, cells=cells, sequences=rows, context=self.context, exact=False)
        check_fitness(weights, self._backend, settings.model)
        self._kept = KeptRows(rows)

    @property
    def forwards(self) -> int:
        """How often the model was run."""
        return self._backend.forwards

    def prompt_tokens(self, question: str) -> int:
        return len(self._reading(question, (PLACEHOLDER,)).tokens)

    def rate(self, question: str, answers: Sequence[Sequence[str]], *, most: int) -> list[Rating | Failure]:
        readings = [self._reading(question, steps) for steps in answers]
        found: dict[Reading, Rating | Failure] = {}
        waiting = list(dict.fromkeys(readings))
        for reading in waiting:
            if len(reading.tokens) > min(most, self.context):
                found[reading] = _too_long(len(reading.tokens), min(most, self.context))
        waiting = [reading for reading in waiting if reading not in found]
        computed = dict.fromkeys(waiting, 0)
        if len(waiting) > 1:
            computed[waiting[0]] += self._common(waiting)
        while waiting:
            served = self._serve(waiting, computed)
            for reading, kept in served.items():
                rows = np.array([kept.read[mark] for mark in reading.marks])
                found[reading] = Rating(rows, len(reading.tokens), computed[reading])
            waiting = waiting[len(served) :]
        results: list[Rating | Failure] = []
        for i, reading in enumerate(readings):
            one = found[reading]
            # A second candidate that says the same was at hand.
            again = isinstance(one, Rating) and reading in readings[:i]
            results.append(Rating(one.rows, one.tokens, 0) if again and isinstance(one, Rating) else one)
        return results

    def close(self) -> None:
        self._backend.close()
        self._kept.clear()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _reading(self, question: str, steps: Sequence[str]) -> Reading:
        reading = laid_out(self._tokenizer, self.form, question, steps)
        if self.form.step_wise:
            return reading
        # Classifiers of this kind read the last token that is no padding; a template may end with the token that they pad with.
        tokens = list(reading.tokens)
        while len(tokens) > 1 and tokens[-1] == self._padding:
            tokens.pop()
        return Reading(tuple(tokens), (len(tokens) - 1,))

    def _common(self, readings: Sequence[Reading]) -> int:
        """Compute what all candidates begin with, once; how many tokens that took."""
        shared = len(_beginning([np.array(reading.tokens) for reading in readings]))
        first = readings[0]
        marks = tuple(mark for mark in first.marks if mark < shared)
        start = Reading(first.tokens[:shared], marks)
        if any(tuple(mark for mark in reading.marks if mark < shared) != marks for reading in readings) or not shared:
            return 0
        computed = {start: 0}
        self._serve([start], computed)
        return computed[start]

    def _serve(self, readings: Sequence[Reading], computed: dict[Reading, int]) -> dict[Reading, KeptRow]:
        """Read the first of these candidates, as many as the cache holds at once; at least one."""
        served: dict[Reading, KeptRow] = {}
        entries: list[tuple[int, int, int, bool]] = []
        used: set[int] = set()
        for reading in readings:
            tokens = np.array(reading.tokens, dtype=np.int64)
            source, saved = self._kept.longest(reading, tokens)
            used |= {source.row} if source is not None else set()
            kept = self._place(tokens, len(tokens) - saved + len(entries), used)
            if kept is None and not served:
                # Nothing but what it could have taken over is left to give way.
                source, saved = None, 0
                kept = self._place(tokens, len(tokens), set())
            if kept is None:
                break
            if source is not None:
                self._backend.share(source.row, kept.row, saved)
                kept.read = {mark: numbers for mark, numbers in source.read.items() if mark < saved}
            used.add(kept.row)
            wanted = set(reading.marks)
            entries += [(int(tokens[i]), i, kept.row, i in wanted) for i in range(saved, len(tokens))]
            computed[reading] += len(tokens) - saved
            served[reading] = kept
        self._compute(entries)
        for kept in served.values():
            kept.ready = True
        return served

    def _place(self, tokens: IntArray, needed: int, used: set[int]) -> KeptRow | None:
        """A row and so many free cells, for which rows that are not in use give way; None if that is not enough."""
        while True:
            kept = self._kept.add(tokens) if self._backend.free >= needed else None
            oldest = self._kept.oldest(used) if kept is None else None
            if kept is not None or oldest is None:
                return kept
            self._backend.shorten(oldest.row, 0)
            self._kept.forget(oldest)

    def _compute(self, entries: list[tuple[int, int, int, bool]]) -> None:
        rows = self._kept.rows
        for begin in range(0, len(entries), self._step_tokens):
            part = entries[begin : begin + self._step_tokens]
            output = self._backend.decode(StepBatch.of(part, hidden=False))
            marked = [(row, position) for _, position, row, wanted in part if wanted]
            for (row, position), numbers in zip(marked, output.logits, strict=True):
                rows[row].read[position] = np.asarray(numbers, dtype=np.float64)


class ClassifierScorer(AnswerScorer):
    """An open sequence classifier that reads in both directions: question and answer as a pair, whole each time."""

    def __init__(self, settings: Transformers) -> None:
        self._weights: WholeClassifier | None = WholeClassifier(settings)
        self._tokenizer = tokenizer_of(settings)
        self.context = min(settings.context or self._weights.context, self._weights.context)

    def prompt_tokens(self, question: str) -> int:
        return len(self._tokenizer(question, PLACEHOLDER)["input_ids"])

    def rate(self, question: str, answers: Sequence[Sequence[str]], *, most: int) -> list[Rating | Failure]:
        known: dict[str, Rating | Failure] = {}
        results: list[Rating | Failure] = []
        for steps in answers:
            text = "".join(steps)
            one = known.get(text)
            if one is None:
                one = known[text] = self._rated(question, text, min(most, self.context))
                results.append(one)
            else:
                results.append(Rating(one.rows, one.tokens, 0) if isinstance(one, Rating) else one)
        return results

    def close(self) -> None:
        self._weights = None

    def _rated(self, question: str, answer: str, most: int) -> Rating | Failure:
        if self._weights is None:
            return Failure("EngineClosed", "The reward model was used after it was closed.")
        encoded = self._tokenizer(question, answer)
        tokens = list(encoded["input_ids"])
        if len(tokens) > most:
            return _too_long(len(tokens), most)
        kinds = encoded.get("token_type_ids")
        rows = np.asarray(self._weights.rate(tokens, None if kinds is None else list(kinds)), dtype=np.float64)
        return Rating(rows, len(tokens), len(tokens))


def open_scorer(settings: RewardModel, form: RewardFormat) -> AnswerScorer:
    """The model that the settings name, open. Raises `ModelMissing` or `Incompatible`."""
    model = Transformers(
        model=settings.model,
        revision=settings.revision,
        device=settings.device,
        dtype=settings.dtype,
        memory=settings.memory,
        context=settings.context,
        retained=settings.retained,
    )
    if settings.both_directions:
        return ClassifierScorer(model)
    return NeuralScorer(model, form, settings.head)


def _beginning(tokens: Sequence[IntArray]) -> IntArray:
    """What all of them begin with."""
    shortest = min(len(one) for one in tokens)
    table = np.array([one[:shortest] for one in tokens])
    differing = np.flatnonzero((table != table[0]).any(axis=0))
    return np.array(table[0][: int(differing[0]) if len(differing) else shortest])


def _too_long(got: int, most: int) -> Failure:
    return Failure.of(
        ContextOverflow(
            explain(
                "The candidate with its prompt is longer than the reward model reads.",
                got=f"{got} tokens",
                expected=f"at most {most}: what was promised to the budget, and the model's window",
                remedy="Raise the verifier's candidate_tokens, its `context` or its `memory`, or shorten replies.",
            )
        )
    )
