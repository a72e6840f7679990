"""Every setting of a grid and every preset stands in the reference."""

from __future__ import annotations

import msgspec

from outthink.bench.grid import Axis, Grid, GridRecipe, Variant, grid_presets
from tests.shape_of_code.documentation import reference, section
from tests.shape_of_code.test_reference import is_named


def test_settings_and_presets_are_documented() -> None:
    page = reference("bench.md")
    where = {Grid: "Settings of a grid", GridRecipe: "Recipes", Axis: "Axes", Variant: "Axes"}
    missing = [
        f"{heading}: no `{field.name}`"
        for kind, heading in where.items()
        for field in msgspec.structs.fields(kind)
        if not is_named(field.name, section(page, heading) or "")
    ]
    missing += [f"no preset `{name}`" for name in grid_presets() if not is_named(name, section(page, "Presets") or "")]
    assert not missing, "; ".join(missing)
