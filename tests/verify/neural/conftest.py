"""Tiny random reward models of every format, made here and saved as Hugging Face saves models; no weights are fetched.

The tests in this folder need torch and transformers (extra `local-torch`) and are skipped, and say so, where these are not installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines.torch.conftest import tiny_tokenizer
from tests.needs import need

EXTRA = "<extra_0>"


@pytest.fixture(scope="session")
def torch_installed() -> None:
    need("transformers")


@pytest.fixture(scope="session")
def models(torch_installed: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each kind of head, over the same tiny Llama."""
    import torch
    from safetensors.torch import save_file
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        LlamaConfig,
        LlamaForCausalLM,
        LlamaForSequenceClassification,
        LlamaForTokenClassification,
        LlamaModel,
    )

    tokenizer = reward_tokenizer()
    shape: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.3,
        "pad_token_id": tokenizer.eos_token_id,
    }
    root = tmp_path_factory.mktemp("reward-models")
    found: dict[str, Path] = {}

    def keep(name: str, model: Any) -> None:
        found[name] = root / name
        model.save_pretrained(found[name])
        tokenizer.save_pretrained(found[name])

    with torch.random.fork_rng():
        torch.manual_seed(11)
        keep("sequence", LlamaForSequenceClassification(LlamaConfig(**shape, num_labels=1)))
        keep("three-classes", LlamaForSequenceClassification(LlamaConfig(**shape, num_labels=3)))
        keep("tokens", LlamaForTokenClassification(LlamaConfig(**shape, num_labels=2)))
        keep("words", LlamaForCausalLM(LlamaConfig(**shape)))
        small = {name: shape[name] for name in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")}
        bert = BertConfig(
            **small, num_attention_heads=4, num_labels=1, max_position_embeddings=256, initializer_range=0.3
        )
        keep("both-directions", BertForSequenceClassification(bert))
        for name, tensors in (
            (
                "two-layers",
                {
                    "score.0.weight": torch.randn(32, 32) * 0.3,
                    "score.0.bias": torch.randn(32),
                    "score.2.weight": torch.randn(2, 32) * 0.5,
                    "score.2.bias": torch.randn(2),
                },
            ),
            (
                "value",
                {"v_head.summary.weight": torch.randn(1, 32) * 0.3, "v_head.summary.bias": torch.randn(1)},
            ),
        ):
            trunk = LlamaModel(LlamaConfig(**shape))
            keep(name, trunk)
            named = {f"model.{key}": value.contiguous() for key, value in trunk.state_dict().items()}
            save_file({**named, **tensors}, found[name] / "model.safetensors", metadata={"format": "pt"})
    return found


def reward_tokenizer() -> Any:
    """The tiny tokenizer of the engine's tests, with the special token that marks steps."""
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": [EXTRA]})
    return tokenizer
