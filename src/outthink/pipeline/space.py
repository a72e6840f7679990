"""The pipelines among which Archon's architecture search looks, as data, so that a tuner can walk them.

    for shape in Space().configurations(): pipeline_of(shape, models)

Six numbers shape a pipeline: how many generators, samples of each, layers of fusers and fusers in each, whether a critic and a ranker stand
before every fusion, and what stands before the last one. A budget is kept by leaving shapes out before the search, as the paper does.

Source: spec 08, steps 8 to 10 (arXiv 2409.15254). Its 9,576 shapes are 38 pairs of (generators, samples) with at most 24 candidates, 84
stacks of fusers (the last layer is one fuser; each of up to three before it has 2, 4, 6 or 8: 4 + 16 + 64), and 3 kinds of check. The
factors are the sheet's own reconstruction; critics are a setting on top of them here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from outthink.pipeline.check import Verify
from outthink.pipeline.critique import Critique
from outthink.pipeline.making import Fuse, Generate, SideBySide
from outthink.pipeline.pipeline import Layer, Pipeline
from outthink.pipeline.rank import Rank
from outthink.pipeline.stage import AnyEngine
from outthink.pipeline.unit_tests import RunTests, WriteTests

Checked = Literal["none", "verifier", "unit-tests"]
CHECKS: tuple[Checked, ...] = ("none", "verifier", "unit-tests")


@dataclass(frozen=True)
class Shape:
    """One pipeline as numbers.

    Attributes:
        generators, samples: models in the first layer, and candidates of each. fusers: in each layer of fusers before the last, single one.
        checked: what stands before the last fuser. critics: whether a critic and a ranker stand before each layer of fusers.
    """

    generators: int
    samples: int
    fusers: tuple[int, ...]
    checked: Checked = "none"
    critics: bool = False


@dataclass(frozen=True)
class Space:
    """Which shapes there are.

    Attributes:
        generators, samples: the most of each. candidates: the most that the first layer may draw.
        widths: fusers that a layer before the last may have. depth: layers of fusers at most, the last one among them.
    """

    generators: int = 10
    samples: int = 5
    candidates: int = 24
    widths: tuple[int, ...] = (2, 4, 6, 8)
    depth: int = 4

    def drawn(self) -> list[tuple[int, int]]:
        """Pairs of generators and samples that draw no more candidates than may be."""
        pairs = product(range(1, self.generators + 1), range(1, self.samples + 1))
        return [(g, s) for g, s in pairs if g * s <= self.candidates]

    def stacks(self) -> list[tuple[int, ...]]:
        """Fusers in the layers before the last."""
        return [stack for depth in range(1, self.depth) for stack in product(self.widths, repeat=depth)]

    def configurations(self) -> list[Shape]:
        """Every shape, without critics."""
        return [Shape(g, s, stack, checked) for (g, s), stack, checked in product(self.drawn(), self.stacks(), CHECKS)]


def pipeline_of(shape: Shape, models: Sequence[AnyEngine | None] = (None,), keep: int = 5) -> Pipeline:
    """The pipeline of a shape. `models`: best first, taken in turn; the best ranks, checks and fuses. `keep`: what rankers leave."""
    several: list[Layer] = []
    engines = [models[at % len(models)] for at in range(max(shape.generators, *shape.fusers, 1))]
    best = models[0]
    several.append(
        SideBySide(stages=tuple(Generate(engine=e, samples=shape.samples) for e in engines[: shape.generators]))
    )
    before: tuple[Layer, ...] = (Critique(engine=best), Rank(engine=best, keep=keep, critiques=True))
    checks: dict[Checked, tuple[Layer, ...]] = {
        "none": (),
        "verifier": (Verify(engine=best),),
        "unit-tests": (WriteTests(engine=best), RunTests(engine=best)),
    }
    for width in shape.fusers:
        several += before if shape.critics else ()
        several.append(SideBySide(stages=tuple(Fuse(engine=engine) for engine in engines[:width])))
    several += before if shape.critics else ()
    several += checks[shape.checked]
    return Pipeline(layers=(*several, Fuse(engine=best)))
