"""The whole way of the SQL model on a small scale: a file that the embedded engine loads, and a card."""

from __future__ import annotations

from pathlib import Path

from outthink.train.laboratory.settings import Shape, SqlTraining
from tests.needs import need
from tests.train.laboratory.interrupted import interrupting

need("torch")
need("llama-cpp")

SETTINGS = SqlTraining(steps=4, tokens=128, workers=1, shape=Shape(width=64, layers=1, inner=64), warm=2, save_every=2)


async def test_a_model_and_its_card_come_of_it_and_an_interrupted_one_goes_on(tmp_path: Path) -> None:
    from outthink.train.laboratory.sql_making import make_sql

    said: list[str] = []
    cut = await make_sql(SETTINGS, tmp_path / "a", report=interrupting(2), said=said.append, questions=2)
    assert (cut, said) == (None, [])
    weights = await make_sql(SETTINGS, tmp_path / "a", report=interrupting(0), said=said.append, questions=2)
    assert weights is not None
    card = weights.with_suffix(".md").read_text(encoding="utf-8")
    assert "`outthink train laboratory-sql --seed 21`" in card
    assert "| one sample | 0.000 (0.000) |" in card
    assert said == ["measuring on held-out questions"]
