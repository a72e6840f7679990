"""What a settings class can be set to: each setting's name, type, default and documentation, read from the class itself.

Documentation stands in the class's `Attributes:` section or in a string under the setting; both are found, in base classes too. The
command line, the reference and the comments of `outthink recipes show` come from here, so that nothing is written twice.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from outthink.core.settings import Settings
from outthink.recipes.decode import choices

REQUIRED = "(required)"
_ENTRY = re.compile(r"^    (?P<names>\w+(?:, \w+)*):\s(?P<text>.*)$")
_BOUNDS = (
    ("ge", ">="),
    ("gt", ">"),
    ("le", "<="),
    ("lt", "<"),
    ("min_length", "length >="),
    ("max_length", "length <="),
)


@dataclass(frozen=True)
class Described:
    """One setting. `default` is as TOML would have it; "" for None, `REQUIRED` where there is none."""

    name: str
    type: str
    default: str
    doc: str


def describe(cls: type[Settings]) -> list[Described]:
    """Every setting of a class, in order."""
    docs = _docs(cls)
    return [
        Described(field.encode_name, type_name(field.type), _default(field), docs.get(field.encode_name, ""))
        for field in msgspec.structs.fields(cls)
    ]


def summary(cls: type) -> str:
    """The first paragraph of a class's documentation, on one line."""
    return " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())


def type_name(annotation: Any) -> str:
    """An annotated type in words: `int >= 1`, `difference | running-max`, `"first" | "random"`."""
    found = choices(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        base = type_name(arguments[0])
        metas = [m for m in arguments[1:] if isinstance(m, msgspec.Meta)]
        bounds = [f"{sign} {value}" for m in metas for key, sign in _BOUNDS if (value := getattr(m, key)) is not None]
        return " ".join([base, ", ".join(bounds)]).strip()
    if origin is Literal:
        return " | ".join(json.dumps(a) for a in arguments)
    if isinstance(annotation, type) and issubclass(annotation, Settings) and found:
        tag = annotation.__struct_config__.tag
        return tag if isinstance(tag, str) else annotation.__name__
    if isinstance(origin, type) and issubclass(origin, (list, tuple, set, frozenset)):
        return "list of " + type_name(arguments[0])
    if isinstance(origin, type) and issubclass(origin, (dict, Mapping)):
        return f"table of {type_name(arguments[-1])}"
    if arguments:
        return " | ".join("none" if a is type(None) else type_name(a) for a in arguments)
    if annotation in (Any, object):
        return "any"
    return getattr(annotation, "__name__", str(annotation))


def plain(value: Any) -> str:
    """A plain value as TOML writes it, on one line. None, which TOML cannot say, is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key_name(k)} = {plain(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(plain(v) for v in value) + "]"
    return repr(value)


def key_name(key: Any) -> str:
    """A key as TOML writes it: bare where that is allowed."""
    text = str(key)
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else plain(text)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is not msgspec.NODEFAULT:
        return plain(msgspec.to_builtins(field.default))
    if field.default_factory is not msgspec.NODEFAULT:
        return plain(msgspec.to_builtins(field.default_factory()))
    return REQUIRED


def _docs(cls: type) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in reversed(cls.__mro__):
        if issubclass(one, Settings) and one is not Settings:
            section = _attributes_section(inspect.cleandoc(one.__doc__ or ""))
            for name in list(section):
                section |= _split(name, section[name], one.__struct_fields__)
            found |= section | _strings_under(one)
    return found


def _split(name: str, text: str, names: Sequence[str]) -> dict[str, str]:
    """An entry that goes on with another setting, as in "system: said first. examples: worked lines"."""
    pieces = re.split(rf"(?<=[.;]) (?=(?:{'|'.join(names)}): )", f"{name}: {text}")
    return {key: doc for key, _, doc in (piece.partition(": ") for piece in pieces)}


def _attributes_section(doc: str) -> dict[str, str]:
    """What the `Attributes:` section of a docstring says, by name; one entry may document several names."""
    _, _, section = doc.partition("Attributes:\n")
    found: dict[str, str] = {}
    current: list[str] = []
    for line in section.splitlines():
        entry = _ENTRY.match(line)
        if entry:
            current = entry.group("names").split(", ")
            found |= dict.fromkeys(current, entry.group("text").strip())
        elif line.startswith("     ") and current:
            found |= {name: f"{found[name]} {line.strip()}" for name in current}
        elif line.strip():
            break
    return found


def _strings_under(cls: type) -> dict[str, str]:
    """Strings that stand right under a setting in the class's source, by name; none where there is no source to read."""
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):
        return {}
    body = ast.parse(textwrap.dedent(source)).body[0]
    if not isinstance(body, ast.ClassDef):
        return {}
    found: dict[str, str] = {}
    for setting, below in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(setting, ast.AnnAssign)
            and isinstance(setting.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            found[setting.target.id] = " ".join(below.value.value.split())
    return found
