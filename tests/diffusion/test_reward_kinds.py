"""The rewards that come with the library: what each prefers, their gradients against finite differences, and what they refuse."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Candidate, InputError, Scores, Task, VerifierError
from outthink.diffusion import differentiable, reward
from outthink.diffusion.laboratory import classifier
from outthink.diffusion.rewards import (
    Differentiable,
    Reward,
    aesthetic,
    brightness,
    class_log_probability,
    clip_similarity,
    compressibility,
    diversity,
    mean_distance,
    set_reward,
    symmetry,
)
from outthink.diffusion.rewards.clip import Clip, LinearHead
from outthink.verify.tensor_file import write_tensors


def images(n: int = 3, channels: int = 1, side: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def scored(verifier: Reward, samples: torch.Tensor) -> Scores:
    return asyncio.run(verifier.score([Candidate(content=x, kind="image") for x in samples], Task()))


def tiny_clip(side: int = 16) -> Any:
    need("transformers")
    import transformers

    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        text_config={**sizes, "vocab_size": 64, "max_position_embeddings": 16, "eos_token_id": 2, "pad_token_id": 1},
        vision_config={**sizes, "image_size": side, "patch_size": 8},
        projection_dim=8,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return transformers.CLIPModel(config)


class Words:
    """Numbers words by their letters; what a tokenizer of transformers returns."""

    def __call__(self, texts: list[str], **how: Any) -> Any:
        from transformers import BatchEncoding

        longest = max(map(len, texts))
        rows = [[3 + ord(c) % 60 for c in text] + [2] + [1] * (longest - len(text)) for text in texts]
        mask = [[1] * (len(text) + 1) + [0] * (longest - len(text)) for text in texts]
        return BatchEncoding({"input_ids": torch.tensor(rows), "attention_mask": torch.tensor(mask)})


# -- pixels -------------------------------------------------------------------------------------------------------------


def test_brightness_and_symmetry() -> None:
    flat = torch.stack([torch.full((1, 8, 8), v) for v in (-1.0, 0.5)])
    assert scored(brightness(), flat).values.tolist() == [-1.0, 0.5]
    half = images(2)
    mirrored = torch.cat([half, half.flip(-1)], dim=3)
    assert scored(symmetry(), mirrored).values.tolist() == [0.0, 0.0]
    assert (scored(symmetry("up-down"), mirrored).values < -0.1).all()
    assert (scored(symmetry(), images()).values < -0.1).all()


@pytest.mark.parametrize("format_", ["png", "jpeg"])
def test_flat_images_compress_better_than_noise(format_: Any) -> None:
    noisy, flat = images(1, 3, 32)[0], torch.zeros(3, 32, 32)
    got = scored(compressibility(format_), torch.stack([noisy, flat])).values
    assert got[0] < got[1] < 0
    against = scored(compressibility(format_, sign=-1.0), torch.stack([noisy, flat])).values
    assert against.tolist() == (-got).tolist()


def test_what_is_no_image_or_not_finite() -> None:
    broken = images(2)
    broken[1, 0, 0, 0] = torch.nan
    got = scored(compressibility(), broken)
    assert np.isnan(got.values).tolist() == [False, True]
    latents = scored(compressibility(), torch.zeros(2, 4, 8, 8))
    assert sorted(latents.failures) == [0, 1]
    assert "Decode latents first" in latents.failures[0].message


# -- classifiers, sets --------------------------------------------------------------------------------------------------


def test_a_class_is_rated_in_nats_down_to_a_floor() -> None:
    samples = images(20)
    each = np.stack(
        [scored(class_log_probability(classifier().log_probabilities, k), samples).values for k in range(10)]
    )
    assert np.exp(each).sum(axis=0) == pytest.approx(np.ones(20), abs=1e-5)
    floored = scored(class_log_probability(classifier().log_probabilities, 0, floor=-1.0), samples).values
    assert floored == pytest.approx(np.maximum(each[0], -1.0))
    wrong = scored(class_log_probability(classifier().log_probabilities, 10), samples[:2])
    assert "says nothing of this class" in wrong.failures[1].message


def test_diversity_is_of_the_call() -> None:
    samples = torch.tensor([0.0, 0.1, 3.0]).reshape(3, 1, 1, 1).expand(3, 1, 4, 4)
    got = scored(diversity(), samples)
    assert got.values == pytest.approx([0.1, 0.1, 2.9], rel=1e-5)
    assert diversity().spec.relative
    assert np.isnan(scored(diversity(), samples[:1]).values).all()
    assert scored(diversity(classifier().features), images()).values.min() > 0
    assert mean_distance(samples) == pytest.approx((0.1 + 3.0 + 2.9) / 3, rel=1e-5)


def test_a_set_that_cannot_be_rated_fails_as_a_whole() -> None:
    calls: list[int] = []

    def breaks(samples: torch.Tensor) -> torch.Tensor:
        calls.append(len(samples))
        raise ValueError("not this set")

    got = scored(set_reward(breaks), images())
    assert calls == [3]
    assert [got.failures[row].message for row in range(3)] == ["not this set"] * 3


# -- gradients ----------------------------------------------------------------------------------------------------------


def check_gradient(verifier: Any, samples: torch.Tensor, step: float, tolerance: float) -> None:
    """Against central differences along random directions."""
    assert isinstance(verifier, Differentiable)
    slope = verifier.gradient(samples)
    assert slope.gradients.shape == samples.shape
    assert slope.values.numpy() == pytest.approx(scored(verifier, samples).values, abs=1e-5)
    generator = torch.Generator().manual_seed(5)
    for _ in range(4):
        way = torch.randn(samples.shape, generator=generator)
        ahead, behind = (verifier.function(samples + sign * step * way).detach() for sign in (1, -1))
        expected = (ahead - behind) / (2 * step)
        got = (slope.gradients * way).flatten(1).sum(dim=1)
        assert got.numpy() == pytest.approx(expected.numpy(), rel=tolerance, abs=tolerance)
        assert float(expected.abs().max()) > tolerance


@pytest.mark.parametrize(
    "verifier",
    [brightness(), symmetry(), class_log_probability(classifier().log_probabilities, 3)],
    ids=["brightness", "symmetry", "classifier"],
)
def test_gradients_are_those_of_finite_differences(verifier: Any) -> None:
    check_gradient(verifier, images(), 1e-2, 2e-2)


def test_what_has_no_gradient_says_so() -> None:
    assert not isinstance(reward(lambda x: x.mean(dim=(1, 2, 3))), Differentiable)
    with pytest.raises(VerifierError, match="cut off from the samples"):
        differentiable(lambda x: x.detach().mean(dim=(1, 2, 3))).gradient(images())
    with pytest.raises(VerifierError, match="has no gradient"):
        differentiable(lambda x: [0.0] * len(x)).gradient(images())
    with pytest.raises(VerifierError, match="another shape"):
        differentiable(lambda x: x.mean()).gradient(images())


# -- CLIP ---------------------------------------------------------------------------------------------------------------


def test_similarity_is_the_cosine_of_the_models_own_features() -> None:
    model = tiny_clip()
    clip = Clip.of(model, Words())
    samples = images(3, 3, 16)
    got = scored(clip_similarity(clip, "a boat"), samples).values
    mean, deviation = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (clip.mean, clip.deviation))
    words = Words()(["a boat"])
    with torch.no_grad():
        out = model(pixel_values=((samples + 1) / 2 - mean) / deviation, **words)
    cosine = torch.nn.functional.cosine_similarity(out.image_embeds, out.text_embeds)
    assert got == pytest.approx(cosine.numpy(), abs=1e-5)
    assert scored(clip_similarity(clip, "a tree"), samples).values != pytest.approx(got, abs=1e-4)
    # Grey images of another size are prepared too, and gradients reach their pixels.
    check_gradient(clip_similarity(clip, "a boat"), images(2, 1, 20), 1e-2, 5e-2)


def test_a_linear_head_is_read_and_multiplied_out(tmp_path: Path) -> None:
    clip = Clip.of(tiny_clip())
    rng = np.random.default_rng(0)
    layers = [(rng.standard_normal((4, 8)), rng.standard_normal(4)), (rng.standard_normal((1, 4)), np.array([0.5]))]
    tensors = {
        f"layers.{2 * i}.{name}": v.astype("f4")
        for i, (w, b) in enumerate(layers)
        for name, v in (("weight", w), ("bias", b))
    }
    write_tensors(tmp_path / "deep.safetensors", tensors, {})
    samples = images(3, 3, 16)
    with torch.no_grad():
        features = clip.of_images(samples).double().numpy()
    expected = ((features @ layers[0][0].T + layers[0][1]) @ layers[1][0].T + layers[1][1])[:, 0]
    rated = aesthetic(clip, tmp_path / "deep.safetensors")
    assert scored(rated, samples).values == pytest.approx(expected, rel=1e-4)
    assert np.linalg.norm(features, axis=1) == pytest.approx(np.ones(3), rel=1e-5)
    with pytest.raises(InputError, match="another model's features"):
        aesthetic(clip, LinearHead(torch.zeros(5)))
    write_tensors(tmp_path / "wide.safetensors", {"weight": np.zeros((2, 8), "f4")}, {})
    with pytest.raises(InputError, match="no linear head"):
        aesthetic(clip, tmp_path / "wide.safetensors")


def test_a_clip_without_words_or_images() -> None:
    clip = Clip.of(tiny_clip())
    with pytest.raises(InputError, match="without a tokenizer"):
        clip_similarity(clip, "a boat")
    with pytest.raises(InputError, match="no features of images"):
        Clip.of(torch.nn.Linear(1, 1))
    failed = scored(aesthetic(clip, LinearHead(torch.zeros(8), 1.0)), torch.zeros(1, 4, 8, 8))
    assert "CLIP sees images" in failed.failures[0].message
    assert math.isnan(failed.values[0])


def test_a_model_saved_in_a_folder_is_loaded(tmp_path: Path) -> None:
    need("transformers")
    import transformers
    from tokenizers import Tokenizer, models

    tiny_clip().save_pretrained(tmp_path)
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1, "[END]": 2, "boat": 3}, unk_token="[UNK]"))
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]").save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}')
    clip = Clip.load(tmp_path)
    assert clip.side == 16
    assert clip.mean == (0.5, 0.5, 0.5)
    got = scored(clip_similarity(clip, "boat"), images(2, 3, 16)).values
    assert np.isfinite(got).all()
    assert (np.abs(got) <= 1).all()
