"""Pipelines of diffusers as processes: the pipeline's own picture from best-of-1, every method on each of them, wrong wishes by name."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.needs import need

need("diffusers")

import torch

from outthink.core import Budget, Incompatible, InputError, ModelMissing, Result, Search, Session, Task
from outthink.core.algorithm import Algorithm
from outthink.diffusion import Ancestral, DenoisingProcess, DpmSolver, Solver, reward
from outthink.diffusion.pipelines import Adapted, adapt, known_networks, open_folder
from outthink.search import (
    Beam,
    BestOfN,
    Evolve,
    ParticleFilter,
    Rewind,
    Rollover,
    StepBestOfN,
    Tree,
    ZeroOrder,
)
from tests.diffusion import tiny_pipelines as tiny

STEPS = 4
PROMPT, NEGATIVE = "a lighthouse", "dusk"
CLOSE = 2e-5
"""How far a pixel may be off, of a range of 1: both sides compute in single precision, in another order."""


@pytest.fixture(autouse=True)
def _their_own_warnings() -> Iterator[None]:
    """What diffusers and transformers warn about inside their own code is not ours to answer for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pipelines")


@pytest.fixture(scope="module")
def latent(places: Path) -> Any:
    from diffusers import DPMSolverMultistepScheduler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _quiet(tiny.stable_diffusion(places / "sd", DPMSolverMultistepScheduler()))


@pytest.fixture(scope="module")
def flow(places: Path) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _quiet(tiny.stable_diffusion_3(places / "sd3", FlowMatchEulerDiscreteScheduler(shift=3.0)))


@pytest.fixture(scope="module")
def pixel() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _quiet(tiny.pixels())


def _quiet(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


class Watched(DenoisingProcess):
    """Keeps the noise that its samples began with."""

    first: torch.Tensor

    async def start(self, seeds: Any) -> Any:
        states = await super().start(seeds)
        self.first = states.x
        return states


def sampled(model: Adapted, steps: int = STEPS, solver: Solver | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """The sample of best-of-1, in [0, 1], and the noise that it began with."""
    process = model.process(steps, solver)
    process.__class__ = Watched
    found = searched(process, BestOfN(n=1))
    return found.candidates[0].content / 2 + 0.5, process.first


def searched(process: DenoisingProcess, algorithm: Algorithm[Any], budget: int | None = None) -> Result:
    async def solve() -> Result:
        search = Search(lambda task: process, algorithm, reward(lambda images: images.mean(dim=(1, 2, 3))))
        return await search.solve(Task(), Session.open(seed=1, budget=Budget(denoiser_evals=budget)))

    return asyncio.run(solve())


# -- best-of-1 is the pipeline's own sample ----------------------------------------------------------------------------


def ddim() -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler(clip_sample=False, steps_offset=1, set_alpha_to_one=False)


def dpm_solver() -> Any:
    from diffusers import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(timestep_spacing="leading", steps_offset=1)


def unipc() -> Any:
    from diffusers import UniPCMultistepScheduler

    return UniPCMultistepScheduler()


def euler() -> Any:
    from diffusers import EulerDiscreteScheduler

    return EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1)


def heun() -> Any:
    from diffusers import HeunDiscreteScheduler

    return HeunDiscreteScheduler(timestep_spacing="leading", steps_offset=1)


@pytest.mark.parametrize("scheduler", [ddim, dpm_solver, unipc, euler, heun], ids=lambda f: f.__name__)
def test_best_of_one_is_what_the_latent_pipeline_draws(latent: Any, scheduler: Callable[[], Any]) -> None:
    """Guided, with a negative prompt, through the auto-encoder."""
    latent.scheduler = scheduler()
    mine, noise = sampled(adapt(latent, prompt=PROMPT, negative=NEGATIVE))
    asked = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "num_inference_steps": STEPS, "output_type": "pt"}
    theirs = latent(latents=noise, **asked).images[0]
    assert mine.shape == theirs.shape == (3, 16, 16)
    assert theirs.std() > 0.05
    assert (mine - theirs).abs().max() < CLOSE


def test_best_of_one_knows_the_prompt_and_the_guidance(latent: Any) -> None:
    """The comparison has teeth: another prompt, or another guidance, is another sample."""
    latent.scheduler = ddim()
    usual, _ = sampled(adapt(latent, prompt=PROMPT, negative=NEGATIVE))
    other, _ = sampled(adapt(latent, prompt="at dusk", negative=NEGATIVE))
    weaker, _ = sampled(adapt(latent, prompt=PROMPT, negative=NEGATIVE, guidance=3.0))
    assert (usual - other).abs().max() > 10 * CLOSE
    assert (usual - weaker).abs().max() > 10 * CLOSE


@pytest.mark.parametrize("shifts", [False, True])
def test_best_of_one_is_what_the_flow_pipeline_draws(flow: Any, shifts: bool) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    flow.scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=shifts, shift=3.0)
    mine, noise = sampled(adapt(flow, prompt=PROMPT, negative=NEGATIVE))
    asked = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "num_inference_steps": STEPS, "output_type": "pt"}
    assert (mine - flow(latents=noise, **asked).images[0]).abs().max() < CLOSE


def test_best_of_one_is_what_the_larger_latent_pipeline_draws(places: Path) -> None:
    pipeline = _quiet(tiny.stable_diffusion_xl(places / "xl", euler()))
    mine, noise = sampled(adapt(pipeline, prompt=PROMPT, negative=NEGATIVE))
    asked = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "num_inference_steps": STEPS, "output_type": "pt"}
    assert (mine - pipeline(latents=noise, **asked).images[0]).abs().max() < CLOSE


def test_an_auto_encoder_that_says_its_channels_mean_and_spread_is_heard(places: Path) -> None:
    pipeline = _quiet(tiny.stable_diffusion_xl(places / "xl", ddim()))
    pipeline.vae.register_to_config(latents_mean=[-0.5, 0.4, 0.3, -0.2], latents_std=[0.5, 2.0, 1.5, 0.7])
    mine, noise = sampled(adapt(pipeline, prompt=PROMPT, negative=NEGATIVE))
    asked = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "num_inference_steps": STEPS, "output_type": "pt"}
    assert (mine - pipeline(latents=noise, **asked).images[0]).abs().max() < CLOSE


def test_best_of_one_is_what_the_pixel_pipeline_draws(pixel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, noise = sampled(adapt(pixel))
    monkeypatch.setattr("diffusers.pipelines.ddim.pipeline_ddim.randn_tensor", lambda *a, **k: noise)
    theirs = pixel(num_inference_steps=STEPS, output_type="np").images[0]
    assert np.abs(mine.permute(1, 2, 0).numpy() - theirs).max() < CLOSE


def test_best_of_one_is_what_the_pipeline_of_classes_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its network predicts variances as well, which are cut off."""
    pipeline = _quiet(tiny.classes_transformer(ddim()))
    mine, noise = sampled(adapt(pipeline, label=2))
    monkeypatch.setattr("diffusers.pipelines.dit.pipeline_dit.randn_tensor", lambda *a, **k: noise)
    theirs = pipeline([2], num_inference_steps=STEPS, output_type="np").images[0]
    assert np.abs(mine.permute(1, 2, 0).numpy() - theirs).max() < CLOSE


def test_classes_reach_a_network_of_pixels() -> None:
    pipeline = tiny.pixels(classes=3)
    zero, two = (sampled(adapt(pipeline, label=label))[0] for label in (0, 2))
    assert (zero - two).abs().max() > 10 * CLOSE


# -- every method, unchanged -------------------------------------------------------------------------------------------

METHODS: list[Algorithm[Any]] = [
    BestOfN(n=2),
    ParticleFilter(n=2),
    Beam(n=4, width=2),
    StepBestOfN(n=2),
    Tree(n=3, batch=2),
    ZeroOrder(n=2, rounds=1),
    Rollover(n=1, first=2, quota=2, proposals=8),
    Rewind(n=1, children=2),
    Evolve(n=2, schedule=(0, 1), elites=1),
]


@pytest.mark.parametrize("algorithm", METHODS, ids=lambda a: a.name())
@pytest.mark.parametrize("kind", ["pixel", "latent", "flow"])
def test_every_method_runs_on_every_pipeline(kind: str, algorithm: Any, request: pytest.FixtureRequest) -> None:
    pipeline = request.getfixturevalue(kind)
    wish = {} if kind == "pixel" else {"prompt": PROMPT}
    process = adapt(pipeline, **wish).process(3, Ancestral())
    found = searched(process, algorithm, budget=60)
    assert found.chosen is not None
    assert found.answer.abs().max() <= 1.0
    assert found.cost.denoiser_evals == process.evaluations <= 60


# -- what a pipeline keeps of its own ----------------------------------------------------------------------------------


def test_modules_are_called_and_not_reached_into(latent: Any) -> None:
    """Offloading hangs on the modules' own calls: each of them sees every use."""
    seen: list[str] = []
    parts = ("unet", "text_encoder")
    hooks = [getattr(latent, p).register_forward_pre_hook(lambda *_, p=p: seen.append(p)) for p in parts]
    latent.scheduler = ddim()
    try:
        sampled(adapt(latent, prompt=PROMPT))
    finally:
        for hook in hooks:
            hook.remove()
    assert seen == ["text_encoder"] * 2 + ["unet"] * STEPS


def test_rows_of_one_call_can_be_bounded(latent: Any) -> None:
    latent.scheduler = ddim()
    whole = searched(adapt(latent, prompt=PROMPT).process(2), BestOfN(n=3))
    parts = searched(adapt(latent, prompt=PROMPT, at_once=2).process(2), BestOfN(n=3))
    for mine, other in zip(whole.candidates, parts.candidates, strict=True):
        assert (mine.content - other.content).abs().max() < CLOSE


def test_a_pipeline_opens_from_its_folder(pixel: Any, tmp_path: Path) -> None:
    pixel.save_pretrained(tmp_path / "model")
    again = open_folder(tmp_path / "model")
    ours, _ = sampled(adapt(pixel))
    assert (ours - sampled(adapt(again))[0]).abs().max() < CLOSE


# -- refused by name ---------------------------------------------------------------------------------------------------


class Momentum:
    """A third party's scheduler: a table that can be read, and a history that nobody can fork."""

    def __init__(self) -> None:
        from diffusers import DDIMScheduler

        inner = DDIMScheduler(clip_sample=False)
        self.config, self.alphas_cumprod = inner.config, inner.alphas_cumprod
        self.velocity: list[torch.Tensor] = []

    def set_timesteps(self, steps: int) -> None:
        self.timesteps = torch.arange(steps - 1, -1, -1) * (1000 // steps)


def test_a_scheduler_with_a_history_is_refused_until_a_solver_is_chosen(pixel: Any) -> None:
    pipeline = tiny.pixels()
    pipeline.register_modules(scheduler=Momentum())
    model = adapt(pipeline)
    with pytest.raises(Incompatible, match=r"Momentum.*cannot be forked.*Choose a solver"):
        model.process(4)
    assert searched(model.process(4, DpmSolver()), BestOfN(n=1)).chosen == 0


def test_a_scheduler_without_a_table_is_refused_by_name() -> None:
    pipeline = tiny.pixels()
    unreadable = Momentum()
    del unreadable.alphas_cumprod
    pipeline.register_modules(scheduler=unreadable)
    with pytest.raises(Incompatible, match=r"Momentum cannot be read.*Grid\.on"):
        adapt(pipeline).process(4, DpmSolver())


def test_a_network_without_a_door_is_refused_with_what_to_write(pixel: Any) -> None:
    class Strange(torch.nn.Module):
        pass

    pipeline = tiny.pixels()
    pipeline.register_modules(unet=Strange())
    with pytest.raises(Incompatible, match=r"Strange.*UNet2DModel.*Plain\(call"):
        adapt(pipeline)
    assert {"UNet2DModel", "UNet2DConditionModel", "SD3Transformer2DModel"} <= set(known_networks())


@pytest.mark.parametrize(
    ("kind", "wish", "said"),
    [
        ("pixel", {"prompt": PROMPT}, r"reads no text.*Leave the prompt out"),
        ("pixel", {"label": 1}, r"knows no classes.*class 1"),
        ("latent", {}, r"no prompt.*--prompt"),
        ("latent", {"prompt": PROMPT, "label": 1}, r"class 1.*no class"),
    ],
)
def test_a_wish_that_cannot_be_asked_is_refused(
    kind: str, wish: dict[str, Any], said: str, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(InputError, match=said):
        adapt(request.getfixturevalue(kind), **wish)


def test_a_class_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"class 3.*0 to 2"):
        adapt(tiny.pixels(classes=3), label=3)


def test_guidance_without_anything_to_guide_is_refused(pixel: Any) -> None:
    with pytest.raises(Incompatible, match=r"guidance 3.*Leave guidance out"):
        adapt(pixel, guidance=3.0)


def test_a_size_between_two_latents_is_refused(latent: Any) -> None:
    with pytest.raises(Incompatible, match=r"17 x 16 pixels.*multiples of 2"):
        adapt(latent, prompt=PROMPT, height=17)


def test_a_place_without_a_pipeline_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"model_index\.json.*digits-diffusion"):
        open_folder(tmp_path)
    (tmp_path / "model_index.json").write_text('{"_class_name": "NoSuchPipeline"}')
    with pytest.raises(InputError, match=r"cannot be opened.*NoSuchPipeline"):
        open_folder(tmp_path)
