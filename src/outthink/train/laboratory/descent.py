"""The two optimisers of the laboratory's trainings: Muon on the layers' matrices, AdamW on the rest, both on one schedule.

Source of Muon: Jordan et al. 2024, as torch has it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

from outthink.train.laboratory.network import Network
from outthink.train.laboratory.settings import Descent


class Optimisers:
    """Both optimisers of a network; gradients are in its parameters when `step` is called."""

    def __init__(self, network: Network, settings: Descent) -> None:
        self.settings = settings
        matrices = [p for name, p in network.named_parameters() if name.startswith("layers") and p.dim() == 2]
        chosen = set(map(id, matrices))
        others = [p for p in network.parameters() if id(p) not in chosen]
        self.parameters = list(network.parameters())
        self._each: list[tuple[torch.optim.Optimizer, float]] = [
            (
                torch.optim.Muon(
                    matrices, lr=settings.matrix_rate, weight_decay=settings.decay, adjust_lr_fn="original"
                ),
                settings.matrix_rate,
            ),
            (
                torch.optim.AdamW(others, lr=settings.other_rate, betas=(0.9, 0.98), weight_decay=0.0),
                settings.other_rate,
            ),
        ]

    def step(self, number: int) -> None:
        """Step `number` of the schedule, from 0, along the gradients, which are clipped first."""
        clip_grad_norm_(self.parameters, self.settings.clip)
        rate = self.settings.rate(number)
        for optimiser, highest in self._each:
            for group in optimiser.param_groups:
                group["lr"] = highest * rate
            optimiser.step()

    def state(self) -> list[Any]:
        """For a checkpoint."""
        return [optimiser.state_dict() for optimiser, _ in self._each]

    def load(self, states: list[Any]) -> None:
        """Go on from `state`."""
        for (optimiser, _), state in zip(self._each, states, strict=True):
            optimiser.load_state_dict(state)
