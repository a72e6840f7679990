"""Maximises any function of a few settings by asking and being told: for whatever is no recipe on questions.

    optimizer = Optimizer(space, Key(1))
    for _ in range(40):
        config = optimizer.ask()
        optimizer.tell(config, value_of(config))
    optimizer.best                        # the configuration with the highest believed value, and that belief

The first values come from a Sobol sequence. Then a Gaussian process is fitted, and the next configuration is where the logarithm of
expected improvement is highest (values without noise), or the expected rise of the best believed value (noisy values: `noisy = True`).
Several may be asked before one is told: those under way count as if they had returned what is believed of them. Everything derives from
the key and from what was told, so a run that is told the same again asks for the same.

Source: spec 33, items 4, 5 and 9 (constant liar).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import qmc

from outthink.core.errors import InputError, explain
from outthink.core.key import Key
from outthink.numerics.types import FloatArray
from outthink.tune.acquisition import log_expected_improvement, noisy_improvement
from outthink.tune.evidence import Counts, repeated
from outthink.tune.fitting import Fitted, fit
from outthink.tune.kernels import Matern
from outthink.tune.posterior import Posterior, merged
from outthink.tune.space import Config, Space, Value, frozen

Worth = Callable[[FloatArray], FloatArray]
"""How much a measurement is worth at points [m, d]: [m]."""
SCATTERED, NEAR, CLIMBS = 512, 128, 6
"""Points at which a rule is looked at over the whole space and around the best, and how many of them are climbed from."""
EXACT = 1e-6
"""Share of the values' variance that stands for no noise, so that factors exist."""


@dataclass(frozen=True)
class Best:
    """A configuration with the believed mean and deviation of its value."""

    config: Mapping[str, Value]
    mean: float
    deviation: float


class Optimizer:
    """Ask and tell. `initial`: how many configurations come from the Sobol sequence; by default two a coordinate and at least 5."""

    def __init__(self, space: Space, key: Key, *, noisy: bool = False, initial: int | None = None) -> None:
        self.space, self.key, self.noisy = space, key, noisy
        self.initial = max(5, 2 * space.width) if initial is None else initial
        self._configs: list[Config] = []
        self._values: list[float] = []
        self._failed: list[Config] = []
        self._pending: list[Config] = []
        self._fitted: Fitted | None = None
        self._sobol = qmc.Sobol(space.width, seed=np.random.default_rng(int(key.child("sobol").seeds(1)[0])))

    def ask(self) -> dict[str, Value]:
        """The next configuration."""
        asked = len(self._values) + len(self._pending) + len(self._failed)
        if asked < self.initial or len(set(self._values)) < 2:
            config = self.space.decode(self._sobol.random(1)[0])
        else:
            config = self._chosen(self.key.child("ask", asked).rng())
        self._pending.append(config)
        return config

    def tell(self, config: Config, value: float | None) -> None:
        """What came out; higher is better. None: it failed, and says nothing of the function. Raises `InputError`: nan or infinite."""
        self.space.check(config)
        if value is not None and not math.isfinite(value):
            raise InputError(
                explain(
                    "This value cannot be learned from.",
                    got=value,
                    expected="a finite number, or None for a configuration that failed",
                    remedy="Tell None for what failed: a made-up low value would be taken for the truth.",
                )
            )
        key = frozen(config)
        for i, one in enumerate(self._pending):
            if frozen(one) == key:
                del self._pending[i]
                break
        if value is None:
            self._failed.append(config)
        else:
            self._configs.append(config)
            self._values.append(float(value))
        self._fitted = None

    @property
    def best(self) -> Best:
        """The told configuration with the highest believed mean. Raises `InputError` before anything was told."""
        if not self._values:
            raise InputError(
                explain("Nothing was told yet.", got="no values", expected="at least one", remedy="Ask and tell first.")
            )
        if len(set(self._values)) < 2:
            return Best(dict(self._configs[0]), self._values[0], 0.0)
        known = self.fitted.known
        points = np.array([self.space.encode(config) for config in self._configs])
        means = known.mean(points) if self.noisy else np.array(self._values)
        at = int(np.argmax(means))
        return Best(dict(self._configs[at]), float(means[at]), float(np.sqrt(known.variance(points[[at]])[0])))

    @property
    def fitted(self) -> Fitted:
        """The Gaussian process after what was told."""
        if self._fitted is None:
            self._fitted = self._fit()
        return self._fitted

    def _fit(self) -> Fitted:
        points, values, variance = self._data()
        distinct, which = merged(points, np.ones(points.shape[1]))
        counts = Counts.of(len(distinct), which, values)
        kernel = Matern(np.full(points.shape[1], 0.5), variance, variance)
        noise = np.array([0.1 * variance if self.noisy else EXACT * variance])
        return fit(
            distinct,
            lambda noises: repeated(counts, noises[0]),
            level=float(values.mean()),
            noises=noise,
            kernel=kernel,
            learn_noises=self.noisy,
        )

    def _data(self) -> tuple[FloatArray, FloatArray, float]:
        points = np.array([self.space.encode(config) for config in self._configs])
        values = np.array(self._values)
        return points, values, float(values.var())

    def _chosen(self, rng: np.random.Generator) -> dict[str, Value]:
        known = self._with_pending()
        points, values, _ = self._data()
        incumbent = points[int(np.argmax(known.mean(points)))] if self.noisy else points[int(np.argmax(values))]
        noise = float(self.fitted.noises[0])

        def worth(x: FloatArray) -> FloatArray:
            if self.noisy:
                return np.log(np.maximum(noisy_improvement(known, points, x, noise), 1e-300))
            return log_expected_improvement(known.mean(x) - values.max(), np.sqrt(known.variance(x)))

        best = climbed(worth, self.space, incumbent, rng)
        taken = {frozen(config) for config in (*self._configs, *self._pending, *self._failed)}
        for point in best:
            config = self.space.decode(point)
            if self.noisy or frozen(config) not in taken:
                return config
        return self.space.sample(rng)

    def _with_pending(self) -> Posterior:
        """With what is under way counted as if it had returned what is believed of it."""
        known = self.fitted.known
        if not self._pending:
            return known
        points, values, _ = self._data()
        waiting = np.array([self.space.encode(config) for config in self._pending])
        everything = np.concatenate([points, waiting])
        distinct, which = merged(everything, np.ones(points.shape[1]))
        counts = Counts.of(len(distinct), which, np.concatenate([values, known.mean(waiting)]))
        return Posterior(known.kernel, distinct, repeated(counts, float(self.fitted.noises[0])), known.level)


def climbed(worth: Worth, space: Space, incumbent: FloatArray, rng: np.random.Generator) -> list[FloatArray]:
    """Points where `worth` is high, the highest first: scattered ones, some around the incumbent, and what is climbed to from the best.

    Points are those of configurations, rounded before they are looked at, but for the climbing between.
    """
    width = space.width
    scattered = qmc.Sobol(width, seed=np.random.default_rng(int(rng.integers(2**63)))).random(SCATTERED)
    scale = rng.choice([0.02, 0.1], size=(NEAR, 1))
    near = np.clip(incumbent + scale * rng.standard_normal((NEAR, width)) * (rng.random((NEAR, width)) < 0.5), 0.0, 1.0)
    starts = rounded(np.concatenate([scattered, near]), space)
    values = worth(starts)
    order = np.argsort(-values, kind="stable")
    found = [starts[i] for i in order[:CLIMBS].tolist()]
    found += [_climb(worth, point) for point in found]
    ends = rounded(np.array(found), space)
    last = worth(ends)
    return [ends[i] for i in np.argsort(-last, kind="stable").tolist()]


def rounded(points: FloatArray, space: Space) -> FloatArray:
    """Points moved to the configurations nearest to them."""
    return np.array([space.encode(space.decode(point)) for point in points])


def _climb(worth: Worth, start: FloatArray) -> FloatArray:
    step = 1e-5

    def down(x: FloatArray) -> tuple[float, FloatArray]:
        inside = np.clip(x, step, 1.0 - step)
        nudged = np.concatenate([[x], inside + step * np.eye(len(x)), inside - step * np.eye(len(x))])
        values = worth(nudged)
        n = len(x)
        return -float(values[0]), -(values[1 : n + 1] - values[n + 1 :]) / (2.0 * step)

    found = minimize(
        down, start, jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * len(start), options={"maxiter": 40}
    )
    return np.asarray(found.x, float)
