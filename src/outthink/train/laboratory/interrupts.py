"""Ctrl-C as a wish, not as an exception: a training ends after the step under way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Wish:
    """Whether somebody wished for an end."""

    def __init__(self) -> None:
        self.made = False

    def __bool__(self) -> bool:
        return self.made


@contextmanager
def interrupts(then: Callable[[], object] | None = None) -> Iterator[Wish]:
    """Until the block ends, Ctrl-C makes the wish true and calls `then`. Outside the main thread nothing is changed."""
    wish = Wish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return

    def wished(number: int, frame: object) -> None:
        wish.made = True
        if then is not None:
            then()

    before = signal.signal(signal.SIGINT, wished)
    try:
        yield wish
    finally:
        signal.signal(signal.SIGINT, before)
