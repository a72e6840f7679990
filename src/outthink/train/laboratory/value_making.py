"""The whole way of the value model: sample the language model, label, train, write the file, measure it, write the card.

What `outthink train laboratory-value` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from outthink.core.errors import CheckpointError, explain
from outthink.core.key import Key
from outthink.engines.local import Local, models
from outthink.laboratory.chains import Chains
from outthink.laboratory.family import Family
from outthink.laboratory.problems import STANDARD, problems
from outthink.train.laboratory.export import write
from outthink.train.laboratory.loading import load_network
from outthink.train.laboratory.making import ABOUT
from outthink.train.laboratory.rollouts import Rollout, games, rollouts
from outthink.train.laboratory.settings import Shape, ValueTraining
from outthink.train.laboratory.training import Progress
from outthink.train.laboratory.value_card import measured, value_card
from outthink.train.laboratory.value_training import train_value

NAME = "laboratory-value"
ROLLOUTS = "value-rollouts.json"
FAMILIES: tuple[Family, ...] = (Chains(terms=5), *STANDARD)
CHUNK = 500
"""Problems that are sampled together."""
PLACES = 60


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder holds of labelled rollouts, and by which settings."""

    settings: str
    rollouts: list[Rollout]


async def make_value(
    settings: ValueTraining, folder: Path, *, report: Callable[[Progress], None], said: Callable[[str], None]
) -> Path | None:
    """The path of the weights, with their card beside them; None when Ctrl-C ended the training (the checkpoint is in `folder`).

    Args:
        said: told what is being done before training and after it.
    """
    began = time.process_time()
    drawn = _stored(settings, folder / ROLLOUTS)
    if drawn is None:
        drawn = [*await _model_rollouts(settings, said), *_random_games(settings, said)]
        _store(settings, folder / ROLLOUTS, drawn)
    network = load_network(models.path(models.LABORATORY), Shape(), more=settings.layers)
    if not train_value(settings, network, drawn, folder, report):
        return None
    weights = folder / f"{NAME}.gguf"
    about = {"general.name": NAME, "general.description": "Whether a laboratory solution can still be reached: + or -."}
    write(network, weights, {**ABOUT, **about})
    minutes = (time.process_time() - began) / 60
    said("measuring on held-out problems")
    found = await measured(weights, Key(7).child("laboratory", "value-card"))
    weights.with_suffix(".md").write_text(value_card(settings, weights, len(drawn), minutes, found), encoding="utf-8")
    return weights


def _stored(settings: ValueTraining, file: Path) -> list[Rollout] | None:
    """The rollouts in `file`; None where there are none yet. Raises `CheckpointError` for those of another training."""
    if not file.is_file():
        return None
    stored = msgspec.json.decode(file.read_bytes(), type=Collected)
    if stored.settings != _identity(settings):
        raise CheckpointError(
            explain(
                "The folder holds the rollouts of another training.",
                got=stored.settings,
                expected=_identity(settings),
                remedy=f"Give another folder, or remove {file}.",
            )
        )
    return stored.rollouts


def _store(settings: ValueTraining, file: Path, drawn: list[Rollout]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(Collected(settings=_identity(settings), rollouts=drawn)))
    part.replace(file)


def _identity(settings: ValueTraining) -> str:
    """What the rollouts depend on."""
    return msgspec.json.encode([settings.seed, settings.problems, settings.samples, settings.games]).decode()


async def _model_rollouts(settings: ValueTraining, said: Callable[[str], None]) -> list[Rollout]:
    key, found = Key(settings.seed).child("train"), list[Rollout]()
    engine = Local(model=models.LABORATORY.name, max_sequences=PLACES, retained=PLACES).open()
    try:
        for i, family in enumerate(FAMILIES):
            count = _share(settings.problems, family)
            tasks = problems(family, count, key.child("p", i), unseen=False)
            for begin in range(0, count, CHUNK):
                said(f"sampling {family.name()}: {begin} of {count} problems")
                part = tasks[begin : begin + CHUNK]
                found += await rollouts(engine, part, samples=settings.samples, key=key.child("s", i, begin))
    finally:
        await engine.close()
    return found


def _random_games(settings: ValueTraining, said: Callable[[str], None]) -> list[Rollout]:
    key, found = Key(settings.seed).child("games"), list[Rollout]()
    for i, family in enumerate(FAMILIES):
        said(f"playing {family.name()} at random")
        tasks = problems(family, _share(settings.games, family), key.child("p", i), unseen=False)
        found += games(tasks, samples=1, key=key.child("g", i))
    return found


def _share(count: int, family: Family) -> int:
    return max(1, count // 3) if isinstance(family, Chains) else count
