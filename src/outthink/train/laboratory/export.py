"""The trained network as a GGUF file that the embedded engine loads: weights in blocks of 8 bits (Q8_0), norms in single precision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from outthink.engines.local import gguf
from outthink.engines.local.gguf_metadata import Value, head_of
from outthink.engines.local.weights import BLOCK, FILE_TYPE_Q8_0, Q8_0, quantised
from outthink.laboratory.vocabulary import BEGIN, CONTROLS, END, SIZE, names
from outthink.train.laboratory.network import BASE, EPSILON, Network

F32: Final = 0
NORMAL, CONTROL = 1, 3
"""Token types of GGUF."""

_OF_LAYER: Final = {
    "attention_norm": "attn_norm",
    "attention.query": "attn_q",
    "attention.key": "attn_k",
    "attention.value": "attn_v",
    "attention.out": "attn_output",
    "inner_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}
_OF_MODEL: Final = {"embedding": "token_embd", "norm": "output_norm", "head": "output"}


def write(network: Network, target: Path, about: Mapping[str, Value]) -> None:
    """Write `network` to `target`, which appears whole or not at all.

    Args:
        about: further metadata, such as "general.name".
    """
    weights = {tensor_name(name): value.detach().float().numpy() for name, value in network.named_parameters()}
    records = [
        gguf.TensorRecord(name, value.shape[::-1], Q8_0 if value.ndim == 2 else F32, 0, 0)
        for name, value in weights.items()
    ]

    def encode(tensor: gguf.TensorRecord) -> NDArray[np.uint8]:
        value = weights[tensor.name]
        if value.ndim == 2:
            return quantised(value.reshape(-1, BLOCK)).reshape(-1)
        raw: NDArray[np.uint8] = value.astype("<f4").view(np.uint8)
        return raw

    head = head_of(target, {**_metadata(network), **about}, records)
    part = target.with_suffix(".part")
    gguf.write(head, part, head.metadata, {}, encode)
    part.replace(target)


def tensor_name(name: str) -> str:
    """The tensor's name in a GGUF file of this architecture."""
    pieces = name.removesuffix(".weight").split(".")
    if pieces[0] == "layers":
        return f"blk.{pieces[1]}.{_OF_LAYER['.'.join(pieces[2:])]}.weight"
    return f"{_OF_MODEL[pieces[0]]}.weight"


def _metadata(network: Network) -> dict[str, Value]:
    shape = network.shape
    heads = shape.width // shape.head
    return {
        "general.architecture": "llama",
        "general.file_type": FILE_TYPE_Q8_0,
        "llama.context_length": shape.context,
        "llama.embedding_length": shape.width,
        "llama.block_count": shape.layers,
        "llama.feed_forward_length": shape.inner,
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": heads,
        "llama.attention.layer_norm_rms_epsilon": EPSILON,
        "llama.rope.dimension_count": shape.head,
        "llama.rope.freq_base": BASE,
        "llama.vocab_size": SIZE,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": names(),
        "tokenizer.ggml.token_type": [CONTROL] * CONTROLS + [NORMAL] * (SIZE - CONTROLS),
        "tokenizer.ggml.merges": [],
        "tokenizer.ggml.bos_token_id": BEGIN,
        "tokenizer.ggml.eos_token_id": END,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_eos_token": False,
    }
