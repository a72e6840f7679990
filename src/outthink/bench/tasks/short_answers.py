"""Readers of questions that are answered in a few words: Bamboogle and HotpotQA, marked by exact match and F1.

Sources: Press et al. 2023 (Bamboogle: `Question`, `Answer`); Yang et al. 2018 (HotpotQA: `question`, `answer`, `context`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from outthink.bench.tasks.fields import BadField, answer_text, own_id, present, text
from outthink.bench.tasks.rows import Row
from outthink.bench.tasks.scorers.words import Words, normalised
from outthink.bench.tasks.source import FileSource, Item

STYLE = 'End with a line of the form "Answer: X", where X is the answer in as few words as possible.'
TABLE: dict[str, Any] = {"type": "plain", "find": {"type": "usual", "otherwise": "line"}}


class Bamboogle(FileSource, tag="bamboogle"):
    """Bamboogle: two-hop questions that a search engine gets wrong."""

    HOME: ClassVar[tuple[str, str, str]] = ("chiayewken/bamboogle", "default", "test")
    STYLE: ClassVar[str] = STYLE

    def item(self, row: Row, folder: Path) -> Item:
        """Exact match after normalisation is right."""
        return words_item(text(row.data, "Question", "question"), answer_text(row.data, "Answer", "answer"), row)

    def table(self) -> dict[str, Any]:
        """Words are the answers."""
        return TABLE


class Hotpotqa(FileSource, tag="hotpotqa"):
    """HotpotQA: questions over two paragraphs.

    Attributes:
        context: whether the paragraphs are shown (the distractor setting); else the model answers from memory.
    """

    context: bool = False

    HOME: ClassVar[tuple[str, str, str]] = ("hotpotqa/hotpot_qa", "distractor", "validation")
    STYLE: ClassVar[str] = STYLE

    def item(self, row: Row, folder: Path) -> Item:
        """Exact match after normalisation is right; the credit is F1."""
        question = text(row.data, "question")
        prompt = f"{_paragraphs(present(row.data, 'context'))}\n\nQuestion: {question}" if self.context else question
        return words_item(prompt, answer_text(row.data, "answer"), row)

    def table(self) -> dict[str, Any]:
        """Words are the answers."""
        return TABLE


def words_item(prompt: str, answer: str, row: Row, own: str = "") -> Item:
    """A question whose answer is words."""
    return Item(
        prompt,
        answer,
        Words((answer,)),
        own or own_id(row.data, "id", "_id"),
        constant=normalised(answer) or answer.strip(),
    )


def _paragraphs(context: Any) -> str:
    """The paragraphs in either spelling: a list of [title, sentences], or lists of titles and of sentences."""
    try:
        pairs = zip(context["title"], context["sentences"], strict=True) if isinstance(context, dict) else context
        return "\n\n".join(f"{title}: {''.join(sentences).strip()}" for title, sentences in pairs)
    except (KeyError, TypeError, ValueError):
        raise BadField("the field 'context' has not titles with their sentences") from None
