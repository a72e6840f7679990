"""Which names a gateway serves, and which recipe stands behind each.

Three kinds of name: a recipe of the configuration (`careful`), `METHOD@MODEL` (`vote@large`), and a model alone (`large`: one call and no
search, also as `direct@large`). Names are looked up, never interpreted: no path and no TOML comes in through a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from outthink.core.component import EngineSettings
from outthink.core.errors import RecipeError, SettingsError, explain
from outthink.core.settings import Settings
from outthink.engines.engine import Engine
from outthink.recipes.load import load, presets
from outthink.recipes.recipe import Recipe, from_tables
from outthink.recipes.registry import registry
from outthink.search import Vote
from outthink.serve.configuration import Configuration
from outthink.serve.refusal import Refusal, refused
from outthink.text.settings import Text

DIRECT = "direct"
"""The method that is none: as many calls as answers are asked for."""
Source = EngineSettings | Engine


@dataclass(frozen=True)
class Entry:
    """What a name stands for.

    Attributes:
        source: the model: settings, or an engine that is open already.
        direct: whether the search has the size of what is asked for.
    """

    name: str
    recipe: Recipe
    source: Source
    direct: bool = False

    @property
    def text(self) -> Text:
        """How its texts are generated."""
        return cast("Text", self.recipe.process)


class Catalogue:
    """The names of one gateway; everything the configuration says is read, and refused, when it is made.

    `live`: engines that are open already, by name, in place of [models].
    """

    def __init__(self, configuration: Configuration, live: Mapping[str, Engine] | None = None) -> None:
        self._configuration = configuration
        self._sources: dict[str, Source] = (
            dict(live)
            if live is not None
            else {name: _engine(name, table) for name, table in configuration.models.items()}
        )
        known = {*presets(), *registry().tags("algorithm"), DIRECT}
        for name in configuration.methods:
            if name not in known:
                raise SettingsError(
                    explain(
                        "The gateway's configuration allows a method that does not exist.",
                        got=name,
                        expected=", ".join(sorted(known)),
                        remedy="Correct `methods`.",
                    )
                )
        self._found: dict[tuple[str, str | None], Entry] = {}
        self._methods = tuple(sorted(configuration.methods or known))
        self._recipes = {name: self._configured(name, table) for name, table in configuration.recipes.items()}

    @property
    def sources(self) -> Mapping[str, Source]:
        """The models by name."""
        return self._sources

    def names(self) -> list[str]:
        """Every name, recipes first."""
        pairs = [f"{method}@{model}" for model in self._sources for method in self._methods]
        return [*self._recipes, *self._sources, *pairs]

    def find(self, name: str, method: str | None = None) -> Entry:
        """What `name` stands for; `method` replaces its method for one request. Raises `Refusal`."""
        known = self._found.get((name, method))
        if known is None:
            # Only what is found is kept, so requests cannot fill the memory with names.
            known = self._found[name, method] = self._find(name, method)
        return known

    def _find(self, name: str, method: str | None) -> Entry:
        entry = self._named(name)
        if method is None:
            return entry
        return self._made(method, entry.source, f"{method}@{name}", "outthink.method", base=entry.recipe)

    def _named(self, name: str) -> Entry:
        if name in self._recipes:
            return self._recipes[name]
        if name in self._sources:
            return self._made(DIRECT, self._sources[name], name, "model")
        method, separator, model = name.partition("@")
        if separator and model in self._sources:
            return self._made(method, self._sources[model], name, "model")
        raise Refusal(
            404,
            f"The model {name[:128]!r} does not exist. GET /v1/models lists those that do.",
            param="model",
            code="model_not_found",
        )

    def _made(self, method: str, source: Source, name: str, param: str, base: Recipe | None = None) -> Entry:
        """A method on a model. With `base` its process, verifier and answer stay where the method can use them."""
        if method not in self._methods:
            raise refused(param, f"There is no method {method[:64]!r} here. It is one of {', '.join(self._methods)}.")
        direct = method == DIRECT
        plain = from_tables({"algorithm": {"type": "vote", "n": 1}}, DIRECT) if direct else load(method)
        if base is not None:
            plain = replace(
                plain,
                process=base.process,
                budget=base.budget,
                verifier=base.verifier or plain.verifier,
                answer=base.answer or plain.answer,
            )
        if direct:
            plain = replace(plain, algorithm=Vote(n=1), verifier=None, answer=None)
        return _entry(name, plain, source, direct=direct, param=param)

    def _configured(self, name: str, table: Mapping[str, Any]) -> Entry:
        rest = dict(table)
        where = f"The gateway's recipe {name!r}"
        model = rest.pop("model", next(iter(self._sources)))
        if "engine" in rest or model not in self._sources:
            raise RecipeError(
                explain(
                    f"{where} names its model as `model`.",
                    got="a table [engine]" if "engine" in rest else model,
                    expected=" or ".join(self._sources),
                    remedy="Put the engine under [models.NAME], and its name here.",
                )
            )
        return _entry(name, from_tables(rest, where), self._sources[model])


def _entry(name: str, recipe: Recipe, source: Source, *, direct: bool = False, param: str = "") -> Entry:
    if not isinstance(recipe.process, Text):
        why = f"{name[:128]!r} generates no text."
        raise refused(param, why) if param else RecipeError(why)
    if isinstance(source, EngineSettings):
        recipe = replace(recipe, engine=source)
    return Entry(name, recipe, source, direct)


def _engine(name: str, table: Mapping[str, Any]) -> EngineSettings:
    try:
        made: Settings = from_tables({"engine": table, "algorithm": {"type": "vote"}}, f"Model {name!r}").engine
    except RecipeError as error:
        raise RecipeError(f"The gateway's model {name!r}: {error}") from None
    return cast("EngineSettings", made)
