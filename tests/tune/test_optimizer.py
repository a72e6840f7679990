"""Ask and tell on functions with a known maximum; few candidates measured many times; the same rules by BoTorch."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from outthink.core.errors import InputError, SettingsError
from outthink.core.key import Key
from outthink.numerics.types import FloatArray
from outthink.tune import Choice, Config, Mini, Optimizer, Real, Space, Whole
from outthink.tune.kernels import Gaussian
from outthink.tune.with_optuna import OptunaOptimizer

PLANE = Space({"x": Real(low=-5, high=10), "y": Real(low=0, high=15)})
BRANIN_BEST = -0.397887


def branin(config: Config) -> float:
    x, y = float(config["x"]), float(config["y"])
    value = (
        (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10
    )
    return -value


def run(optimizer: Optimizer, n: int) -> list[dict[str, object]]:
    asked = []
    for _ in range(n):
        config = optimizer.ask()
        optimizer.tell(config, branin(config))
        asked.append(dict(config))
    return asked  # type: ignore[return-value]


def test_branin_is_found_in_thirty_values_and_not_by_chance() -> None:
    regrets = []
    for seed in range(3):
        optimizer = Optimizer(PLANE, Key(seed))
        run(optimizer, 30)
        regrets.append(BRANIN_BEST - optimizer.best.mean)
    assert np.median(regrets) < 0.2
    rng = np.random.default_rng(0)
    chance = [BRANIN_BEST - max(branin(PLANE.sample(rng)) for _ in range(30)) for _ in range(20)]
    assert np.median(chance) > 0.5


def test_the_same_key_and_values_ask_for_the_same() -> None:
    first, second = Optimizer(PLANE, Key(3)), Optimizer(PLANE, Key(3))
    asked = run(first, 9)
    for config in asked:
        assert second.ask() == config
        second.tell(config, branin(config))  # type: ignore[arg-type]
    assert run(Optimizer(PLANE, Key(4)), 9) != asked


def test_several_under_way_are_different() -> None:
    optimizer = Optimizer(PLANE, Key(0))
    run(optimizer, 8)
    waiting = [optimizer.ask() for _ in range(3)]
    points = np.array([PLANE.encode(config) for config in waiting])
    assert min(np.linalg.norm(points[i] - points[j]) for i in range(3) for j in range(i)) > 0.01


def test_noise_is_told_from_signal() -> None:
    rng = np.random.default_rng(0)
    optimizer = Optimizer(Space({"x": Real(low=0, high=1)}), Key(1), noisy=True)
    for _ in range(25):
        config = optimizer.ask()
        optimizer.tell(config, -((float(config["x"]) - 0.3) ** 2) + 0.05 * float(rng.standard_normal()))
    assert abs(float(optimizer.best.config["x"]) - 0.3) < 0.15
    # The best single value is luck; the belief is not.
    assert optimizer.best.mean < max(optimizer._values)


def test_whole_numbers_and_choices() -> None:
    over = Space({"kind": Choice(values=("a", "b", "c")), "n": Whole(low=1, high=32, log=True)})
    optimizer = Optimizer(over, Key(2))
    for _ in range(22):
        config = optimizer.ask()
        over.check(config)
        optimizer.tell(
            config, {"a": 0.0, "b": 1.0, "c": 0.3}[str(config["kind"])] - abs(math.log2(int(config["n"])) - 3)
        )
    assert optimizer.best.config["kind"] == "b"
    assert optimizer.best.config["n"] in (7, 8, 9)


def test_what_failed_is_no_value_and_what_is_not_finite_is_refused() -> None:
    optimizer = Optimizer(PLANE, Key(0))
    with pytest.raises(InputError, match="Nothing was told"):
        _ = optimizer.best
    config = optimizer.ask()
    with pytest.raises(InputError, match="finite"):
        optimizer.tell(config, math.nan)
    optimizer.tell(config, None)
    other = optimizer.ask()
    optimizer.tell(other, branin(other))
    assert optimizer.best.config == other


LINE = np.linspace(0, 1, 100)[:, None]
TRUTH = LINE[:, 0] * np.sin(6 * LINE[:, 0]) + 0.5 * np.cos(14 * LINE[:, 0])


def searched(staleness: float, seed: int, budget: int = 300) -> tuple[Mini, FloatArray]:
    mini = Mini(LINE, Gaussian(np.array([0.2])), 0.05, staleness=staleness)
    rng = np.random.default_rng(seed)
    regrets: list[float] = []
    while len(regrets) < budget:
        chosen = mini.ask(budget - len(regrets))
        values = TRUTH[chosen.candidate] + math.sqrt(0.05) * rng.standard_normal(chosen.repeats)
        mini.tell(chosen.candidate, values)
        regrets += [float(TRUTH.max() - TRUTH[chosen.candidate])] * chosen.repeats
    return mini, np.array(regrets)


def test_near_one_it_is_plain_search_and_at_more_it_decides_seldom() -> None:
    plain, renewed, seldom = [], [], []
    for seed in range(8):
        one, regret = searched(1.0000001, seed)
        assert one.decisions == 300
        other, more = searched(1.1, seed)
        plain.append(regret.sum())
        renewed.append(more.sum())
        seldom.append(other.decisions)
        # The number of decisions is bounded by what was learned.
        known = other.known()
        learned = 0.5 * np.linalg.slogdet(np.eye(len(known.points)) + known.prior @ known.evidence.precision)[1]
        assert other.decisions - 1 <= 2 * learned / math.log((1.1**2 + 1) / 2) + 1
    assert np.median(seldom) < 60
    assert np.median(renewed) < 1.35 * np.median(plain)


def test_mini_refuses_what_cannot_be() -> None:
    with pytest.raises(SettingsError, match="above 1"):
        Mini(LINE, Gaussian(np.array([0.2])), 0.05, staleness=1.0)
    mini = Mini(LINE, Gaussian(np.array([0.2])), 0.05)
    with pytest.raises(InputError, match="identical"):
        mini.tell(3, [0.5] * 5)


def test_optuna_asks_within_the_space() -> None:
    over = Space(
        {
            "kind": Choice(values=("a", "b")),
            "n": Whole(low=2, high=9),
            "p": Real(low=0.1, high=1, when={"kind": ("b",)}),
        }
    )
    optimizer = OptunaOptimizer(over, Key(0), "tpe")
    for i in range(15):
        config = optimizer.ask()
        over.check(config)
        optimizer.tell(config, None if i == 3 else float(int(config["n"])))


@pytest.mark.parametrize(
    "rule", ["log-ei", "log-noisy-ei", "knowledge-gradient", "max-value-entropy", "joint-entropy", "predictive-entropy"]
)
def test_botorch_asks_within_the_space(rule: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # BoTorch and gpytorch warn of their own numerics
        from outthink.tune.with_botorch import BoTorchOptimizer

        optimizer = BoTorchOptimizer(PLANE, Key(0), rule, initial=4)  # type: ignore[arg-type]
        for _ in range(5):
            (config,) = optimizer.ask()
            PLANE.check(config)
            optimizer.tell(config, branin(config))
        assert len({repr(config) for config in optimizer.ask(2)}) == 2
        assert branin(optimizer.best) == max(value[0] for value in optimizer._values)


def test_botorch_with_constraints_and_fidelities() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from outthink.tune.with_botorch import BoTorchOptimizer

        held = BoTorchOptimizer(Space({"x": Real(low=0, high=1)}), Key(0), constraints=("left",), initial=5)
        for _ in range(8):
            (config,) = held.ask()
            held.tell(config, float(config["x"]), {"left": 0.5 - float(config["x"])})
        assert 0.25 < float(held.best["x"]) <= 0.51
        over = Space({"x": Real(low=0, high=1), "share": Real(low=0.1, high=1)})
        cheap = BoTorchOptimizer(over, Key(0), "many-fidelities", fidelity="share", initial=5)
        for _ in range(6):
            (config,) = cheap.ask()
            cheap.tell(config, -((float(config["x"]) - 0.4) ** 2) - 0.1 * (1 - float(config["share"])))
        assert cheap.best["share"] == 1.0
        with pytest.raises(SettingsError, match="do not fit"):
            BoTorchOptimizer(over, Key(0), "many-fidelities")
