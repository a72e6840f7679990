"""BoTorch's rules behind the same ask and tell: those that need gradients through a surrogate, several points at once, or many fidelities.

    optimizer = BoTorchOptimizer(space, Key(1), "knowledge-gradient")
    configs = optimizer.ask(2)                                     # two to be measured side by side
    optimizer.tell(configs[0], 0.41)
    BoTorchOptimizer(space, Key(1), "many-fidelities", fidelity="questions", cost=(0.1, 1.0))

Rules: "log-ei" (values without noise), "log-noisy-ei" (the default), "knowledge-gradient", "max-value-entropy", "joint-entropy",
"predictive-entropy", and "many-fidelities" (knowledge gradient of the highest fidelity per cost). `constraints`: settings of a told result
that must be at least 0, each with a model of its own. Inputs are scaled to the unit cube, outputs standardised, all in float64.

Source: spec 33 and its table of what BoTorch 0.18 gives; Balandat et al. 2020 (BoTorch). Departs: the first entropy
search (Hennig and Schuler) is not in BoTorch and not here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from botorch.acquisition import (
    qKnowledgeGradient,
    qLogExpectedImprovement,
    qLogNoisyExpectedImprovement,
    qMultiFidelityKnowledgeGradient,
)
from botorch.acquisition.analytic import PosteriorMean
from botorch.acquisition.cost_aware import InverseCostWeightedUtility
from botorch.acquisition.fixed_feature import FixedFeatureAcquisitionFunction
from botorch.acquisition.joint_entropy_search import qJointEntropySearch
from botorch.acquisition.max_value_entropy_search import qMaxValueEntropy
from botorch.acquisition.objective import GenericMCObjective
from botorch.acquisition.predictive_entropy_search import qPredictiveEntropySearch
from botorch.acquisition.utils import get_optimal_samples, project_to_target_fidelity
from botorch.fit import fit_gpytorch_mll
from botorch.models import AffineFidelityCostModel, ModelListGP, SingleTaskGP, SingleTaskMultiFidelityGP
from botorch.models.transforms.outcome import Standardize
from botorch.optim import optimize_acqf
from gpytorch.mlls import ExactMarginalLogLikelihood, SumMarginalLogLikelihood

from outthink.core.errors import InputError, SettingsError, explain
from outthink.core.key import Key
from outthink.numerics.types import FloatArray
from outthink.tune.space import Config, Space, Value, frozen

Rule = Literal[
    "log-ei",
    "log-noisy-ei",
    "knowledge-gradient",
    "max-value-entropy",
    "joint-entropy",
    "predictive-entropy",
    "many-fidelities",
]
FANTASIES, RESTARTS, RAW, DRAWS = 32, 4, 64, 16
"""Sizes of BoTorch's inner problems: fantasies of one-shot rules, climbs, points looked at before them, draws of the maximum."""


class BoTorchOptimizer:
    """Ask and tell.

    Attributes:
        initial: how many configurations come from a Sobol sequence; by default two a coordinate and at least 5.
        fidelity, cost: for "many-fidelities" alone: the setting that says how thorough a measurement is, what a measurement costs at its
            lowest, and how much more at its highest.
    """

    def __init__(
        self,
        space: Space,
        key: Key,
        rule: Rule = "log-noisy-ei",
        *,
        initial: int | None = None,
        constraints: Sequence[str] = (),
        fidelity: str = "",
        cost: tuple[float, float] = (0.1, 1.0),
    ) -> None:
        if (rule == "many-fidelities") != bool(fidelity) or (fidelity and fidelity not in space.dimensions):
            raise SettingsError(
                explain(
                    "The rule and the fidelity do not fit together.",
                    got=f"rule {rule!r}, fidelity {fidelity!r}",
                    expected="a setting of the space as fidelity with 'many-fidelities', and none otherwise",
                    remedy="Name the setting that says how thorough a measurement is.",
                )
            )
        if constraints and rule not in ("log-ei", "log-noisy-ei"):
            raise SettingsError(
                explain(
                    "This rule takes no constraints.",
                    got=rule,
                    expected="log-ei or log-noisy-ei",
                    remedy="Choose one of these.",
                )
            )
        self.space, self.key, self.rule = space, key, rule
        self.initial = max(5, 2 * space.width) if initial is None else initial
        self.constraints, self.fidelity = tuple(constraints), fidelity
        self._cost = cost
        self._points: list[FloatArray] = []
        self._values: list[list[float]] = []
        self._pending: dict[tuple[tuple[str, Value], ...], FloatArray] = {}
        self._asked = 0
        seed = int(key.child("sobol").seeds(1)[0]) % 2**31
        self._sobol = torch.quasirandom.SobolEngine(space.width, scramble=True, seed=seed)

    def ask(self, n: int = 1) -> list[dict[str, Value]]:
        """n configurations to be measured side by side."""
        if len(self._points) < self.initial:
            points = self._sobol.draw(n, dtype=torch.float64).numpy()
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(self.key.child("ask", self._asked).seeds(1)[0]) % 2**31)
                points = self._chosen(n)
        configs = [self.space.decode(point) for point in points]
        self._asked += n
        for config in configs:
            self._pending[frozen(config)] = self.space.encode(config)
        return configs

    def tell(self, config: Config, value: float, constraints: Mapping[str, float] | None = None) -> None:
        """What came out, and by how much each constraint holds. Raises `InputError`: not finite, a constraint without a value."""
        told = [value, *((constraints or {}).get(name, math.nan) for name in self.constraints)]
        if not all(map(math.isfinite, told)):
            raise InputError(
                explain(
                    "This cannot be learned from.",
                    got=dict(zip(("value", *self.constraints), told, strict=True)),
                    expected="finite numbers for the value and every constraint",
                    remedy="Tell nothing of what failed.",
                )
            )
        self._pending.pop(frozen(config), None)
        self._points.append(self.space.encode(config))
        self._values.append(told)

    @property
    def best(self) -> dict[str, Value]:
        """The told configuration with the highest believed value, at the highest fidelity, that is believed to keep the constraints."""
        model = self._model()
        points = torch.tensor(np.array(self._points))
        if self.fidelity:
            points = points.clone()
            points[:, self._fidelity_column] = 1.0
        with torch.no_grad():
            mean = model.posterior(points).mean
        value = mean[:, 0].clone()
        if self.constraints:
            held = (mean[:, 1:] >= 0.0).all(dim=1)
            value[~held] = -math.inf
        return self.space.decode(points[int(value.argmax())].numpy())

    @property
    def _fidelity_column(self) -> int:
        marked = {name: Space({name: dimension}).width for name, dimension in self.space.dimensions.items()}
        before = list(marked).index(self.fidelity)
        return sum(list(marked.values())[:before])

    def _model(self) -> Any:
        x = torch.tensor(np.array(self._points))
        y = torch.tensor(self._values, dtype=torch.float64)
        if self.fidelity:
            model = SingleTaskMultiFidelityGP(
                x, y, data_fidelities=[self._fidelity_column], outcome_transform=Standardize(m=1)
            )
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
            return model
        if not self.constraints:
            model = SingleTaskGP(x, y, outcome_transform=Standardize(m=1))
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
            return model
        parts = [SingleTaskGP(x, y[:, [i]], outcome_transform=Standardize(m=1)) for i in range(y.shape[1])]
        several = ModelListGP(*parts)
        fit_gpytorch_mll(SumMarginalLogLikelihood(several.likelihood, several))
        return several

    def _chosen(self, n: int) -> FloatArray:
        model = self._model()
        bounds = torch.stack([torch.zeros(self.space.width), torch.ones(self.space.width)]).double()
        function = self._function(model, bounds)
        # One-shot rules and those of entropy choose one point after the other where several are wanted.
        found, _ = optimize_acqf(
            function, bounds, q=n, num_restarts=RESTARTS, raw_samples=RAW, sequential=n > 1 and not self._one_shot
        )
        return np.asarray(found.detach().numpy(), float)

    @property
    def _one_shot(self) -> bool:
        return self.rule in ("knowledge-gradient", "many-fidelities")

    def _function(self, model: Any, bounds: Any) -> Any:
        x = torch.tensor(np.array(self._points))
        waiting = torch.tensor(np.array(list(self._pending.values()))) if self._pending else None
        limits = [lambda samples, i=i: -samples[..., i] for i in range(1, 1 + len(self.constraints))] or None
        objective = GenericMCObjective(_first) if limits else None
        if self.rule == "log-ei":
            values = torch.tensor(self._values, dtype=torch.float64)
            held = (values[:, 1:] >= 0.0).all(dim=1)
            best = values[held, 0].max() if held.any() else values[:, 0].min()
            return qLogExpectedImprovement(model, best, objective=objective, constraints=limits, X_pending=waiting)
        if self.rule == "log-noisy-ei":
            return qLogNoisyExpectedImprovement(
                model, x, objective=objective, constraints=limits, X_pending=waiting, prune_baseline=True
            )
        if self.rule == "knowledge-gradient":
            return qKnowledgeGradient(model, num_fantasies=FANTASIES, X_pending=waiting)
        if self.rule == "many-fidelities":
            return self._many_fidelities(model, bounds, waiting)
        if self.rule == "max-value-entropy":
            candidates = bounds[0] + (bounds[1] - bounds[0]) * torch.rand(512, self.space.width, dtype=torch.float64)
            return qMaxValueEntropy(model, candidates, X_pending=waiting)
        optima, values = get_optimal_samples(model, bounds=bounds, num_optima=DRAWS)
        if self.rule == "joint-entropy":
            return qJointEntropySearch(model, optima, values, X_pending=waiting)
        return qPredictiveEntropySearch(model, optima, X_pending=waiting)

    def _many_fidelities(self, model: Any, bounds: Any, waiting: Any) -> Any:
        column = self._fidelity_column
        target = {column: 1.0}
        mean = FixedFeatureAcquisitionFunction(PosteriorMean(model), self.space.width, [column], [1.0])
        free = bounds[:, [i for i in range(self.space.width) if i != column]]
        _, current = optimize_acqf(mean, free, q=1, num_restarts=RESTARTS, raw_samples=RAW)

        fixed, more = self._cost
        utility = InverseCostWeightedUtility(AffineFidelityCostModel(fidelity_weights={column: more}, fixed_cost=fixed))
        return qMultiFidelityKnowledgeGradient(
            model,
            num_fantasies=FANTASIES,
            current_value=current,
            cost_aware_utility=utility,
            project=lambda points: project_to_target_fidelity(points, target_fidelities=target, d=self.space.width),
            X_pending=waiting,
        )


def _first(samples: Any, X: Any = None) -> Any:  # noqa: N803 - BoTorch passes it by this name
    return samples[..., 0]
