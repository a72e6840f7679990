"""The shop: its reward in every part and branch against numbers worked by hand, what is seen, and that a goal can be had."""

from __future__ import annotations

import itertools

import pytest

from outthink.agent import Agent, AgentProcess, EnvironmentReward, Goal, Product, Reward, Shop, errand
from outthink.agent.shop import earned, kind_reward
from outthink.core import Failure, InputError, Search, Session, Task
from outthink.search import BestOfN
from outthink.testing.contracts import ProcessContract, RevisableContract, RewindableContract
from tests.agent.players import playing

GOAL = Goal(
    "running shoe", ("clothing", "shoes", "sport"), ("quiet", "recycled"), {"color": "red", "size": "large"}, 30
)


def product(**changes: object) -> Product:
    given: dict[str, object] = {
        "id": "P1",
        "title": "A shoe",
        "kind": "running shoe",
        "path": ("clothing", "shoes", "sport"),
        "attributes": ("quiet", "recycled", "foldable"),
        "options": {"color": ("red", "blue"), "size": ("small", "large")},
        "price": 25,
        "surcharges": {"large": 4},
    }
    return Product(**(given | changes))  # type: ignore[arg-type]


RIGHT = {"color": "red", "size": "large"}


@pytest.mark.parametrize(
    ("bought", "chosen", "value"),
    [
        (product(), RIGHT, 1.0),
        (product(surcharges={"large": 6}), RIGHT, 4 / 5),
        (product(surcharges={"large": 5}), RIGHT, 1.0),
        (product(), {"color": "red"}, 4 / 5),
        (product(), {}, 3 / 5),
        (product(attributes=("quiet",)), {"size": "small", "color": "red"}, 3 / 5),
        (product(attributes=(), price=99), {}, 0.0),
        (product(kind="walking shoe", path=("clothing", "shoes", "outdoor")), RIGHT, 1.0),
        (product(kind="rain boot"), RIGHT, 0.0),
    ],
)
def test_the_reward_by_hand(bought: Product, chosen: dict[str, str], value: float) -> None:
    assert earned(bought, chosen, GOAL).value == pytest.approx(value, abs=1e-12)


def test_every_branch_of_the_type() -> None:
    """t = 0, 1/12, 1/6, 1/2 of the wanted words; with and without two equal categories."""
    twelve = Goal("a b c d e f g h i j k l", ("x", "y", "z"), ("quiet",), {}, 30)
    near, far = ("x", "y", "other"), ("x", "other")
    for kind, path, value in (
        ("m n", near, 0.0),
        ("a", near, 0.1),
        ("a", far, 0.1),
        ("a b", near, 1.0),
        ("a b", far, 0.5),
        ("a b c d e f", far, 1.0),
    ):
        assert kind_reward(product(kind=kind, path=path), twelve) == value
    assert earned(product(kind="a b", path=far), {}, twelve).value == pytest.approx(0.5 * 2 / 2)


def test_parts_multiply_up_to_the_reward() -> None:
    for attributes, chosen, price in itertools.product(
        ((), ("quiet",), ("quiet", "recycled")), ({}, {"color": "red"}, RIGHT), (10, 90)
    ):
        reward = earned(product(attributes=attributes, price=price, surcharges={}), chosen, GOAL)
        parts = reward.parts
        total = parts["type"] * (2 * parts["attributes"] + 2 * parts["options"] + parts["price"]) / 5
        assert reward.value == pytest.approx(total)


async def value_of(shop: Shop, *actions: str) -> float:
    reward = await shop.reward(actions)
    assert isinstance(reward, Reward)
    return reward.value


async def test_every_goal_can_be_had_in_full_and_only_by_buying() -> None:
    for seed in range(40):
        task = errand(seed)
        shop = Shop(task)
        way = [f"search[{shop.goal.kind}]", f"open[{task.reference}]"]
        way += [f"choose[{value}]" for value in shop.goal.options.values()]
        assert await value_of(shop, *way) == 0.0
        assert await value_of(shop, *way, "buy[]") == 1.0
        assert await value_of(shop, *way[:2], "buy[]") < 1.0
        assert shop.answer([*way, "buy[]"]) == ", ".join(
            (task.reference or "", *dict(sorted(shop.goal.options.items())).values())
        )
    assert errand(3) == errand(3)
    assert errand(3) != errand(4)


async def test_what_a_customer_sees() -> None:
    shop = Shop(errand(1))

    async def seen(*actions: str) -> str:
        observation = await shop.observe(actions)
        assert not isinstance(observation, Failure)
        return observation.text

    first = shop.products[0]
    assert await seen("open[p0]") == await seen(f" Open [{first.id}]")
    page = await seen("open[P0]")
    assert all(attribute in page for attribute in first.attributes)
    listed = (await seen(f"search[{shop.goal.kind}]")).splitlines()
    assert 1 <= len(listed) <= 5
    assert shop.goal.kind in listed[0]
    assert await seen("search[zeppelin]") == "Nothing was found."
    assert await seen("buy[]") == "Open a product first."
    assert await seen("open[P999]") == "There is no product p999."
    assert "no option" in await seen("open[P0]", "choose[gigantic]")
    assert "no action" in await seen("I would like a mug")
    # Opening another product forgets what was chosen of the first.
    color = first.options["color"][0]
    assert shop.answer(["open[P0]", f"choose[{color}]", "open[P0]", "buy[]"]) == "P0"


class TestShopping(ProcessContract, RewindableContract, RevisableContract):
    @pytest.fixture
    def process(self) -> AgentProcess:
        engine = playing("search[lamp]", "open[P3]", "buy[]", "choose[red]")
        return AgentProcess(engine, Shop(errand(2)), Agent(turns=5, max_tokens=12))


async def test_best_of_n_buys_the_best() -> None:
    task = errand(2)
    shop = Shop(task)
    engine = playing("buy[]", f"open[{task.reference}]")
    process = AgentProcess(engine, shop, Agent(turns=6, max_tokens=12))
    session = Session.open(seed=3)
    result = await Search(lambda task: process, BestOfN(n=12), EnvironmentReward(shop)).solve(task, session)
    session.close()
    scores = [score for score in result.scores if score is not None]
    assert result.scores[result.chosen or 0] == max(scores) > min(scores)


def test_what_is_no_errand_is_refused() -> None:
    with pytest.raises(InputError, match="no errand"):
        Shop(Task(prompt="?"))
    with pytest.raises(InputError, match="no errand"):
        Shop(Task(prompt="?", data={"products": "[]", "goal": "{}"}))
