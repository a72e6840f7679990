"""How likely a sample is under a flow: the base's density where the sample came from, and how much the flow spread it on the way.

    found = log_density(flow_of(network), x, standard_normal, np.linspace(0, 1, 501))
    found.log_density                                     # nats, [n]

log rho1(x) = log rho0(X_0) - int div b dt along the ODE through x, by Heun steps. The divergence is exact, at one evaluation for each
number of a sample, or Hutchinson's estimate from a few random probes, at one each: unbiased for the integral, with noise of its own.
Derivatives are taken forwards, so memory stays that of one evaluation. `sde_log_density` averages densities over paths with noise: the
same value for exact fields, and for learned ones the likelihood of the sampler with noise. If unsure: exact below about 50 numbers a
sample.

Source: spec 30, "Density"; Albergo, Boffi and Vanden-Eijnden 2023, sections 2.4 and 2.5; Grathwohl et al. 2019 for the probes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.autograd import forward_ad

from outthink.core.errors import SettingsError, explain
from outthink.core.key import Key
from outthink.diffusion.conversions import velocity_from_data
from outthink.diffusion.levels import Level, on_path
from outthink.diffusion.network import Condition, FieldNetwork, Network
from outthink.diffusion.paths import Flow, Path
from outthink.numerics.types import FloatArray

Along = Callable[[torch.Tensor, float], torch.Tensor]
"""A flow's velocity: samples x [n, ...] at one time, rising from base to target, to dx/dt [n, ...]. Must let forward derivatives pass."""

LogDensity = Callable[[torch.Tensor], torch.Tensor]
"""Samples [n, ...] to nats, [n]."""


@dataclass(frozen=True)
class Likelihoods:
    """n samples.

    Attributes:
        log_density: nats, [n]. origin: where each came from, [n, ...]. spread: int div b dt, nats, [n].
    """

    log_density: torch.Tensor
    origin: torch.Tensor
    spread: torch.Tensor


def log_density(
    flow: Along, x: torch.Tensor, base: LogDensity, times: FloatArray, *, probes: int = 0, key: Key | None = None
) -> Likelihoods:
    """The log density of x [n, ...] at the last time.

    Args:
        base: log density at the first time. times: rising, [steps + 1].
        probes: 0 for the exact divergence, else how many random ones, drawn from `key`; each serves the whole path.
    """
    _rising(times)
    vectors = _probes(x, probes, key)
    spread = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for i in range(len(times) - 1, 0, -1):
        now, before = float(times[i]), float(times[i - 1])
        length = now - before
        first, first_spread = divergence(flow, x, now, vectors)
        second, second_spread = divergence(flow, x - length * first, before, vectors)
        x = x - 0.5 * length * (first + second)
        spread = spread + 0.5 * length * (first_spread + second_spread)
    return Likelihoods(base(x) - spread, x, spread)


def sde_log_density(
    network: FieldNetwork,
    x: torch.Tensor,
    base: LogDensity,
    times: FloatArray,
    *,
    strength: float,
    paths: int,
    key: Key,
) -> torch.Tensor:
    """The log density of x [n, ...] under the sampler with constant noise eps, nats, [n]: log of a mean over `paths` paths.

    rho1(x) = E[exp(-int div bF dt) rho0(Y_0)], Y run backward from x with the forward drift bF = b + eps s. The mean of densities is
    unbiased; its log is low by half the relative variance.
    """
    _rising(times)

    def forward(y: torch.Tensor, time: float) -> torch.Tensor:
        fields = network.fields(y, _level(Flow(), time, len(y)), None)
        return -fields.velocity + strength * fields.score

    rng = key.rng()
    y = x.repeat_interleave(paths, dim=0)
    spread = torch.zeros(len(y), dtype=x.dtype, device=x.device)
    for i in range(len(times) - 1, 0, -1):
        length = float(times[i] - times[i - 1])
        drift, opened = divergence(forward, y, float(times[i]), None)
        z = torch.from_numpy(rng.standard_normal(y.shape)).to(y.device, y.dtype)
        y = y - length * drift + (2.0 * strength * length) ** 0.5 * z
        spread = spread + length * opened
    each = (base(y) - spread).reshape(len(x), paths)
    return torch.logsumexp(each, dim=1) - float(np.log(paths))


def divergence(
    field: Along, x: torch.Tensor, time: float, probes: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """A field at x, [n, ...], and its divergence there, [n]: exact, or the mean of v . J v over `probes` [k, n, ...]."""
    directions = _unit(x) if probes is None else probes
    value, total = x, torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for direction in directions:
        with forward_ad.dual_level():
            value, slope = forward_ad.unpack_dual(field(forward_ad.make_dual(x, direction.contiguous()), time))
        # A field that does not depend on x has no derivative at all.
        if slope is not None:
            total = total + (direction * slope).reshape(len(x), -1).sum(dim=1)
    return value, total if probes is None else total / len(directions)


def flow_of(network: FieldNetwork, condition: Condition = None) -> Along:
    """The velocity of a bridge's network, from base to target."""
    return lambda x, time: -network.fields(x, _level(Flow(), time, len(x)), condition).velocity


def path_flow(network: Network, path: Path, condition: Condition = None, *, margin: float = 1e-4) -> Along:
    """The velocity of a denoiser on its path, from noise to data.

    Times stay `margin` away from the data, where noise cannot be told from a sample without any.
    """

    def along(x: torch.Tensor, time: float) -> torch.Tensor:
        level = _level(path, min(time, 1.0 - margin), len(x))
        return -velocity_from_data(network.data(x, level, condition), x, level)

    return along


def standard_normal(x: torch.Tensor) -> torch.Tensor:
    """Log density of N(0, I), nats, [n]."""
    flat = x.reshape(len(x), -1)
    return -0.5 * (flat**2).sum(dim=1) - 0.5 * flat.shape[1] * float(np.log(2.0 * np.pi))


def _level(path: Path, time: float, n: int) -> Level:
    return on_path(path, np.full(n, 1.0 - time), np.asarray)


def _unit(x: torch.Tensor) -> torch.Tensor:
    """One direction for each number of a sample, [d, n, ...]."""
    d = x[0].numel()
    return torch.eye(d, dtype=x.dtype, device=x.device).reshape(d, 1, *x.shape[1:]).expand(d, *x.shape)


def _probes(x: torch.Tensor, probes: int, key: Key | None) -> torch.Tensor | None:
    """Random signs, [k, n, ...], whose estimate has the least variance among independent probes; None for the exact divergence."""
    if probes == 0:
        return None
    if key is None:
        raise SettingsError(
            explain(
                "Random probes need a key.",
                got="no key",
                expected="key=Key(...)",
                remedy="Pass a key, or probes=0 for the exact divergence.",
            )
        )
    signs = 2.0 * key.rng().integers(2, size=(probes, *x.shape)) - 1.0
    return torch.from_numpy(signs).to(x.device, x.dtype)


def _rising(times: FloatArray) -> None:
    if len(times) < 2 or not (np.diff(times) > 0).all():
        raise SettingsError(
            explain(
                "Times do not rise from base to target.",
                got=f"{len(times)} times",
                expected="at least two, each later than the one before",
                remedy="Use np.linspace(0, 1, steps + 1).",
            )
        )
