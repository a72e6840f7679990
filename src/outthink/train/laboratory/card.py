"""The model card: what the model is, how it was made, and how good it is, measured by the embedded engine on held-out problems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from outthink.core.key import Key
from outthink.engines.engine import Engine
from outthink.laboratory.chains import Chains
from outthink.laboratory.family import Family
from outthink.laboratory.measuring import Accuracy, measure
from outthink.laboratory.problems import STANDARD
from outthink.train.heads import Trained
from outthink.train.laboratory.head import FAMILIES as HEAD_FAMILIES
from outthink.train.laboratory.head import SAMPLES as HEAD_SAMPLES
from outthink.train.laboratory.settings import Training

FAMILIES: tuple[Family, ...] = (
    Chains(terms=4),
    Chains(terms=5),
    *STANDARD,
)
PROBLEMS = 100
SAMPLES = 64
KEY = Key(7).child("laboratory", "card")


async def accuracies(engine: Engine, *, problems: int = PROBLEMS, samples: int = SAMPLES) -> list[Accuracy]:
    """What the card's table shows, one row a family."""
    return [
        await measure(engine, family, n=problems, samples=samples, key=KEY.child(msgspec.json.encode(family).decode()))
        for family in FAMILIES
    ]


def card(settings: Training, made: str, weights: Path, measured: Sequence[Accuracy], trained: Trained) -> str:
    """The card in Markdown.

    Args:
        made: what the training took: tokens, parameters, time. measured: rows of the table. trained: the reward head.
    """
    mixture = "\n".join(
        f"- {part.share / sum(one.share for one in settings.mixture):.0%} {named(part.family)}"
        for part in settings.mixture
    )
    rows = "\n".join(
        f"| {named(one.family)} | {one.single:.2f} ± {one.error:.2f} | {one.covered:.2f} | {one.answered:.2f} | {one.constant:.2f} |"
        for one in measured
    )
    n, samples = measured[0].right.shape
    together = [one for one in measured if one.family in STANDARD]
    shape, chosen = settings.shape, trained.selection
    return f"""# The laboratory model

A Llama of {shape.layers} layers, width {shape.width}, heads of {shape.head}, inner width {shape.inner}, 256 tokens (the bytes of
UTF-8 and two control tokens), context {shape.context}. Weights in Q8_0, {weights.stat().st_size / 1e6:.1f} MB.
Licence Apache-2.0. It solves arithmetic chains and Countdown, one equation a line, and nothing else: it is there so that search can be
studied in seconds. Do not use it to calculate.

## How it was made

`outthink train laboratory --seed {settings.seed}`, from nothing: {made}.

Data are made as they are needed, by `outthink.laboratory`, from that seed:

{mixture}

One in eight of all sets of operands is held out, by a hash; no question about such a set was trained on.

## How good it is

{n} held-out problems of each kind, {samples} samples of each at temperature 1, by the embedded engine. "One sample": share of samples that
are solutions, every line checked (± standard error over problems). "Any of {samples}": share of problems with a solution among the samples.
"Last number": share of samples that end in the right number, whatever the working; on Countdown the question gives that number away.
"Constant": the most frequent right number, given as the answer to everything.

| problems | one sample | any of {samples} | last number | constant |
|---|---|---|---|---|
{rows}
| the standard kinds together | {_mean(together, "single")} | {_mean(together, "covered")} | {_mean(together, "answered")} | |

## Its reward head

`{weights.stem}-head.safetensors`: logistic regression on the state at the end of each line, with {HEAD_SAMPLES} rollouts a problem
({trained.head.facts["problems"]}) from the side of the split that the model was trained on:
{_list(HEAD_FAMILIES)}.
A prefix that ends right ranks above one that ends wrong with chance {trained.auc:.3f}; calibration error {trained.error:.3f}.

| choosing one of {HEAD_SAMPLES} | share solved |
|---|---|
| one sample | {chosen.first:.2f} |
| best by the head | {chosen.head:.2f} ± {chosen.error(chosen.head):.2f} |
| best by how often such answers are right (control) | {chosen.control:.2f} |
| most frequent answer | {chosen.majority:.2f} |
| any right | {chosen.any_right:.2f} |
"""


def _mean(measured: Sequence[Accuracy], column: str) -> str:
    return f"{sum(getattr(one, column) for one in measured) / len(measured):.2f}"


def _list(families: Sequence[Family]) -> str:
    return ", ".join(map(named, families))


def named(family: Family) -> str:
    """A family in words: its name and its settings that differ from the defaults, and its size always."""
    values = msgspec.structs.asdict(family)
    size = family.__struct_fields__[0]
    plain = type(family)()
    shown = [f"{name} = {value}" for name, value in values.items() if name == size or value != getattr(plain, name)]
    return f"{family.name()} ({', '.join(shown)})"
