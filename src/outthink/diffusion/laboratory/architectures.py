"""Which network a file of weights holds: its metadata name the architecture, and what is not known is refused.

Files without that word are of the first format, whose networks took an image in patches. With one patch, the whole image, such a network
is today's `Perceptron`; there are none of several patches any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from outthink.core.errors import InputError, explain
from outthink.diffusion.laboratory.convolutional import Convolutional, ConvolutionalShape
from outthink.diffusion.laboratory.denoiser import Denoiser, DenoiserShape
from outthink.diffusion.laboratory.perceptron import Perceptron, PerceptronShape

ARCHITECTURE = "architecture"
"""The word of the metadata."""
_KNOWN: dict[str, tuple[type[DenoiserShape], Callable[[Any], Denoiser]]] = {
    "perceptron": (PerceptronShape, Perceptron),
    "convolutional": (ConvolutionalShape, Convolutional),
}


def name_of(network: Denoiser) -> str:
    """The word for this network."""
    return next(name for name, (_, built) in _KNOWN.items() if type(network) is built)


def network_of(said: Mapping[str, str], file: str) -> Denoiser:
    """The network that the metadata of a file describe, before its weights. Raises `InputError`, naming the `file`."""
    try:
        sizes = msgspec.json.decode(said["shape"], type=dict[str, Any])
        name = said.get(ARCHITECTURE) or _of_first_format(sizes)
        if name not in _KNOWN:
            raise _unknown(file, name)
        shape, built = _KNOWN[name]
        return built(msgspec.convert(sizes, shape))
    except msgspec.DecodeError as error:
        raise _unknown(file, f"sizes {said['shape']}: {error}") from None


def _of_first_format(sizes: dict[str, Any]) -> str:
    """Today's name of a network of the first format; its sizes are made today's. Patches smaller than the image have none."""
    patch = sizes.pop("patch", None)
    sizes.pop("across", None)
    return (
        "perceptron" if patch == sizes.get("side") else f"patches of {patch} pixels in an image of {sizes.get('side')}"
    )


def _unknown(file: str, got: str) -> InputError:
    return InputError(
        explain(
            f"{file} holds a network that this version does not know.",
            got=got,
            expected=" or ".join(_KNOWN),
            remedy="Make it again by outthink train digits, or use the version of outthink that made it.",
        )
    )
