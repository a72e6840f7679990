"""What is opened, what is refused, and that other architectures are served as transformers itself runs them."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from outthink.core.errors import Incompatible, ModelMissing, SettingsError
from outthink.engines import Generation, Request, Sampling, TextPrompt
from tests.engines.torch.conftest import opened, tiny_tokenizer

GREEDY = Sampling(temperature=0.0)


def saved(model: Any, where: Path) -> Path:
    """A model with the tiny tokenizer beside it."""
    model.save_pretrained(where)
    tiny_tokenizer().save_pretrained(where)
    return where


def sizes(**more: Any) -> dict[str, Any]:
    end = tiny_tokenizer()
    return {"vocab_size": len(end), "eos_token_id": end.eos_token_id, "bos_token_id": end.bos_token_id, **more}


def made(kind: str) -> Any:
    import torch
    import transformers as hf

    with torch.random.fork_rng():
        torch.manual_seed(3)
        small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "initializer_range": 0.3}
        gated = {**small, "intermediate_size": 64, "num_key_value_heads": 2}
        if kind == "gpt2":
            return hf.GPT2LMHeadModel(hf.GPT2Config(**sizes(n_embd=32, n_layer=2, n_head=4, n_positions=96)))
        if kind == "neox":
            return hf.GPTNeoXForCausalLM(hf.GPTNeoXConfig(**sizes(**small, intermediate_size=64)))
        if kind == "qwen3":
            return hf.Qwen3ForCausalLM(hf.Qwen3Config(**sizes(**gated, head_dim=8, max_position_embeddings=256)))
        if kind == "gemma2":
            return hf.Gemma2ForCausalLM(hf.Gemma2Config(**sizes(**gated, head_dim=8, sliding_window=64)))
        if kind == "mistral":
            return hf.MistralForCausalLM(hf.MistralConfig(**sizes(**gated, sliding_window=80)))
        return hf.MambaForCausalLM(hf.MambaConfig(**sizes(hidden_size=32, num_hidden_layers=2, state_size=4)))


@pytest.mark.parametrize(
    ("kind", "context"), [("gpt2", 96), ("neox", 2048), ("qwen3", 256), ("gemma2", 64), ("mistral", 80)]
)
async def test_architectures(torch_installed: None, tmp_path: Path, kind: str, context: int) -> None:
    import torch

    model = made(kind)
    engine = opened(saved(model, tmp_path), deterministic=False)
    assert engine.capabilities.context == context
    texts = ("the sun", "the wind and the rain")
    replies = await engine.generate([Request(TextPrompt(t), seed=0, max_tokens=12, sampling=GREEDY) for t in texts])
    for text, reply in zip(texts, replies, strict=True):
        ids = torch.tensor([[*engine.tokenizer.opening, *engine.tokenizer.encode(text)]])
        with torch.inference_mode():
            out = model.eval().generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=0)
        assert isinstance(reply, Generation)
        assert reply.tokens == tuple(out[0, ids.shape[1] :].tolist())
    await engine.close()


async def test_bfloat16_is_served_and_deterministic(folder: Path) -> None:
    seen = []
    for step_tokens in (4, 64):
        engine = opened(folder, dtype="bfloat16", deterministic=True, step_tokens=step_tokens)
        assert engine.name.endswith("cpu bfloat16")
        requests = [
            Request(TextPrompt("the wind"), seed=s, max_tokens=8, wants=frozenset({"log_probs"})) for s in range(3)
        ]
        seen.append([(r.tokens, r.log_probs) for r in await engine.generate(requests) if isinstance(r, Generation)])
        await engine.close()
    assert len(seen[0]) == 3
    assert seen[0] == seen[1]


def test_a_recurrent_model_is_refused(torch_installed: None, tmp_path: Path) -> None:
    with pytest.raises(Incompatible, match="cannot share prefixes"):
        opened(saved(made("mamba"), tmp_path))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_model_that_ignores_masks_is_refused(folder: Path, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The known-wrong variant of the check at opening: a model that lets every row see every cell."""
    from outthink.engines.torch.weights import Weights

    opened(folder, dtype=dtype).close_now()
    whole = Weights.forward

    def blind(self: Weights, **step: Any) -> Any:
        return whole(self, **{**step, "visible": step["visible"] | True})

    monkeypatch.setattr(Weights, "forward", blind)
    with pytest.raises(Incompatible, match="does not compute through a shared cache"):
        opened(folder, dtype=dtype)


def test_arithmetic_that_depends_on_the_batch_is_not_called_deterministic(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The known-wrong variant of the measurement behind `deterministic`: the batched forward."""
    from outthink.engines.torch.backend import TorchBackend

    monkeypatch.setattr("outthink.engines.local.exactness._proven", set())
    monkeypatch.setattr(TorchBackend, "decode", TorchBackend._forward)
    with pytest.raises(Incompatible, match="depends on what runs beside it"):
        opened(folder, deterministic=True)


def test_what_is_not_there_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="no such folder"):
        opened(tmp_path / "nothing")
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare)
    for file in bare.glob("*token*"):
        file.unlink()
    with pytest.raises((ModelMissing, Incompatible)):
        opened(bare)
    (bare / "model.safetensors").unlink()
    with pytest.raises(ModelMissing, match="safetensors"):
        opened(bare)
    with pytest.raises(SettingsError, match="no such device"):
        opened(folder, device="quantum")
    with pytest.raises(SettingsError, match="cache is too small"):
        opened(folder, memory=0.001)


def test_the_context_ends_where_attention_stops_being_whole(torch_installed: None) -> None:
    from outthink.engines.torch.weights import longest

    def config(**fields: Any) -> Any:
        text = SimpleNamespace(**fields)
        text.get_text_config = lambda: text
        return text

    assert longest(config(max_position_embeddings=4096)) == 4096
    assert longest(config(max_position_embeddings=4096, sliding_window=1024)) == 1024
    assert longest(config(max_position_embeddings=4096, sliding_window=1024, use_sliding_window=False)) == 4096
    stretched = {"rope_type": "longrope", "original_max_position_embeddings": 2048}
    assert longest(config(max_position_embeddings=131072, rope_parameters=stretched)) == 2048
    assert longest(config()) == 2048


def test_a_tokenizer_that_changes_texts_is_refused(torch_installed: None) -> None:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from outthink.engines.torch.tokenizer import TransformersTokenizer

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend = Tokenizer(models.BPE(vocab={piece: i for i, piece in enumerate(sorted(alphabet))}, merges=[]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    spaced = PreTrainedTokenizerFast(tokenizer_object=backend)
    assert spaced("a")["input_ids"] == spaced(" a")["input_ids"], "the library puts a space before it"
    assert len(TransformersTokenizer(spaced, frozenset({0}), 256).encode("a")) == 1
    backend.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])
    with pytest.raises(Incompatible, match="became"):
        TransformersTokenizer(PreTrainedTokenizerFast(tokenizer_object=backend), frozenset({0}), 256)


def test_a_tokenizer_of_words_and_single_bytes(torch_installed: None) -> None:
    """The other family: spaces as a mark, rare characters as bytes, a space before every text, which is left out."""
    from tokenizers import Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    from outthink.engines.torch.tokenizer import TransformersTokenizer

    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdefghijklmnopqrstuvwxyz", "th", "the"]
    backend = Tokenizer(
        models.BPE(
            vocab={piece: i for i, piece in enumerate(pieces)},
            merges=[("t", "h"), ("th", "e")],
            unk_token="<unk>",
            byte_fallback=True,
        )
    )
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer = TransformersTokenizer(PreTrainedTokenizerFast(tokenizer_object=backend), frozenset({0}), len(pieces))
    assert tokenizer.encode("the") == (pieces.index("the"),)
    for text in ("the  cat", "naïve – 数学 🙂", " \n"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.piece(pieces.index("<0x0A>")) == b"\n"
    assert tokenizer.piece(10_000) == b""
