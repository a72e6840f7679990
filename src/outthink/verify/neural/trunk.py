"""A language model with a reward head in the place of its logits, so that the engine's own batching and cache serve it as they are."""

from __future__ import annotations

from typing import Any

import torch
import transformers

from outthink.engines.torch.settings import Transformers
from outthink.engines.torch.weights import Shape, Weights
from outthink.verify.neural.heads import load_head


class HeadedWeights(Weights):
    """The model without its logits, and a head on its last states."""

    kind = transformers.AutoModel

    def __init__(self, settings: Transformers, head: str = "") -> None:
        self._head = load_head(settings, head)
        logging = transformers.utils.logging
        loud = logging.get_verbosity()
        # It would warn that the head's tensors are left over; they were read above.
        logging.set_verbosity_error()
        try:
            super().__init__(settings)
        finally:
            logging.set_verbosity(loud)
        self.vocabulary = int(self.model.config.get_text_config().vocab_size)

    def read(self, output: Any) -> Any:
        """The head's numbers for each token, [1, rows, classes], computed in float32."""
        states = output.last_hidden_state.float()
        self._head = self._head.to(states.device)
        return self._head(states)


class WordedWeights(Weights):
    """The whole model, of whose logits only those of two words are read."""

    def __init__(self, settings: Transformers, words: tuple[int, int]) -> None:
        self._words = words
        super().__init__(settings)
        self.vocabulary = int(self.model.config.get_text_config().vocab_size)

    def read(self, output: Any) -> Any:
        """The logits of the two words after each token, [1, rows, 2]."""
        return output.logits[..., list(self._words)].float()


class WholeClassifier(Weights):
    """A sequence classifier that reads a text in both directions, so that nothing can be reused when it grows."""

    kind = transformers.AutoModelForSequenceClassification

    def rate(self, tokens: list[int], kinds: list[int] | None) -> Any:
        """The head's numbers for one text, [1, classes] in numpy. `kinds`: which tokens are question and which answer."""
        ids = torch.tensor([tokens], device=self.device)
        more = {} if kinds is None else {"token_type_ids": torch.tensor([kinds], device=self.device)}
        with torch.inference_mode():
            return self.model(input_ids=ids, **more).logits.float().cpu().numpy()

    def _looked_at(self, name: str) -> tuple[tuple[Shape, ...], int, Any]:
        """No cache to look at."""
        return (), 0, None
