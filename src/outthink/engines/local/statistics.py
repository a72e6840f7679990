"""What the embedded engine did: the physical side of the bill, for tests, benchmarks and `doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise


@dataclass
class EngineStatistics:
    """Counts since the engine was opened.

    Attributes:
        prefilled: prompt tokens computed, each billed to the request that was the first to need it.
        recomputed: tokens computed again after eviction, preemption or clean-up, and a prompt's last token where only its logits were
            missing; at the engine's own expense.
        decoded: generated tokens fed back to the model.
        steps: decode steps; `rows`: tokens in them.
        busy_places, places: sequences being served, and places for them, summed over the steps during which work waited.
        evicted, preempted, cleared: retained sequences forgotten, requests interrupted for want of cache, clean-ups of the whole cache.
        decode_ms, sampling_ms, python_ms: time in the model, in processors and sampling, and in everything else of a step.
    """

    prefilled: int = 0
    recomputed: int = 0
    decoded: int = 0
    sampled: int = 0
    steps: int = 0
    rows: int = 0
    busy_places: int = 0
    places: int = 0
    evicted: int = 0
    preempted: int = 0
    cleared: int = 0
    decode_ms: float = field(default=0.0)
    sampling_ms: float = field(default=0.0)
    python_ms: float = field(default=0.0)

    @property
    def fill(self) -> float:
        """Share of the places that were busy while work waited; 1 if none ever did."""
        return self.busy_places / self.places if self.places else 1.0

    def timed(self, clock: Sequence[float]) -> None:
        """Note one step's times: its begin, and the ends of planning, decoding, absorbing, sampling and settling, seconds."""
        planning, decoding, absorbing, sampling, settling = (1e3 * (b - a) for a, b in pairwise(clock))
        self.decode_ms += decoding
        self.sampling_ms += sampling
        self.python_ms += planning + absorbing + settling

    def __sub__(self, before: EngineStatistics) -> EngineStatistics:
        return EngineStatistics(**{f.name: getattr(self, f.name) - getattr(before, f.name) for f in fields(self)})

    def copy(self) -> EngineStatistics:
        """As it stands now."""
        return EngineStatistics(**{f.name: getattr(self, f.name) for f in fields(self)})
