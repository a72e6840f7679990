"""Solvers by name: NAME, or NAME:SETTING=VALUE with commas between, such as `ddim:eta=0.5` or `flow-sde:scale=3,power=2`."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from outthink.core.errors import SettingsError, explain, nearest
from outthink.diffusion.solvers import AnySolver, Solver


def _known() -> dict[str, type[Solver]]:
    return {kind.name(): kind for kind in get_args(AnySolver)}


def solver_names(*, with_noise: bool = False) -> tuple[str, ...]:
    """All names; or those alone that draw noise as they stand."""
    return tuple(name for name, kind in _known().items() if not with_noise or kind().stochastic)


def solver_by_name(text: str) -> Solver:
    """The solver of this name with these settings. Raises `SettingsError` with the nearest names."""
    name, _, said = text.partition(":")
    known = _known()
    if name not in known:
        raise SettingsError(
            explain(
                "There is no solver of this name.", got=name, expected=", ".join(known), remedy=nearest(name, known)
            )
        )
    settings: dict[str, Any] = {}
    for part in filter(None, said.split(",")):
        setting, _, value = part.partition("=")
        try:
            settings[setting.strip()] = float(value)
        except ValueError:
            raise _bad(name, part, known[name]) from None
    try:
        return known[name](**settings)
    except (msgspec.ValidationError, TypeError) as error:
        if isinstance(error, SettingsError):
            raise
        raise _bad(name, said, known[name]) from error


def _bad(name: str, got: str, kind: type[Solver]) -> SettingsError:
    fields = ", ".join(f"{field}=NUMBER" for field in kind.__struct_fields__)
    return SettingsError(
        explain(
            f"The solver {name!r} is not set like that.",
            got=got,
            expected=fields or "no settings at all",
            remedy=f"For example --solver {name}{':' + fields.split(',')[0].replace('NUMBER', '1') if fields else ''}.",
        )
    )
