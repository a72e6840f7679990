"""How a text is generated, as settings: `[process] type = "text"`.

    Text()                                                                  # chat, steps end at a blank line
    Text(format="plain", stepper=Delimiter(text="\\n"), examples=(Example(question="1 + 2", answer="1 + 2 = 3"),))

Small models often do better with `format = "plain"` and a few worked examples than with their chat template. Prompts are data: templates
with `{question}`, `{answer}` and `{feedback}` in them, filled in by plain replacement, so braces in a question are safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from outthink.core.component import Parts, ProcessSettings
from outthink.core.errors import Incompatible, SettingsError, explain
from outthink.core.settings import Positive, Settings, replace
from outthink.core.task import Feature, Task
from outthink.engines.engine import Constraint, Continuation, Engine, Sampling
from outthink.text.reasoning import Thinking
from outthink.text.steppers import Delimiter, Stepper

if TYPE_CHECKING:
    from outthink.text.process import TextProcess

CHAT = "{question}"
PLAIN = "Question: {question}\nAnswer: {answer}\n\n"
NonEmpty = Annotated[str, Meta(min_length=1)]


class Example(Settings):
    """A worked example."""

    question: NonEmpty
    answer: NonEmpty


class Forced(Settings):
    """How a text under way is brought to an answer for a look ahead: `suffix` is appended, and a short greedy reply follows."""

    suffix: NonEmpty = "\nAnswer:"
    max_tokens: Positive = 24
    stop: tuple[NonEmpty, ...] = ("\n",)


class Text(ProcessSettings):
    """Text from a language model.

    Attributes:
        stepper: what one step is.
        sampling: how tokens are drawn; temperature 1 and nothing else unless set.
        max_tokens: of one member's whole reply, thinking included; a member that reaches it is finished with the reason "length".
        least_tokens: the shortest reply worth asking for when the budget runs out.
        stop: strings that end the reply; they are no part of it. None: for plain prompts, what begins the next example; for chat, nothing.
        format: "chat" uses the model's chat template, "plain" sends raw text.
        prompt: template with {question}, and {answer} where an example's answer goes; "" for the format's own.
        system: said first. examples: worked lines for plain prompts, earlier turns for chat.
        constraint: what the whole reply must match; then only whole answers can be drawn.
        continuation: how a text is continued; None for the best way that the engine offers.
        allow_prompted: whether the model may be asked in words to go on, where nothing better exists. That is another distribution.
        go_on, revise: what it is then told; and what it is told to rewrite an answer, with {feedback} in it.
        forced: how a text under way is brought to an answer for a look ahead.
        thinking: how thinking is marked in the text; None where a text is never thinking.
        log_probs: whether to ask for log-probabilities, where the engine has them. hidden: the same for hidden states.
    """

    stepper: Stepper = Delimiter()
    sampling: Sampling = Sampling()
    max_tokens: Positive = 512
    least_tokens: Positive = 8
    stop: tuple[NonEmpty, ...] | None = None
    format: Literal["chat", "plain"] = "chat"
    prompt: str = ""
    system: str = ""
    examples: tuple[Example, ...] = ()
    constraint: Constraint | None = None
    continuation: Continuation | None = None
    allow_prompted: bool = False
    go_on: NonEmpty = "Go on exactly where you stopped. Repeat nothing and add no remark."
    revise: NonEmpty = "This was said about the answer:\n{feedback}\n\nWrite the whole answer again, and better."
    forced: Forced = Forced()
    thinking: Thinking | None = Thinking()
    log_probs: bool = True
    hidden: bool = False

    def check(self) -> None:
        template = self.template
        if template.count("{question}") != 1 or template.count("{answer}") > 1:
            raise _bad_template(template, "{question} once, and {answer} at most once after it")
        if "{answer}" in template and template.index("{answer}") < template.index("{question}"):
            raise _bad_template(template, "{question} before {answer}")
        if self.examples and self.format == "plain" and "{answer}" not in template:
            raise _bad_template(template, "{answer}, where the answers of the examples go")
        if "{feedback}" not in self.revise:
            raise SettingsError(
                explain(
                    "The revision prompt has no place for the feedback.",
                    got=self.revise,
                    expected="{feedback} in it",
                    remedy="Put {feedback} where the feedback belongs.",
                )
            )

    @property
    def template(self) -> str:
        """The prompt's template."""
        return self.prompt or (CHAT if self.format == "chat" else PLAIN)

    @property
    def stops(self) -> tuple[str, ...]:
        """Strings that end the reply."""
        if self.stop is not None:
            return self.stop
        if self.format == "chat":
            return ()
        # What stands between one example's answer and the next one's question; blank space alone would stop within an answer.
        head, _, _ = self.template.partition("{question}")
        _, _, tail = self.template.partition("{answer}")
        between = (tail + head).rstrip()
        return (between,) if between.strip() else ()

    def showing(self, wants: frozenset[Feature]) -> Text:
        """Hidden states are asked for where a verifier looks at them."""
        return replace(self, hidden=True) if "hidden" in wants and not self.hidden else self

    def build(self, task: Task, parts: Parts) -> TextProcess:
        """The process of one task on the recipe's engine."""
        from outthink.text.process import TextProcess

        if not isinstance(parts.engine, Engine):
            raise Incompatible(
                explain(
                    "Text needs an engine that generates text.",
                    got=type(parts.engine).__name__,
                    expected="an engine",
                    remedy="Set [engine] or --model.",
                )
            )
        extract = parts.answer.extract if parts.answer is not None else None
        return TextProcess(parts.engine, task, self, extract=extract)


def _bad_template(template: str, expected: str) -> SettingsError:
    return SettingsError(
        explain(
            "The prompt's template lacks a place.",
            got=template,
            expected=expected,
            remedy="For example prompt = 'Q: {question}\\nA: {answer}\\n\\n'.",
        )
    )
