"""How the network of a pipeline is called: one door a network class, each a few lines.

A door encodes what the pipeline was asked for into conditions with one row, with and without it, and says how the network is called with
such rows. Guidance, noise levels and steps are nobody's business here. A class without a door is refused by name; its pipeline can still be
used by writing the call: `Plain(call, schedule.predicts)`.

The names of the networks' arguments are those of diffusers 0.42.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from outthink.core.errors import InputError, explain
from outthink.diffusion.network import Call, Condition


@dataclass(frozen=True)
class Wish:
    """What a pipeline is asked for.

    Attributes:
        prompt, negative: texts; None and "" for nothing said.
        label: the number of a class; None for no class.
        guided: whether the network will be asked without the condition too.
        height, width: of the decoded sample, in pixels; None: what the network was trained on.
        device: where the network runs.
    """

    prompt: str | None
    negative: str
    label: int | None
    guided: bool
    height: int | None
    width: int | None
    device: torch.device


@dataclass(frozen=True)
class Door:
    """A network with what it is told.

    Attributes:
        call: asks the network.
        condition: one row of what it is told. unconditional: the same without the wish; None where it cannot be asked without one.
    """

    call: Call
    condition: Condition
    unconditional: Condition | None


def by_prompt(pipeline: Any, network: Any, wish: Wish, size: tuple[int, int]) -> Door:
    """Text to image by cross-attention (Stable Diffusion 1 and 2, and XL with its pooled text and sizes)."""
    _need_prompt(wish)
    of_sizes = network.config.get("addition_embed_type") == "text_time"
    asked = {"device": wish.device, "num_images_per_prompt": 1, "do_classifier_free_guidance": wish.guided}
    encoded = pipeline.encode_prompt(prompt=wish.prompt, negative_prompt=wish.negative, **asked)
    told, untold = {"text": encoded[0]}, {"text": encoded[1]}
    if of_sizes:
        height, width = size
        times = torch.tensor([[height, width, 0, 0, height, width]], device=wish.device, dtype=encoded[0].dtype)
        told |= {"pooled": encoded[2], "sizes": times}
        untold |= {"pooled": encoded[3], "sizes": times}

    def call(x: torch.Tensor, time: torch.Tensor, condition: Condition) -> torch.Tensor:
        added = {"text_embeds": condition["pooled"], "time_ids": condition["sizes"]} if of_sizes else None
        return _sample(network(x, time, encoder_hidden_states=condition["text"], added_cond_kwargs=added))

    return Door(call, told, untold if wish.guided else None)


def by_prompts(pipeline: Any, network: Any, wish: Wish, size: tuple[int, int]) -> Door:
    """Text to image by joint attention (Stable Diffusion 3)."""
    _need_prompt(wish)
    asked = {"device": wish.device, "num_images_per_prompt": 1, "do_classifier_free_guidance": wish.guided}
    texts = {"prompt": wish.prompt, "prompt_2": None, "prompt_3": None, "negative_prompt": wish.negative}
    text, without, pooled, pooled_without = pipeline.encode_prompt(**texts, **asked)

    def call(x: torch.Tensor, time: torch.Tensor, condition: Condition) -> torch.Tensor:
        text, pooled = condition["text"], condition["pooled"]
        return _sample(network(x, timestep=time, encoder_hidden_states=text, pooled_projections=pooled))

    untold = {"text": without, "pooled": pooled_without} if wish.guided else None
    return Door(call, {"text": text, "pooled": pooled}, untold)


def by_label(pipeline: Any, network: Any, wish: Wish, size: tuple[int, int]) -> Door:
    """A transformer of classes (DiT), whose last class stands for none."""
    _need_no_prompt(wish, network)
    nothing = int(network.config["num_embeds_ada_norm"])
    label = _label(wish, nothing)

    def call(x: torch.Tensor, time: torch.Tensor, condition: Condition) -> torch.Tensor:
        return _sample(network(x, timestep=time, class_labels=condition))

    return Door(call, torch.tensor([label], device=wish.device), torch.tensor([nothing], device=wish.device))


def plainly(pipeline: Any, network: Any, wish: Wish, size: tuple[int, int]) -> Door:
    """A network of samples and times, with a class where it was trained with classes (DDPM, and latent diffusion without a text)."""
    _need_no_prompt(wish, network)
    classes = network.config.get("num_class_embeds")
    if classes is None and network.config.get("class_embed_type") is None:
        if wish.label is not None:
            raise InputError(
                explain(
                    "This model knows no classes.",
                    got=f"class {wish.label}",
                    expected="none",
                    remedy="Leave the class out, or use a model of classes.",
                )
            )
        return Door(lambda x, time, condition: _sample(network(x, time)), None, None)
    label = _label(wish, classes)

    def call(x: torch.Tensor, time: torch.Tensor, condition: Condition) -> torch.Tensor:
        return _sample(network(x, time, class_labels=condition))

    return Door(call, torch.tensor([label], device=wish.device), None)


Opening = Callable[[Any, Any, Wish, tuple[int, int]], Door]
"""(pipeline, network, wish, height and width in pixels) to its door."""

_DOORS: dict[str, Opening] = {
    "DiTTransformer2DModel": by_label,
    "SD3Transformer2DModel": by_prompts,
    "UNet2DConditionModel": by_prompt,
    "UNet2DModel": plainly,
}


def known_networks() -> tuple[str, ...]:
    """The classes of networks that have a door."""
    return tuple(_DOORS)


def opening(network: Any) -> Opening | None:
    """How the network is asked; None for a class without a door."""
    return _DOORS.get(type(network).__name__)


def _sample(output: Any) -> torch.Tensor:
    found: torch.Tensor = output.sample
    return found


def _label(wish: Wish, classes: int | None) -> int:
    if wish.label is None or wish.label < 0 or (classes is not None and wish.label >= classes):
        expected = "the number of a class" if classes is None else f"a class from 0 to {classes - 1}"
        raise InputError(
            explain(
                "This model draws samples of a class.",
                got="no class" if wish.label is None else f"class {wish.label}",
                expected=expected,
                remedy="Say which: label=3, or --class 3.",
            )
        )
    return wish.label


def _need_prompt(wish: Wish) -> None:
    if wish.prompt is None or wish.label is not None:
        raise InputError(
            explain(
                "This model draws what a text says.",
                got="no prompt" if wish.prompt is None else f"class {wish.label}",
                expected="a prompt, and no class",
                remedy='Say what to draw: prompt="a lighthouse", or --prompt "a lighthouse".',
            )
        )


def _need_no_prompt(wish: Wish, network: Any) -> None:
    if wish.prompt is not None:
        raise InputError(
            explain(
                "This model reads no text.",
                got=f"the prompt {wish.prompt!r} for a {type(network).__name__}",
                expected="no prompt",
                remedy="Leave the prompt out, or use a text-to-image model.",
            )
        )
