"""Questions on databases whose columns have to be found out, in a small fixed English, with their right queries.

    task = hidden_question(seed=3)       # task.prompt asks, task.reference is a right query, task.data holds the database

Tasks are for `TextToSql` with `shows_result`, so that an attempt at the answer says what its query gave. One in eight pairs of a kind of
question with the names in a database is held out, by a hash: `hidden_question` asks none but these, so a model that was trained on the
others has never seen such a question about such a database.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from outthink.agent.sql_worlds import DOMAINS, Rows, World
from outthink.core.key import Key
from outthink.core.task import Task

HELD_OUT = 8
"""One in so many pairs of a kind of question and a database's names is held out."""

AGGREGATES = {"largest": "MAX", "smallest": "MIN", "average": "AVG", "total": "SUM"}


@dataclass(frozen=True)
class Kind:
    """A kind of question: its words, and its query as a template over `World.names` and the question's constants."""

    words: str
    query: str


KINDS = (
    Kind("How many {A}s are from {City}?", "SELECT COUNT(*) FROM {people} WHERE {place} = '{city}'"),
    Kind("Which {A}s are from {City}?", "SELECT {person} FROM {people} WHERE {place} = '{city}'"),
    Kind("How many {A}s are there for each city?", "SELECT {place}, COUNT(*) FROM {people} GROUP BY {place}"),
    Kind("What is the {most} price of a {B}?", "SELECT {MOST}({price}) FROM {things}"),
    Kind(
        "What is the {most} price of a {B} of the kind {Sort}?",
        "SELECT {MOST}({price}) FROM {things} WHERE {sort} = '{of}'",
    ),
    Kind("Which {B}s have a price above {least}?", "SELECT {thing} FROM {things} WHERE {price} > {least}"),
    Kind("Which {B} has the highest price?", "SELECT {thing} FROM {things} ORDER BY {price} DESC LIMIT 1"),
    Kind("What is the {most} amount of a {L}?", "SELECT {MOST}({amount}) FROM {links}"),
    Kind(
        "How many {L}s did each {A} have?", "SELECT {person}, COUNT(*) FROM {links} {with_people} GROUP BY {people}.id"
    ),
    Kind(
        "Which {A}s had at least {few} {L}s?",
        "SELECT {person} FROM {links} {with_people} GROUP BY {people}.id HAVING COUNT(*) >= {few}",
    ),
    Kind(
        "How many {L}s did {A}s from {City} have?",
        "SELECT COUNT(*) FROM {links} {with_people} WHERE {place} = '{city}'",
    ),
    Kind(
        "What is the {most} amount of a {L} for each kind?",
        "SELECT {sort}, {MOST}({amount}) FROM {links} {with_things} GROUP BY {sort}",
    ),
    Kind(
        "What is the {most} amount of a {L} of the kind {Sort}?",
        "SELECT {MOST}({amount}) FROM {links} {with_things} WHERE {sort} = '{of}'",
    ),
    Kind(
        "How many {L}s of the kind {Sort} did {A}s from {City} have?",
        "SELECT COUNT(*) FROM {links} {with_people} {with_things} WHERE {place} = '{city}' AND {sort} = '{of}'",
    ),
)


@dataclass(frozen=True)
class Question:
    """A question on a database.

    Attributes:
        kind: which of `KINDS`. most: a word of `AGGREGATES`. city, sort: constants, with a capital. least, few: numbers.
    """

    world: World
    kind: int
    most: str
    city: str
    sort: str
    least: int
    few: int

    @classmethod
    def drawn(cls, rng: np.random.Generator, world: World, rows: Rows) -> Question:
        """Any question whose answer is not empty: its constants are those of one link between a person and a thing."""
        person, thing, _ = rows.links[int(rng.integers(len(rows.links)))]
        prices = sorted(price for _, _, price in rows.things)
        counts = np.bincount([one for one, _, _ in rows.links])
        return cls(
            world,
            kind=int(rng.integers(len(KINDS))),
            most=list(AGGREGATES)[int(rng.integers(len(AGGREGATES)))],
            city=rows.people[person - 1][1],
            sort=rows.things[thing - 1][1],
            least=int(prices[int(rng.integers(len(prices) - 1))]),
            few=int(rng.integers(2, max(3, counts.max() + 1))),
        )

    @property
    def words(self) -> str:
        """What is asked."""
        people, things, links = (names[0] for names in DOMAINS[self.world.domain])
        return KINDS[self.kind].words.format(
            A=people, B=things, L=links, City=self.city, Sort=self.sort, most=self.most, least=self.least, few=self.few
        )

    @property
    def query(self) -> str:
        """The right query if the world is the database's, or what somebody writes who takes it for that."""
        world = self.world
        return KINDS[self.kind].query.format(
            **world.names,
            MOST=AGGREGATES[self.most],
            city=world.written(self.city),
            of=world.written(self.sort),
            least=self.least,
            few=self.few,
        )

    @property
    def held_out(self) -> bool:
        """Whether this kind of question about a database with these names is kept from training."""
        world = self.world
        text = " ".join((str(self.kind), *world.tables, *world.columns, str(world.capitals)))
        return hashlib.blake2b(text.encode(), digest_size=8).digest()[0] % HELD_OUT == 0

    def guessed(self, rng: np.random.Generator, known: float) -> Question:
        """The same question asked of a world that is partly guessed, see `World.guessed`."""
        return replace(self, world=self.world.guessed(rng, known))

    def task(self, rows: Rows, name: str) -> Task:
        """As a task for `TextToSql`."""
        data = {"tables": self.world.told, "script": rows.script(self.world), "ordered": False}
        return Task(prompt=self.words, id=name, reference=self.query, data=data)


def draw(rng: np.random.Generator, *, unseen: bool) -> tuple[Question, Rows]:
    """A question with the rows of its database, from the held-out side of the split or from the other."""
    while True:
        world, rows = World.drawn(rng), Rows.drawn(rng)
        question = Question.drawn(rng, world, rows)
        if question.held_out == unseen:
            return question, rows


def hidden_question(seed: int) -> Task:
    """One held-out task on a database of its own."""
    question, rows = draw(Key(seed).child("hidden question").rng(), unseen=True)
    return question.task(rows, f"hidden-{seed}")
