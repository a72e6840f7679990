"""Two processes, each with half of a batch: their gradients are added through shared memory, so both take the same step.

Nothing goes over a network. One process alone computes both halves one after the other, and gets the same sum bit for bit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from outthink.core.errors import OutthinkError

HALVES = 2
PATIENCE = 300.0
"""Seconds that a process waits for the other one before it takes it for dead."""


@dataclass(frozen=True)
class Meeting:
    """What the processes share.

    Attributes:
        gradients: [2, parameters], one row a half. losses: [2], nats a token. stop: [2], whether an end is
            wished for, and whether the step under way is the last.
    """

    gradients: Tensor
    losses: Tensor
    stop: Tensor
    barrier: Any

    @classmethod
    def of(cls, context: Any, size: int) -> Meeting:
        """For two processes and `size` parameters."""
        rows = torch.zeros(HALVES, size).share_memory_()
        return cls(rows, torch.zeros(HALVES).share_memory_(), torch.zeros(2).share_memory_(), context.Barrier(HALVES))

    def wait(self) -> None:
        """Until the other process has come as far. Raises `OutthinkError` when it does not come."""
        try:
            self.barrier.wait(PATIENCE)
        except threading.BrokenBarrierError:
            raise OutthinkError(
                "The other half of the training has died; start it again to go on from its last checkpoint."
            ) from None


def collect(parameters: Iterable[nn.Parameter], row: Tensor) -> None:
    """Write the gradients into `row`, [parameters]."""
    torch.cat([p.grad.reshape(-1) for p in parameters if p.grad is not None], out=row)


def spread(parameters: Iterable[nn.Parameter], total: Tensor) -> None:
    """Take the gradients from `total`, [parameters]."""
    at = 0
    for parameter in parameters:
        size = parameter.numel()
        parameter.grad = total[at : at + size].view_as(parameter).clone()
        at += size
