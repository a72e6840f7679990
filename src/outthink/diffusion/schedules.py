"""Schedules of other libraries: the table of levels, what the network predicts, and which solver does the same, read and never run.

    schedule = read(pipeline.scheduler, steps=30)          # any scheduler of diffusers
    network = schedule.network(call)                       # told what the scheduler's network is told, its output converted
    process = DenoisingProcess(network, schedule.grid, schedule.solver(), shape)

A scheduler is told apart by what it holds (`alphas_cumprod`, `sigmas`, `timesteps`, `config.prediction_type`), so nothing of diffusers is
imported, and it is copied before it is asked for its steps. Its own `step` is never used: it keeps a hidden history that cannot be forked
and one level for a whole batch. Those of which the solvers here are an exact counterpart name it by `solver`; every other one is refused
there, with the remedy to choose a solver, and its table can still be used.

Source: shared vocabulary of the diffusion sheets, "diffusers names"; huggingface/diffusers, the schedulers named in `_SOLVERS`.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from outthink.core.errors import Incompatible, explain
from outthink.diffusion.conversions import Prediction
from outthink.diffusion.levels import Grid, Level
from outthink.diffusion.network import Call, Network, Plain, Thresholded
from outthink.diffusion.paths import Flow
from outthink.diffusion.solvers import (
    Ancestral,
    AnySolver,
    Ddim,
    DpmSolver,
    Euler,
    FlowEuler,
    Heun,
    SdeDpmSolver,
    UniPc,
)
from outthink.numerics.types import BoolArray, FloatArray

_PREDICTIONS = {
    "epsilon": Prediction.NOISE,
    "sample": Prediction.DATA,
    "v_prediction": Prediction.V,
    "flow_prediction": Prediction.FLOW,
}


@dataclass(frozen=True)
class Schedule:
    """What is read of a scheduler.

    Attributes:
        grid: its levels for so many steps.
        predicts: what its network's output is.
        limit: predicted data is clipped to [-limit, limit] (`Thresholded`); None for not at all.
        name: of its class; `settings`: its configuration.
    """

    grid: Grid
    predicts: Prediction
    limit: float | None
    name: str
    settings: dict[str, Any]

    def network(self, call: Call) -> Network:
        """The scheduler's network: its output converted at the door, and its predicted data clipped where the scheduler does that."""
        plain = Plain(call, self.predicts)
        return plain if self.limit is None else Thresholded(plain, self.limit)

    def solver(self) -> AnySolver:
        """The solver that takes the steps which the scheduler would take. Raises `Incompatible` where there is none."""
        found = _counterpart(self.name, self.settings)
        if found is None:
            raise Incompatible(
                explain(
                    f"No solver here takes the steps of {self.name} as it is set, and its own steps cannot be forked.",
                    got=self.name,
                    expected=", ".join(sorted(_SOLVERS))
                    + ", without clipped samples for DDIM, of order 2 for DPM-Solver and UniPC",
                    remedy="Choose a solver yourself, such as DpmSolver() or Ancestral(); the scheduler's table stays the same.",
                )
            )
        return found


def read(scheduler: Any, steps: int, **how: Any) -> Schedule:
    """The levels of a scheduler for `steps` steps; `how` goes to its `set_timesteps` (a flow's shift `mu`, own timesteps or sigmas).

    Raises `Incompatible` for what holds no table that can be read.
    """
    settings = dict(getattr(scheduler, "config", None) or {})
    name = type(scheduler).__name__
    asked = copy.deepcopy(scheduler)
    if not hasattr(asked, "set_timesteps"):
        raise _unreadable(name, "no set_timesteps")
    asked.set_timesteps(steps, **how)
    times, sigmas = _numbers(asked, "timesteps"), _numbers(asked, "sigmas")
    trained = _numbers(asked, "alphas_cumprod")
    if times is None or (sigmas is None and trained is None):
        raise _unreadable(name, "neither sigmas nor alphas_cumprod")
    flow = bool(settings.get("use_flow_sigmas")) or trained is None
    predicts = _predicts(name, settings, flow)
    own = sigmas is not None and len(sigmas) == len(times) + 1
    if flow:
        grid = _of_flow(name, sigmas if own else None, times)
    elif own and sigmas is not None:
        grid = _of_ratios(name, sigmas, times, trained)
    else:
        # The sigmas, if any, are those of training.
        grid = _of_rows(name, times, trained, _last(asked, settings, trained))
    limit = float(settings.get("clip_sample_range", 1.0)) if settings.get("clip_sample") else None
    return Schedule(grid, predicts, limit, name, settings)


def _of_flow(name: str, sigmas: FloatArray | None, times: FloatArray) -> Grid:
    """A flow's sigma is its own clock, so its levels lie on a path."""
    if sigmas is None or sigmas.max() > 1.0:
        got = "none for each level" if sigmas is None else f"up to {sigmas.max():.4g}"
        raise _unreadable(name, f"no alphas_cumprod, and sigmas {got}")
    keep = _falling(name, sigmas)
    return Grid.on(Flow(), sigmas[keep], model_time=np.append(times, 0.0)[keep])


def _of_ratios(name: str, sigmas: FloatArray, times: FloatArray, trained: FloatArray | None) -> Grid:
    """From k-diffusion's sigma / alpha, to the scale alpha^2 + sigma^2 = 1 on which the networks were trained."""
    keep = _falling(name, sigmas)
    alpha = 1.0 / np.sqrt(1.0 + sigmas[keep] ** 2)
    return Grid.of_table(alpha, sigmas[keep] * alpha, np.append(times, 0.0)[keep], fine=_of_training(trained))


def _of_rows(name: str, times: FloatArray, trained: FloatArray | None, last: float) -> Grid:
    """Rows of the training table; a last step that leads nowhere is left out."""
    if trained is None:
        raise _unreadable(name, f"{len(times)} times without sigmas")
    kept = np.append(trained[np.rint(times).astype(np.int64)], last)
    keep = _falling(name, 1.0 - kept)
    return Grid.of_table(
        np.sqrt(kept[keep]), np.sqrt(1.0 - kept[keep]), np.append(times, 0.0)[keep], fine=_of_training(trained)
    )


def _of_training(trained: FloatArray | None) -> Level | None:
    """The table that the network was trained on, noisiest first; it is told the row's number."""
    if trained is None:
        return None
    times = np.arange(len(trained), dtype=np.float64)[::-1]
    return Level.of_table(np.sqrt(trained[::-1]), np.sqrt(1.0 - trained[::-1]), times)


def _falling(name: str, noise: FloatArray) -> BoolArray:
    """Which levels are less noisy than all before, [n + 1]: schedulers of two stages a step name each level twice.

    Raises `Incompatible` where noise rises, which is another scheduler's way of entering a level again.
    """
    change = np.diff(noise)
    if len(noise) < 2 or (change > 0).any() or not (change < 0).any():
        raise _unreadable(name, f"noise that rises after level {int(np.argmax(change)) if len(change) else 0}")
    return np.concatenate([[True], change < 0])


def _last(scheduler: Any, settings: dict[str, Any], trained: FloatArray | None) -> float:
    """alpha^2 at the end: clean data, or the first row of the table where the scheduler says so (`set_alpha_to_one = False`)."""
    final = getattr(scheduler, "final_alpha_cumprod", None)
    if final is not None:
        return float(final)
    return float(trained[0]) if trained is not None and settings.get("set_alpha_to_one") is False else 1.0


def _predicts(name: str, settings: dict[str, Any], flow: bool) -> Prediction:
    said = settings.get("prediction_type")
    if said is None and flow:
        return Prediction.FLOW
    if said not in _PREDICTIONS:
        raise _unreadable(name, f"prediction_type = {said!r}")
    return _PREDICTIONS[said]


def _numbers(scheduler: Any, name: str) -> FloatArray | None:
    value = getattr(scheduler, name, None)
    if value is None:
        return None
    host = value.detach().cpu().numpy() if hasattr(value, "detach") else value
    return np.asarray(host, np.float64)


def _counterpart(name: str, settings: dict[str, Any]) -> AnySolver | None:
    """The solver of the same steps, for the settings under which they are the same."""
    if name not in _SOLVERS or settings.get("thresholding"):
        return None
    if name == "DDIMScheduler" and settings.get("clip_sample"):
        # It clips the predicted data and not the noise that it goes on with.
        return None
    if name == "DPMSolverMultistepScheduler":
        algorithm = settings.get("algorithm_type", "dpmsolver++")
        if settings.get("solver_type", "midpoint") != "midpoint" or settings.get("solver_order", 2) != 2:
            return None
        same: dict[str, AnySolver] = {"dpmsolver++": DpmSolver(), "sde-dpmsolver++": SdeDpmSolver()}
        return same.get(algorithm)
    if name == "UniPCMultistepScheduler" and (
        settings.get("solver_order", 2),
        settings.get("solver_type", "bh2"),
        settings.get("predict_x0", True),
    ) != (2, "bh2", True):
        return None
    return _SOLVERS[name]


_SOLVERS: dict[str, AnySolver] = {
    "DDIMScheduler": Ddim(),
    "DDPMScheduler": Ancestral(),
    "DPMSolverMultistepScheduler": DpmSolver(),
    "EulerDiscreteScheduler": Euler(),
    "EulerAncestralDiscreteScheduler": Ancestral(),
    "FlowMatchEulerDiscreteScheduler": FlowEuler(),
    "HeunDiscreteScheduler": Heun(),
    "UniPCMultistepScheduler": UniPc(),
}


def _unreadable(name: str, got: str) -> Incompatible:
    return Incompatible(
        explain(
            f"The table of levels of {name} cannot be read.",
            got=got,
            expected="set_timesteps, then timesteps with sigmas or alphas_cumprod, falling noise, and a known prediction_type",
            remedy="Give the levels yourself: Grid.on(path, times) or Grid.of_table(alpha, sigma, model_time).",
        )
    )
