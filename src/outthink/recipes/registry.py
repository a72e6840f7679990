"""Which word stands for which settings class: the built-in components, and those of installed plug-ins.

    find("algorithm", "particle-filter")        # the class ParticleFilter
    components("verifier")                      # every verifier by its tag

Built-ins are named as text and imported when they are asked for, so that a recipe loads only the parts that it names. A plug-in adds
components under the entry-point group `outthink.plugins`, one line each, named KIND.TAG:

    [project.entry-points."outthink.plugins"]
    "algorithm.my-search" = "my_package:MySearch"

A plug-in that takes a tag which is in use, or that cannot be loaded, is an error that names it: whoever asks for that tag or for the
whole kind sees it, and `problems` lists them all. Nothing is skipped in silence.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any, Literal, Protocol, get_args

from outthink.core.algorithm import Algorithm
from outthink.core.component import AnswerSettings, EngineSettings, ProcessSettings, VerifierSettings
from outthink.core.errors import SettingsError, explain, nearest
from outthink.core.settings import Tagged

Kind = Literal["engine", "process", "algorithm", "verifier", "answer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
GROUP = "outthink.plugins"

BASES: Mapping[Kind, type[Tagged]] = {
    "engine": EngineSettings,
    "process": ProcessSettings,
    "algorithm": Algorithm,
    "verifier": VerifierSettings,
    "answer": AnswerSettings,
}

BUILT_IN: Mapping[Kind, Mapping[str, str]] = {
    "engine": {
        "local": "outthink.engines.local.settings:Local",
        "scripted": "outthink.engines.scripted_table:Scripted",
        "openai": "outthink.engines.openai.settings:Openai",
        "recorded": "outthink.engines.recorded:Recorded",
        "transformers": "outthink.engines.torch.settings:Transformers",
    },
    "process": {"text": "outthink.text.settings:Text", "agent": "outthink.agent:Agent"},
    "algorithm": {
        "best-of-n": "outthink.search.best_of_n:BestOfN",
        "best-first": "outthink.search.best_first:BestFirst",
        "tree": "outthink.search.tree:Tree",
        "vote": "outthink.search.vote:Vote",
        "particle-filter": "outthink.search.particle_filter:ParticleFilter",
        "particle-gibbs": "outthink.search.particle_gibbs:ParticleGibbs",
        "parallel-tempering": "outthink.search.parallel_tempering:ParallelTempering",
        "beam": "outthink.search.beam:Beam",
        "diverse-verifier-tree-search": "outthink.search.diverse_verifier_tree_search:DiverseVerifierTreeSearch",
        "rebase": "outthink.search.rebase:Rebase",
        "step-best-of-n": "outthink.search.step_best_of_n:StepBestOfN",
        "refine": "outthink.search.refine:Refine",
        "adaptive": "outthink.search.adaptive:Adaptive",
        "rollover": "outthink.search.rollover:Rollover",
        "zero-order": "outthink.search.zero_order:ZeroOrder",
        "rewind": "outthink.search.rewind:Rewind",
        "evolve": "outthink.search.evolve:Evolve",
    },
    "verifier": {
        "exact": "outthink.verify:Exact",
        "math-verify": "outthink.verify:MathVerify",
        "matches-regex": "outthink.verify:MatchesRegex",
        "json-schema-valid": "outthink.verify:JsonSchemaValid",
        "confidence": "outthink.verify:Confidence",
        "arithmetic": "outthink.verify:Arithmetic",
        "length": "outthink.verify.features:Length",
        "marker-rate": "outthink.verify.features:MarkerRate",
        "learned-features": "outthink.verify.features:LearnedFeatures",
        "laboratory-oracle": "outthink.laboratory:LaboratoryOracle",
        "code": "outthink.verify:Code",
        "combine": "outthink.verify:Combine",
        "judge": "outthink.verify:Judge",
        "self-evaluation": "outthink.verify:SelfEvaluation",
        "pairwise": "outthink.verify:Pairwise",
        "knockout": "outthink.verify:Knockout",
        "ensemble": "outthink.verify:Ensemble",
        "reward-head": "outthink.verify:RewardHead",
        "embedded-reward-model": "outthink.verify:EmbeddedRewardModel",
        "reward-model": "outthink.verify:RewardModel",
        "scoring-server": "outthink.verify:ScoringServer",
        "episode-reward": "outthink.agent:EpisodeReward",
    },
    "answer": {
        "plain": "outthink.verify:Plain",
        "numeric": "outthink.verify:Numeric",
        "symbolic": "outthink.verify:Symbolic",
        "json-fields": "outthink.verify:JsonFields",
    },
}


class EntryPoint(Protocol):
    """What the registry needs of an installed entry point."""

    @property
    def name(self) -> str: ...

    @property
    def value(self) -> str: ...

    def load(self) -> Any:
        """Import the object that the entry point names."""


@dataclass(frozen=True)
class Registry:
    """Tags by kind. `refused` holds the plug-ins that cannot be used, by kind and tag ("" where the name gives none)."""

    names: Mapping[Kind, Mapping[str, str]]
    plugins: Mapping[tuple[Kind, str], EntryPoint] = field(default_factory=dict)
    refused: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, entry_points: Iterable[EntryPoint]) -> Registry:
        """The built-ins and these plug-ins; loads nothing."""
        plugins: dict[tuple[Kind, str], EntryPoint] = {}
        refused: dict[tuple[str, str], str] = {}
        for point in entry_points:
            kind, _, tag = point.name.partition(".")
            known = next((k for k in KINDS if k == kind), None)
            if known is None or not tag:
                refused[("", point.name)] = explain(
                    f"The plug-in {point.value!r} has a name that says no kind.",
                    got=point.name,
                    expected="KIND.TAG, where KIND is " + ", ".join(KINDS),
                    remedy="Correct it in that package, or uninstall the package.",
                )
            elif tag in BUILT_IN[known]:
                refused[(known, tag)] = _clash(known, tag, point.value, BUILT_IN[known][tag])
            elif (known, tag) in plugins:
                refused[(known, tag)] = _clash(known, tag, point.value, plugins[(known, tag)].value)
            else:
                plugins[(known, tag)] = point
        names: dict[Kind, dict[str, str]] = {kind: dict(BUILT_IN[kind]) for kind in KINDS}
        for (kind, tag), point in plugins.items():
            names[kind][tag] = point.value
        return cls(names, plugins, refused)

    def tags(self, kind: Kind) -> tuple[str, ...]:
        """Every tag of a kind, sorted; loads nothing."""
        return tuple(sorted(self.names[kind]))

    def find(self, kind: Kind, tag: str) -> type[Tagged]:
        """The settings class behind a tag. Raises `SettingsError` with the nearest tags, or with what is wrong with the plug-in."""
        if (kind, tag) in self.refused:
            raise SettingsError(self.refused[(kind, tag)])
        if tag not in self.names[kind]:
            raise SettingsError(
                explain(
                    f"There is no {kind} of this name.",
                    got=tag,
                    expected="one of " + ", ".join(self.tags(kind)),
                    remedy=nearest(tag, self.tags(kind)),
                )
            )
        point = self.plugins.get((kind, tag))
        found = _built_in(self.names[kind][tag]) if point is None else _plugin(point)
        if not (isinstance(found, type) and issubclass(found, BASES[kind]) and found.name() == tag):
            raise SettingsError(
                explain(
                    f"The {kind} {tag!r} is not what its name says.",
                    got=f"{self.names[kind][tag]} = {found!r}",
                    expected=f"a subclass of {BASES[kind].__name__} whose tag is {tag!r}",
                    remedy="Correct the plug-in, or uninstall its package.",
                )
            )
        return found

    def components(self, kind: Kind) -> dict[str, type[Tagged]]:
        """Every settings class of a kind by its tag, sorted. Raises `SettingsError` when a plug-in of this kind cannot be used."""
        broken = [text for (place, _), text in self.refused.items() if place in (kind, "")]
        if broken:
            raise SettingsError(" ".join(broken))
        return {tag: self.find(kind, tag) for tag in self.tags(kind)}

    def problems(self) -> dict[tuple[str, str], str]:
        """What is wrong with the installed plug-ins, by kind and tag; loads every one of them."""
        found = dict(self.refused)
        for kind, tag in self.plugins:
            if (kind, tag) not in found:
                try:
                    self.find(kind, tag)
                except SettingsError as error:
                    found[(kind, tag)] = str(error)
        return found


@cache
def registry() -> Registry:
    """The built-ins and the plug-ins installed in this environment."""
    return Registry.of(metadata.entry_points(group=GROUP))


def components(kind: Kind) -> dict[str, type[Tagged]]:
    """Every settings class of a kind by its tag. Raises `SettingsError` when a plug-in of this kind cannot be used."""
    return registry().components(kind)


def find(kind: Kind, tag: str) -> type[Tagged]:
    """The settings class behind a tag. Raises `SettingsError` that offers the nearest tags."""
    return registry().find(kind, tag)


def _built_in(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _plugin(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:
        raise SettingsError(
            explain(
                f"The plug-in {point.name!r} cannot be loaded: {type(error).__name__}: {error}.",
                got=point.value,
                expected="an importable settings class",
                remedy="Repair or uninstall the package that brings it.",
            )
        ) from error


def _clash(kind: str, tag: str, new: str, old: str) -> str:
    return explain(
        f"Two components are called {kind} {tag!r}.",
        got=f"{old} and {new}",
        expected="one",
        remedy="Uninstall one of the packages, or have its plug-in renamed.",
    )
