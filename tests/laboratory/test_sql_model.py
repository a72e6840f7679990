"""The shipped SQL model through the real library: its tokenizer, how often it is right, and that it reads what an attempt gave."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from outthink.agent.sql_questions import draw
from outthink.core.errors import InputError
from outthink.core.task import Message
from outthink.engines.local import Local, LocalEngine, models
from outthink.laboratory.vocabulary import BEGIN, END
from outthink.train.laboratory.settings import SqlTraining
from outthink.train.laboratory.sql_card import sql_accuracy
from outthink.train.laboratory.sql_examples import refinement, sequence
from outthink.train.laboratory.sql_vocabulary import ids
from tests.needs import need


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    need("llama-cpp")
    opened = Local(model="laboratory-sql", max_sequences=32, retained=32, memory=60.0).open()
    yield opened
    opened.close_now()


def test_the_file_is_the_one_that_its_card_is_about() -> None:
    path = models.path(models.LABORATORY_SQL)
    models.verify(path, models.LABORATORY_SQL)
    assert path.stat().st_size < 3e6
    assert f"outthink train laboratory-sql --seed {SqlTraining().seed}" in path.with_suffix(".md").read_text(
        encoding="utf-8"
    )


def test_the_library_reads_questions_and_attempts_as_in_training(engine: LocalEngine) -> None:
    rng, tokenizer = np.random.default_rng(1), engine.tokenizer
    assert (tokenizer.opening, tokenizer.end_tokens) == ((BEGIN,), {END})
    for _ in range(200):
        question, rows = draw(rng, unseen=True)
        earlier = refinement(rng, question, rows)
        row = tuple(sequence(question, earlier).tokens)
        asked, query = f"{question.world.told}\n\n{question.words}{earlier.text}", f"SUBMIT {question.query}"
        chat = tokenizer.chat([Message("system", "What to do."), Message("user", asked)])
        assert (*chat, *tokenizer.encode(query), END) == row
        assert tokenizer.decode(row[1:-1]) == f"{asked}\n{query}"


def test_a_text_that_it_cannot_read_is_refused_and_not_cut(engine: LocalEngine) -> None:
    assert engine.tokenizer.encode("a ~ {x}\n") == tuple(ids("a ~ {x}\n"))
    for text in ("Größe", "\x01", "日本語"):
        with pytest.raises(InputError, match="vocabulary cannot write"):
            engine.tokenizer.encode(text)


async def test_one_sample_is_right_as_often_as_the_card_says_and_results_are_read(engine: LocalEngine) -> None:
    found = await sql_accuracy(engine, questions=50, samples=8)
    assert 0.2 < found.single < 0.5
    assert found.constant < 0.1
    # On the card's 200 questions: 0.19 drawn anew, 0.29 revised, 0.23 revised without having seen what the attempt gave.
    assert found.revised.mean() > found.redrawn.mean() + 0.04
    assert found.revised.mean() > found.unseeing.mean()
