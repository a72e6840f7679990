"""Training data for the SQL model: questions with their right query, and rounds of refinement, made as they are needed.

A round shows a wrong attempt, what the environment said of it, and is answered with the right query. Attempts are wrong as the model's own
are: names of columns guessed anew, some of them known; now and then the query is that of another question on the same database. What was
said comes of running the attempt, in the words of `TextToSql`; of some it is not shown, so that a model can also do without.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from outthink.agent.episode import Earlier, Turn
from outthink.agent.process import told_of
from outthink.agent.sql_questions import Question, draw
from outthink.agent.sql_worlds import Rows
from outthink.agent.text_to_sql import handed_in, told
from outthink.core.key import Key
from outthink.laboratory.vocabulary import BEGIN, END
from outthink.search.refine import REQUEST
from outthink.train.laboratory.batches import TokenBatch, Worked, in_batches
from outthink.train.laboratory.settings import SqlTraining
from outthink.train.laboratory.sql_vocabulary import SCORED, ids
from outthink.verify.sqlite_in_worker import result

SHOWN = 2
"""Rows of a result that are shown."""
WAYS = 1 / 8
"""How often the query of another question is handed in."""
SILENT = 1 / 6
"""How often nothing is said of an attempt."""


def sql_batches(settings: SqlTraining, start: int = 0) -> Iterator[TokenBatch]:
    """Batches of about `settings.tokens` tokens without end; the first `start` are left out."""

    def worked(key: Key, rng: np.random.Generator) -> Iterator[list[Worked]]:
        while True:
            question, rows = draw(rng, unseen=False)
            earlier = None if rng.random() < settings.first else refinement(rng, question, rows)
            yield [sequence(question, earlier)]

    return in_batches(worked, settings.tokens, Key(settings.seed).child("laboratory", "sql"), start)


@dataclass(frozen=True)
class Told:
    """What a revision is told of an attempt: what comes before the attempt, the attempt with the error that it gave, and what comes behind.

    The middle is learned too: an attempt is a query like any other, and an error repeats its words, which teaches to read them.
    """

    before: str = ""
    attempted: str = ""
    behind: str = ""

    @property
    def text(self) -> str:
        return f"{self.before}{self.attempted}{self.behind}"


def sequence(question: Question, earlier: Told | None) -> Worked:
    """A question with what is told of an earlier attempt, and its right query."""
    told = earlier or Told()
    parts = (
        f"{question.world.told}\n\n{question.words}{told.before}",
        told.attempted,
        f"{told.behind}\n",
        f"SUBMIT {question.query}",
    )
    written = [ids(part) for part in parts]
    tokens = [BEGIN, *chain.from_iterable(written), END]
    attempted = 1 + len(written[0])
    right = attempted + len(written[1]) + len(written[2])
    return Worked(tokens, ((attempted, attempted + len(written[1])), (right, len(tokens))))


def refinement(rng: np.random.Generator, question: Question, rows: Rows) -> Told:
    """What a revision is told of some wrong attempt."""
    script = rows.script(question.world)
    right = result("", script, question.query, False)["digest"]
    while True:
        tried = attempt(rng, question, rows)
        reply = result("", script, tried, False, SHOWN)
        if reply.get("digest") != right:
            seen = handed_in("" if rng.random() < SILENT else told(reply))
            request = REQUEST + (SCORED if rng.random() < 0.5 else "")
            action = f"SUBMIT {tried}"
            attempted = f"{action}\n{seen}" if "error" in reply else action
            before, behind = told_of(Earlier((Turn(action, seen),), request)).split(attempted)
            return Told(before, attempted, behind)


def attempt(rng: np.random.Generator, question: Question, rows: Rows) -> str:
    """A query that somebody might hand in, right or wrong."""
    known = float(rng.random())
    if rng.random() < WAYS:
        other = Question.drawn(rng, question.world, rows)
        question = replace(other, kind=question.kind) if rng.random() < 0.5 else other
    return question.guessed(rng, known).query
