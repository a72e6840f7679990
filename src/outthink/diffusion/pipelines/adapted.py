"""A pipeline taken apart into what a denoising process is made of.

    model = adapt(pipeline, prompt="a lighthouse at dusk", guidance=5.0)
    process = model.process(steps=30)                     # the solver that the scheduler stands for
    process = model.process(steps=30, solver=Ancestral()) # or one of your own

Nothing in the pipeline is changed: an auto-encoder that overflows in half precision is widened for each decoding and narrowed again.
What verifiers see are decoded samples, [n, c, h, w] in [-1, 1]. Guidance is the pipeline's own default unless said otherwise; it costs two
evaluations a sample.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from outthink.core.errors import Incompatible, explain
from outthink.diffusion.network import Call, Guided, Network, Plain, Thresholded
from outthink.diffusion.pipelines.doors import Door, Wish, known_networks, opening
from outthink.diffusion.process import DenoisingProcess
from outthink.diffusion.schedules import Schedule, read
from outthink.diffusion.solvers import Solver

_NETWORKS = ("unet", "transformer")
_CODERS = ("vae", "vqvae", "movq")


@dataclass(frozen=True)
class Adapted:
    """A pipeline's parts, asked for one wish.

    Attributes:
        shape: of one latent, [c, h, w].
        door: the network with what it is told. guidance: 1 for none.
        decode: latents [n, c, h, w] to samples in [-1, 1].
        scheduler: a scheduler of diffusers; only its table is read.
        device, dtype: where the network runs, and in what type.
        name: of the pipeline's class. at_once: the most rows of one call of the network or the decoder; None for no limit.
    """

    shape: tuple[int, int, int]
    door: Door
    guidance: float
    decode: Callable[[torch.Tensor], torch.Tensor]
    scheduler: Any
    device: torch.device
    dtype: torch.dtype
    name: str
    at_once: int | None = None

    def schedule(self, steps: int) -> Schedule:
        """The scheduler's levels for so many steps. Raises `Incompatible` where there is no table to read."""
        settings = dict(self.scheduler.config)
        if not settings.get("use_dynamic_shifting"):
            return read(self.scheduler, steps)
        return read(self.scheduler, steps, mu=_shift(settings, self.shape))

    def network(self, schedule: Schedule) -> Network:
        """The network, guided where that was asked for; clipped after guidance where the scheduler clips."""
        asked: Network = Plain(_of_channels(self.door.call, self.shape[0]), schedule.predicts, at_once=self.at_once)
        if self.guidance != 1.0:
            asked = Guided(asked, self.door.unconditional, self.guidance)
        return asked if schedule.limit is None else Thresholded(asked, schedule.limit)

    def process(self, steps: int, solver: Solver | None = None, **how: Any) -> DenoisingProcess:
        """The pipeline as a process; `how` goes to `DenoisingProcess`.

        Args:
            solver: None takes the one that takes the scheduler's own steps, and raises `Incompatible` where there is none.
        """
        schedule = self.schedule(steps)
        taken = schedule.solver() if solver is None else solver
        given: dict[str, Any] = {"device": self.device, "dtype": self.dtype, "kind": "image", "decode": self.decode}
        made = given | {"condition": self.door.condition} | how
        return DenoisingProcess(self.network(schedule), schedule.grid, taken, self.shape, **made)


def adapt(
    pipeline: Any,
    *,
    prompt: str | None = None,
    negative: str = "",
    label: int | None = None,
    guidance: float | None = None,
    height: int | None = None,
    width: int | None = None,
    at_once: int | None = None,
) -> Adapted:
    """A pipeline of diffusers, asked for one thing.

    Args:
        prompt, negative: what to draw and what not, for text-to-image pipelines. label: a class, for pipelines of classes.
        guidance: how far the condition moves a prediction; None: the pipeline's default. At most 1 is no guidance, as pipelines have it.
        height, width: in pixels; None: what the network was trained on.
        at_once: the most rows of one call of the network or the decoder.
    Raises `Incompatible` for a pipeline whose network has no door, `InputError` for a wish that it cannot be asked.
    """
    parts = dict(pipeline.components)
    network = next((parts[name] for name in _NETWORKS if parts.get(name) is not None), None)
    coder = next((parts[name] for name in _CODERS if parts.get(name) is not None), None)
    asked_by = opening(network)
    if network is None or asked_by is None or parts.get("scheduler") is None:
        raise _unknown(pipeline, network, parts.get("scheduler"))
    scale = 1 if coder is None else _scale(coder)
    size = _size(network, scale, height, width)
    shape = (_channels(network, coder), size[0] // scale, size[1] // scale)
    strength = _default_guidance(pipeline) if guidance is None else float(guidance)
    # Offloaded modules stand elsewhere until they are called; this is the pipeline's own word for where they run.
    device = torch.device(pipeline._execution_device)  # noqa: SLF001
    wish = Wish(prompt, negative, label, strength > 1.0, height=height, width=width, device=device)
    with torch.no_grad():
        door = asked_by(pipeline, network, wish, size)
    if strength <= 1.0 or (guidance is None and door.unconditional is None):
        strength = 1.0
    elif door.unconditional is None:
        raise Incompatible(
            explain(
                "This network cannot be asked without a condition, which guidance needs.",
                got=f"guidance {strength:g} for {type(pipeline).__name__}",
                expected="guidance 1",
                remedy="Leave guidance out.",
            )
        )
    decode = (lambda x: x.clamp(-1.0, 1.0)) if coder is None else Decoder(coder, at_once)
    dtype = next(network.parameters()).dtype
    return Adapted(shape, door, strength, decode, parts["scheduler"], device, dtype, type(pipeline).__name__, at_once)


class Decoder:
    """An auto-encoder as a function from latents [n, c, h, w] to samples [n, c', h', w'] in [-1, 1], float32."""

    def __init__(self, coder: Any, at_once: int | None) -> None:
        self.coder, self.at_once = coder, at_once
        self._scale, self._shift = coder.config.get("scaling_factor") or 1.0, coder.config.get("shift_factor") or 0.0
        self._spread, self._mean = coder.config.get("latents_std"), coder.config.get("latents_mean")

    def __call__(self, latents: torch.Tensor) -> torch.Tensor:
        given = self._restored(latents)
        with torch.no_grad(), self._wide():
            asked = given.to(self.coder.dtype).split(self.at_once or len(given))
            parts = [self.coder.decode(part).sample for part in asked]
        return torch.cat(parts).float().clamp(-1.0, 1.0)

    def _restored(self, latents: torch.Tensor) -> torch.Tensor:
        """As the auto-encoder knows them: by its factor and shift, or by the mean and spread of each channel where it says them."""
        if self._spread is None or self._mean is None:
            return latents / self._scale + self._shift
        spread, mean = (torch.tensor(said).to(latents).view(-1, 1, 1) for said in (self._spread, self._mean))
        return latents * spread / self._scale + mean

    @contextmanager
    def _wide(self) -> Iterator[None]:
        """In single precision meanwhile, where half precision overflows; both ways are exact, so the weights stay what they were."""
        overflows = bool(self.coder.config.get("force_upcast")) and self.coder.dtype == torch.float16
        if overflows:
            self.coder.to(dtype=torch.float32)
        try:
            yield
        finally:
            if overflows:
                self.coder.to(dtype=torch.float16)


def _of_channels(call: Call, channels: int) -> Call:
    """The same without the learned variances, which some networks put behind their prediction."""

    def cut(x: torch.Tensor, time: torch.Tensor, condition: Any) -> torch.Tensor:
        return call(x, time, condition)[:, :channels]

    return cut


def _channels(network: Any, coder: Any) -> int:
    channels = int(network.config["in_channels"])
    latent = channels if coder is None else int(coder.config["latent_channels"])
    if channels != latent:
        raise Incompatible(
            explain(
                "This network is given more than the latents, such as an image to fill in.",
                got=f"{channels} channels for latents of {latent}",
                expected=f"{latent} channels",
                remedy="Use a pipeline that draws from noise, or write the call: Plain(call, schedule.predicts).",
            )
        )
    return channels


def _scale(coder: Any) -> int:
    """How many pixels stand beside each other for one place of the latent."""
    blocks = coder.config.get("block_out_channels") or ()
    return int(2 ** max(len(blocks) - 1, 0))


def _size(network: Any, scale: int, height: int | None, width: int | None) -> tuple[int, int]:
    trained = network.config.get("sample_size")
    both = tuple(trained) if isinstance(trained, (list, tuple)) else (trained, trained)
    if None in both and (height is None or width is None):
        raise Incompatible(
            explain(
                "The network does not say what size it was trained on.",
                got="no sample_size",
                expected="a height and a width",
                remedy="Say both: height=512, width=512.",
            )
        )
    size = [trained * scale if given is None else given for given, trained in zip((height, width), both, strict=True)]
    if any(pixels < scale or pixels % scale for pixels in size):
        raise Incompatible(
            explain(
                "The size does not fit the latents.",
                got=f"{size[0]} x {size[1]} pixels",
                expected=f"multiples of {scale}",
                remedy="Choose another height and width.",
            )
        )
    return size[0], size[1]


def _shift(settings: dict[str, Any], shape: tuple[int, int, int]) -> float:
    """mu of a scheduler that shifts its times by the size of the sample: linear in the number of patches, of 2 by 2 latents each."""
    patches = (shape[1] // 2) * (shape[2] // 2)
    few, many = settings.get("base_image_seq_len", 256), settings.get("max_image_seq_len", 4096)
    low, high = settings.get("base_shift", 0.5), settings.get("max_shift", 1.15)
    return float(low + (high - low) * (patches - few) / (many - few))


def _default_guidance(pipeline: Any) -> float:
    call: Any = type(pipeline).__call__
    asked = inspect.signature(call).parameters.get("guidance_scale")
    return 1.0 if asked is None else float(asked.default)


def _unknown(pipeline: Any, network: Any, scheduler: Any) -> Incompatible:
    got = f"{type(pipeline).__name__} with {'no network' if network is None else type(network).__name__}"
    return Incompatible(
        explain(
            "This pipeline cannot be taken apart." if scheduler is not None else "This pipeline has no scheduler.",
            got=got if scheduler is not None else type(pipeline).__name__,
            expected="a scheduler and one of " + ", ".join(known_networks()),
            remedy="Write the network's call yourself: Plain(call, schedules.read(scheduler, steps).predicts).",
        )
    )
