"""Opening a model: where its weights are, on what device and in what type, how long a text it takes, and what its cache looks like.

Weights are read from safetensors only, which hold numbers and no program; code that a model brings along is never run.
"""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import Any

import torch
import transformers

from outthink.core.errors import Incompatible, ModelMissing, SettingsError, explain
from outthink.engines.torch.settings import Transformers

Shape = tuple[tuple[int, int], tuple[int, int]]
"""Heads and width of one layer's keys, and of its values."""

SAMPLED = 64


class Weights:
    """An open model. Raises `ModelMissing` where there is none, `Incompatible` for one without keys and values to share.

    Attributes:
        shapes: of the cache, a layer each. `context`: the longest text, in tokens. `vocabulary`: how many logits a token has.
        example: a tensor of the cache's type and device.
    """

    kind: Any = transformers.AutoModelForCausalLM
    """What is made of the weights."""

    def __init__(self, settings: Transformers) -> None:
        self.device = _device(settings.device)
        wished = "bfloat16" if self.device.type == "cuda" else "float32"
        self.dtype = getattr(torch, wished if settings.dtype == "auto" else settings.dtype)
        self.model = _loaded(settings, self.dtype, self.kind).to(self.device).eval()
        self._narrows = "logits_to_keep" in inspect.signature(self.model.forward).parameters
        self.shapes, self.vocabulary, self.example = self._looked_at(settings.model)
        self.context = longest(self.model.config)

    def cell_bytes(self) -> int:
        """Bytes of the cache for one token."""
        return sum(heads * width for shape in self.shapes for heads, width in shape) * int(self.example.element_size())

    def fingerprint(self) -> str:
        """Eight digits that change with the weights: a digest of the beginning of every tensor."""
        digest = hashlib.blake2b(digest_size=4)
        for parameter in self.model.parameters():
            digest.update(parameter.detach().flatten()[:SAMPLED].float().cpu().numpy().tobytes())
        return digest.hexdigest()

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
        rows = self.read(output)[0]
        return rows if self._narrows else rows[wanted], output.hidden_states[-1][0, wanted] if hidden else None

    def read(self, output: Any) -> Any:
        """What is read of the model's output, [1, rows, columns]: the logits."""
        return output.logits

    def _looked_at(self, name: str) -> tuple[tuple[Shape, ...], int, Any]:
        """Shapes of the cache, size of the vocabulary and an example of its tensors, from computing two tokens."""
        with torch.inference_mode():
            output = self.model(input_ids=torch.zeros((1, 2), dtype=torch.long, device=self.device), use_cache=True)
        shapes: list[Shape] = []
        example = None
        for layer in getattr(output.get("past_key_values"), "layers", ()):
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
        return tuple(shapes), int(self.read(output).shape[-1]), example


def longest(config: Any) -> int:
    """The longest text that a model takes, in tokens, for which its attention is full and its positions do not depend on its length."""
    config = config.get_text_config()
    bounds = [getattr(config, name, None) for name in ("max_position_embeddings", "n_positions")]
    if getattr(config, "use_sliding_window", True):
        bounds.append(getattr(config, "sliding_window", None))
    scaling = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    parts = [scaling, *(value for value in scaling.values() if isinstance(value, dict))]
    # These kinds change the angles of every token once a text is longer than what the model first learned.
    stretched = [part for part in parts if part.get("rope_type") in ("dynamic", "longrope")]
    bounds += [part.get("original_max_position_embeddings") for part in stretched]
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


def place_of(model: str) -> str:
    """The folder that a setting means, or the name as it is, for the hub. Raises `ModelMissing` for a path without a folder."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return str(folder)
    if model.startswith(("/", ".", "~")) or model.count("/") > 1:
        raise _missing(model, "no such folder")
    return model


def _loaded(settings: Transformers, dtype: Any, kind: Any) -> Any:
    logging = transformers.utils.logging
    loud = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return kind.from_pretrained(
            place_of(settings.model),
            revision=settings.revision or "main",
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError) as error:
        raise _missing(settings.model, str(error).strip()[:300]) from error
    finally:
        if loud:
            logging.enable_progress_bar()


def _missing(model: str, got: str) -> ModelMissing:
    return ModelMissing(
        explain(
            "There is no such model, or transformers cannot open it.",
            got=f"{model}: {got}",
            expected="a folder with config.json and weights in safetensors, or a name of the hub",
            remedy="Correct `model`, or fetch it first with `hf download`.",
        )
    )
