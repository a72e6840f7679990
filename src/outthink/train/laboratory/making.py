"""The whole way: train, write the file, measure it, train its reward head, write the card. What `outthink train laboratory` does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from outthink.train.laboratory.card import PROBLEMS, SAMPLES
from outthink.train.laboratory.companions import accompany
from outthink.train.laboratory.export import write
from outthink.train.laboratory.network import Network
from outthink.train.laboratory.settings import FromNothing, Training
from outthink.train.laboratory.training import Progress, train

NAME = "laboratory"
TEMPLATE = "{{ bos_token }}{% for message in messages %}{{ message.content + '\\n' }}{% endfor %}"
"""A conversation is the question and a line end, as the model was trained on, so that chat prompts work too."""

ABOUT = {
    "general.name": NAME,
    "general.license": "apache-2.0",
    "general.description": "Arithmetic chains and Countdown, one equation a line; for the study of search.",
    "tokenizer.chat_template": TEMPLATE,
}


class Took:
    """What a training takes: `report` is what it calls after each step."""

    def __init__(self, settings: FromNothing, then: Callable[[Progress], None]) -> None:
        self._settings, self._then = settings, then
        self._processor, self._last = time.process_time(), Progress(0, settings.steps, 0, 0.0, 0.0)

    def report(self, progress: Progress) -> None:
        """After a step."""
        self._last = progress
        self._then(progress)

    def words(self, network: Network) -> str:
        """For the card. A training that was already complete says nothing of time."""
        size = sum(parameter.numel() for parameter in network.parameters())
        made = f"{size:,} parameters, {self._settings.steps:,} steps"
        if self._last.step:
            minutes, busy = self._last.seconds / 60, (time.process_time() - self._processor) / 60
            made += f", {self._last.tokens:,} tokens; {minutes:.1f} minutes by the clock"
            workers = self._settings.workers
            made += f", {busy:.1f} of processor time in {'one process' if workers == 1 else f'each of {workers} processes'} of one thread"
        return made


async def make(
    settings: Training,
    folder: Path,
    *,
    report: Callable[[Progress], None],
    problems: int = PROBLEMS,
    samples: int = SAMPLES,
) -> Path | None:
    """The path of the weights, with head and card beside them; None when Ctrl-C ended the training (the checkpoint is in `folder`)."""
    took = Took(settings, report)
    network = train(settings, folder, took.report)
    if network is None:
        return None
    weights = folder / f"{NAME}.gguf"
    write(network, weights, ABOUT)
    made = took.words(network)
    await accompany(settings, weights, made=made, problems=problems, samples=samples)
    return weights
