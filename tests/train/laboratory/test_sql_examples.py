"""The SQL model's data: what is learned, what is told of an attempt as it is told at use, and the vocabulary."""

from __future__ import annotations

import string
from itertools import islice

import numpy as np
import pytest

from outthink.agent import Agent, AgentProcess, TextToSql
from outthink.agent.process import told_of
from outthink.agent.sql_questions import Question, draw
from outthink.core import Allowance, InputError, Key
from outthink.core.settings import replace
from outthink.laboratory.vocabulary import BEGIN, END, SIZE
from outthink.search.refine import REQUEST
from outthink.train.laboratory.batches import CHUNK, IGNORED
from outthink.train.laboratory.settings import SqlTraining
from outthink.train.laboratory.sql_examples import SHOWN, refinement, sequence, sql_batches
from outthink.train.laboratory.sql_vocabulary import LETTERS, SCORED, WORDS, ids, tokens
from outthink.verify.sqlite_in_worker import result
from tests.agent.players import playing

SETTINGS = SqlTraining(tokens=256)
TEXTS = ["", "", *WORDS, *LETTERS]


def text(row: list[int]) -> str:
    return "".join(TEXTS[token] for token in row)


def attempt_in(earlier: str) -> str:
    return earlier.split("> SUBMIT ", 1)[1].split("\nYour query", 1)[0]


def stretches(tokens: list[int], labels: list[int]) -> list[str]:
    """What is learned of a row, stretch by stretch; the token after each place is the one that is learned there."""
    found, last = [""], -2
    for i, label in enumerate(labels):
        if label != IGNORED:
            assert label == (tokens[i + 1] if i + 1 < len(tokens) and label != END else END)
            if i != last + 1:
                found.append("")
            found[-1], last = found[-1] + text([label]), i
    return found[1:]


def test_queries_and_errors_are_learned_and_nothing_else() -> None:
    alone = told = errors = 0
    for batch in islice(sql_batches(SETTINGS), CHUNK):
        for row, labels in zip(batch.tokens.tolist(), batch.labels.tolist(), strict=True):
            assert (row[0], [label for label in labels if label != IGNORED][-1]) == (BEGIN, END)
            *attempts, query = stretches(row, labels)
            assert query.startswith("SUBMIT SELECT ")
            alone, told = alone + (not attempts), told + len(attempts)
            for one in attempts:
                assert one.startswith(f"SUBMIT {attempt_in(text(row))}")
                errors += "\nYour query was handed in.\nError: no such column: " in one
    assert abs(alone / (alone + told) - SETTINGS.first) < 0.1
    assert errors > told / 3


def test_attempts_are_wrong_and_what_is_said_of_them_is_true() -> None:
    rng, kinds = np.random.default_rng(4), set()
    for _ in range(150):
        question, rows = draw(rng, unseen=False)
        earlier = refinement(rng, question, rows).text
        script = rows.script(question.world)
        reply = result("", script, attempt_in(earlier), False, SHOWN)
        assert reply.get("digest") != result("", script, question.query, False)["digest"]
        if "error" in reply:
            assert "Error: " not in earlier or f"Error: {reply['error']}\n" in earlier
        kinds |= {
            kind for kind in ("no such column", "NULL", "(0 rows)", "not shown", "handed in.\n\n") if kind in earlier
        }
    assert len(kinds) == 5, kinds


async def test_what_is_told_of_an_attempt_is_what_a_revision_is_told_at_use() -> None:
    """Letter for letter, from the process that plays the environment."""
    rng, asked = np.random.default_rng(5), []
    while len(asked) < 12:
        question, rows = draw(rng, unseen=True)
        refined = refinement(rng, question, rows)
        earlier = refined.text
        silent = earlier.split("handed in.", 1)[1].startswith("\n\n")
        engine = playing(f"SUBMIT {attempt_in(earlier)}")
        environment = TextToSql(question.task(rows, "one"), shows_result=not silent, shown=SHOWN)
        process = AgentProcess(engine, environment, Agent(turns=1, max_tokens=400))
        seeds = Key(1).seeds(1)
        played = await process.advance(await process.start(seeds), seeds, steps=None, allowance=Allowance())
        feedback = REQUEST + (SCORED if SCORED in earlier else "")
        revised = await process.revise(played.states, [feedback], seeds, allowance=Allowance())
        told = revised.states[0].earlier
        assert told is not None
        worked = sequence(question, refined)
        assert f"{environment.opening}{told_of(told)}\n" == text(worked.tokens[: worked.learned[-1][0]])
        assert worked.tokens == [BEGIN, *ids(f"{environment.opening}{earlier}\nSUBMIT {question.query}"), END]
        asked.append(silent)
    assert set(asked) == {True, False}


def test_batches_follow_from_the_seed_and_their_number_alone() -> None:
    small = replace(SETTINGS, tokens=160)
    whole = list(islice(sql_batches(small), 4))
    assert np.array_equal(next(sql_batches(small, 3)).tokens, whole[3].tokens)
    other = next(sql_batches(replace(small, seed=5)))
    assert other.tokens.shape != whole[0].tokens.shape or not np.array_equal(other.tokens, whole[0].tokens)


def test_the_vocabulary_knows_each_text_once_and_refuses_what_it_cannot_write() -> None:
    made = tokens()
    assert len(made["tokenizer.ggml.tokens"]) == len(made["tokenizer.ggml.token_type"]) == SIZE
    assert len(set(made["tokenizer.ggml.tokens"])) == SIZE
    assert len({*WORDS, *LETTERS}) == len(WORDS) + len(LETTERS) <= SIZE - 2
    for one in ("SELECT member.city FROM member", "anything else: 12 ~ {x}\n", "'"):
        assert text(ids(one)) == one
    assert len(ids("SELECT COUNT(*) FROM member")) == 4
    with pytest.raises(InputError, match="ASCII"):
        ids("Größe")


def test_questions_are_written_in_words_and_not_in_letters() -> None:
    """Letters are left for numbers and marks: else a training would spend itself on spelling."""
    rng = np.random.default_rng(6)
    for _ in range(200):
        question, _ = draw(rng, unseen=False)
        letters = [TEXTS[token] for token in ids(said(question)) if TEXTS[token] in LETTERS]
        assert not set(letters) & set(string.ascii_letters) - {"s"}, said(question)


def said(question: Question) -> str:
    return f"{question.world.told}\n\n{question.words}\nSUBMIT {question.query}"
