"""Text as a process: prompts, steps, continuation, thinking, and what verifiers see of it.

`Text` holds the settings, `TextProcess` is one task's text over any engine. If unsure: `Text()` for chat models, and
`Text(format="plain", stepper=Delimiter(text="\\n"), examples=...)` for small ones.
"""

from outthink.text.modes import continuation
from outthink.text.partial import Mark, Partial, Revision, Texts
from outthink.text.process import TextProcess
from outthink.text.reasoning import Thinking
from outthink.text.settings import Example, Forced, Text
from outthink.text.steppers import Delimiter, Sentence, Stepper, Tokens, Whole

__all__ = [
    "Delimiter",
    "Example",
    "Forced",
    "Mark",
    "Partial",
    "Revision",
    "Sentence",
    "Stepper",
    "Text",
    "TextProcess",
    "Texts",
    "Thinking",
    "Tokens",
    "Whole",
    "continuation",
]
