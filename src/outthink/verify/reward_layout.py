"""From an answer in steps to tokens, and the places among them where numbers are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outthink.core.errors import Incompatible, explain
from outthink.engines.local.chat import Part
from outthink.engines.local.vocabulary import PieceTokenizer
from outthink.verify.reward_formats import RewardFormat

PLACEHOLDER = "x"


@dataclass(frozen=True)
class Reading:
    """Tokens of one candidate with its prompt, and the positions at which a number is read, ascending."""

    tokens: tuple[int, ...]
    marks: tuple[int, ...]


def laid_out(tokenizer: PieceTokenizer, form: RewardFormat, question: str, steps: Sequence[str]) -> Reading:
    """The candidate as the model reads it. Each piece is read by itself, so a longer answer begins with the same tokens."""
    if form.layout == "turns":
        return _turns(tokenizer, form, question, steps)
    closing: list[Part] = []
    if form.layout == "plain":
        tokens = [*tokenizer.opening, *tokenizer.encode(form.prompt.replace("{question}", question))]
    else:
        parts = _parts(tokenizer, form, question, (PLACEHOLDER,))
        answer = max(i for i, part in enumerate(parts) if not part.markup)
        tokens = [t for part in parts[:answer] for t in tokenizer.encode(part.text, special=part.markup)]
        closing = parts[answer + 1 :]
    marks: list[int] = []
    for piece in form.answer_pieces(steps):
        tokens += tokenizer.encode(piece.text, special=piece.markup)
        if piece.read:
            marks.append(len(tokens) - 1)
    if form.step_wise:
        return Reading(tuple(tokens), tuple(marks))
    tokens += [t for part in closing for t in tokenizer.encode(part.text, special=part.markup)]
    return Reading(tuple(tokens), (len(tokens) - 1,))


def word(tokenizer: PieceTokenizer, text: str) -> int:
    """The one token of a word. Raises `Incompatible` where it is several."""
    tokens = tokenizer.encode(text)
    if len(tokens) != 1:
        raise Incompatible(
            explain(
                "The format's words are single tokens, and this model writes this one with several.",
                got=f"{text!r}: {len(tokens)} tokens",
                expected="a model that was trained for this format",
                remedy="Take the format of the model's card.",
            )
        )
    return tokens[0]


def _turns(tokenizer: PieceTokenizer, form: RewardFormat, question: str, steps: Sequence[str]) -> Reading:
    """A message for each step; a number is read where the reply to it begins."""
    roles = [message.role for message in form.messages(question, steps)]
    tokens: list[int] = []
    marks: list[int] = []
    said = iter(roles)
    for part in _parts(tokenizer, form, question, steps):
        if not part.markup and next(said) == "assistant":
            marks.append(len(tokens) - 1)
            if len(marks) == len(steps):
                break
        tokens += tokenizer.encode(part.text, special=part.markup)
    return Reading(tuple(tokens), tuple(marks))


def _parts(tokenizer: PieceTokenizer, form: RewardFormat, question: str, steps: Sequence[str]) -> list[Part]:
    if tokenizer.template is None:
        raise Incompatible(
            explain(
                "The format is a conversation, and the model has no chat template.",
                got=form.layout,
                expected="a model with a template",
                remedy='Take a format with layout = "plain".',
            )
        )
    return tokenizer.template.parts(form.messages(question, steps), reply=False)
