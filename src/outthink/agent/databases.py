"""Generated databases with questions whose right queries are known: three schemas, joins, aggregates, groups, orders.

    task = question_on("library", seed=3)        # task.prompt asks, task.reference is a right query, task.data holds the database

Rows and the constants of the questions are drawn from the seed, so tasks are without end and none has been published. A constant is drawn
from the rows, so that every question has an answer that is not empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.errors import InputError, nearest
from outthink.core.key import Key
from outthink.core.task import Task

FIRST = (
    "Ada",
    "Ben",
    "Cleo",
    "Dan",
    "Eva",
    "Finn",
    "Gia",
    "Hugo",
    "Ida",
    "Jon",
    "Kai",
    "Lea",
    "Max",
    "Nora",
    "Otto",
    "Pia",
)
CITIES = ("Bern", "Oslo", "Porto", "Turin")
YEARS = (2021, 2022, 2023, 2024)


@dataclass(frozen=True)
class Asked:
    """A question, a right query, and whether the order of its rows belongs to the answer."""

    question: str
    query: str
    ordered: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its declaration and its rows."""

    name: str
    columns: str
    rows: Sequence[tuple[int | str, ...]]

    @property
    def declaration(self) -> str:
        """CREATE TABLE, as an agent is shown it."""
        return f"CREATE TABLE {self.name} ({self.columns});"

    @property
    def script(self) -> str:
        """The table with its rows."""
        values = ", ".join(f"({', '.join(map(_literal, row))})" for row in self.rows)
        return f"{self.declaration}\nINSERT INTO {self.name} VALUES {values};"


Draw = np.random.Generator
Made = tuple[list[Table], list[Asked]]


def question_on(schema: str, seed: int) -> Task:
    """One task on a database of its own. Raises `InputError` for a schema that is not in `SCHEMAS`."""
    if schema not in SCHEMAS:
        raise InputError(f"There is no schema {schema!r}; there are {', '.join(SCHEMAS)}. {nearest(schema, SCHEMAS)}")
    rng = Key(seed).child("database", schema).rng()
    tables, questions = SCHEMAS[schema](rng)
    asked = questions[int(rng.integers(len(questions)))]
    return Task(
        prompt=asked.question,
        id=f"{schema}-{seed}",
        reference=asked.query,
        data={
            "tables": "\n".join(table.declaration for table in tables),
            "script": "\n".join(table.script for table in tables),
            "ordered": asked.ordered,
        },
    )


def _sales(rng: Draw) -> Made:
    customers = [(i + 1, name, _one(rng, CITIES)) for i, name in enumerate(_some(rng, FIRST, 9))]
    goods = ("lamp", "chair", "desk", "rug", "clock", "shelf")
    products = [(i + 1, name, int(rng.integers(5, 90))) for i, name in enumerate(goods)]
    orders = [
        (i + 1, int(rng.integers(1, 10)), int(rng.integers(1, 7)), int(rng.integers(1, 6)), int(_one(rng, YEARS)))
        for i in range(40)
    ]
    bought = orders[int(rng.integers(len(orders)))]
    city, year = customers[bought[1] - 1][2], bought[4]
    least = int(rng.integers(2, 4))
    joined = "FROM orders o JOIN customers c ON c.id = o.customer_id JOIN products p ON p.id = o.product_id"
    return [
        Table("customers", "id INTEGER PRIMARY KEY, name TEXT, city TEXT", customers),
        Table("products", "id INTEGER PRIMARY KEY, name TEXT, price INTEGER", products),
        Table(
            "orders",
            "id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), product_id INTEGER REFERENCES products(id), "
            "quantity INTEGER, year INTEGER",
            orders,
        ),
    ], [
        Asked(
            f"How many orders were made in {year} by customers from {city}?",
            f"SELECT COUNT(*) {joined} WHERE c.city = '{city}' AND o.year = {year}",
        ),
        Asked(
            "What did each customer who ordered anything spend in all? Give names and sums, the largest sum first, equal sums by name.",
            f"SELECT c.name, SUM(o.quantity * p.price) AS spent {joined} GROUP BY c.id ORDER BY spent DESC, c.name",
            ordered=True,
        ),
        Asked(
            f"Which customers made at least {least} orders? Give their names.",
            f"SELECT c.name {joined} GROUP BY c.id HAVING COUNT(*) >= {least}",
        ),
        Asked(
            f"What is the average quantity of an order for each product in {year}? Give product names and averages.",
            f"SELECT p.name, AVG(o.quantity) {joined} WHERE o.year = {year} GROUP BY p.id",
        ),
        Asked(
            "Which products cost more than the average product? Give names.",
            "SELECT name FROM products WHERE price > (SELECT AVG(price) FROM products)",
        ),
    ]


def _library(rng: Draw) -> Made:
    members = [(i + 1, name, _one(rng, CITIES)) for i, name in enumerate(_some(rng, FIRST, 8))]
    titles = ("The Tide", "Stone Bread", "A Short Map", "Night Ferry", "Salt", "The Ninth Bell", "Ash Garden")
    kinds = ("novel", "history", "poetry")
    books = [(i + 1, title, _one(rng, kinds), int(rng.integers(1950, 2020))) for i, title in enumerate(titles)]
    loans = [
        (i + 1, int(rng.integers(1, 9)), int(rng.integers(1, 8)), int(rng.integers(1, 31)), int(_one(rng, YEARS)))
        for i in range(36)
    ]
    lent = loans[int(rng.integers(len(loans)))]
    kind, name = books[lent[2] - 1][2], members[lent[1] - 1][1]
    joined = "FROM loans l JOIN members m ON m.id = l.member_id JOIN books b ON b.id = l.book_id"
    return [
        Table("members", "id INTEGER PRIMARY KEY, name TEXT, city TEXT", members),
        Table("books", "id INTEGER PRIMARY KEY, title TEXT, kind TEXT, year INTEGER", books),
        Table(
            "loans",
            "id INTEGER PRIMARY KEY, member_id INTEGER REFERENCES members(id), book_id INTEGER REFERENCES books(id), days INTEGER, "
            "year INTEGER",
            loans,
        ),
    ], [
        Asked(
            f"How many different books did {name} borrow?",
            f"SELECT COUNT(DISTINCT l.book_id) {joined} WHERE m.name = '{name}'",
        ),
        Asked(
            "How many loans did each kind of book have? Give the kind and the number, only for kinds that were lent.",
            f"SELECT b.kind, COUNT(*) {joined} GROUP BY b.kind",
        ),
        Asked(
            f"What was the longest loan of a book of the kind {kind}, in days?",
            f"SELECT MAX(l.days) {joined} WHERE b.kind = '{kind}'",
        ),
        Asked(
            "Which three books were lent for the most days in all? Give titles, the most days first, equal ones by title.",
            f"SELECT b.title {joined} GROUP BY b.id ORDER BY SUM(l.days) DESC, b.title LIMIT 3",
            ordered=True,
        ),
        Asked(
            f"From which cities are the members who borrowed a book of the kind {kind}? Name each city once.",
            f"SELECT DISTINCT m.city {joined} WHERE b.kind = '{kind}'",
        ),
    ]


def _school(rng: Draw) -> Made:
    students = [(i + 1, name, int(rng.integers(1, 4))) for i, name in enumerate(_some(rng, FIRST, 10))]
    courses = [
        (i + 1, name, int(rng.integers(2, 7))) for i, name in enumerate(("algebra", "biology", "latin", "music"))
    ]
    grades = [(s[0], c[0], int(rng.integers(1, 7))) for s in students for c in courses if rng.random() < 0.7]
    grades = grades or [(1, 1, 4)]
    given = grades[int(rng.integers(len(grades)))]
    course, level = courses[given[1] - 1][1], students[given[0] - 1][2]
    joined = "FROM grades g JOIN students s ON s.id = g.student_id JOIN courses c ON c.id = g.course_id"
    return [
        Table("students", "id INTEGER PRIMARY KEY, name TEXT, level INTEGER", students),
        Table("courses", "id INTEGER PRIMARY KEY, name TEXT, credits INTEGER", courses),
        Table(
            "grades",
            "student_id INTEGER REFERENCES students(id), course_id INTEGER REFERENCES courses(id), points INTEGER",
            grades,
        ),
    ], [
        Asked(
            f"What is the average of the points in {course}?",
            f"SELECT AVG(g.points) {joined} WHERE c.name = '{course}'",
        ),
        Asked(
            f"Which students of level {level} took {course}? Give names in alphabetical order.",
            f"SELECT s.name {joined} WHERE s.level = {level} AND c.name = '{course}' ORDER BY s.name",
            ordered=True,
        ),
        Asked(
            "How many credits did each student collect in courses with at least 3 points? Give names and credits; leave out who has none.",
            f"SELECT s.name, SUM(c.credits) {joined} WHERE g.points >= 3 GROUP BY s.id",
        ),
        Asked(
            "For each level, how many students are there? Give level and number.",
            "SELECT level, COUNT(*) FROM students GROUP BY level",
        ),
        Asked(
            "Which course did the most students take? Give its name and their number; of equal ones the first by name.",
            f"SELECT c.name, COUNT(*) {joined} GROUP BY c.id ORDER BY COUNT(*) DESC, c.name LIMIT 1",
        ),
    ]


SCHEMAS: dict[str, Callable[[Draw], Made]] = {"sales": _sales, "library": _library, "school": _school}


def _one(rng: Draw, words: Sequence[str] | Sequence[int]) -> str | int:
    return words[int(rng.integers(len(words)))]


def _some(rng: Draw, words: Sequence[str], n: int) -> list[str]:
    return [words[i] for i in rng.permutation(len(words))[:n].tolist()]


def _literal(value: int | str) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
