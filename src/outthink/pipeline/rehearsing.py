"""A stand-in for every model of a pipeline, for trying pipelines out without one: it keeps to each stage's form and counts requests.

    model = StandIn()
    engine = ScriptedEngine(model.next_token)
    ...
    model.asked["rank"]

Rankings come in reverse, every candidate is correct and passes every test, and answers are one of a few. It knows the stages by the
built-in prompts; a pipeline with prompts of its own gets answers where it asks for forms.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from outthink.engines.scripted import END
from outthink.engines.scripted_tokens import ASSISTANT, reply_of
from outthink.pipeline import wording

FORMS: Mapping[str, str] = {
    "rank": wording.RANK,
    "critique": wording.CRITIQUE,
    "fuse": wording.FUSE,
    "justify": wording.JUSTIFY,
    "verdict": wording.VERDICT,
    "write-tests": wording.WRITE_TESTS,
    "run-tests": wording.RUN_TESTS,
}
_LABELLED = re.compile(r"^\[\d+\] ", re.MULTILINE)
_NUMBER = re.compile(r"Write (\d+) short statements")


def _mark(template: str) -> str:
    """The words of a template that show whose it is: the longest piece without a place in it."""
    return max(re.split(r"\{\w+\}", template), key=len)


def kind_of(prompt: str) -> str:
    """Which stage asks, by its words; "generate" where none of them does."""
    return next((kind for kind, template in FORMS.items() if _mark(template) in prompt), "generate")


class StandIn:
    """Says what a stage wants to read.

    Attributes:
        asked: requests so far, by stage.
    """

    def __init__(self, answers: Sequence[str] = ("42", "43")) -> None:
        self.asked: Counter[str] = Counter()
        self._answers = tuple(answers)

    def next_token(self, text: str) -> Mapping[str, float]:
        """The script of a `ScriptedEngine`: the whole reply as one token, then the end."""
        if ASSISTANT in text and reply_of(text):
            return {END: 1.0}
        said = self(text)
        return {said: 1.0} if isinstance(said, str) else said

    def __call__(self, prompt: str) -> str | Mapping[str, float]:
        """The reply to a prompt; for answers, each with its probability."""
        kind = kind_of(prompt)
        self.asked[kind] += 1
        n = len(_LABELLED.findall(prompt))
        match kind:
            case "rank":
                return " > ".join(f"[{label}]" for label in range(n, 0, -1))
            case "critique":
                return "\n".join(f"[{label}] fine but short" for label in range(1, n + 1))
            case "verdict":
                return "[Correct]"
            case "write-tests":
                found = _NUMBER.search(prompt)
                number = int(found.group(1)) if found else 1
                return "\n".join(f"{one}. It names the number." for one in range(1, number + 1))
            case "run-tests":
                return "\n".join(f"[{label}] Passed" for label in range(1, n + 1))
            case "generate":
                return dict.fromkeys(self._answers, 1 / len(self._answers))
            case _:
                return "It is 42."
