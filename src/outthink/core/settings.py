"""Settings: frozen typed values that validate themselves, in Python exactly as in TOML.

`msgspec` validates what it decodes but not what a constructor is given, so `Settings.__post_init__` converts each field:
`ParticleFilter(n=0)` raises what `n = 0` in a recipe raises. A setting that may be one of several is annotated with the union of
the concrete classes, never with their abstract base. Live objects (engines, verifiers, functions) are never settings.

`Tagged` settings carry their kebab-case class name as `type`, the same word in recipes, on the command line and in file names.
"""

from __future__ import annotations

import re
from abc import ABCMeta
from typing import Annotated, Any, TypeVar, dataclass_transform

import msgspec
from msgspec import Meta

from outthink.core.errors import SettingsError, explain, nearest
from outthink.core.half_pairs import whole_text

S = TypeVar("S", bound="Settings")

Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
PositiveFloat = Annotated[float, Meta(gt=0.0)]
NonNegativeFloat = Annotated[float, Meta(ge=0.0)]


def kebab(name: str) -> str:
    """`ParticleFilter` -> `particle-filter`, `BestOfN` -> `best-of-n`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name.rsplit(".", 1)[-1])
    return spaced.lower()


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class SettingsMeta(type(msgspec.Struct), ABCMeta):  # type: ignore[misc]
    """Metaclass that lets a settings class be abstract, and that names a misspelt argument."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        # msgspec applies `kw_only` to the fields of one class and does not hand it down.
        return super().__new__(mcls, name, bases, namespace, **{"kw_only": True, **options})

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        known = set(cls.__struct_fields__)
        for name in kwargs:
            if name not in known:
                raise SettingsError(
                    explain(
                        f"{cls.__name__} has no setting {name!r}.",
                        got=name,
                        expected=", ".join(sorted(known)) or "no settings at all",
                        remedy=nearest(name, known) if known else "Leave it out.",
                    )
                )
        return super().__call__(*args, **kwargs)


class Settings(  # type: ignore[metaclass]
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, metaclass=SettingsMeta
):
    """Base of every settings type: frozen, keyword-only, unknown names refused, every field checked on construction."""

    def __post_init__(self) -> None:
        for field in _fields(type(self)):
            value = getattr(self, field.name)
            try:
                checked = msgspec.convert(value, field.type)
                whole_text(checked)
            except (msgspec.ValidationError, UnicodeEncodeError) as error:
                problem = str(error) if isinstance(error, msgspec.ValidationError) else "text without half characters"
                raise SettingsError(
                    explain(
                        f"{type(self).__name__}.{field.name} cannot be {value!r}.",
                        got=value,
                        expected=problem.removeprefix("Expected ").split(", got ")[0],
                        remedy=f"Give {type(self).__name__} another value for {field.name!r} (default: {_default(field)}).",
                    )
                ) from None
            if checked is not value:
                msgspec.structs.force_setattr(self, field.name, checked)
        self.check()

    def check(self) -> None:
        """Rules between fields; raise `SettingsError`. The base has none."""


class Tagged(Settings, tag_field="type", tag=kebab):
    """Settings that are chosen by name: their `type` is the kebab-case class name."""

    @classmethod
    def name(cls) -> str:
        """The word that chooses this class in recipes and on the command line."""
        tag = cls.__struct_config__.tag
        if not isinstance(tag, str):
            raise SettingsError(f"{cls.__name__} has no name of its own.")
        return tag


_FIELDS: dict[type[Settings], tuple[msgspec.structs.FieldInfo, ...]] = {}


def _fields(cls: type[Settings]) -> tuple[msgspec.structs.FieldInfo, ...]:
    found = _FIELDS.get(cls)
    if found is None:
        found = _FIELDS[cls] = msgspec.structs.fields(cls)
    return found


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is not msgspec.NODEFAULT:
        return repr(field.default)
    if field.default_factory is not msgspec.NODEFAULT:
        return repr(field.default_factory())
    return "none, it must be given"


def replace(settings: S, **changes: Any) -> S:
    """A copy with some fields changed, validated again. Unknown names are refused."""
    return type(settings)(**{**{f: getattr(settings, f) for f in settings.__struct_fields__}, **changes})
