"""Combinations of densities that networks know: sharpened or flattened ones, products, and guidance as the true geometric mean.

    Product([first, second])                              # where both agree: q1 q2
    annealed(network, 2.0)                                # q^2: sharper; 0.5: flatter
    GeometricGuidance(network, unconditional, 3.0)        # q_u^(1 - w) q_c^w
    Product([Given(network, cat), Given(network, hat)])   # one model, two prompts
    Product([GeometricGuidance(a, none, 2.0), b], exponents=[1.5, 0.5])

A combination is prod_i q_i^b_i with constant exponents b of any sign whose sum B is positive. It predicts the data that its experts predict
together, sum_i b_i x0_i / B, and keeps what each of them says: `CorrectedProcess` weighs samples by it.

Adding scores samples no such product by itself, at any guidance scale but 0 and 1: the weights do.
Source: spec 22; Skreta et al. 2025, Feynman-Kac Correctors (arXiv 2503.02819).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch

from outthink.core.errors import SettingsError, explain
from outthink.diffusion.levels import Level
from outthink.diffusion.network import Condition, Guided, Network, rows


class Combination(Network):
    """prod_i q_i^b_i of m experts.

    Attributes:
        exponents: b_i, one an expert, none of them 0.
        sharpness: their sum B, positive.
        evaluations: those of all experts together.
    """

    def __init__(self, exponents: Sequence[float], evaluations: int) -> None:
        self.exponents = tuple(float(b) for b in exponents)
        self.sharpness = math.fsum(self.exponents)
        self.evaluations = evaluations
        if not (self.sharpness > 0.0 and math.isfinite(self.sharpness)):
            raise SettingsError(
                explain(
                    "This combination cannot be normalised: where there is most noise every expert is the same wide normal law.",
                    got=f"exponents {self.exponents}, which sum to {self.sharpness:g}",
                    expected="a positive sum",
                    remedy="Raise the positive exponents, or lower the negative ones.",
                )
            )

    @property
    def is_one_network(self) -> bool:
        """Whether it is nothing but one network as it is, so that no weight is needed."""
        return self.exponents == (1.0,)

    @abstractmethod
    def predictions(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        """The data that each expert predicts, [n, m, ...], of samples x [n, ...] at their levels [n]."""

    def data(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        return self.together(self.predictions(x, level, condition))

    def together(self, predictions: torch.Tensor) -> torch.Tensor:
        """What the experts predict together, [n, ...]: the mean of [n, m, ...] by exponents."""
        if len(self.exponents) == 1:
            return predictions[:, 0]
        shares = predictions.new_tensor([b / self.sharpness for b in self.exponents])
        return torch.tensordot(predictions, shares, dims=([1], [0]))


class Product(Combination):
    """prod_i q_i^b_i of networks, or of combinations, whose exponents multiply.

    Args:
        networks: at least one; all predict data of one shape.
        exponents: b_i; None: 1 each. Networks with exponent 0 are left out and never asked.
    """

    def __init__(self, networks: Sequence[Network], exponents: Sequence[float] | None = None) -> None:
        given = [1.0] * len(networks) if exponents is None else list(exponents)
        if len(given) != len(networks) or not networks:
            raise SettingsError(
                explain(
                    "A product needs one exponent for each of its networks.",
                    got=f"{len(networks)} networks, {len(given)} exponents",
                    expected="as many of both, at least one",
                    remedy="Leave out `exponents` for 1 each.",
                )
            )
        self.networks = tuple(network for network, b in zip(networks, given, strict=True) if b != 0.0)
        kept = [b for b in given if b != 0.0]
        inner = [b * own for network, b in zip(self.networks, kept, strict=True) for own in _exponents(network)]
        super().__init__(inner, sum(network.evaluations for network in self.networks))

    def predictions(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        return torch.cat([_predictions(network, x, level, condition) for network in self.networks], dim=1)


class Given(Network):
    """A network that is told `condition` (one row), whatever the process's is: for products of one model under several prompts."""

    def __init__(self, network: Network, condition: Condition) -> None:
        self.network, self.condition = network, condition
        self.evaluations = network.evaluations

    def data(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        return self.network.data(x, level, rows(self.condition, np.zeros(len(x), np.int64)))


class GeometricGuidance(Combination):
    """q_u^(1 - w) q_c^w: what classifier-free guidance by `scale` w is meant to sample. Both are asked in one batch.

    Scales 0 and 1 are the unconditional and the conditional network alone; only that one is asked then. A model whose guidance was
    distilled into it has no unconditional branch, and cannot be corrected.
    """

    def __init__(self, network: Network, unconditional: Condition, scale: float) -> None:
        self.guided = Guided(network, unconditional, scale)
        exponents = [1.0] if scale in (0.0, 1.0) else [1.0 - scale, scale]
        super().__init__(exponents, len(exponents) * network.evaluations)

    def predictions(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        if self.guided.scale == 1.0:
            return self.guided.network.data(x, level, condition)[:, None]
        if self.guided.scale == 0.0:
            alone = rows(self.guided.unconditional, np.zeros(len(x), np.int64))
            return self.guided.network.data(x, level, alone)[:, None]
        with_, without = self.guided.both(x, level, condition)
        return torch.stack([without, with_], dim=1)


def annealed(network: Network, exponent: float) -> Product:
    """q^exponent: sharper above 1, flatter below."""
    return Product([network], [exponent])


def _exponents(network: Network) -> tuple[float, ...]:
    return network.exponents if isinstance(network, Combination) else (1.0,)


def _predictions(network: Network, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
    if isinstance(network, Combination):
        return network.predictions(x, level, condition)
    return network.data(x, level, condition)[:, None]
