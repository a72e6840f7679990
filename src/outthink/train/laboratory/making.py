"""The whole way: train, write the file, measure it, train its reward head, write the card. What `outthink train laboratory` does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from outthink.train.laboratory.card import PROBLEMS, SAMPLES
from outthink.train.laboratory.companions import accompany
from outthink.train.laboratory.export import write
from outthink.train.laboratory.settings import Training
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


async def make(
    settings: Training,
    folder: Path,
    *,
    report: Callable[[Progress], None],
    problems: int = PROBLEMS,
    samples: int = SAMPLES,
) -> Path | None:
    """The path of the weights, with head and card beside them; None when Ctrl-C ended the training (the checkpoint is in `folder`)."""
    processor, last = time.process_time(), Progress(0, settings.steps, 0, 0.0, 0.0)

    def noted(progress: Progress) -> None:
        nonlocal last
        last = progress
        report(progress)

    network = train(settings, folder, noted)
    if network is None:
        return None
    weights = folder / f"{NAME}.gguf"
    write(network, weights, ABOUT)
    size = sum(parameter.numel() for parameter in network.parameters())
    made = f"{size:,} parameters, {settings.steps:,} steps"
    if last.step:
        minutes, busy = last.seconds / 60, (time.process_time() - processor) / 60
        made += f", {last.tokens:,} tokens; {minutes:.1f} minutes by the clock"
        made += f", {busy:.1f} of processor time in each of {settings.workers} processes of one thread"
    await accompany(settings, weights, made=made, problems=problems, samples=samples)
    return weights
