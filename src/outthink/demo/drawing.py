"""The frame that the trees share: one SVG element of a size in pixels, with a title that says what is drawn to those who do not see it."""

from __future__ import annotations

from outthink.core.markup import Markup, tag


def drawing(title: str, *parts: Markup, width: float, height: float, class_: str) -> Markup:
    """The picture; `width` and `height` are rounded to whole pixels."""
    return tag(
        "svg",
        tag("title", title),
        *parts,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=round(width),
        height=round(height),
        role="img",
        class_=class_,
    )
