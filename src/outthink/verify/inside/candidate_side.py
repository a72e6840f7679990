"""The side of the program that is tested: it runs the program and calls its functions with plain data when it is told to.

Nothing here is trusted: the program may do what it likes to this process. All that it can bring about is what its functions return.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from outthink.verify.inside.plain_data import packed, read_frame, set_up, unpacked, write_frame


def main() -> None:
    """Serve calls until nobody asks any more."""
    source, sink, order = set_up()
    space: dict[str, Any] = {"__name__": "candidate", "__builtins__": __builtins__}
    write_frame(sink, _told(_loaded, space, order["program"]))
    while True:
        try:
            call = read_frame(source)
        except EOFError:
            return
        arguments, named = unpacked(call["arguments"]), unpacked(call["named"])
        write_frame(sink, _told(_called, space, call["name"], arguments, named))


def _loaded(space: dict[str, Any], program: str) -> None:
    exec(compile(program, "<candidate>", "exec"), space)  # noqa: S102 - its purpose


def _called(space: dict[str, Any], name: str, arguments: Any, named: Any) -> Any:
    return space[name](*arguments, **named)


def _told(work: Callable[..., Any], *given: Any) -> dict[str, Any]:
    """What came of it: a value, or the name and the words of what was raised."""
    try:
        return {"value": packed(work(*given))}
    except BaseException as error:  # noqa: BLE001 - all of it, SystemExit included, is an answer to the tests
        return {
            "raised": type(error).__name__,
            "kinds": [kind.__name__ for kind in type(error).__mro__],
            "said": str(error)[:500],
        }


if __name__ == "__main__":
    main()
