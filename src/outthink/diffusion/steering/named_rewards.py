"""Rewards by name, and functions of a file of the user's own.

    reward_by_name("class:3")                # log-probability of a digit by the laboratory's classifier, nats
    reward_by_name("my_file.py:my_function") # images [n, c, h, w] in [-1, 1] to one number each

Naming a file runs it, as `python my_file.py` would.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outthink.core.errors import InputError, explain, nearest
from outthink.core.verifier import Verifier
from outthink.diffusion.laboratory import Classifier, classifier
from outthink.diffusion.rewards import brightness, class_log_probability, compressibility, reward, symmetry

DIGITS = 10


def reward_by_name(
    name: str, *, label: int | None = None, partial: bool = True, judge: Callable[[], Classifier] = classifier
) -> Verifier:
    """The reward that a name stands for.

    Args:
        name: NAME, NAME:DETAIL, or FILE.py:FUNCTION.
        label: the class that "class" without a number means.
        partial: whether predicted samples are judged on the way; else finished ones only.
        judge: gives the classifier that "class" asks, if it is asked for; unless given, the shipped one of 8 x 8 digits.
    Raises `InputError` with what there is.
    """
    head, _, detail = name.rpartition(":") if ".py:" in name else name.partition(":")
    if head.endswith(".py"):
        return reward(_function(Path(head), detail), partial=partial, name=detail)
    if head not in REWARDS:
        raise InputError(
            explain(
                "There is no reward of this name.",
                got=name,
                expected=", ".join(REWARDS) + ", or FILE.py:FUNCTION",
                remedy=nearest(head, REWARDS),
            )
        )
    return REWARDS[head](Wish(detail, label, partial, judge))


@dataclass(frozen=True)
class Wish:
    """What a reward that can be named is told.

    Attributes:
        detail: what stands after the colon. label: the class asked for. partial: whether samples are judged on the way.
        judge: gives the classifier of the images.
    """

    detail: str
    label: int | None
    partial: bool
    judge: Callable[[], Classifier]


def _of_class(wish: Wish) -> Verifier:
    said = wish.detail or ("" if wish.label is None else str(wish.label))
    if not said.isdecimal() or int(said) >= DIGITS:
        raise InputError(
            explain(
                "The reward 'class' needs a digit.",
                got=said or "none",
                expected="class:0 to class:9, or --class as well",
                remedy="For example --reward class:3.",
            )
        )
    return class_log_probability(wish.judge().log_probabilities, int(said), partial=wish.partial)


def _brightness(wish: Wish) -> Verifier:
    _one_of("brightness", wish.detail, ("",))
    return brightness(partial=wish.partial)


def _compressibility(wish: Wish) -> Verifier:
    detail = _one_of("compressibility", wish.detail, ("", "jpeg", "png"))
    return compressibility("png" if detail == "png" else "jpeg", partial=wish.partial)


def _symmetry(wish: Wish) -> Verifier:
    along = _one_of("symmetry", wish.detail, ("", "left-right", "up-down"))
    return symmetry("up-down" if along == "up-down" else "left-right", partial=wish.partial)


REWARDS: dict[str, Callable[[Wish], Verifier]] = {
    "class": _of_class,
    "brightness": _brightness,
    "compressibility": _compressibility,
    "symmetry": _symmetry,
}
"""What can be named."""


def _one_of(name: str, detail: str, known: tuple[str, ...]) -> str:
    if detail not in known:
        raise InputError(
            explain(
                f"The reward {name!r} has no such kind.",
                got=detail,
                expected=" or ".join(part or "nothing" for part in known),
                remedy=f"Write {name}, or {name}:{known[-1]}." if known[-1] else f"Write {name}.",
            )
        )
    return detail


def _function(path: Path, name: str) -> Callable[[Any], Any]:
    """A function of a file. Raises `InputError` for a file that does not load and a name that it does not hold."""
    if not path.is_file():
        raise _no_function(f"{path}: no such file", "a Python file")
    spec = importlib.util.spec_from_file_location(f"outthink_reward_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise _no_function(str(path), "a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _no_function(f"{path}: {type(error).__name__}: {error}", "a file that loads") from error
    found = getattr(module, name, None)
    if not callable(found):
        raise _no_function(f"{name!r} in {path}", "a function of that file")
    function: Callable[[Any], Any] = found
    return function


def _no_function(got: str, expected: str) -> InputError:
    return InputError(
        explain(
            "The reward's function cannot be used.",
            got=got,
            expected=expected,
            remedy="Name it as FILE.py:FUNCTION; it is given images [n, c, h, w] and returns n numbers.",
        )
    )
