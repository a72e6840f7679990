"""Databases whose columns have to be found out: an agent is told the tables and how they are linked, and not the rest.

    world = World.drawn(rng)             # four domains, names of tables and columns, how values are written
    world.told                           # "member(id, ...) book(id, ...) loan(member_id, book_id, ...)"

Questions speak of the city of a member; that the column is called `town`, and that it holds 'oslo' in small letters, only a query can tell.
One name is common, the others are not, so what a model learns to guess first is right in most databases and wrong in many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.agent.databases import FIRST, Table

DOMAINS = {
    "library": (("member", "reader"), ("book", "volume"), ("loan", "rental")),
    "shop": (("client", "buyer"), ("product", "article"), ("sale", "purchase")),
    "school": (("student", "pupil"), ("course", "subject"), ("grade", "result")),
    "clinic": (("patient", "guest"), ("doctor", "medic"), ("visit", "session")),
}
"""Tables of a domain: people, things, and what links the two. The first name of each is the word that questions use."""

COLUMNS = {
    "label": ("name", "label", "title"),
    "place": ("city", "town", "home"),
    "sort": ("kind", "type", "class"),
    "price": ("price", "cost", "worth"),
    "amount": ("amount", "number", "total"),
}
"""What a column may be called, by what it holds. The first name is the word that questions use."""

CHANCES = (0.65, 0.2, 0.15)
"""Of the names of a column. Values are written with a capital with the first chance, else in small letters."""

CITIES = ("Bern", "Graz", "Lyon", "Oslo", "Porto", "Turin")
SORTS = ("Basic", "Extra", "Solid", "Prime")
PEOPLE = FIRST[:10]
THINGS = ("Amber", "Birch", "Cedar", "Delta", "Ember", "Flint", "Grove")
LINKS = 24


@dataclass(frozen=True)
class World:
    """The names in a database, or a guess of them.

    Attributes:
        domain: one of `DOMAINS`. tables: names of people, things, links.
        columns: names of the columns, in the order of `COLUMNS`. capitals: whether values are written with a capital.
    """

    domain: str
    tables: tuple[str, str, str]
    columns: tuple[str, ...]
    capitals: bool

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> World:
        """Any database."""
        domain = list(DOMAINS)[int(rng.integers(len(DOMAINS)))]
        people, things, links = (names[int(rng.integers(len(names)))] for names in DOMAINS[domain])
        return cls(domain, (people, things, links), (), True).guessed(rng, 0.0)

    def guessed(self, rng: np.random.Generator, known: float) -> World:
        """The same tables with columns and writing as somebody guesses who knows each of them with chance `known`."""
        ranks = rng.choice(len(CHANCES), size=len(COLUMNS), p=CHANCES).tolist()
        kept = (rng.random(len(COLUMNS) + 1) < known).tolist()
        columns = tuple(self.columns[i] if kept[i] else names[ranks[i]] for i, names in enumerate(COLUMNS.values()))
        return World(self.domain, self.tables, columns, self.capitals if kept[-1] else bool(rng.random() < CHANCES[0]))

    @property
    def told(self) -> str:
        """What an agent is told of it."""
        people, things, links = self.tables
        return f"{people}(id, ...) {things}(id, ...) {links}({people}_id, {things}_id, ...)"

    @property
    def names(self) -> Mapping[str, str]:
        """Everything that a query may name: tables, joins, and columns with their table."""
        people, things, links = self.tables
        label, place, sort, price, amount = self.columns
        return {
            "people": people,
            "things": things,
            "links": links,
            "with_people": f"JOIN {people} ON {people}.id = {people}_id",
            "with_things": f"JOIN {things} ON {things}.id = {things}_id",
            "person": f"{people}.{label}",
            "thing": f"{things}.{label}",
            "place": f"{people}.{place}",
            "sort": f"{things}.{sort}",
            "price": f"{things}.{price}",
            "amount": f"{links}.{amount}",
        }

    def written(self, value: str) -> str:
        """A value as this database writes it."""
        return value if self.capitals else value.lower()


@dataclass(frozen=True)
class Rows:
    """The rows of a database, with values written with a capital.

    Attributes:
        people: name and city. things: name, kind, price. links: person, thing (from 1), amount.
    """

    people: Sequence[tuple[str, str]]
    things: Sequence[tuple[str, str, int]]
    links: Sequence[tuple[int, int, int]]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Rows:
        """Any rows; prices are all different."""
        prices = rng.permutation(np.arange(5, 60))[: len(THINGS)].tolist()
        return cls(
            tuple((name, CITIES[int(rng.integers(len(CITIES)))]) for name in PEOPLE),
            tuple(
                (name, SORTS[int(rng.integers(len(SORTS)))], price) for name, price in zip(THINGS, prices, strict=True)
            ),
            tuple(
                (int(rng.integers(1, len(PEOPLE) + 1)), int(rng.integers(1, len(THINGS) + 1)), int(rng.integers(1, 30)))
                for _ in range(LINKS)
            ),
        )

    def script(self, world: World) -> str:
        """What makes the database."""
        people, things, links = world.tables
        label, place, sort, price, amount = world.columns
        tables = (
            Table(
                people,
                f"id INTEGER PRIMARY KEY, {label} TEXT, {place} TEXT",
                [(i + 1, name, world.written(city)) for i, (name, city) in enumerate(self.people)],
            ),
            Table(
                things,
                f"id INTEGER PRIMARY KEY, {label} TEXT, {sort} TEXT, {price} INTEGER",
                [(i + 1, name, world.written(kind), cost) for i, (name, kind, cost) in enumerate(self.things)],
            ),
            Table(links, f"{people}_id INTEGER, {things}_id INTEGER, {amount} INTEGER", self.links),
        )
        return "\n".join(table.script for table in tables)
