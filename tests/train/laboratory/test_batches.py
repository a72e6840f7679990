from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from outthink.core.errors import SettingsError
from outthink.core.key import Key
from outthink.laboratory import Chains, Countdown, held_out, rules_of, solved
from outthink.laboratory.vocabulary import BEGIN, BYTES, CONTROLS, END, SIZE, ids, names
from outthink.train.laboratory.batches import CHUNK, IGNORED, TokenBatch, batches
from outthink.train.laboratory.settings import MIXTURE, Part, Shape, Training

SMALL = (Part(family=Chains(terms=2), share=1.0), Part(family=Countdown(numbers=3), share=3.0))


def rows(batch: TokenBatch) -> list[tuple[str, str]]:
    """Each row as question and solution, read from the tokens and from the labels."""
    found = []
    for tokens, labels in zip(batch.tokens.tolist(), batch.labels.tolist(), strict=True):
        first = next(i for i, label in enumerate(labels) if label != IGNORED)
        learned = [label for label in labels if label != IGNORED]
        assert tokens[0] == BEGIN
        assert learned[-1] == END
        # Each learned token is the one that comes next in the row, up to the end that no row needs to hold.
        assert tokens[first + 1 : first + len(learned)] == learned[:-1]
        found.append((text(tokens[1 : first + 1]), text(learned[:-1])))
    return found


def text(tokens: list[int]) -> str:
    return bytes(BYTES[token - CONTROLS] for token in tokens).decode()


def test_what_is_learned_are_solutions_of_questions_that_are_not_held_out() -> None:
    for batch in islice(batches(SMALL, 256, Key(1)), 5):
        for question, solution in rows(batch):
            assert question.endswith("\n")
            assert solved(question.strip(), solution)
            state = rules_of(question).read(question)
            assert not held_out(tuple(state[0]))


def test_batches_follow_from_the_seed_and_their_number_alone() -> None:
    whole = list(islice(batches(SMALL, 64, Key(1)), CHUNK + 10))
    for start in (0, 3, CHUNK - 1, CHUNK, CHUNK + 4):
        later = next(batches(SMALL, 64, Key(1), start=start))
        assert np.array_equal(later.tokens, whole[start].tokens)
        assert np.array_equal(later.labels, whole[start].labels)
    assert not np.array_equal(next(batches(SMALL, 64, Key(2))).tokens, whole[0].tokens)


def test_batches_are_of_about_equal_size_and_hold_little_padding() -> None:
    made = list(islice(batches(MIXTURE, 512, Key(1)), CHUNK))
    sizes = [batch.tokens.size for batch in made]
    assert min(sizes) > 0.75 * 512
    assert max(sizes) < 1.35 * 512
    used = sum(len(f"{q}{s}") + 1 for batch in made for q, s in rows(batch))
    assert used > 0.9 * sum(sizes)


def test_shares_are_kept() -> None:
    kinds = [" -> " in question for batch in islice(batches(SMALL, 512, Key(1)), CHUNK) for question, _ in rows(batch)]
    assert abs(np.mean(kinds) - 0.75) < 5 * np.sqrt(0.75 * 0.25 / len(kinds))


def test_the_vocabulary_writes_every_text_and_no_two_tokens_alike() -> None:
    assert SIZE == 256
    assert len(set(names())) == SIZE
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
    assert set(every.encode()) == set(BYTES)
    for piece in ("12+7\n", "Größe 😀\x00"):
        assert text(ids(piece)) == piece


def test_rates_rise_stay_and_fall() -> None:
    settings = Training(steps=100, warm=10, cool=0.5)
    rates = [settings.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:51] == [1.0] * 42
    assert rates[75] == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(0.02)


def test_a_width_that_heads_cannot_share() -> None:
    with pytest.raises(SettingsError, match="share the width"):
        Shape(width=96, head=64)
    with pytest.raises(SettingsError):
        Shape(width=100)
