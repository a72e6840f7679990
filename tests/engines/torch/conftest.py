"""A tiny random Llama with a tokenizer of bytes, made here and read from a folder; no weights are fetched.

The tests in this folder need torch and transformers (extra `local-torch`) and are skipped, and say so, where these are not installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from outthink.engines.torch import Transformers
from tests.needs import need

if TYPE_CHECKING:
    from outthink.engines.torch.engine import TransformersEngine

CONTEXT = 512
TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def torch_installed() -> None:
    need("transformers")


@pytest.fixture(scope="session")
def folder(torch_installed: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model, saved as Hugging Face saves models."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    where = tmp_path_factory.mktemp("model") / "tiny-llama"
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(where)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.25,
    )
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = LlamaForCausalLM(config)
    pieces = {i: text for text, i in tokenizer.get_vocab().items()}
    unreadable = [i for i, text in pieces.items() if len(text) == 1 and not ("a" <= text <= "z" or text in "Ġ.,")]
    # One direction of the residual stream is held constant and keeps the model from what is not text.
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 2.0
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight[0] = 0.0
            layer.mlp.down_proj.weight[0] = 0.0
        model.lm_head.weight[:, 0] = 0.0
        model.lm_head.weight[unreadable, 0] = -100.0
        model.lm_head.weight[[tokenizer.bos_token_id, tokenizer.convert_tokens_to_ids("<|start|>")], 0] = -100.0
    model.save_pretrained(where)
    return where


def tiny_tokenizer() -> Any:
    """Bytes, a few merges, a begin token that is put before texts, an end token and the template's markup."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("o", "n"), ("Ġ", "w"), ("i", "n")]
    vocabulary = {piece: i for i, piece in enumerate([*alphabet, *("".join(pair) for pair in merges)])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(["<|begin|>", "<|end|>", "<|start|>"])
    begin = backend.token_to_id("<|begin|>")
    backend.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", begin)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<|begin|>", eos_token="<|end|>")
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def opened(folder: Path, **changes: Any) -> TransformersEngine:
    """The tiny model in exact enough arithmetic, with a small cache."""
    fields = {"device": "cpu", "dtype": "float32", "memory": 20.0, "max_sequences": 4, "retained": 8}
    return Transformers(model=str(folder), **{**fields, **changes}).open()


@pytest.fixture
def engine(folder: Path) -> Iterator[TransformersEngine]:
    """A fresh engine with its usual settings."""
    one = opened(folder)
    yield one
    one.close_now()
