"""Every kind of task and every setting of it stands in the reference."""

from __future__ import annotations

import msgspec

from outthink.bench.tasks import TASKS, FileSource
from tests.shape_of_code.documentation import reference, section
from tests.shape_of_code.test_reference import is_named


def test_kinds_and_settings_are_documented() -> None:
    page = reference("tasks.md")
    everywhere = section(page, "Settings of every kind") or ""
    missing = []
    for word, kind in TASKS.items():
        part = section(page, word)
        if part is None:
            missing.append(f"no heading {word!r}")
            continue
        names = [field.name for field in msgspec.structs.fields(kind)]
        missing += [f"{word}: no `{name}`" for name in names if not is_named(name, part + everywhere)]
        if issubclass(kind, FileSource) and kind.HOME[0]:
            assert kind.HOME[0].count("/") == 1
    assert not missing, "; ".join(missing)
