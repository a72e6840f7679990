"""Web pages: the right page earns 1 and a changed one less, each part sees its own change, and what is told is parts and never the page."""

from __future__ import annotations

import pytest

from outthink.agent import Agent, AgentProcess, EnvironmentReward, Reward, WebPage, described_page
from outthink.agent.pages import Renderer
from outthink.core import Failure, InputError, Search, Session, Task, VerifierError
from outthink.search import Refine
from tests.agent.players import playing

pytestmark = pytest.mark.needs("boxed-browser")


async def earned(environment: WebPage, action: str) -> Reward:
    reward = await environment.reward((action,))
    assert isinstance(reward, Reward)
    return reward


def test_descriptions_name_what_their_pages_show() -> None:
    tasks = [described_page(seed) for seed in range(60)]
    assert len({task.reference for task in tasks}) == 60
    assert described_page(3) == tasks[3]
    for task in tasks:
        page = task.reference or ""
        for shown in ("<h1>", "<p>", "<nav", "<footer"):
            assert shown in page
        head = page.partition("<h1>")[2].partition("</h1>")[0]
        assert head in str(task.prompt)
        assert "<" not in str(task.prompt)
    whole = " ".join(task.reference or "" for task in tasks)
    assert all(kind in whole for kind in ("<ul>", "<table>", "<form>", "<hr>", "<img"))


async def test_the_right_page_earns_one_and_each_part_sees_its_own_change(drawing: Renderer) -> None:
    task = described_page(1)
    environment, right = WebPage(task, drawing=drawing), task.reference or ""
    whole = await earned(environment, f"SUBMIT\n```html\n{right}\n```")
    assert whole.value == 1.0
    assert set(whole.parts.values()) == {1.0}
    changes = {
        "colour": (right.replace("#666", "#e33"), {"structure", "layout", "size", "text", "position"}),
        "text": (right.replace("Hours", "House"), {"structure", "layout", "colour"}),
        "structure": (right.replace("<p>", "<div>").replace("</p>", "</div>"), {"text", "colour"}),
        "layout": (right.replace('width="240"', 'width="600"'), {"structure", "size", "text", "position", "colour"}),
        "position": (right.replace("main{padding:16px}", "main{padding:90px}"), {"structure", "text", "colour"}),
        "size": (right[: right.index("<footer")], {"text", "position", "colour"}),
    }
    for part, (page, unchanged) in changes.items():
        assert page != right, part
        reward = await earned(environment, f"SUBMIT {page}")
        assert reward.parts[part] < 1.0, part
        assert all(reward.parts[name] == pytest.approx(1.0, abs=1e-9) for name in unchanged), (part, reward)
        assert 0.3 < reward.value < 1.0
        parts = reward.parts
        looks = sum(parts[name] for name in ("size", "text", "position", "colour", "pixels")) / 5
        assert reward.value == pytest.approx((parts["structure"] + parts["layout"] + looks) / 3)
    other = await earned(environment, f"SUBMIT {described_page(2).reference}")
    assert other.value < 0.9
    assert (await earned(environment, "SUBMIT")).value < 0.1


async def test_what_an_agent_sees_and_what_earns_nothing(drawing: Renderer) -> None:
    environment = WebPage(described_page(1), drawing=drawing)

    async def seen(action: str) -> str:
        observation = await environment.observe((action,))
        assert not isinstance(observation, Failure)
        return observation.text

    assert environment.opening == described_page(1).prompt
    told = await seen('RENDER <p style="position:absolute;left:10px;top:20px;width:90px;height:30px;margin:0">Hi</p>')
    assert told == "The page is 800 by 600 pixels.\ntext “Hi”: 90 by 30 at 10, 20"
    assert await seen("RENDER") == "The page is 800 by 600 pixels.\nNothing is to be seen on it."
    assert (await seen("RENDER" + "<hr>" * 25)).endswith("(5 more)")
    assert "more than 40000 characters" in await seen("RENDER " + "x" * 50_000)
    assert "no action" in await seen("<p>a page</p>")
    for action in ("RENDER <p>x</p>", "hello"):
        reward = await earned(environment, action)
        assert (reward.value, reward.parts["submitted"]) == (0.0, 0.0)
    # A page that cannot be drawn has its structure alone.
    undrawn = await earned(environment, "SUBMIT <h1>a</h1>" + "x" * 50_000)
    assert undrawn.value == undrawn.parts["structure"] / 3
    assert "characters" in undrawn.note


async def test_a_task_without_its_page_is_not_rewarded(drawing: Renderer) -> None:
    bare = WebPage(Task(prompt="A page."), drawing=drawing)
    assert not bare.rewarded
    with pytest.raises(InputError, match="no right page"):
        await bare.reward(("SUBMIT <p>x</p>",))
    with pytest.raises(VerifierError, match="cannot be drawn"):
        await WebPage(Task(prompt="?", reference="x" * 50_000), drawing=drawing).reward(("SUBMIT x",))


async def test_a_revision_is_told_the_parts_and_never_the_page(drawing: Renderer) -> None:
    task = described_page(1)
    right = (task.reference or "").replace("\n", "")
    poor = right.replace("<hr>", "").replace("#666", "#e33")
    engine = playing(f"SUBMIT {poor}", then={"An earlier attempt": f"SUBMIT {right}"})
    environment = WebPage(task, drawing=drawing)
    process = AgentProcess(engine, environment, Agent(turns=2, max_tokens=900))
    session = Session.open()
    method = Refine(n=1, rounds=1, base="best", threshold=1.0)
    judge = EnvironmentReward(environment, tell="parts")
    result = await Search(lambda task: process, method, judge).solve(task, session)
    session.close()
    assert result.answer == right
    assert result.scores[result.chosen or 0] == 1.0
    told = engine.tokenizer.decode(engine.requests[-1].prompt.tokens)
    assert "structure 0.9" in told
    assert "The lowest is" in told
    assert right not in told
