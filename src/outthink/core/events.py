"""What happened, as a closed union of small values. Everything that watches a run reads events and nothing else.

Content is never in an event: an event names nodes, `Trace.contents` holds what was seen at a node, once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Base of all events. `run` names the run, `seconds` is the time since the session began."""

    run: str = ""
    seconds: float = 0.0


class RunStarted(Event, frozen=True, tag="run-started"):
    """A run began: which method on which task."""

    task: str
    method: str
    seed: int
    budget: dict[str, float]


class Started(Event, frozen=True, tag="started"):
    """Fresh members, as nodes."""

    nodes: tuple[int, ...]


class Advanced(Event, frozen=True, tag="advanced"):
    """Members moved on: `parents[i]` became `nodes[i]`."""

    parents: tuple[int, ...]
    nodes: tuple[int, ...]
    done: tuple[bool, ...]
    kind: str = "step"


class Scored(Event, frozen=True, tag="scored"):
    """Nodes were judged; None is no opinion."""

    nodes: tuple[int, ...]
    values: tuple[float | None, ...]


class Resampled(Event, frozen=True, tag="resampled"):
    """A population was resampled. `ancestors` are nodes, [n]; `effective` is the effective sample size before, in members.

    `distinct`: how many of the founding members still have descendants after it (0: not told); weights cannot see that. `temperature`: of
    the resampling probabilities.
    """

    step: int
    ancestors: tuple[int, ...]
    effective: float
    distinct: int = 0
    temperature: float = 1.0


class Exchanged(Event, frozen=True, tag="exchanged"):
    """Neighbouring chains were asked to exchange what they stand at: chains `hotter` and `hotter` + 1, and whether they did."""

    step: int
    hotter: int
    accepted: bool


class Visited(Event, frozen=True, tag="visited"):
    """A tree search came through nodes: how often so far, and what it now thinks each is worth; None is not known.

    Best-first search gives the times that a node was expanded, and its key, of which lower is better.
    """

    nodes: tuple[int, ...]
    visits: tuple[int, ...]
    values: tuple[float | None, ...]


class MemberFailed(Event, frozen=True, tag="member-failed"):
    """A member was lost, and why."""

    node: int
    kind: str
    message: str
    status: int | None = None


class Adapted(Event, frozen=True, tag="adapted"):
    """A method adapted to what the backend can do; what was asked for and what was done instead."""

    what: str
    instead: str


class Warned(Event, frozen=True, tag="warned"):
    """Something the user should know about the run."""

    message: str


class Charged(Event, frozen=True, tag="charged"):
    """A call was settled: by role, tokens in all so far."""

    role: str
    tokens: int
    calls: int
    verifier_calls: int
    denoiser_evals: int


class StageEnded(Event, frozen=True, tag="stage-ended"):
    """One layer of a pipeline is complete: its number from 1, what it is, how many candidates came in, and the nodes that went out.

    `calls`: requests that it made, those of searches inside it among them. `note`: what it came by, and what it had to do without.
    """

    layer: int
    stage: str
    came: int
    nodes: tuple[int, ...]
    calls: int
    note: str = ""


class StepEnded(Event, frozen=True, tag="step-ended"):
    """One step of the algorithm is complete."""

    step: int


class RunEnded(Event, frozen=True, tag="run-ended"):
    """The run is over: why, and the node of the answer (-1: none)."""

    stop: str
    limit: str = ""
    answer: int = -1


AnyEvent = (
    RunStarted
    | Started
    | Advanced
    | Scored
    | Resampled
    | Exchanged
    | Visited
    | MemberFailed
    | Adapted
    | Warned
    | Charged
    | StageEnded
    | StepEnded
    | RunEnded
)

Sink = Callable[[AnyEvent], None]


@dataclass
class Trace:
    """The events of a session in order, and what was seen at each node. Sinks are called at once, in order."""

    sinks: tuple[Sink, ...] = ()
    events: list[AnyEvent] = field(default_factory=list)
    contents: dict[tuple[str, int], Any] = field(default_factory=dict)

    def emit(self, event: AnyEvent) -> None:
        """Record `event` and tell every sink."""
        self.events.append(event)
        for sink in self.sinks:
            sink(event)

    def of(self, run: str) -> list[AnyEvent]:
        """The events of one run."""
        return [e for e in self.events if e.run == run]
