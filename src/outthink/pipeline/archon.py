"""Reads the JSON configurations of Archon as pipelines, with model names mapped to engines.

    found = read_archon(Path("config.json").read_text(), {"gpt-4o": Openai(...), "*": Local()})
    found.pipeline, found.engine, found.notes

What a configuration says is kept, or named in `notes` with the reason. A component that neither Archon nor this reader knows is refused by
its name, like a model that the map lacks. Configurations that follow the paper's rules are checked by them; the others, such as those that
write unit tests before there are answers, run under `rules = "open"`, which is noted.

Source: ScalingIntelligence/Archon, src/archon/completions (read as to what its keys mean; nothing of it is here). Departures, each noted
where it shows: the first candidate is the answer, not a random one; `use_critiques` is obeyed; a verifier or tests that may stop at the
first k look at everyone and cut afterwards; models that only rank pairs rank lists here, by the model that stands in for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from outthink.core.errors import SettingsError, explain, nearest
from outthink.pipeline.check import Verify
from outthink.pipeline.critique import Critique
from outthink.pipeline.making import Fuse, Generate, SideBySide
from outthink.pipeline.pipeline import Layer, Pipeline
from outthink.pipeline.rank import Rank
from outthink.pipeline.stage import AnyEngine
from outthink.pipeline.unit_tests import RunTests, WriteTests

ANY = "*"
"""In a map of models: every model that is not named."""
PAIRS = "llm-blender/PairRM"
SHARED = ("type", "model", "model_type", "temperature", "max_tokens", "samples")
UNREAD = {
    "top_k": "the published code does not read it here",
    "checkpoint": "the published code does not read it",
    "ranker_batch_size": "it is for the pairwise model alone",
    "batch_num": "the published code does not read it",
    "ranker_config": "the published code does not read it",
    "top_k_generations": "the published code does not read it",
    "fuse_generations_count": "the published code does not read it",
    "length_contorl": "it is misspelt, and the published code does not read it",
    "use_critiques": "the published code does not read it here",
    "remove_unit_tests_from_prompt": "the published code does not read it here",
    "no_system": "no system message is sent in any case",
    "model_type": "the map of models says which engine answers",
}


@dataclass(frozen=True)
class FromArchon:
    """A configuration as a pipeline.

    Attributes:
        engine: what most of its stages ask; the others have an engine of their own.
        notes: what was kept in another way than it was written, and why.
    """

    name: str
    pipeline: Pipeline
    engine: AnyEngine
    notes: tuple[str, ...]


def read_archon(text: str | bytes, models: Mapping[str, AnyEngine]) -> FromArchon:
    """The pipeline of a configuration. Raises `SettingsError` that names the component, the model or the place."""
    try:
        document: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refuse("The configuration is not JSON.", str(error), "a JSON document", "Correct it there.") from None
    layers = document.get("layers") if isinstance(document, dict) else None
    if not isinstance(layers, list) or not layers:
        raise _refuse("The configuration has no layers.", layers, 'a list under "layers"', "Check the file.")
    reader = _Reader(models)
    rows = [reader.row(number, layer) for number, layer in enumerate(layers, 1)]
    named = Counter(msgspec.json.encode(engine, order="sorted") for row in rows for engine, _ in row)
    most = named.most_common(1)[0][0]
    engine = next(engine for row in rows for engine, _ in row if msgspec.json.encode(engine, order="sorted") == most)
    built = tuple(reader.layer(number, row, engine) for number, row in enumerate(rows, 1))
    name = str(document.get("name", "archon"))
    return FromArchon(name, reader.checked(built), engine, tuple(dict.fromkeys(reader.notes)))


Made = Callable[[AnyEngine | None], Layer]
"""A stage that waits for its engine; None is the recipe's."""


@dataclass
class _Reader:
    models: Mapping[str, AnyEngine]
    notes: list[str] = field(default_factory=list)

    def row(self, number: int, layer: Any) -> list[tuple[AnyEngine, Made]]:
        """The components of a layer: each its engine, and the stage it becomes."""
        if isinstance(layer, dict) and "type" in layer:
            self.notes.append(f"layer {number} is a component, not a list of them; it is read as a list of one")
            layer = [layer]
        components = layer.get("models") if isinstance(layer, dict) else layer
        if not isinstance(components, list) or not components or not all(isinstance(one, dict) for one in components):
            raise _refuse(f"Layer {number} holds no components.", layer, "a list of tables", "Check the file.")
        return [(self._engine(number, one), self._made(number, one)) for one in components]

    def layer(self, number: int, row: Sequence[tuple[AnyEngine, Made]], most: AnyEngine) -> Layer:
        """One stage, or several side by side."""
        stages = [make(None if engine == most else engine) for engine, make in row]
        if len(stages) == 1:
            return stages[0]
        together = [stage for stage in stages if isinstance(stage, Generate | Fuse)]
        kinds = sorted({WORDS[type(stage)] for stage in stages})
        if len(together) < len(stages) or len(kinds) > 1:
            raise _refuse(
                f"Layer {number} puts components side by side that cannot stand so.",
                ", ".join(kinds),
                "several generators, or several fusers",
                "Give each a layer of its own.",
            )
        return SideBySide(stages=tuple(together))

    def checked(self, layers: tuple[Layer, ...]) -> Pipeline:
        """The pipeline under the paper's rules, or under open ones where it does not keep to those."""
        try:
            return Pipeline(layers=layers)
        except SettingsError as error:
            self.notes.append(f"it does not keep to the paper's rules, so they are open: {error}")
            return Pipeline(layers=layers, rules="open")

    def _engine(self, number: int, component: Mapping[str, Any]) -> AnyEngine:
        model = str(component.get("model", ""))
        found = self.models.get(model, self.models.get(ANY))
        if found is None:
            raise _refuse(
                f"Layer {number} asks for a model that the map lacks.",
                model,
                "one of " + ", ".join(self.models) if self.models else "a map of models",
                f"Map it, for example --map {model or 'NAME'}=local, or all others with --map '*=local'.",
            )
        if model == PAIRS:
            self.notes.append(f"{PAIRS} compares pairs; the model that stands in for it ranks the whole list")
        return found

    def _made(self, number: int, component: Mapping[str, Any]) -> Made:
        kind = str(component.get("type", ""))
        if kind not in COMPONENTS:
            raise _refuse(
                f"Layer {number} has a component that is none of Archon's.",
                kind,
                "one of " + ", ".join(COMPONENTS),
                nearest(kind, COMPONENTS) + " A component of your own becomes a stage 'solve'.",
            )
        cls, names = COMPONENTS[kind]
        settings = {ours: value for theirs, ours in names.items() if (value := component.get(theirs)) is not None}
        self._tell(number, kind, component, names)
        if cls is WriteTests:
            settings["show"] = True
        if cls is RunTests:
            settings |= self._tests(number, component)
        return lambda engine: cls(**settings, engine=engine)

    def _tell(self, number: int, kind: str, component: Mapping[str, Any], names: Mapping[str, str]) -> None:
        for key in component:
            if key in names or key in SHARED or (kind == "unit_test_evaluator" and key in TEST_KEYS):
                continue
            why = UNREAD.get(key, "this reader does not know it, and neither does the published code")
            self.notes.append(f"layer {number}, {kind}: {key!r} is left out: {why}")
        if "samples" not in names and component.get("samples", 1) != 1:
            self.notes.append(f"layer {number}, {kind}: one reply is asked for; of several only the first would count")

    def _tests(self, number: int, component: Mapping[str, Any]) -> dict[str, Any]:
        first = component.get("first_k") or (1 if component.get("first_pass") else None)
        if first is None:
            return {"keep": component.get("top_k") or 0, "shown": not component.get("remove_unit_tests_from_prompt")}
        self.notes.append(f"layer {number}: all are tested, and the first {first} of those that pass all tests stay")
        return {"keep": first, "shown": not component.get("remove_unit_tests_from_prompt")}


TEST_KEYS = ("top_k", "first_k", "first_pass", "remove_unit_tests_from_prompt", "unit_test_cap")
_ASKED = {"temperature": "temperature", "max_tokens": "max_tokens"}
COMPONENTS: Mapping[str, tuple[type[Any], Mapping[str, str]]] = {
    "generator": (Generate, {**_ASKED, "samples": "samples"}),
    "fuser": (Fuse, {**_ASKED, "samples": "samples", "length_control": "brief"}),
    "critic": (Critique, _ASKED),
    "ranker": (Rank, {**_ASKED, "top_k": "keep", "use_critiques": "critiques"}),
    "verifier": (Verify, {**_ASKED, "first_k": "first"}),
    "unit_test_generator": (WriteTests, {**_ASKED, "unit_test_cap": "number"}),
    "unit_test_evaluator": (RunTests, _ASKED),
}
"""Archon's registry: its word for each component, our stage, and its keys with our settings."""
WORDS: Mapping[type[Any], str] = {cls: word for word, (cls, _) in COMPONENTS.items()}


def _refuse(what: str, got: object, expected: str, remedy: str) -> SettingsError:
    return SettingsError(explain(what, got=got, expected=expected, remedy=remedy))
