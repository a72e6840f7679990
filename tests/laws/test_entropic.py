"""Laws of annealed and look-ahead resampling (spec 02): exact under the child's log-weight, and of use against a deceptive verifier."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from outthink.core import Key, LogMap, ScoreKind
from outthink.search import Ess, Incremental, LookAhead, ParticleFilter, Schedule
from outthink.search.resampling_policy import AnyAnnealing, Base, Entropy, Plain
from outthink.testing import FunctionOfContent, TokenChain
from tests.laws.law import Average, evidences, runs, solve_seeds
from tests.laws.wrong import ResetsWeights

pytestmark = pytest.mark.laws

BITS = functools.partial(TokenChain, "01", length=3, initial=[0.7, 0.3], transition=[[0.7, 0.3], [0.7, 0.3]])


def potentials(seed: int = 1) -> dict[str, float]:
    """The logarithm of a fixed random potential in [0.2, 5] for each prefix."""
    rng = np.random.default_rng(seed)
    return {format(i, f"0{t}b"): math.log(rng.uniform(0.2, 5.0)) for t in (1, 2, 3) for i in range(2**t)}


TABLE = potentials()
TAU = Schedule(end=3.0)


def relative_evidence(
    kind: type[ParticleFilter], look: LookAhead | None, annealing: AnyAnnealing, rewards: bool
) -> Average:
    """Mean of Z_hat / Z."""
    if rewards:
        verifier = FunctionOfContent(TABLE.__getitem__, kind=ScoreKind.STEP_REWARD)
        target = BITS().target(log_potential=TABLE.__getitem__)
    else:
        verifier, target = FunctionOfContent(TABLE.__getitem__), BITS().target(TABLE.__getitem__)
    settings: dict[str, Any] = {"twist": Incremental()} if rewards else {}
    algorithm = kind(n=32, ess_threshold=1, annealing=annealing, look_ahead=look, **settings)
    results = solve_seeds(algorithm, BITS, verifier, range(runs(250, 4000)))
    return Average.of([z / math.exp(target.log_evidence) for z in evidences(results)])


@pytest.mark.parametrize("rewards", [True, False], ids=["incremental", "difference"])
@pytest.mark.parametrize("look", [None, LookAhead()], ids=["no look-ahead", "look-ahead"])
def test_any_resampling_is_exact_under_the_childs_weight(look: LookAhead | None, rewards: bool) -> None:
    """Spec 02, check 6: temperature 3 throughout; the same seeds reject weights that were reset."""
    right = relative_evidence(ParticleFilter, look, TAU, rewards)
    assert right.sharp(0.02, 1.0)
    assert right.agrees(1.0)
    wrong = relative_evidence(ResetsWeights, look, TAU, rewards)
    assert not wrong.agrees(1.0)
    assert abs(wrong.mean - 1.0) > 0.05


@pytest.mark.parametrize(
    "annealing", [Ess(below=0.99, early=1.0), Entropy(below=0.99, early=1.0), Base(below=0.99)], ids=str
)
def test_a_temperature_that_follows_the_weights_is_exact_too(annealing: AnyAnnealing) -> None:
    assert relative_evidence(ParticleFilter, LookAhead(strength=0.5), annealing, rewards=True).agrees(1.0)


# -- the deceptive verifier -------------------------------------------------------------------------------------------

LENGTH, TRAPPED = 10, 0.15
TRAP = functools.partial(
    TokenChain,
    "sw.",
    length=LENGTH,
    initial=[1 - TRAPPED, TRAPPED, 0.0],
    transition=[[0.0, 0.0, 1.0]] * 3,
)


@dataclass
class Deceptive:
    """Spec 02, check 5: 0.99 in the trap for the first `late` steps, then 0.05; elsewhere 0.5, then 0.9; fresh noise on every logit."""

    late: int
    rng: np.random.Generator

    def __call__(self, text: str) -> float:
        early = len(text) <= self.late
        p = (0.99 if early else 0.05) if text[0] == "w" else (0.5 if early else 0.9)
        return math.log(p / (1 - p)) + 0.5 * float(self.rng.normal())


def escapes(late: int, n: int, annealing: AnyAnnealing, **settings: Any) -> float:
    """How often the answer is not the trapped one."""
    verifier = FunctionOfContent(Deceptive(late, Key(3).rng()), kind=ScoreKind.STEP_REWARD)
    algorithm = ParticleFilter(
        n=n, ess_threshold=1, twist=Incremental(), annealing=annealing, **{"exact": False, **settings}
    )
    results = solve_seeds(algorithm, TRAP, verifier, range(runs(120, 4000)))
    return Average.of([float(str(r.answer)[0] != "w") for r in results]).mean


@pytest.mark.parametrize(
    ("late", "n", "plain", "annealed"), [(2, 16, 0.086, 0.924), (3, 16, 0.084, 0.578), (3, 32, 0.006, 0.660)]
)
def test_annealing_survives_a_deceptive_verifier(late: int, n: int, plain: float, annealed: float) -> None:
    """The plain filter gets worse with more members, the annealed one does not. The figures are the sheet's."""
    seen = escapes(late, n, Plain(), resampling="multinomial"), escapes(late, n, Ess(horizon=20))
    error = 0.5 / math.sqrt(runs(120, 4000))
    assert seen[1] - seen[0] >= 0.3
    assert abs(seen[0] - plain) < 4 * error
    assert abs(seen[1] - annealed) < 4 * error


@pytest.mark.parametrize(
    ("annealing", "sheet"), [(Entropy(horizon=20), 0.459), (Base(horizon=20), 0.441)], ids=["entropy", "base"]
)
def test_the_weaker_policies_help_less(annealing: AnyAnnealing, sheet: float) -> None:
    seen = escapes(2, 16, annealing)
    assert abs(seen - sheet) < 4 * 0.5 / math.sqrt(runs(120, 4000))
    assert seen > 0.25


def test_exact_weights_survive_it_as_well() -> None:
    """The population keeps its variety while the weights stay honest."""
    assert escapes(2, 16, Ess(horizon=20), exact=True) > 0.6


def test_a_look_ahead_sees_the_trap_one_step_early() -> None:
    seen = {look: escapes(1, 16, Plain(), look_ahead=LookAhead() if look else None) for look in (False, True)}
    assert seen[True] > seen[False] + 0.15


def test_saturated_probabilities_are_logits_too() -> None:
    """The published map: the same search by `weight = "logit"` from probabilities as from their log odds."""
    odds = FunctionOfContent(
        lambda text: 0.99 if "1" in text else 0.2, kind=ScoreKind.STEP_REWARD, log_map=LogMap.PROBABILITY
    )
    raw = FunctionOfContent(
        lambda text: math.log(0.99 / 0.01) if "1" in text else math.log(0.2 / 0.8), kind=ScoreKind.STEP_REWARD
    )
    settings: dict[str, Any] = {"n": 8, "ess_threshold": 1, "twist": Incremental(), "annealing": Ess(horizon=6)}
    by_odds = solve_seeds(ParticleFilter(weight="logit", **settings), BITS, odds, range(20))
    by_raw = solve_seeds(ParticleFilter(weight="raw", **settings), BITS, raw, range(20))
    assert [[c.content for c in r.candidates] for r in by_odds] == [[c.content for c in r.candidates] for r in by_raw]
