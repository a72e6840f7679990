"""A tokenizer that knows the bytes of each token, and a chat template whose markup no user's text can pose as."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from outthink.core.errors import EngineError
from outthink.core.task import Message
from outthink.engines.engine import Tokenizer
from outthink.engines.local.chat import ChatTemplate


class PieceTokenizer(Tokenizer):
    """What an engine in this process needs of its tokenizer.

    Attributes:
        size: tokens of the model's vocabulary. `controls`: those that are markup, not text. `end`: the one that closes a constrained reply.
        template: for conversations; None where the model has none.
    """

    size: int
    template: ChatTemplate | None = None

    @property
    @abstractmethod
    def controls(self) -> frozenset[int]: ...

    @property
    @abstractmethod
    def end(self) -> int: ...

    @abstractmethod
    def piece(self, token: int) -> bytes:
        """The bytes of one token; none for control tokens."""

    def decode(self, tokens: Sequence[int]) -> str:
        return b"".join(map(self.piece, tokens)).decode("utf-8", "replace")

    def chat(self, messages: Sequence[Message], *, prefix: str = "") -> tuple[int, ...]:
        if self.template is None:
            raise EngineError("This model has no chat template. Use a text prompt.")
        tokens: list[int] = []
        for part in self.template.parts(messages):
            tokens += self.encode(part.text, special=part.markup)
        return (*tokens, *self.encode(prefix))
