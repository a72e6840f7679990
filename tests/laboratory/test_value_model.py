"""The shipped value model through the real library: it tells right lines from wrong ones within a problem, and comes as its card says."""

from __future__ import annotations

import pytest

import outthink
from outthink.core.key import Key
from outthink.engines.local import models
from outthink.train.laboratory.value_card import LAST, measured
from outthink.verify import EmbeddedRewardModel


def test_the_file_is_the_one_that_its_card_is_about() -> None:
    path = models.path(models.LABORATORY_VALUE)
    models.verify(path, models.LABORATORY_VALUE)
    assert path.stat().st_size < 3e6
    assert "outthink train laboratory-value --seed 11" in path.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.needs("llama-cpp")
async def test_within_held_out_problems_it_ranks_right_lines_above_wrong_ones() -> None:
    """A head on the language model's last layer is at 0.50 here."""
    chains, three, four = await measured(models.path(models.LABORATORY_VALUE), Key(3), problems_each=12, samples=10)
    assert three.within(LAST) > 0.65
    assert four.within(LAST) > 0.6
    assert three.within(0) > 0.55
    assert chains.over_all > 0.8
    for kind in (chains, three, four):
        assert kind.error < 0.25


@pytest.mark.needs("llama-cpp")
async def test_a_recipe_searches_with_it() -> None:
    judge = EmbeddedRewardModel(model="laboratory-value", format="laboratory-value", split="\n", memory=60.0)
    result = await outthink.asolve("3 5 7 -> 22", method="laboratory", verifier=judge, seed=1)
    assert result.by_role["verify"].tokens > 0
    assert result.by_role["verify"].output_tokens == 0
