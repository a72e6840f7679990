"""Pipelines of diffusers made of tiny networks with random weights, built here without any file from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

WORDS = ("a", "lighthouse", "at", "dusk", "<|startoftext|>", "<|endoftext|>")


def _seeded(make: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().eval()


def pixels(classes: int | None = None, scheduler: Any = None) -> Any:
    """A DDIM pipeline of 8 by 8 pixels, of classes if so many are said."""
    from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel

    unet = _seeded(
        lambda: UNet2DModel(
            sample_size=8,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"),
            num_class_embeds=classes,
        )
    )
    return DDIMPipeline(unet=unet, scheduler=scheduler or DDIMScheduler(clip_sample=False))


def coder(channels: int, **more: Any) -> Any:
    """An auto-encoder of two levels: 16 by 16 pixels are 8 by 8 latents."""
    from diffusers import AutoencoderKL

    return _seeded(
        lambda: AutoencoderKL(
            in_channels=3,
            out_channels=3,
            latent_channels=channels,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            layers_per_block=1,
            sample_size=16,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            **more,
        )
    )


def tokenizer(folder: Path) -> Any:
    """A tokenizer of four words."""
    from transformers import CLIPTokenizer

    letters = sorted(set("".join(WORDS[:4])))
    names = [*letters, *(letter + "</w>" for letter in letters), *WORDS[4:]]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16)


def encoder(words: Any, projecting: bool = False) -> Any:
    """A text encoder of width 8 for the words of a tokenizer."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=8,
        max_position_embeddings=16,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return _seeded(lambda: (CLIPTextModelWithProjection if projecting else CLIPTextModel)(config))


def told_by_words(width: int, **more: Any) -> Any:
    """A latent network that attends to words of this width, seeded."""
    from diffusers import UNet2DConditionModel

    return _seeded(
        lambda: UNet2DConditionModel(
            sample_size=8,
            in_channels=4,
            out_channels=4,
            layers_per_block=1,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            cross_attention_dim=width,
            attention_head_dim=2,
            **more,
        )
    )


def stable_diffusion(folder: Path, scheduler: Any) -> Any:
    """A latent text-to-image pipeline."""
    from diffusers import StableDiffusionPipeline

    words = tokenizer(folder)
    unet = told_by_words(
        8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    return StableDiffusionPipeline(
        vae=coder(4),
        text_encoder=encoder(words),
        tokenizer=words,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def stable_diffusion_xl(folder: Path, scheduler: Any) -> Any:
    """The same with two encoders and the sizes that XL is told."""
    from diffusers import StableDiffusionXLPipeline

    words = tokenizer(folder)
    unet = told_by_words(
        16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=8 + 6 * 4,
        transformer_layers_per_block=1,
    )
    return StableDiffusionXLPipeline(
        vae=coder(4),
        text_encoder=encoder(words),
        text_encoder_2=encoder(words, projecting=True),
        tokenizer=words,
        tokenizer_2=words,
        unet=unet,
        scheduler=scheduler,
        add_watermarker=False,
    )


def stable_diffusion_3(folder: Path, scheduler: Any) -> Any:
    """A flow-matching text-to-image pipeline, without the third of its encoders."""
    from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline

    words = tokenizer(folder)
    transformer = _seeded(
        lambda: SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=4,
            num_attention_heads=2,
            joint_attention_dim=16,
            caption_projection_dim=8,
            pooled_projection_dim=16,
            pos_embed_max_size=8,
        )
    )
    return StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=scheduler,
        vae=coder(4, shift_factor=0.06, scaling_factor=1.5),
        text_encoder=encoder(words, projecting=True),
        tokenizer=words,
        text_encoder_2=encoder(words, projecting=True),
        tokenizer_2=words,
        text_encoder_3=None,
        tokenizer_3=None,
    )


def classes_transformer(scheduler: Any) -> Any:
    """A transformer of three classes that predicts its variances besides."""
    from diffusers import DiTPipeline, DiTTransformer2DModel

    transformer = _seeded(
        lambda: DiTTransformer2DModel(
            sample_size=8,
            in_channels=4,
            out_channels=8,
            num_layers=1,
            attention_head_dim=4,
            num_attention_heads=2,
            patch_size=2,
            num_embeds_ada_norm=1000,
        )
    )
    return DiTPipeline(transformer=transformer, vae=coder(4), scheduler=scheduler)
