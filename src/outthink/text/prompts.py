"""What is sent to the engine for a text under way: the prompt of its task, in the form of its mode of continuation."""

from __future__ import annotations

from dataclasses import dataclass, field

from outthink.core.errors import InputError, explain
from outthink.core.task import Message, Task
from outthink.engines.engine import ChatPrompt, Continuation, Prompt, TextPrompt, Tokenizer, TokenPrompt
from outthink.text.partial import Partial, Revision
from outthink.text.settings import Text


@dataclass(frozen=True)
class Prompter:
    """Makes the prompts of one task.

    Attributes:
        raw_text: whether the engine takes raw text that it is not asked to continue later.
    """

    task: Task
    settings: Text
    mode: Continuation
    tokenizer: Tokenizer | None = None
    raw_text: bool = False
    _tokens: dict[Revision | None, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        prompt = self.task.prompt
        if not (prompt.strip() if isinstance(prompt, str) else prompt):
            raise InputError(
                explain(
                    "The question is empty.",
                    got=self.task.prompt,
                    expected="some text",
                    remedy="Give the task a prompt.",
                )
            )

    def prompt(self, partial: Partial) -> Prompt:
        """The prompt that continues `partial`."""
        plain = self.settings.format == "plain"
        match self.mode:
            case Continuation.TOKENS:
                return TokenPrompt((*self._base(partial.revision), *(partial.tokens or ())))
            case Continuation.COMPLETION:
                return TextPrompt(self.plain_text(partial.revision) + partial.text)
            case Continuation.ASSISTANT_PREFIX:
                return ChatPrompt(self.messages(partial.revision), prefix=partial.text)
            case Continuation.PROMPTED if partial.text:
                said = (Message("assistant", partial.text), Message("user", self.settings.go_on))
                return ChatPrompt((*self.messages(partial.revision), *said))
            case _ if not plain:
                return ChatPrompt(self.messages(partial.revision))
            case _ if self.raw_text:
                return TextPrompt(self.plain_text(partial.revision))
            case _:
                return TokenPrompt(self._base(partial.revision))

    def messages(self, revision: Revision | None = None) -> tuple[Message, ...]:
        """The conversation up to the assistant's reply."""
        settings = self.settings
        said = [Message("system", settings.system)] if settings.system else []
        for example in settings.examples:
            said += [Message("user", self._asked(example.question)), Message("assistant", example.answer)]
        prompt = self.task.prompt
        said += [Message("user", self._asked(prompt))] if isinstance(prompt, str) else list(prompt)
        if revision is not None:
            said += [Message("assistant", revision.answer), Message("user", self._feedback(revision))]
        return tuple(said)

    def plain_text(self, revision: Revision | None = None) -> str:
        """The prompt as raw text, up to where the answer begins."""
        settings = self.settings
        before, _, after = settings.template.partition("{answer}")
        text = f"{settings.system}\n\n" if settings.system else ""
        for example in settings.examples:
            text += before.replace("{question}", example.question) + example.answer + after
        asked = before.replace("{question}", self.task.question)
        if revision is not None:
            return f"{text}{asked}{revision.answer}\n\n{self._feedback(revision)}\n"
        # A trailing space would be half of the answer's first token.
        return text + asked.rstrip(" ")

    def _asked(self, question: str) -> str:
        before, _, _ = self.settings.template.partition("{answer}")
        return before.replace("{question}", question).rstrip() if self.settings.prompt else question

    def _feedback(self, revision: Revision) -> str:
        return self.settings.revise.replace("{feedback}", revision.feedback)

    def _base(self, revision: Revision | None) -> tuple[int, ...]:
        """The prompt's tokens; the same for every member, so they are made once."""
        if self.tokenizer is None:
            raise InputError("A prompt of tokens was asked for without a tokenizer.")
        if revision not in self._tokens:
            plain = self.settings.format == "plain"
            self._tokens[revision] = (
                (*self.tokenizer.opening, *self.tokenizer.encode(self.plain_text(revision)))
                if plain
                else self.tokenizer.chat(self.messages(revision))
            )
        return self._tokens[revision]
