"""Pages of HTML, drawn by a real browser in a box and compared: what the environment of web pages is made of.

    drawn = await renderer().draw("<h1>Hello</h1>")
    layout_similarity(drawn, other), look(drawn, other).mean

`described_page` makes tasks. Pages are untrusted; `outthink.agent.pages.renderer` says what keeps them in.
"""

from outthink.agent.pages.described import described_page
from outthink.agent.pages.layout import similarity as layout_similarity
from outthink.agent.pages.look import Look, look
from outthink.agent.pages.pixels import similarity as pixel_similarity
from outthink.agent.pages.rendered import Component, Rendered
from outthink.agent.pages.renderer import Renderer, renderer

__all__ = [
    "Component",
    "Look",
    "Rendered",
    "Renderer",
    "described_page",
    "layout_similarity",
    "look",
    "pixel_similarity",
    "renderer",
]
