"""Training the value model: the language model's own weights go on, through all layers, with what a line is worth as what to say after it.

    train_value(ValueTraining(), load_network(weights, Shape()), rollouts, folder, report=print)

The loss is the cross-entropy between the worth of each line and the chance of + among + and - behind it, so that the chance comes out
calibrated; the language model's own loss goes on beside it. The folder holds a checkpoint after every hundred steps; the same call goes
on from it, and ends as an uninterrupted one. Ctrl-C ends the training after the step under way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import torch
from torch import Tensor
from torch.nn import functional

from outthink.core.errors import CheckpointError, explain
from outthink.core.key import Key
from outthink.laboratory.vocabulary import SIZE
from outthink.train.laboratory.batches import IGNORED
from outthink.train.laboratory.descent import Optimisers
from outthink.train.laboratory.interrupts import interrupts
from outthink.train.laboratory.network import Network
from outthink.train.laboratory.rollouts import Rollout
from outthink.train.laboratory.settings import ValueTraining
from outthink.train.laboratory.training import Progress
from outthink.train.laboratory.value_batches import BAD, GOOD, MarkedBatch, value_batches

CHECKPOINT = "value-checkpoint.pt"


def margins(logits: Tensor, batch: MarkedBatch) -> Tensor:
    """Log odds of each mark's worth being 1, [marks], nats; `logits` [n, t, 256]."""
    at = logits[torch.from_numpy(batch.rows), torch.from_numpy(batch.columns)]
    return at[:, GOOD] - at[:, BAD]


def losses(network: Network, batch: MarkedBatch) -> tuple[Tensor, Tensor]:
    """The cross-entropy of the worths, nats a mark, and the language model's own, nats a token of the lines that are worth something."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(torch.from_numpy(batch.tokens))
    logits = logits.float()
    worth = functional.binary_cross_entropy_with_logits(margins(logits, batch), torch.from_numpy(batch.values))
    labels = torch.from_numpy(batch.labels).view(-1)
    total = functional.cross_entropy(logits.view(-1, SIZE), labels, ignore_index=IGNORED, reduction="sum")
    return worth, total / (labels != IGNORED).sum().clamp(min=1)


def train_value(
    settings: ValueTraining,
    network: Network,
    rollouts: Sequence[Rollout],
    folder: Path,
    report: Callable[[Progress], None],
) -> bool:
    """Train `network` in place; whether it came to the end, or Ctrl-C ended it (the checkpoint is in `folder`).

    Raises:
        CheckpointError: the folder's checkpoint is another training's.
    """
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    optimisers = Optimisers(network, settings)
    step, tokens = _load(settings, network, optimisers, folder)
    key, began = Key(settings.seed).child("laboratory", "value"), time.monotonic()
    source = value_batches(rollouts, settings.tokens, key, start=step)
    with interrupts() as stop:
        while step < settings.steps and not stop:
            batch = next(source)
            network.zero_grad(set_to_none=True)
            worth, language = losses(network, batch)
            (worth + settings.language * language).backward()
            optimisers.step(step)
            step, tokens = step + 1, tokens + batch.tokens.size
            if step % settings.save_every == 0 or stop or step == settings.steps:
                _save(settings, network, optimisers, folder, step, tokens)
            report(Progress(step, settings.steps, tokens, float(worth.detach()), time.monotonic() - began))
    return step == settings.steps


def _save(
    settings: ValueTraining, network: Network, optimisers: Optimisers, folder: Path, step: int, tokens: int
) -> None:
    part = folder / f"{CHECKPOINT}.part"
    torch.save(
        {
            "settings": _identity(settings),
            "step": step,
            "tokens": tokens,
            "network": network.state_dict(),
            "optimisers": optimisers.state(),
        },
        part,
    )
    part.replace(folder / CHECKPOINT)


def _load(settings: ValueTraining, network: Network, optimisers: Optimisers, folder: Path) -> tuple[int, int]:
    """Steps and tokens of the folder's checkpoint, which network and optimisers go on from; 0 and 0 where there is none."""
    if not (folder / CHECKPOINT).is_file():
        return 0, 0
    saved = torch.load(folder / CHECKPOINT, weights_only=True)
    if saved["settings"] != _identity(settings):
        raise CheckpointError(
            explain(
                "The folder holds a checkpoint of another training.",
                got=saved["settings"],
                expected=_identity(settings),
                remedy=f"Give another folder, or remove {folder / CHECKPOINT}.",
            )
        )
    network.load_state_dict(saved["network"])
    optimisers.load(saved["optimisers"])
    return saved["step"], saved["tokens"]


def _identity(settings: ValueTraining) -> str:
    return msgspec.json.encode(settings, order="sorted").decode()
