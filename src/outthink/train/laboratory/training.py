"""Training the laboratory model from nothing: Muon on the layers' matrices, AdamW on the rest, gradients of two halves added.

    train(Training(seed=1), Path("laboratory"), report=print)        # Path("laboratory/laboratory.gguf")

The folder holds a checkpoint after every hundred steps; the same call goes on from it. Ctrl-C ends the training after the step under way,
with a checkpoint. The data follow from the seed and the number of the step alone, so an interrupted training ends as an uninterrupted one.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import multiprocessing
from torch.nn import functional

from outthink.core.errors import CheckpointError, explain
from outthink.laboratory.vocabulary import SIZE
from outthink.train.laboratory.batches import IGNORED, TokenBatch, problem_batches
from outthink.train.laboratory.descent import Optimisers
from outthink.train.laboratory.interrupts import interrupts
from outthink.train.laboratory.network import Network
from outthink.train.laboratory.settings import FromNothing
from outthink.train.laboratory.together import HALVES, Meeting, collect, spread

CHECKPOINT = "checkpoint.pt"

Source = Callable[[Any, int], Iterator[TokenBatch]]
"""The batches of a training by its settings, and how many are left out; a function of a module, so that processes can be told of it."""


@dataclass(frozen=True)
class Progress:
    """After one step. `loss`: nats a token of the solutions; `tokens`: so far, padding included; `seconds`: of this call."""

    step: int
    steps: int
    tokens: int
    loss: float
    seconds: float


class Trainer:
    """Network, optimisers and data of one process."""

    def __init__(self, settings: FromNothing, source: Source) -> None:
        torch.set_num_threads(1)
        self.settings = settings
        self.source = source
        self.network = Network(settings.shape, torch.Generator().manual_seed(settings.seed))
        self.optimisers = Optimisers(self.network, settings)
        self.parameters = list(self.network.parameters())
        self.step = self.tokens = 0

    @property
    def size(self) -> int:
        """Parameters."""
        return sum(p.numel() for p in self.parameters)

    def halves(self) -> Iterator[tuple[TokenBatch, ...]]:
        """The batches of the coming steps, each in two halves."""
        source = self.source(self.settings, HALVES * self.step)
        while True:
            yield tuple(islice(source, HALVES))

    def gradient(self, batch: TokenBatch, row: torch.Tensor) -> float:
        """The gradient on one half into `row`; its loss."""
        self.network.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(torch.from_numpy(batch.tokens))
        loss = functional.cross_entropy(
            logits.float().view(-1, SIZE), torch.from_numpy(batch.labels).view(-1), ignore_index=IGNORED
        )
        loss.backward()
        collect(self.parameters, row)
        return float(loss.detach())

    def descend(self, gradients: torch.Tensor, halves: tuple[TokenBatch, ...]) -> None:
        """One step of both optimisers along the halves' mean gradient."""
        spread(self.parameters, (gradients[0] + gradients[1]) / HALVES)
        self.optimisers.step(self.step)
        self.step += 1
        self.tokens += sum(half.tokens.size for half in halves)

    def save(self, folder: Path) -> None:
        """A checkpoint, whole or not at all."""
        part = folder / f"{CHECKPOINT}.part"
        torch.save(
            {
                "settings": _identity(self.settings),
                "step": self.step,
                "tokens": self.tokens,
                "network": self.network.state_dict(),
                "optimisers": self.optimisers.state(),
            },
            part,
        )
        part.replace(folder / CHECKPOINT)

    def load(self, folder: Path) -> None:
        """Go on from the folder's checkpoint, if there is one. Raises `CheckpointError` when it is another training's."""
        if not (folder / CHECKPOINT).is_file():
            return
        saved = torch.load(folder / CHECKPOINT, weights_only=True)
        if saved["settings"] != _identity(self.settings):
            raise CheckpointError(
                explain(
                    "The folder holds a checkpoint of another training.",
                    got=saved["settings"],
                    expected=_identity(self.settings),
                    remedy=f"Give another folder, or remove {folder / CHECKPOINT}.",
                )
            )
        self.network.load_state_dict(saved["network"])
        self.optimisers.load(saved["optimisers"])
        self.step, self.tokens = saved["step"], saved["tokens"]


def train(
    settings: FromNothing, folder: Path, report: Callable[[Progress], None], source: Source = problem_batches
) -> Network | None:
    """Train to the end, or until Ctrl-C: the network, or None when it is not finished (the checkpoint is in `folder`).

    Args:
        source: of the data; those of the laboratory model if unsure.
    Raises:
        CheckpointError: the folder's checkpoint is another training's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(settings, source)
    trainer.load(folder)
    context: Any = multiprocessing.get_context("spawn")
    meeting = Meeting.of(context, trainer.size)
    helper = None
    if settings.workers == HALVES:
        helper = context.Process(target=_help, args=(settings, source, folder, meeting), daemon=True)
        helper.start()
    try:
        with interrupts(lambda: meeting.stop[:1].fill_(1)):
            _work(trainer, meeting, folder, report)
    finally:
        if helper is not None:
            helper.join(timeout=5)
            helper.kill()
    return trainer.network if trainer.step == settings.steps else None


def _work(trainer: Trainer, meeting: Meeting, folder: Path, report: Callable[[Progress], None]) -> None:
    """The first process: its half, or both; checkpoints and reports."""
    settings, began = trainer.settings, time.monotonic()
    source = trainer.halves()
    while trainer.step < settings.steps:
        halves = next(source)
        for half in range(HALVES if settings.workers == 1 else 1):
            meeting.losses[half] = trainer.gradient(halves[half], meeting.gradients[half])
        # Decided before the two meet, so that both end with the same step.
        meeting.stop[1] = meeting.stop[0]
        _meet(settings, meeting)
        ending = bool(meeting.stop[1])
        trainer.descend(meeting.gradients, halves)
        loss = float(meeting.losses.mean())
        _meet(settings, meeting)
        if trainer.step % settings.save_every == 0 or ending or trainer.step == settings.steps:
            trainer.save(folder)
        report(Progress(trainer.step, settings.steps, trainer.tokens, loss, time.monotonic() - began))
        if ending:
            return


def _help(settings: FromNothing, source: Source, folder: Path, meeting: Meeting) -> None:
    """The second process: the second half of every step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    trainer = Trainer(settings, source)
    trainer.load(folder)
    drawn = trainer.halves()
    while trainer.step < settings.steps:
        halves = next(drawn)
        meeting.losses[1] = trainer.gradient(halves[1], meeting.gradients[1])
        meeting.wait()
        ending = bool(meeting.stop[1])
        trainer.descend(meeting.gradients, halves)
        meeting.wait()
        if ending:
            return


def _meet(settings: FromNothing, meeting: Meeting) -> None:
    if settings.workers == HALVES:
        meeting.wait()


def _identity(settings: FromNothing) -> str:
    """What must agree for a training to go on: everything but who does the work."""
    return msgspec.json.encode(msgspec.structs.replace(settings, workers=1), order="sorted").decode()
