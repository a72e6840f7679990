"""Tables read from schedulers of diffusers: the steps taken are theirs, levels in between are on the table, the others are refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Incompatible
from outthink.diffusion import Ancestral, DenoisingProcess, DpmSolver, FlowEuler, Prediction, SdeDpmSolver, Thresholded
from outthink.diffusion.conversions import from_data
from outthink.diffusion.levels import Level
from outthink.diffusion.schedules import Schedule, read
from tests.diffusion.closed_form import PLANE, begun, finished

STEPS = 8


class Fake:
    """A scheduler with what diffusers' have and nothing else, so that reading is tested without diffusers."""

    def __init__(self, name: str, **config: Any) -> None:
        self.name, self.config = name, {"prediction_type": "epsilon", **config}
        self.alphas_cumprod = torch.linspace(0.9999, 0.005, 1000, dtype=torch.float64)
        self.timesteps, self.asked = torch.arange(999, -1, -1), 0

    def set_timesteps(self, steps: int) -> None:
        self.asked += 1
        self.timesteps = torch.arange(0, 1000, 1000 // steps).flip(0)


def fake(name: str, **config: Any) -> Any:
    made = Fake(name, **config)
    made.__class__ = type(name, (Fake,), {})
    return made


def test_a_table_is_read_and_the_scheduler_left_as_it_was() -> None:
    scheduler = fake("DDIMScheduler")
    schedule = read(scheduler, 4)
    assert scheduler.asked == 0
    assert len(scheduler.timesteps) == 1000
    assert schedule.grid.levels.model_time.tolist() == [750, 500, 250, 0, 0]
    kept = scheduler.alphas_cumprod.numpy()
    assert np.allclose(schedule.grid.levels.alpha, np.sqrt([*kept[[750, 500, 250, 0]], 1.0]))
    assert schedule.grid.ends_clean
    # Without a last level of clean data, the step from row 0 to row 0 leads nowhere and is left out.
    assert read(fake("DDIMScheduler", set_alpha_to_one=False), 4).grid.levels.model_time.tolist() == [750, 500, 250, 0]


def test_levels_in_between_are_told_by_the_table_of_training() -> None:
    schedule = read(fake("DDIMScheduler"), 4)
    middle = schedule.grid.between(np.array([1, 2, 4]), np.array([0.5, 0.2, 0.5]))
    kept = fake("x").alphas_cumprod.numpy()
    wanted = [int(np.argmin(np.abs(kept - alpha**2))) for alpha in middle.alpha]
    assert np.allclose(middle.model_time, wanted, rtol=0, atol=1.0)
    assert np.allclose(middle.alpha**2 + middle.sigma**2, 1.0)


@pytest.mark.parametrize(
    ("said", "kind"),
    [("epsilon", "noise"), ("sample", "data"), ("v_prediction", "v"), ("flow_prediction", "flow")],
)
def test_what_is_predicted_is_read(said: str, kind: str) -> None:
    assert read(fake("DDIMScheduler", prediction_type=said), 4).predicts is Prediction(kind)
    with pytest.raises(Incompatible, match=r"prediction_type = 'guess'"):
        read(fake("DDIMScheduler", prediction_type="guess"), 4)


def test_a_flow_needs_no_name_for_its_prediction() -> None:
    class FlowMatchEulerDiscreteScheduler:
        config: ClassVar[dict[str, Any]] = {}

        def set_timesteps(self, steps: int) -> None:
            self.sigmas = np.linspace(1.0, 0.0, steps + 1)
            self.timesteps = 1000.0 * self.sigmas[:-1]

    schedule = read(FlowMatchEulerDiscreteScheduler(), 4)
    assert schedule.predicts is Prediction.FLOW
    assert schedule.solver() == FlowEuler()
    assert schedule.grid.levels.alpha.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    middle = schedule.grid.between(np.array([2]), np.array([0.3]))
    assert middle.alpha + middle.sigma == pytest.approx(1.0)
    assert middle.model_time == pytest.approx(1000 * middle.sigma, abs=0.01)


@pytest.mark.parametrize(
    "name",
    ["PNDMScheduler", "DEISMultistepScheduler", "LMSDiscreteScheduler", "MyOwnScheduler", "KDPM2DiscreteScheduler"],
)
def test_schedulers_with_hidden_history_are_refused_by_name(name: str) -> None:
    with pytest.raises(Incompatible, match=rf"No solver here takes the steps of {name}.*Choose a solver yourself"):
        read(fake(name), 4).solver()


@pytest.mark.parametrize(
    "config",
    [{"solver_order": 3}, {"solver_type": "heun"}, {"algorithm_type": "dpmsolver"}, {"thresholding": True}],
    ids=str,
)
def test_settings_under_which_the_steps_differ_are_refused(config: dict[str, Any]) -> None:
    assert read(fake("DPMSolverMultistepScheduler"), 4).solver() == DpmSolver()
    assert read(fake("DPMSolverMultistepScheduler", algorithm_type="sde-dpmsolver++"), 4).solver() == SdeDpmSolver()
    with pytest.raises(Incompatible, match="No solver here"):
        read(fake("DPMSolverMultistepScheduler", **config), 4).solver()


@pytest.mark.parametrize("missing", ["set_timesteps", "alphas_cumprod", "timesteps"])
def test_what_holds_no_table_is_refused(missing: str) -> None:
    scheduler = fake("DDIMScheduler")
    without = SimpleNamespace(
        config=scheduler.config,
        **{n: getattr(scheduler, n) for n in ("set_timesteps", "alphas_cumprod", "timesteps") if n != missing},
    )
    with pytest.raises(Incompatible, match="cannot be read"):
        read(without, 4)


def test_clipping_is_the_networks_and_read() -> None:
    with pytest.raises(Incompatible, match=r"No solver here.*clipped samples for DDIM"):
        read(fake("DDIMScheduler", clip_sample=True), 4).solver()
    assert read(fake("DDPMScheduler", clip_sample=True), 4).solver() == Ancestral()
    assert isinstance(read(fake("DDIMScheduler", clip_sample=True), 4).network(torch.add), Thresholded)
    assert not isinstance(read(fake("DDIMScheduler"), 4).network(torch.add), Thresholded)


# -- against diffusers itself -------------------------------------------------------------------------------------------


def call_of(schedule: Schedule) -> Any:
    """The mixture's exact denoiser as a network of the schedule's kind, told the schedule's times, on its scale of x."""
    table = schedule.grid.levels
    order = np.argsort(table.model_time[:-1])

    def call(x: torch.Tensor, time: torch.Tensor, condition: object) -> torch.Tensor:
        at = order[np.searchsorted(table.model_time[:-1][order], time.numpy() - 1e-3)]
        where = Level.of_table(table.alpha[at], table.sigma[at], time.numpy())
        return from_data(schedule.predicts, PLANE.network().data(x, where, None), x, where)

    return call


def theirs(scheduler: Any, schedule: Schedule, x: torch.Tensor) -> torch.Tensor:
    """Diffusers' own loop, as its pipelines write it."""
    scheduler.set_timesteps(STEPS)
    call = call_of(schedule)
    scaled = schedule.name in ("EulerDiscreteScheduler", "HeunDiscreteScheduler")
    if scaled:
        x = x / schedule.grid.levels.alpha[0]
    for time in scheduler.timesteps:
        shown = scheduler.scale_model_input(x, time) if scaled else x
        output = call(shown, torch.full((len(x),), float(time), dtype=torch.float64), None)
        x = scheduler.step(output, time, x).prev_sample
    return x


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("DDIMScheduler", {"clip_sample": False}),
        ("DDIMScheduler", {"clip_sample": False, "prediction_type": "v_prediction", "timestep_spacing": "trailing"}),
        ("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False, "prediction_type": "sample"}),
        ("DPMSolverMultistepScheduler", {}),
        ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
        ("UniPCMultistepScheduler", {}),
        ("UniPCMultistepScheduler", {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": 3.0}),
        ("EulerDiscreteScheduler", {}),
        ("EulerDiscreteScheduler", {"prediction_type": "v_prediction", "timestep_spacing": "trailing"}),
        ("HeunDiscreteScheduler", {}),
        ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0}),
    ],
    ids=lambda value: value.removesuffix("Scheduler") if isinstance(value, str) else " ".join(value),
)
@pytest.mark.filterwarnings("ignore")
def test_our_steps_are_those_of_diffusers(name: str, config: dict[str, Any]) -> None:
    need("diffusers")
    import diffusers

    scheduler = getattr(diffusers, name)(**config)
    schedule = read(scheduler, STEPS)
    process = DenoisingProcess(
        schedule.network(call_of(schedule)), schedule.grid, schedule.solver(), (2,), dtype=torch.float64
    )
    start = begun(process, 6)
    wanted = theirs(scheduler, schedule, start)
    assert (finished(process, 6) - wanted).abs().max() < 2e-5 * max(1.0, float(wanted.abs().max()))


@pytest.mark.parametrize(
    ("name", "solver"),
    [("DDPMScheduler", Ancestral()), ("EulerAncestralDiscreteScheduler", Ancestral())],
    ids=["DDPM", "EulerAncestral"],
)
@pytest.mark.filterwarnings("ignore")
def test_noise_is_added_as_diffusers_does(name: str, solver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The means of the first step are the same, and its deviations."""
    need("diffusers")
    import diffusers

    scheduler = getattr(diffusers, name)(**({"clip_sample": False} if "DDPM" in name else {}))
    schedule = read(scheduler, STEPS)
    assert schedule.solver() == solver
    table, call = schedule.grid.levels, call_of(schedule)
    scheduler.set_timesteps(STEPS)
    ve = "Euler" in name
    x = torch.randn(20_000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))[:1].repeat(20_000, 1)
    held = x / table.alpha[0] if ve else x
    time = scheduler.timesteps[0]
    shown = scheduler.scale_model_input(held, time) if ve else held
    output = call(shown, torch.full((len(x),), float(time), dtype=torch.float64), None)
    after = scheduler.step(output, time, held, generator=torch.Generator().manual_seed(4)).prev_sample
    after = after * table.alpha[1] if ve else after
    process = DenoisingProcess(schedule.network(call), schedule.grid, solver, (2,), dtype=torch.float64)
    from outthink.diffusion.solvers import Here, Past

    start, end = table.take(np.zeros(1, np.int64)), table.take(np.ones(1, np.int64))
    data = process.network.data(x[:1], start, None)
    here = Here(x[:1], data, start, end, Past((), (), np.zeros(1, np.int64)), lambda x, where: x)
    move = solver.move(here)
    assert torch.allclose(after.mean(dim=0), move.mean[0], rtol=0, atol=4 * float(move.deviation[0]) / 20_000**0.5)
    assert float(after.std(dim=0).mean()) == pytest.approx(float(move.deviation[0]), rel=0.02)
