"""Which engine for which work: unsuitable ones are dropped with the requirement that failed, the others ranked with settings and warnings.

    advice = advise("guided", hardware="cpu")
    [kept.engine.name for kept in advice.kept]
    [(dropped.engine.name, dropped.reasons) for dropped in advice.dropped]

Rules (sheet 16, C): drop what is "no"; keep what is "unknown" as "probe first" and never count it as a yes; rank by
w_lat * latency + w_thr * throughput + w_use * (ease of use + deployment) / 2 + w_sca * scalability; ties go to the engine with more known
features, then by name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from outthink.core.errors import InputError, explain, nearest
from outthink.engines.known_engines import FEATURES, Hardware, KnownEngine, known_engines
from outthink.engines.workloads import DEMANDS, Demand, Workload

WEIGHTED = ("latency", "throughput", "ease of use", "scalability")


@dataclass(frozen=True)
class Kept:
    """An engine that can do the work, as far as is known.

    Attributes:
        unknown: requirements that nobody knows about: probe them first.
        settings, warnings: what to set, and what to know.
    """

    engine: KnownEngine
    score: float
    unknown: tuple[str, ...]
    settings: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Dropped:
    """An engine that cannot, and every requirement that failed."""

    engine: KnownEngine
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Advice:
    """Engines for one workload, best first, and those that were dropped."""

    workload: Workload
    kept: tuple[Kept, ...]
    dropped: tuple[Dropped, ...]


def advise(
    workload: Workload,
    *,
    hardware: Hardware | None = None,
    nodes: int = 1,
    features: Collection[str] = (),
    weights: Mapping[str, float] | None = None,
    allow_unknown: bool = True,
    served: bool = True,
    engines: Sequence[KnownEngine] | None = None,
) -> Advice:
    """Engines for a workload.

    Args:
        hardware: what there is; None for anything.
        nodes: how many machines one model spans.
        features: further features that must be there, by the names of `FEATURES`.
        weights: over the workload's own, for "latency", "throughput", "ease of use" and "scalability", 0 to 3.
        allow_unknown: keep engines that need a probe first.
        served: whether an OpenAI-compatible interface is needed, as it is for the engine `openai`.
    """
    demand = _demand(workload)
    _check_names(features, FEATURES.values(), "feature")
    _check_names(weights or {}, WEIGHTED, "weight")
    wanted = _weights(demand, nodes, weights or {})
    kept, dropped = [], []
    for engine in engines if engines is not None else known_engines().values():
        failed, unknown = _judged(engine, demand, hardware, nodes, features, served=served)
        if failed or (unknown and not allow_unknown):
            dropped.append(Dropped(engine, (*failed, *(() if allow_unknown else (f"unknown: {u}" for u in unknown)))))
        else:
            score = _score(engine, wanted)
            kept.append(Kept(engine, score, tuple(unknown), demand.settings, _warnings(engine, demand, unknown)))
    kept.sort(key=lambda one: (-one.score, -one.engine.known_features(), one.engine.name))
    return Advice(workload, tuple(kept), tuple(dropped))


def _judged(
    engine: KnownEngine,
    demand: Demand,
    hardware: Hardware | None,
    nodes: int,
    features: Collection[str],
    *,
    served: bool,
) -> tuple[list[str], list[str]]:
    """Requirements that fail, and requirements that nobody knows about."""
    unknown: list[str] = []
    machines = dict.fromkeys(filter(None, (hardware, demand.hardware)))
    failed = [f"hardware: does not run on {machine}" for machine in machines if machine not in engine.hardware]
    if nodes > 1 and engine.nodes == "one":
        failed.append(f"nodes: runs on one machine, not on {nodes}")
    for group in (*demand.must, *((name,) for name in sorted(features))):
        values = [engine.features[name].value for name in group]
        if "yes" not in values:
            (unknown if "unknown" in values else failed).append(f"feature: {' or '.join(group)}")
    if served and engine.api.value != "yes":
        (unknown if engine.api.value == "unknown" else failed).append("interface: OpenAI-compatible")
    return failed, unknown


def _weights(demand: Demand, nodes: int, given: Mapping[str, float]) -> dict[str, float]:
    scale = {"scalability": 2.0} if nodes > 1 else {}
    return dict.fromkeys(WEIGHTED, 1.0) | scale | dict(demand.weights) | dict(given)


def _score(engine: KnownEngine, weights: Mapping[str, float]) -> float:
    rated = engine.ratings
    use = (rated["ease of use"] + rated["deployment"]) / 2
    return (
        weights["latency"] * rated["latency"]
        + weights["throughput"] * rated["throughput"]
        + weights["ease of use"] * use
        + weights["scalability"] * rated["scalability"]
    )


def _warnings(engine: KnownEngine, demand: Demand, unknown: Sequence[str]) -> tuple[str, ...]:
    found = [f"Probe first: {name}." for name in unknown]
    found += [f"Without {name}." for name in demand.helps if engine.features[name].value != "yes"]
    if engine.defaults:
        shown = ", ".join(f"{name} {value:g}" for name, value in engine.defaults.items())
        found.append(f"Its own sampling defaults are not neutral ({shown}); every setting is sent.")
    return (*found, *engine.limits)


def _demand(workload: str) -> Demand:
    for name, demand in DEMANDS.items():
        if name == workload:
            return demand
    raise InputError(
        explain(
            "There is no workload of this name.",
            got=workload,
            expected="one of " + ", ".join(DEMANDS),
            remedy=nearest(workload, DEMANDS),
        )
    )


def _check_names(given: Collection[str], known: Collection[str], what: str) -> None:
    for name in given:
        if name not in known:
            raise InputError(
                explain(
                    f"There is no {what} of this name.",
                    got=name,
                    expected="one of " + ", ".join(known),
                    remedy=nearest(name, known),
                )
            )
