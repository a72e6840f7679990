"""Which layers may follow which: checked when a pipeline is built, before anything is asked.

`paper`, the default, is the rule of the paper (spec 08, step 2): one kind of stage a layer; candidates come from the question in the first
layer and nowhere else; a critic only right before a ranker or a fuser; tests are written right before they are run. `open` asks only for
what a run needs: something to work on before each stage that works on candidates, and tests before they are run. Published configurations
often need `open`: they write tests first, and show them to the generators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from outthink.core.errors import SettingsError, explain
from outthink.pipeline.critique import Critique
from outthink.pipeline.making import Fuse
from outthink.pipeline.rank import Rank
from outthink.pipeline.stage import Stage
from outthink.pipeline.unit_tests import RunTests, WriteTests

Rules = Literal["paper", "open"]


def check_layers(layers: Sequence[Stage], rules: Rules = "paper") -> None:
    """Raises `SettingsError` that names the layer, what stands there, what may, and what to do."""
    made = tested = False
    for number, layer in enumerate(layers, 1):
        kind, makes = layer.parts()[0], any(part.makes for part in layer.parts())
        follower = layers[number].parts()[0] if number < len(layers) else None
        if not (makes or made or isinstance(kind, WriteTests)) or (
            rules == "paper" and not made and not makes and number == 1
        ):
            raise _refuse(
                number,
                kind,
                "there are no candidates yet",
                "a stage that makes candidates ('generate', 'solve')",
                'Begin with [[layers]] type = "generate".',
            )
        if isinstance(kind, RunTests) and not tested:
            raise _refuse(
                number,
                kind,
                "no tests are written before it",
                "'write-tests' before it",
                "Put 'write-tests' before it.",
            )
        if rules == "paper":
            _paper(number, kind, makes, layers[number - 2].parts()[0] if number > 1 else None, follower)
        made, tested = made or makes, tested or isinstance(kind, WriteTests)
    if layers and not made:
        raise _refuse(
            len(layers),
            layers[-1],
            "nothing makes candidates",
            "a layer 'generate'",
            'Add [[layers]] type = "generate".',
        )


def _paper(number: int, kind: Stage, makes: bool, before: Stage | None, follower: Stage | None) -> None:
    if makes and number > 1:
        raise _refuse(
            number,
            kind,
            "the paper's rules have it in the first layer alone",
            "it in layer 1, or a stage that works on candidates",
            'Move it, or set [algorithm] rules = "open", where it replaces the candidates.',
        )
    if isinstance(kind, Critique) and not isinstance(follower, Rank | Fuse):
        raise _refuse(
            number,
            kind,
            f"it stands before {_name(follower)}",
            "'rank' or 'fuse' right after it",
            "Nobody else reads critiques.",
        )
    if isinstance(kind, WriteTests) and not isinstance(follower, RunTests):
        raise _refuse(
            number,
            kind,
            f"it stands before {_name(follower)}",
            "'run-tests' right after it",
            'Move it, or set [algorithm] rules = "open".',
        )
    if isinstance(kind, RunTests) and not isinstance(before, WriteTests):
        raise _refuse(
            number,
            kind,
            f"it stands after {_name(before)}",
            "'write-tests' right before it",
            'Move it, or set [algorithm] rules = "open".',
        )


def _name(stage: Stage | None) -> str:
    return "nothing" if stage is None else repr(stage.name())


def _refuse(number: int, kind: Stage, problem: str, expected: str, remedy: str) -> SettingsError:
    return SettingsError(
        explain(
            f"Layer {number} of the pipeline, {kind.name()!r}, cannot stand there: {problem}.",
            got=kind.name(),
            expected=expected,
            remedy=remedy,
        )
    )
