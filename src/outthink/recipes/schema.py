"""The JSON Schema of recipes, for editors and for other languages. It comes from the settings classes themselves, plug-ins included."""

from __future__ import annotations

from typing import Any

import msgspec

from outthink.pipeline import Pipeline
from outthink.recipes.layers import LAYERS, PIPELINE
from outthink.recipes.recipe import DEFAULT, PLAIN
from outthink.recipes.registry import KINDS, components


def json_schema() -> dict[str, Any]:
    """A JSON Schema document (2020-12) that accepts every recipe. Loads every component."""
    classes = {kind: list(components(kind).values()) for kind in KINDS}
    wanted = [cls for found in classes.values() for cls in found] + [*PLAIN.values(), Pipeline]
    references, definitions = msgspec.json.schema_components(
        wanted, schema_hook=_anything, ref_template="#/$defs/{name}"
    )
    reference = dict(zip(wanted, references, strict=True))
    tables: dict[str, Any] = {"description": {"type": "string"}}
    tables |= {name: reference[cls] for name, cls in PLAIN.items()}
    for kind, found in classes.items():
        tables[kind] = {"anyOf": [reference[cls] for cls in found]}
        if kind in DEFAULT:
            tables[kind]["default"] = dict(DEFAULT[kind])
    tables["algorithm"]["anyOf"].append({"properties": {"type": {"const": PIPELINE}}, "required": ["type"]})
    tables[LAYERS] = {"$ref": reference[Pipeline]["$ref"] + f"/properties/{LAYERS}"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Outthink recipe",
        "type": "object",
        "properties": tables,
        "anyOf": [{"required": ["algorithm"]}, {"required": [LAYERS]}],
        "additionalProperties": False,
        "$defs": msgspec.to_builtins(definitions),
    }


def _anything(annotation: type) -> dict[str, Any]:
    """`object` stands for any value, as in a JSON Schema inside a recipe.

    `NotImplementedError` is how a schema hook tells msgspec that a type is not its business; msgspec then names the type in its own error.
    """
    if annotation is object:
        return {"description": "any value"}
    raise NotImplementedError
