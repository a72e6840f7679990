"""Training a denoiser of either kind: regression on what it predicts, at even times of its path; the averaged weights are the result.

The network is told the class of most images and none of some, so that one network serves with and without (classifier-free guidance).

Source: Ho and Salimans 2022 for the share without a class; Lipman et al. 2023 for the flow's target; Salimans and Ho 2022 for v.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import msgspec
import torch

from outthink.diffusion.conversions import from_data
from outthink.diffusion.laboratory import Convolutional, ConvolutionalShape, Denoiser, Perceptron, PerceptronShape
from outthink.diffusion.laboratory.image_model import KINDS
from outthink.diffusion.levels import Level, on_path
from outthink.diffusion.tensors import scaled
from outthink.train.digits.images import Images
from outthink.train.digits.settings import Denoising, PerceptronSizes

EARLIEST = 1e-3
"""Times nearer to the data are not trained on: there is no noise to predict."""


def train_denoiser(
    settings: Denoising, kind: str, images: Images, *, seed: int, report: Callable[[int, float], None]
) -> Denoiser:
    """The averaged network after all steps. `report` is called with each step, from 1, and its loss (mean square)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = network_of(settings, images.images.shape[-1])
        averaged = copy.deepcopy(network)
        averaged.requires_grad_(False)
        network.train()
        pairs = list(zip(averaged.parameters(), network.parameters(), strict=True))
        optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.decay)
        for step in range(settings.steps):
            for group in optimiser.param_groups:
                group["lr"] = settings.rate * settings.share_of_rate(step)
            at = torch.randint(0, len(images.labels), (settings.batch,))
            told = torch.where(torch.rand(settings.batch) < settings.nothing, network.shape.classes, images.labels[at])
            loss = loss_of(network, kind, images.images[at], told)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            kept = min(settings.averaging, (step + 1) / (step + 10))
            torch._foreach_lerp_([a for a, _ in pairs], [b.detach() for _, b in pairs], 1.0 - kept)
            report(step + 1, float(loss.detach()))
    averaged.eval()
    return averaged


def loss_of(network: Denoiser, kind: str, data: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
    """Mean square error of what the network predicts of images [n, 1, side, side], at times spread evenly over the path."""
    n = len(data)
    # One time in each of n equal parts: less noise in the loss than n independent times.
    time = (torch.randperm(n) + torch.rand(n)) / n * (1.0 - EARLIEST) + EARLIEST
    level, predicts = level_of(kind, time), KINDS[kind][1]
    x = scaled(level.alpha, data) + scaled(level.sigma, torch.randn_like(data))
    target = from_data(predicts, data, x, level)
    return torch.nn.functional.mse_loss(network(x, time, told), target)


def level_of(kind: str, time: torch.Tensor) -> Level:
    """Levels of the kind's path at times [n]."""
    return on_path(KINDS[kind][0], time.double().numpy(), lambda clock: clock)


def network_of(settings: Denoising, side: int) -> Denoiser:
    """The network for images of so many pixels a side, before its training."""
    sizes = msgspec.structs.asdict(settings.network)
    if isinstance(settings.network, PerceptronSizes):
        return Perceptron(PerceptronShape(side=side, **sizes))
    return Convolutional(ConvolutionalShape(side=side, **sizes))
