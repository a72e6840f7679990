"""Pipelines of diffusers in half precision, on the processor and on a graphics card: the same searches, and nothing in them is changed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.needs import need

need("diffusers")

import torch

from outthink.diffusion import Ancestral
from outthink.diffusion.pipelines import adapt
from tests.diffusion import tiny_pipelines as tiny
from tests.diffusion.test_pipelines import METHODS, NEGATIVE, PROMPT, STEPS, ddim, sampled, searched

NEAR = 0.01
"""How far pixels may be off on average, of a range of 1: the 8 bits of bfloat16, rounded in another order."""

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.needs("cuda"))]


@pytest.fixture(autouse=True)
def _their_own_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def made(kind: str, folder: Path, device: str, dtype: torch.dtype) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    if kind == "pixel":
        pipeline = tiny.pixels()
    elif kind == "latent":
        pipeline = tiny.stable_diffusion(folder, ddim())
    elif kind == "larger":
        pipeline = tiny.stable_diffusion_xl(folder, ddim())
    else:
        pipeline = tiny.stable_diffusion_3(folder, FlowMatchEulerDiscreteScheduler(shift=3.0))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device=device, dtype=dtype)


def theirs(pipeline: Any, noise: torch.Tensor) -> torch.Tensor:
    """The pipeline's own picture, [c, h, w] in [0, 1]."""
    asked = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "num_inference_steps": STEPS, "output_type": "pt"}
    found: torch.Tensor = pipeline(latents=noise, **asked).images[0]
    return found.float().cpu()


def away(mine: torch.Tensor, other: torch.Tensor) -> float:
    return float((mine.float().cpu() - other).abs().mean())


@pytest.mark.parametrize("algorithm", METHODS, ids=lambda a: a.name())
@pytest.mark.parametrize("kind", ["pixel", "latent", "flow"])
@pytest.mark.parametrize("device", DEVICES)
def test_every_method_runs_in_half_precision(device: str, kind: str, algorithm: Any, tmp_path: Path) -> None:
    pipeline = made(kind, tmp_path, device, torch.bfloat16)
    process = adapt(pipeline, **({} if kind == "pixel" else {"prompt": PROMPT})).process(3, Ancestral())
    found = searched(process, algorithm, budget=60)
    assert found.chosen is not None
    assert torch.isfinite(found.answer).all()
    assert found.answer.abs().max() <= 1.0
    assert found.cost.denoiser_evals == process.evaluations <= 60


@pytest.mark.parametrize("kind", ["latent", "larger", "flow"])
@pytest.mark.parametrize("device", DEVICES)
def test_best_of_one_is_what_the_pipeline_draws_in_half_precision(device: str, kind: str, tmp_path: Path) -> None:
    pipeline = made(kind, tmp_path, device, torch.bfloat16)
    mine, noise = sampled(adapt(pipeline, prompt=PROMPT, negative=NEGATIVE))
    assert noise.dtype == torch.bfloat16
    own = theirs(pipeline, noise)
    assert away(mine, own) < NEAR
    # The bound has teeth: other noise is another picture.
    assert away(mine, theirs(pipeline, noise.flip(-1))) > 3 * NEAR


@pytest.mark.parametrize("device", DEVICES)
def test_a_seed_gives_the_same_noise_in_every_place(device: str, tmp_path: Path) -> None:
    here = sampled(adapt(made("pixel", tmp_path, "cpu", torch.float32)))[1]
    there = sampled(adapt(made("pixel", tmp_path, device, torch.float32)))[1]
    assert there.device.type == device
    assert torch.equal(here, there.cpu())


@pytest.mark.parametrize("kind", ["latent", "larger"])
@pytest.mark.parametrize("device", DEVICES)
def test_an_auto_encoder_that_overflows_is_widened_only_meanwhile(device: str, kind: str, tmp_path: Path) -> None:
    """The pipeline draws afterwards what it drew before: its weights have the type and the bits that they had."""
    pipeline = made(kind, tmp_path, device, torch.float16)
    assert pipeline.vae.config.force_upcast
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)).to(device, torch.float16)
    before = theirs(pipeline, noise)
    widths: list[torch.dtype] = []
    hook = pipeline.vae.decoder.register_forward_pre_hook(lambda _, given: widths.append(given[0].dtype))
    mine, began = sampled(adapt(pipeline, prompt=PROMPT, negative=NEGATIVE))
    hook.remove()
    assert set(widths) == {torch.float32}
    assert pipeline.vae.dtype == torch.float16
    assert torch.equal(theirs(pipeline, noise), before)
    assert away(mine, theirs(pipeline, began)) < NEAR


def test_a_decoding_that_fails_leaves_the_auto_encoder_as_it_was(tmp_path: Path) -> None:
    pipeline = made("latent", tmp_path, "cpu", torch.float16)
    decode = adapt(pipeline, prompt=PROMPT).decode
    with pytest.raises(RuntimeError):
        decode(torch.from_numpy(np.zeros((1, 3, 8, 8), np.float16)))
    assert pipeline.vae.dtype == torch.float16
