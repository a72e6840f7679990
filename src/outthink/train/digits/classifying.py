"""Training the classifier: cross-entropy on images with noise of every strength up to a limit."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from outthink.diffusion.laboratory.classifier import ClassifierNetwork, ClassifierShape
from outthink.train.digits.images import Images, shifted
from outthink.train.digits.settings import Classifying


def train_classifier(
    settings: Classifying, images: Images, *, seed: int, report: Callable[[int, float], None]
) -> ClassifierNetwork:
    """A classifier of the images trained on. `report` is called with each step, from 1, and its loss in nats."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        shape = ClassifierShape(side=images.images.shape[-1], channels=settings.channels, features=settings.features)
        network = ClassifierNetwork(shape)
        network.train()
        optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.decay)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
        for step in range(settings.steps):
            at = torch.randint(0, len(images.labels), (settings.batch,))
            x = shifted(images.images[at], settings.moved)
            x = x + settings.noise * torch.rand(len(x), 1, 1, 1) * torch.randn_like(x)
            loss = functional.cross_entropy(network(x), images.labels[at], label_smoothing=0.02)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            falling.step()
            report(step + 1, float(loss.detach()))
    network.eval()
    return network
