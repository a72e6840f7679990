"""Opening a model: where its weights are, on what device and in what type, how long a text it takes, and what its cache looks like.

Weights are read from safetensors only, which hold numbers and no program; code that a model brings along is never run.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
import transformers

from outthink.core.errors import Incompatible, ModelMissing, SettingsError, explain
from outthink.engines.torch.settings import Transformers

Shape = tuple[tuple[int, int], tuple[int, int]]
"""Heads and width of one layer's keys, and of its values."""


class Weights:
    """An open model. Raises `ModelMissing` where there is none, `Incompatible` for one without keys and values to share.

    Attributes:
        shapes: of the cache, a layer each. `context`: the longest text, in tokens. `vocabulary`: how many logits a token has.
        example: a tensor of the cache's type and device.
    """

    def __init__(self, settings: Transformers) -> None:
        self.device = _device(settings.device)
        wished = "bfloat16" if self.device.type == "cuda" else "float32"
        self.dtype = getattr(torch, wished if settings.dtype == "auto" else settings.dtype)
        self.model = _loaded(settings, self.dtype).to(self.device).eval()
        self._narrows = "logits_to_keep" in inspect.signature(self.model.forward).parameters
        self.shapes, self.vocabulary, self.example = self._looked_at(settings.model)
        self.context = longest(self.model.config)

    def cell_bytes(self) -> int:
        """Bytes of the cache for one token."""
        return sum(heads * width for shape in self.shapes for heads, width in shape) * int(self.example.element_size())

    def ends(self) -> frozenset[int]:
        """Tokens with which the model ends a reply, as its own settings say."""
        generation = getattr(self.model, "generation_config", None)
        found = [getattr(source, "eos_token_id", None) for source in (generation, self.model.config)]
        return frozenset(int(t) for ids in found if ids is not None for t in (ids if isinstance(ids, list) else [ids]))

    def forward(
        self, *, tokens: Any, positions: Any, visible: Any, cache: Any, wanted: Any, hidden: bool
    ) -> tuple[Any, Any]:
        """Logits of the wanted rows, [wanted, vocabulary], and their last layer's states, [wanted, width], or None.

        Args:
            tokens, positions: [1, rows]. `visible`: which row sees which cell, [rows, seen]. `wanted`: indices of rows.
        """
        mask = torch.zeros(visible.shape, dtype=self.dtype, device=self.device)
        mask.masked_fill_(~visible, torch.finfo(self.dtype).min)
        narrow = {"logits_to_keep": wanted} if self._narrows else {}
        output = self.model(
            input_ids=tokens,
            position_ids=positions,
            attention_mask=mask[None, None],
            past_key_values=cache,
            use_cache=True,
            output_hidden_states=hidden,
            **narrow,
        )
        logits = output.logits[0] if self._narrows else output.logits[0, wanted]
        return logits, output.hidden_states[-1][0, wanted] if hidden else None

    def _looked_at(self, name: str) -> tuple[tuple[Shape, ...], int, Any]:
        """Shapes of the cache, size of the vocabulary and an example of its tensors, from computing two tokens."""
        with torch.inference_mode():
            output = self.model(input_ids=torch.zeros((1, 2), dtype=torch.long, device=self.device), use_cache=True)
        shapes: list[Shape] = []
        example = None
        for layer in getattr(output.past_key_values, "layers", ()):
            keys, values = getattr(layer, "keys", None), getattr(layer, "values", None)
            if keys is None or values is None or keys.shape[2] != 2:
                shapes.clear()
                break
            example = keys
            shapes.append(((keys.shape[1], keys.shape[3]), (values.shape[1], values.shape[3])))
        if example is None or not shapes:
            raise Incompatible(
                explain(
                    f"The model {name!r} cannot share prefixes.",
                    got=f"{type(self.model).__name__}, whose cache does not hold keys and values for each token",
                    expected="a decoder with attention in every layer",
                    remedy="Serve it by another program and use it as `openai:NAME`.",
                )
            )
        return tuple(shapes), int(output.logits.shape[-1]), example


def longest(config: Any) -> int:
    """The longest text that a model takes, in tokens, for which its attention is full and its positions do not depend on its length."""
    config = config.get_text_config()
    bounds = [getattr(config, name, None) for name in ("max_position_embeddings", "n_positions")]
    if getattr(config, "use_sliding_window", True):
        bounds.append(getattr(config, "sliding_window", None))
    scaling = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    for part in (scaling, *(value for value in scaling.values() if isinstance(value, dict))):
        # These change the angles of every token once a text is longer than what the model first learned.
        if part.get("rope_type") in ("dynamic", "longrope"):
            bounds.append(part.get("original_max_position_embeddings", getattr(config, "max_position_embeddings", None)))
    known = [int(bound) for bound in bounds if bound]
    return min(known) if known else 2048


def _device(name: str) -> Any:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SettingsError(
            explain(
                "There is no such device here.",
                got=name,
                expected='"auto", "cpu", or a device that torch finds',
                remedy=f"Correct `device`: {str(error).splitlines()[0]}",
            )
        ) from None
    return device


def _loaded(settings: Transformers, dtype: Any) -> Any:
    try:
        return transformers.AutoModelForCausalLM.from_pretrained(
            settings.model, revision=settings.revision or "main", dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ModelMissing(
            explain(
                "There is no such model, or transformers cannot open it.",
                got=f"{settings.model}: {str(error).strip()[:300]}",
                expected="a folder with config.json and weights in safetensors, or a name of the hub",
                remedy="Correct `model`, or fetch it first with `hf download`.",
            )
        ) from error
