"""Generated goods for the shop, and what a customer wants of them: types, attributes, options with prices.

    task = errand(seed=3)                 # task.prompt is the instruction, task.data the catalogue and the goal

A goal is taken from one product, so that a reward of 1 can always be had; another product may earn it too.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from outthink.core.key import Key
from outthink.core.task import Task

KINDS = {
    "running shoe": ("clothing", "shoes", "sport"),
    "walking shoe": ("clothing", "shoes", "outdoor"),
    "rain boot": ("clothing", "shoes", "outdoor"),
    "coffee mug": ("home", "kitchen", "drinking"),
    "water kettle": ("home", "kitchen", "cooking"),
    "frying pan": ("home", "kitchen", "cooking"),
    "table lamp": ("home", "living", "light"),
    "wall clock": ("home", "living", "decoration"),
}
"""Types of goods in words, with the path of categories under which they stand."""
ATTRIBUTES = (
    "waterproof",
    "lightweight",
    "handmade",
    "recycled",
    "foldable",
    "scratch proof",
    "easy to clean",
    "quiet",
)
OPTIONS = {"color": ("black", "blue", "green", "red"), "size": ("small", "medium", "large")}


class Product(msgspec.Struct, frozen=True):
    """One product. `kind` is its type in words, `path` its categories; `options` are all values that can be chosen, by name.

    `surcharges`: what some values cost more, in whole euros.
    """

    id: str
    title: str
    kind: str
    path: tuple[str, ...]
    attributes: tuple[str, ...]
    options: dict[str, tuple[str, ...]]
    price: int
    surcharges: dict[str, int]

    def price_with(self, chosen: dict[str, str]) -> int:
        """The price with the options chosen."""
        return self.price + sum(self.surcharges.get(value, 0) for value in chosen.values())


class Goal(msgspec.Struct, frozen=True):
    """What is wanted: a type, attributes, option values, and a price that is not to be passed."""

    kind: str
    path: tuple[str, ...]
    attributes: tuple[str, ...]
    options: dict[str, str]
    most: int


def errand(seed: int, *, products: int = 40) -> Task:
    """One shopping task; `reference` is the id of the product that the goal was taken from."""
    rng = Key(seed).child("shop").rng()
    goods = [_product(i, rng) for i in range(products)]
    wanted = goods[int(rng.integers(products))]
    chosen = {name: _one(rng, values) for name, values in wanted.options.items()}
    some = int(rng.integers(1, len(wanted.attributes) + 1))
    goal = Goal(
        wanted.kind,
        wanted.path,
        tuple(sorted(_some(rng, wanted.attributes, some))),
        chosen,
        wanted.price_with(chosen) + int(rng.integers(1, 15)),
    )
    return Task(
        prompt=instruction(goal),
        id=f"errand-{seed}",
        reference=wanted.id,
        data={"products": msgspec.json.encode(goods).decode(), "goal": msgspec.json.encode(goal).decode()},
    )


def instruction(goal: Goal) -> str:
    """The goal in words."""
    options = " and ".join(f"{name} {value}" for name, value in sorted(goal.options.items()))
    return f"Buy a {goal.kind} that is {', '.join(goal.attributes)}, with {options}, for at most {goal.most} euros."


def read(task: Task) -> tuple[tuple[Product, ...], Goal | None]:
    """Catalogue and goal of a task, None for a goal that it does not name. Raises `msgspec.ValidationError` for what is none."""
    goal = task.data.get("goal")
    return (
        msgspec.json.decode(str(task.data["products"]), type=tuple[Product, ...]),
        None if goal is None else msgspec.json.decode(str(goal), type=Goal),
    )


def _product(number: int, rng: np.random.Generator) -> Product:
    kind = _one(rng, tuple(KINDS))
    attributes = tuple(sorted(_some(rng, ATTRIBUTES, int(rng.integers(2, 5)))))
    options = {name: tuple(_some(rng, values, 2)) for name, values in OPTIONS.items()}
    dear = {_one(rng, values): int(rng.integers(1, 9)) for values in options.values()}
    # A title names its type and one attribute; the others are found by looking.
    title = f"{attributes[int(rng.integers(len(attributes)))].capitalize()} {kind} no. {number}"
    return Product(f"P{number}", title, kind, KINDS[kind], attributes, options, int(rng.integers(10, 80)), dear)


def _one(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _some(rng: np.random.Generator, words: Sequence[str], n: int) -> list[str]:
    return [words[i] for i in sorted(rng.permutation(len(words))[:n].tolist())]
