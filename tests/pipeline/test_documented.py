"""Every stage stands in the reference under a heading that is its `type`, with every setting in code marks."""

from __future__ import annotations

from typing import get_args

import msgspec

from outthink.pipeline import Layer, Pipeline
from outthink.pipeline.plangen import Bandit
from tests.shape_of_code.documentation import reference, section
from tests.shape_of_code.test_reference import is_named


def test_stages_and_settings_are_documented() -> None:
    page, missing = reference("pipelines.md"), []
    for cls in (*get_args(Layer), Pipeline):
        part = section(page, cls.name())
        if part is None:
            missing.append(f"no heading {cls.name()!r}")
            continue
        missing += [
            f"{cls.name()}: no `{one.name}`" for one in msgspec.structs.fields(cls) if not is_named(one.name, part)
        ]
    part = section(page, "plangen") or ""
    missing += [f"bandit: no `{one.name}`" for one in msgspec.structs.fields(Bandit) if not is_named(one.name, part)]
    assert not missing, "; ".join(missing)
