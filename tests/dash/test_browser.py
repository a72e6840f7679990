"""The dashboard in a real Chromium: it draws, it lives, it can be used by keyboard and on a phone, and it asks nobody but itself."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from outthink.search import BestOfN, ParticleFilter, Tree, Vote
from outthink.store import Store
from tests.dash.browsing import Seen, dashboard, solving
from tests.dash.solved import WildChain, fill, share_of_a, solved, wild
from tests.needs import CHROMIUM, need

need("browser")

from playwright.sync_api import Browser, Page, sync_playwright


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A store of toy runs and one that attacks; their names."""
    place = tmp_path_factory.mktemp("dash") / "runs.sqlite"

    async def made(store: Store) -> dict[str, str]:
        return {
            "vote": await solved(store, Vote(n=12), seed=1),
            "filter": await solved(store, ParticleFilter(n=6, ess_threshold=1.0), verifier=share_of_a(), seed=3),
            "tree": await solved(store, Tree(n=8), verifier=share_of_a()),
            "scored": await solved(store, BestOfN(n=6), verifier=share_of_a()),
            "wild": await solved(
                store, Vote(n=4), process=WildChain("abc", length=2), question=wild("question"), engine=wild("engine")
            ),
        }

    with Store.open(place) as store:
        fill(store, 60)
        # Playwright keeps a loop in this thread.
        with ThreadPoolExecutor(1) as elsewhere:
            return place, elsewhere.submit(lambda: asyncio.run(made(store))).result()


@pytest.fixture(scope="module")
def address(toys: tuple[Path, dict[str, str]]) -> Iterator[str]:
    with dashboard(toys[0]) as found:
        yield found


@pytest.fixture
def seen(address: str) -> Iterator[Seen]:
    found = Seen(address)
    yield found
    found.assert_clean()


def opened(browser: Browser, seen: Seen, *, wide: int = 1280, tall: int = 800, **how: Any) -> Page:
    page = browser.new_context(viewport={"width": wide, "height": tall}, **how).new_page()
    page.set_default_timeout(30_000)
    seen.watch(page)
    return page


def until(page: Page, holds: str, seconds: float = 30) -> None:
    """Wait until this holds in the page, asked from outside: the page's own policy lets nobody evaluate text in it."""
    ends = time.monotonic() + seconds
    while not page.evaluate(holds):
        assert time.monotonic() < ends, f"it never came to hold that {holds}"
        page.wait_for_timeout(60)


def marks(page: Page) -> int:
    return page.locator("#drawing [data-node]").count()


@pytest.mark.local_model
def test_a_real_run_is_watched_while_another_process_solves_it(browser: Browser, tmp_path: Path) -> None:
    """The tree draws and grows, the bill moves, the answer appears, and the slider changes what would have been answered."""
    place = tmp_path / "runs.sqlite"
    with Store.open(place):
        pass
    question = "A farmer has 3 fields with 12 rows of 15 trees. How many trees has he?"
    with dashboard(place) as base:
        seen = Seen(base)
        page = opened(browser, seen)
        page.goto(base)
        assert "No runs yet" in page.inner_text("main")
        how = ("--method", "fast-math", "--n", "4", "--seed", "5", "--budget", "tokens=1500")
        with solving(place, question, *how) as solver:
            page.wait_for_selector("text=There are newer runs", timeout=90_000)
            page.click("text=There are newer runs")
            page.click("#at-work a")
            until(page, "document.querySelectorAll('#drawing [data-node]').length >= 4", seconds=120)
            assert page.inner_text("#state") == "running"
            first, spent = marks(page), page.inner_text("[data-meter=tokens]")
            until(page, f"document.querySelectorAll('#drawing [data-node]').length > {first}", seconds=120)
            assert page.inner_text("[data-meter=tokens]") != spent
            assert solver.wait(timeout=120) == 0
            assert solver.stdout is not None
            answer = solver.stdout.read().strip()
        page.wait_for_selector("#state:has-text('done')")
        page.wait_for_selector("#drawing .chosen")
        assert page.inner_text("#answer") == answer
        with Store.open(place) as store:
            run = store.run("last")
        assert run.result is not None
        drawn = page.locator("#drawing [data-node]").evaluate_all("all => all.map(one => Number(one.dataset.node))")
        assert {one.id for one in run.result.candidates} <= set(drawn)
        assert f"{run.result.cost.tokens:,} of 1.5k" in page.inner_text("#meters")
        page.click("#play")
        until(page, "document.querySelectorAll('#drawing .later').length === 0 && play.textContent === 'Play'")

        how = ("--method", "laboratory", "--set", "algorithm.type=vote", "--verifier", "none", "--n", "24")
        with solving(place, "37-4*8+6*7", *how) as solver:
            assert solver.wait(timeout=90) == 0
        page.goto(f"{base}runs/last")
        page.wait_for_selector("#what-answer .said.same")
        whole = page.inner_text("#what-answer .said")
        assert whole == page.inner_text("#answer")
        said = set()
        page.focus("#samples")
        for _ in range(23):
            page.keyboard.press("ArrowLeft")
            said.add(page.inner_text("#what-answer .said"))
        assert page.inner_text("#samples-told") == "the first 1 of 24"
        assert said - {whole}, "with fewer samples another answer wins at some size"
        page.keyboard.press("End")
        assert page.inner_text("#what-answer .said") == whole
        seen.assert_clean()


def test_the_drawing_is_the_search(browser: Browser, seen: Seen, toys: tuple[Path, dict[str, str]]) -> None:
    page = opened(browser, seen)
    for name in ("filter", "tree"):
        with Store.open(toys[0]) as store:
            run = store.run(toys[1][name])
        assert run.result is not None
        page.goto(f"{seen.base}runs/{run.line.id}")
        page.wait_for_selector("#drawing .chosen")
        count = marks(page)
        assert page.locator("#drawing .edge").count() == count
        chosen = page.locator("#drawing .mark.chosen")
        assert chosen.get_attribute("data-node") == str(run.result.candidates[run.result.chosen or 0].id)
        # No two boxes lie over each other.
        boxes = page.locator("#drawing .frame").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().toJSON())"
        )
        for i, one in enumerate(boxes):
            for other in boxes[:i]:
                across = min(one["right"], other["right"]) - max(one["left"], other["left"])
                down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
                assert across <= 0.5 or down <= 0.5


def test_another_rule_is_replayed(browser: Browser, seen: Seen, toys: tuple[Path, dict[str, str]]) -> None:
    page = opened(browser, seen)
    page.goto(f"{seen.base}runs/{toys[1]['scored']}")
    page.wait_for_selector("#what-answer .said.same")
    best = page.inner_text("#what-answer")
    page.select_option("#rule", "single")
    until(page, "document.getElementById('what-answer').dataset.same === 'no'")
    assert page.inner_text("#what-answer") != best


def test_a_stored_script_is_inert(browser: Browser, seen: Seen, toys: tuple[Path, dict[str, str]]) -> None:
    """In the question, the engine, contents, answers and features: shown as text, and never run."""
    page = opened(browser, seen)
    name = toys[1]["wild"]
    for path in ("?words=script", f"runs/{name}", f"runs/{name}/compare", "engines"):
        page.goto(f"{seen.base}{path}")
        page.wait_for_load_state("networkidle") if "runs/" in path else None
        assert "<script>" in page.inner_text("main")
        assert page.evaluate("window.hit") is None
        assert page.locator("main script, main img[src=x]").count() == 0
    page.goto(f"{seen.base}runs/{name}")
    page.wait_for_selector("#what-answer .said")
    page.click("#drawing .mark >> nth=1")
    page.wait_for_selector("#member pre")
    assert "<script>window.hit='content" in page.inner_text("#member pre")
    assert page.evaluate("window.hit") is None


def test_a_script_that_slipped_in_would_not_run(browser: Browser, address: str) -> None:
    """Even markup made by hand in the page is stopped by its policy."""
    page = browser.new_page()
    page.goto(address)
    added = "const s = document.createElement('script'); s.append('window.hit = 1'); document.body.append(s)"
    with pytest.raises(Exception, match="Trusted"):
        page.evaluate(added + "; document.body.innerHTML = '<img src=x onerror=\"window.hit=1\">'")
    assert page.evaluate("window.hit") is None


def test_the_keyboard_is_enough(browser: Browser, seen: Seen, toys: tuple[Path, dict[str, str]]) -> None:
    page = opened(browser, seen)
    page.goto(seen.base)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "words"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("[...document.querySelectorAll('#runs a')].indexOf(document.activeElement)") == 1
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement === [...document.querySelectorAll('#runs a')].at(-1)")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/ui/runs/"))

    page.goto(f"{seen.base}runs/{toys[1]['filter']}")
    page.wait_for_selector("#member h3")
    page.focus("#drawing")
    before = page.inner_text("#member h3")
    page.keyboard.press("ArrowLeft")
    until(page, f"document.querySelector('#member h3').innerText !== {json.dumps(before)}")
    assert page.locator("#drawing [aria-selected=true]").count() == 1
    current = page.get_attribute("#drawing", "aria-activedescendant")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#drawing", "aria-activedescendant") != current


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(
    browser: Browser, address: str, toys: tuple[Path, dict[str, str]], scheme: Any
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    # axe is brought into the page as a script of its own, which the dashboard's policy would stop.
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    names = toys[1]
    run = f"runs/{names['filter']}"
    paths = ["", run, *([f"{run}/compare", "engines", "keys", "nothing"] if scheme == "light" else [])]
    for path in paths:
        page.goto(f"{address}{path}")
        if path == run:
            page.wait_for_selector("#member h3")
            page.wait_for_selector("#what-answer .said")
            page.wait_for_timeout(600)  # transitions, in which colours are half-way
        found = Axe().run(page).response["violations"]
        serious = [
            (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"][:300])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert not serious, (path, serious)


@pytest.mark.parametrize("wide", [390, 320])
def test_a_phone_need_not_scroll_sideways(
    browser: Browser, seen: Seen, toys: tuple[Path, dict[str, str]], wide: int
) -> None:
    page = opened(browser, seen, wide=wide, tall=780)
    for path in (
        "",
        f"runs/{toys[1]['vote']}",
        f"runs/{toys[1]['wild']}",
        f"runs/{toys[1]['filter']}/compare",
        "engines",
        "keys",
    ):
        page.goto(f"{seen.base}{path}")
        if path.endswith(toys[1]["vote"]):
            page.wait_for_selector("#what-answer .said")
        assert page.evaluate("document.documentElement.scrollWidth") <= wide, path
        small = page.locator("button:visible, select:visible, .bar nav a").evaluate_all(
            # What a script has hidden in the meantime has no height at all.
            "all => all.map(one => [one.getBoundingClientRect().height, one.outerHTML.slice(0, 80)])"
            ".filter(([height]) => 0 < height && height < 22)"
        )
        assert not small, small
