"""A shop: search, look, choose options, buy; rewarded in the form of WebShop.

    environment = Shop(errand(seed=3))
    process = AgentProcess(engine, environment, Agent(turns=8))

Actions are `search[words]`, `open[id]`, `choose[value]` and `buy[]`. The reward of a purchase is

    r = r_type (|wanted attributes it has| + |wanted options chosen| + 1[price <= limit]) / (|wanted attributes| + |wanted options| + 1)

and 0 without one. Let t be the share of the words of the wanted type that the product's type has. r_type is 0 where t = 0 and 0.1 where
0 < t < 0.1; else it is 1 where two categories of the two paths are the same or t > 0.2, and 0.5 where neither holds.

Source: Yao et al., WebShop (2022), section 3, and the form of r_type in its code. Departs from it: goods are generated; a type is known in
its own words, where WebShop takes the nouns of both titles; attributes are known, where WebShop matches text; values of options are
compared exactly, where WebShop matches them loosely; there is no search term that goods were collected under, so none can match.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from outthink.agent.catalogue import Goal, Product, read
from outthink.agent.environment import Environment, Observation, Reward
from outthink.core.errors import Failure, InputError
from outthink.core.task import Task

SHOWN = 5

_ACTION = re.compile(r"\s*(search|open|choose|buy)\s*\[([^\]]*)\]", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class _Visit:
    """Where a customer stands: the product that is open, what was chosen of it, whether it was bought, and what is seen."""

    open: Product | None = None
    chosen: tuple[tuple[str, str], ...] = ()
    bought: bool = False
    seen: str = ""


class Shop(Environment):
    """One errand, made by `errand`."""

    def __init__(self, task: Task) -> None:
        try:
            self.products, goal = read(task)
        except (KeyError, msgspec.DecodeError) as error:
            raise InputError(
                f"Task {task.id!r} is no errand in a shop ({error}). Make one with outthink.agent.errand."
            ) from None
        self.task = task
        self._wanted = goal
        self.rewarded = goal is not None
        self._by_id = {product.id.lower(): product for product in self.products}

    @property
    def instructions(self) -> str:
        return (
            "You shop for a customer. Write one action and nothing else:\nsearch[words] lists products\n"
            "open[id] shows one\nchoose[value] chooses an option of the open product\nbuy[] buys it and ends the errand"
        )

    @property
    def opening(self) -> str:
        return self.task.question

    @property
    def goal(self) -> Goal:
        """What is wanted. Raises `InputError` where the task does not say it."""
        if self._wanted is None:
            raise InputError(f"Task {self.task.id!r} does not say what is wanted. Give it data.goal.")
        return self._wanted

    async def observe(self, actions: Sequence[str]) -> Observation | Failure:
        visit = self._visit(actions)
        return Observation(visit.seen, done=visit.bought)

    async def reward(self, actions: Sequence[str]) -> Reward | Failure:
        visit = self._visit(actions)
        if not visit.bought or visit.open is None:
            return Reward(0.0, note="Nothing was bought.")
        return earned(visit.open, dict(visit.chosen), self.goal)

    def answer(self, actions: Sequence[str]) -> str | None:
        """What was bought: the product's id and the options chosen."""
        visit = self._visit(actions)
        if not visit.bought or visit.open is None:
            return None
        return ", ".join((visit.open.id, *(value for _, value in visit.chosen)))

    def _visit(self, actions: Sequence[str]) -> _Visit:
        visit = _Visit()
        for action in actions:
            visit = self._after(visit, action)
        return visit

    def _after(self, visit: _Visit, action: str) -> _Visit:
        found = _ACTION.match(action)
        word, argument = (found.group(1).lower(), found.group(2).strip().lower()) if found else ("", "")
        match word:
            case "search":
                return replace(visit, seen=self._found(argument))
            case "open":
                product = self._by_id.get(argument)
                return (
                    replace(visit, seen=f"There is no product {argument}.")
                    if product is None
                    else _Visit(product, seen=_page(product))
                )
            case _ if word and visit.open is None:
                return replace(visit, seen="Open a product first.")
            case "choose" if visit.open is not None:
                return _chosen(visit, visit.open, argument)
            case "buy":
                return replace(visit, bought=True, seen="You bought it.")
            case _:
                return replace(visit, seen="That is no action. Write search[...], open[...], choose[...] or buy[].")

    def _found(self, query: str) -> str:
        """The products that share the most words with the query, at least one; those of equal count in the catalogue's order."""
        words = set(_WORD.findall(query))
        shared = [len(words & set(_WORD.findall(f"{p.title} {' '.join(p.path)}".lower()))) for p in self.products]
        order = sorted((i for i, n in enumerate(shared) if n), key=lambda i: -shared[i])[:SHOWN]
        listed = [f"{self.products[i].id}: {self.products[i].title}, {self.products[i].price} euros" for i in order]
        return "\n".join(listed) or "Nothing was found."


def earned(product: Product, chosen: dict[str, str], goal: Goal) -> Reward:
    """The reward of a purchase; see the module."""
    kind = kind_reward(product, goal)
    attributes = len(set(goal.attributes) & set(product.attributes))
    options = sum(chosen.get(name) == value for name, value in goal.options.items())
    price = float(product.price_with(chosen) <= goal.most)
    asked = len(goal.attributes) + len(goal.options) + 1
    value = kind * (attributes + options + price) / asked
    parts = {
        "type": kind,
        "attributes": attributes / max(1, len(goal.attributes)),
        "options": options / max(1, len(goal.options)),
        "price": price,
    }
    return Reward(value, parts, ", ".join(f"{name} {part:.2g}" for name, part in parts.items()))


def kind_reward(product: Product, goal: Goal) -> float:
    """r_type: how well the type fits."""
    wanted = set(goal.kind.split())
    shared = len(wanted & set(product.kind.split())) / len(wanted)
    if shared == 0.0:
        return 0.0
    if shared < 0.1:
        return 0.1
    return 1.0 if len(set(product.path) & set(goal.path)) >= 2 or shared > 0.2 else 0.5


def _page(product: Product) -> str:
    options = "; ".join(f"{name}: {', '.join(map(str, values))}" for name, values in product.options.items())
    dear = ", ".join(f"{value} +{more}" for value, more in sorted(product.surcharges.items()))
    return (
        f"{product.id}: {product.title}, {product.price} euros ({dear} euros)\nIt is {', '.join(product.attributes)}.\n"
        f"Options: {options}"
    )


def _chosen(visit: _Visit, product: Product, value: str) -> _Visit:
    for name, values in product.options.items():
        if value in values:
            others = tuple((other, was) for other, was in visit.chosen if other != name)
            return replace(visit, chosen=tuple(sorted((*others, (name, value)))), seen=f"You chose {name} {value}.")
    return replace(visit, seen=f"The open product has no option {value}.")
