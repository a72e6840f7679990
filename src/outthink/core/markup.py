"""HTML and SVG elements as values, escaped unless they are elements already: nothing that a model wrote can become markup."""

from __future__ import annotations

from html import escape

Value = str | int | float | None
VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta"})
"""Elements that have no end."""


class Markup(str):
    """A string that is markup; any other string is text."""

    __slots__ = ()


def tag(element: str, *children: str, **attributes: Value) -> Markup:
    """One element with its children, text escaped.

    An attribute that is None is left out; `class_` is written `class`, other underscores become hyphens; numbers are rounded to 2 places.
    """
    written = "".join(f' {_name(name)}="{_value(value)}"' for name, value in attributes.items() if value is not None)
    if element in VOID:
        return Markup(f"<{element}{written}>")
    return Markup(f"<{element}{written}>{join(*children)}</{element}>")


def join(*children: str) -> Markup:
    """Elements and texts one after the other."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child, quote=False) for child in children))


def whole_page(title: str, style: str, *parts: str) -> str:
    """A page that is one file and loads nothing from elsewhere, with no script in it. `style` is CSS of ours."""
    alone = "default-src 'none'; style-src 'unsafe-inline'"
    head = tag(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f"""<meta http-equiv="Content-Security-Policy" content="{alone}">"""),
        tag("title", f"Outthink: {title}"),
        tag("style", Markup(style)),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", tag("main", *parts)), lang="en") + "\n"


def _name(name: str) -> str:
    return name.rstrip("_").replace("_", "-") if name != "viewBox" else name


def _value(value: str | int | float | None) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else escape(str(value))
