"""Length, markers and what was learned from them: exact counts, contracts, and a fit that finds the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from outthink.core import Candidate, SettingsError, Task, Verifier
from outthink.testing.contracts import VerifierContract
from outthink.train import fit_features
from outthink.verify.features import MARKERS, LearnedFeatures, Length, MarkerRate, feature_columns, marker_rate


def written(text: str, length: float | None = None, reasoning: str = "") -> Candidate:
    features = {"reasoning": reasoning} | ({} if length is None else {"length": length})
    return Candidate(content=text, features=features)


class TestFeatures(VerifierContract):
    @pytest.fixture(
        params=[
            Length(),
            Length(of="words"),
            Length(of="thinking"),
            MarkerRate(),
            LearnedFeatures(length=-1.0, offset=5),
        ],
        ids=lambda v: str(v)[:40],
    )
    def verifier(self, request: pytest.FixtureRequest) -> Verifier:
        found: Verifier = request.param
        return found

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        return [written("So it is 4.", 7), written("Perhaps 5, wait", 9, "Hmm. I think so."), written("", 1)]


async def values(verifier: Verifier, *candidates: Candidate) -> list[float]:
    return (await verifier.score(candidates, Task(prompt="?"))).values.tolist()


async def test_lengths_are_counted_in_their_unit() -> None:
    said = written("the answer is  4", 17, "one two three")
    assert await values(Length(), said) == [-17.0]
    assert await values(Length(of="words"), said) == [-4.0]
    assert await values(Length(of="thinking"), said) == [-3.0]
    assert math.isnan((await values(Length(), Candidate(content="x")))[0])
    assert math.isnan((await values(Length(of="thinking"), Candidate(content="x")))[0])


def test_markers_are_whole_words_of_any_case_and_the_longest_counts() -> None:
    hedging = MARKERS["hedging"]
    for text, count in (
        ("Perhaps it is 4", 1),
        ("MAYBE, maybe; maybe.", 3),
        ("It mighty seemingly appearsed", 0),
        ("I  think\nthat it could be so", 2),
        ("not sure - I think", 2),
        ("unlikely likely", 1),
    ):
        assert marker_rate(text, hedging) == pytest.approx(1000 * count / len(text.split())), text
    assert marker_rate("let me wait", ("let me", "let", "wait")) == pytest.approx(2000 / 3)
    assert math.isnan(marker_rate("  ", hedging))


async def test_the_groups_and_words_of_the_user_decide() -> None:
    said = written("Therefore 4, perhaps", 4, "Wait")
    assert await values(MarkerRate(), said) == [-500.0]
    assert await values(MarkerRate(of=("hedging",)), said) == [-250.0]
    assert await values(MarkerRate(of=("discourse", "hedging", "thinking")), said) == [-750.0]
    assert await values(MarkerRate(words=("4",)), said) == [-250.0]
    with pytest.raises(SettingsError):
        MarkerRate(of=())


async def test_what_was_learned_is_the_log_odds_that_made_the_answers() -> None:
    """Answers are right with log odds 6 - log length - 0.01 * hedges per 1,000 words; other answers are rated by it."""
    rng = np.random.default_rng(3)

    def answers(n: int) -> tuple[list[Candidate], np.ndarray]:
        made = []
        for length, hedges in zip(np.exp(rng.normal(6.0, 1.0, n)).round(), rng.integers(0, 20, n), strict=True):
            made.append(written(" ".join(["perhaps"] * hedges + ["word"] * (100 - hedges)), length))
        columns = feature_columns(made)
        odds = 6.0 - columns[:, 0] - 0.01 * columns[:, 1] + 1.0
        return made, rng.random(n) < 1 / (1 + np.exp(-odds))

    candidates, right = answers(4000)
    learned = fit_features([*candidates, Candidate(content="unknown")], np.append(right, True))
    assert learned.length == pytest.approx(-1.0, abs=0.15)
    assert learned.hedging == pytest.approx(-0.01, abs=0.002)
    assert learned.thinking == learned.discourse == 0.0
    others, marks = answers(1000)
    weights = np.array(await values(learned, *others))
    assert ((weights >= 0) & (weights <= 4)).all()
    assert marks[weights > 0.5].mean() > marks[weights == 0].mean() + 0.3
    constant = await values(LearnedFeatures(length=-1.0, offset=100.0), others[0], written("", 3))
    assert constant[0] == 4.0
    assert math.isnan(constant[1])
    with pytest.raises(SettingsError, match="Nothing has been learned"):
        LearnedFeatures(offset=1.0)
