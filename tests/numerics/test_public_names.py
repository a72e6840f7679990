from __future__ import annotations

import inspect

from outthink import numerics


def test_public_names_exist_and_say_what_they_are() -> None:
    assert len(set(numerics.__all__)) == len(numerics.__all__)
    for name in numerics.__all__:
        exported = getattr(numerics, name)
        if inspect.isfunction(exported) or inspect.isclass(exported):
            assert inspect.getdoc(exported), name
            assert exported.__module__.startswith("outthink.numerics."), name


def test_everything_imported_by_the_package_is_public() -> None:
    imported = {
        name
        for name, value in vars(numerics).items()
        if not name.startswith("_") and name != "annotations" and not inspect.ismodule(value)
    }
    assert imported == set(numerics.__all__)
