"""CLIP as a reward, through transformers: how well an image fits a text, and a linear head on its image features (aesthetic scores).

    model = Clip.load("openai/clip-vit-base-patch32")        # a name or a folder; needs outthink[train]
    boats = clip_similarity(model, "a red boat")             # cosine, from -1 to 1
    pretty = aesthetic(model, LinearHead.read("head.safetensors"))

Images [n, 1 or 3, h, w] in [-1, 1] are resized, cropped and normalised in torch, as the model's own preparation says, so gradients reach
the samples. Any model of transformers that has `get_image_features` and `get_text_features` will do (CLIP, SigLIP).

Source: Radford et al. 2021; the heads are the linear maps of LAION's aesthetic predictors on normalised CLIP features.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from outthink.core.errors import InputError, ModelMissing, explain
from outthink.diffusion.rewards.differentiable import DifferentiableReward, differentiable
from outthink.verify.extras import require
from outthink.verify.tensor_file import read_tensors

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of CLIP's training images, channel by channel: what is used where a model's folder does not say."""

_LAYER = re.compile(r"(?:.*\.)?(\d+)\.weight")


@dataclass(frozen=True)
class Clip:
    """A model of images and texts in one space.

    Attributes:
        model, tokenizer: of transformers. side: of its images, in pixels. mean, deviation: its normalisation, [3].
    """

    model: Any
    tokenizer: Any
    side: int
    mean: tuple[float, ...] = MEAN
    deviation: tuple[float, ...] = DEVIATION

    @classmethod
    def load(cls, name: str | Path, *, device: str = "cpu") -> Clip:
        """A model by its name, from the hub or its local copy, or by its folder. Raises `ModelMissing`."""
        require("transformers", extra="train", needed_by="CLIP rewards")
        import transformers
        from transformers.image_processing_base import ImageProcessingMixin

        try:
            model = transformers.AutoModel.from_pretrained(str(name)).eval().to(device)
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(name))
        except (OSError, ValueError) as error:
            raise ModelMissing(
                explain(
                    f"The model {str(name)!r} cannot be loaded.",
                    got=str(error).splitlines()[0],
                    expected="a CLIP-like model of the Hugging Face hub, or a folder with one",
                    remedy="Check the name, or download the model beforehand and give its folder.",
                )
            ) from error
        try:
            told, _ = ImageProcessingMixin.get_image_processor_dict(str(name))
        except OSError:
            told = {}
        mean, deviation = tuple(told.get("image_mean", MEAN)), tuple(told.get("image_std", DEVIATION))
        return cls.of(model, tokenizer, mean=mean, deviation=deviation)

    @classmethod
    def of(
        cls,
        model: Any,
        tokenizer: Any = None,
        *,
        mean: tuple[float, ...] = MEAN,
        deviation: tuple[float, ...] = DEVIATION,
    ) -> Clip:
        """A live model; its weights are frozen. Without a tokenizer it has no opinion on texts."""
        if not hasattr(model, "get_image_features"):
            raise InputError(
                explain(
                    "This model has no features of images.",
                    got=type(model).__name__,
                    expected="a CLIP-like model with get_image_features",
                    remedy="Take one such as CLIP or SigLIP.",
                )
            )
        return cls(
            model.eval().requires_grad_(False), tokenizer, model.config.vision_config.image_size, mean, deviation
        )

    def prepared(self, images: torch.Tensor) -> torch.Tensor:
        """Images in [-1, 1] as the model takes them, [n, 3, side, side]: the shorter side resized, the middle cut out, normalised."""
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise InputError(
                explain(
                    "CLIP sees images.",
                    got=f"samples of shape {list(images.shape)}",
                    expected="[n, 1 or 3, height, width]",
                    remedy="Decode latents first: `decode` of DenoisingProcess.",
                )
            )
        like = next(self.model.parameters())
        x = (images.to(like.device).float() + 1.0) / 2.0
        short = min(x.shape[2:])
        height, width = (max(self.side, round(size * self.side / short)) for size in x.shape[2:])
        x = functional.interpolate(x, size=(height, width), mode="bicubic", antialias=True).clamp(0.0, 1.0)
        top, left = (height - self.side) // 2, (width - self.side) // 2
        x = x[:, :, top : top + self.side, left : left + self.side].expand(-1, 3, -1, -1)
        mean, deviation = (torch.tensor(v, device=x.device).reshape(1, 3, 1, 1) for v in (self.mean, self.deviation))
        return ((x - mean) / deviation).to(like.dtype)

    def of_images(self, images: torch.Tensor) -> torch.Tensor:
        """Features of length 1, [n, d]."""
        return functional.normalize(_tensor(self.model.get_image_features(pixel_values=self.prepared(images))), dim=1)

    def of_texts(self, texts: list[str]) -> torch.Tensor:
        """Features of length 1, [n, d]."""
        if self.tokenizer is None:
            raise InputError(
                explain(
                    "The model was given without a tokenizer.",
                    got="a text",
                    expected="a model with its tokenizer",
                    remedy="Use Clip.load, or Clip.of(model, tokenizer).",
                )
            )
        words = self.tokenizer(texts, padding=True, truncation=True, return_tensors="pt").to(self.model.device)
        with torch.no_grad():
            return functional.normalize(_tensor(self.model.get_text_features(**words)), dim=1)


@dataclass(frozen=True)
class LinearHead:
    """An affine map of features of length 1: weight [d], bias."""

    weight: torch.Tensor
    bias: float = 0.0

    @classmethod
    def read(cls, path: str | Path) -> LinearHead:
        """From a safetensors file: `weight` [1, d] and `bias` [1], or linear layers in a row ("layers.0.weight"...), multiplied out.

        LAION's predictors are either: their layers have nothing between them.
        """
        tensors, _ = read_tensors(Path(path).expanduser())
        weights = [name for name in tensors if name == "weight" or _LAYER.fullmatch(name)]
        weights.sort(key=lambda name: int(found[1]) if (found := _LAYER.fullmatch(name)) else 0)
        matrix, shift = None, np.zeros(0)
        for name in weights:
            layer = np.asarray(tensors[name], np.float64)
            bias = np.asarray(tensors.get(name.removesuffix("weight") + "bias", np.zeros(len(layer))), np.float64)
            fits = matrix is None or layer.shape[1:] == matrix.shape[:1]
            if layer.ndim == 2 and fits:
                matrix, shift = (layer, bias) if matrix is None else (layer @ matrix, layer @ shift + bias)
        if matrix is None or len(matrix) != 1:
            raise InputError(
                explain(
                    f"The file {Path(path).name!r} holds no linear head.",
                    got={name: list(value.shape) for name, value in tensors.items()},
                    expected="linear maps one after the other, the last one with a single output",
                    remedy="Save the head's own weights, with the names of torch.",
                )
            )
        return cls(torch.from_numpy(matrix[0].astype(np.float32)), float(shift[0]))


def clip_similarity(
    model: Clip | str | Path, text: str, *, partial: bool = True, at_once: int | None = 64
) -> DifferentiableReward:
    """Cosine between each image and a text, from -1 to 1."""
    clip = model if isinstance(model, Clip) else Clip.load(model)
    wanted = clip.of_texts([text])[0]

    def similar(images: torch.Tensor) -> torch.Tensor:
        return clip.of_images(images) @ wanted

    return differentiable(similar, partial=partial, name="CLIP similarity", at_once=at_once)


def aesthetic(
    model: Clip | str | Path, head: LinearHead | str | Path, *, partial: bool = True, at_once: int | None = 64
) -> DifferentiableReward:
    """A linear head's number for each image; LAION's go from about 1 to 10."""
    clip = model if isinstance(model, Clip) else Clip.load(model)
    line = head if isinstance(head, LinearHead) else LinearHead.read(head)
    width = clip.model.config.projection_dim
    if len(line.weight) != width:
        raise InputError(
            explain(
                "The head was made for another model's features.",
                got=f"a head on {len(line.weight)} numbers",
                expected=f"{width}, as many as the model gives",
                remedy="Take the model that the head was trained with, such as openai/clip-vit-large-patch14.",
            )
        )

    def rated(images: torch.Tensor) -> torch.Tensor:
        features = clip.of_images(images)
        return features @ line.weight.to(features) + line.bias

    return differentiable(rated, partial=partial, name="aesthetic", at_once=at_once)


def _tensor(output: Any) -> torch.Tensor:
    """Features themselves, however this version of transformers wraps them."""
    got: torch.Tensor = output if isinstance(output, torch.Tensor) else output.pooler_output
    return got
