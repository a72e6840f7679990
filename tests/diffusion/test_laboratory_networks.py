"""The laboratory's networks: rows know nothing of each other, gradients are true, and a file says which network it holds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

import outthink.diffusion.laboratory as laboratory
from outthink.core import InputError, SettingsError
from outthink.diffusion.laboratory import Convolutional, ConvolutionalShape, Denoiser, Perceptron, PerceptronShape, load
from outthink.diffusion.laboratory.architectures import ARCHITECTURE, name_of
from outthink.diffusion.laboratory.files import write_model
from outthink.verify.tensor_file import read_tensors, write_tensors

NETWORKS = ["perceptron", "convolutional"]
SHIPPED = Path(laboratory.__file__).parent / "digits-flow.safetensors"


def made(name: str, **sizes: int) -> Denoiser:
    """A small network of random weights, none of them zero as some are before a training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network: Denoiser
        if name == "perceptron":
            network = Perceptron(PerceptronShape(**{"side": 8, "width": 16, "inner": 16, "layers": 2, **sizes}))
        else:
            network = Convolutional(ConvolutionalShape(**{"side": 8, "channels": 8, "blocks": 2, **sizes}))
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
    return network.eval()


def arguments(n: int, side: int = 8) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(n, 1, side, side, generator=generator)
    return x, torch.rand(n, generator=generator), torch.arange(n) % 11


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_depends_on_itself_alone(name: str) -> None:
    """Whatever its batch mates, their number and their order: to rounding, 1e-5 of numbers as large as one."""
    network, (x, time, classes) = made(name), arguments(33)
    with torch.no_grad():
        whole = network(x, time, classes)
        assert whole.shape == x.shape
        alone = torch.cat([network(x[i : i + 1], time[i : i + 1], classes[i : i + 1]) for i in range(len(x))])
        back = network(x.flip(0), time.flip(0), classes.flip(0)).flip(0)
        louder = x.clone()
        louder[1:] *= 100.0
        first = network(louder, time, classes)[:1]
    assert float(whole.std()) > 0.1
    torch.testing.assert_close(alone, whole, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(back, whole, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(first, whole[:1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_time_and_class_are_heard_everywhere(name: str) -> None:
    network, (x, time, classes) = made(name), arguments(6)
    with torch.no_grad():
        plain = network(x, time, classes)
        for other in (network(x, 1.0 - time, classes), network(x, time, (classes + 1) % 11)):
            assert float((other - plain).abs().flatten(1).max(dim=1).values.min()) > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    """As to the image, which steering by gradients goes through; in double precision."""
    network, (x, time, classes) = made(name).double(), arguments(2)
    weights = torch.randn(x.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x, time = x.double().requires_grad_(True), time.double()
    assert torch.autograd.gradcheck(lambda x: (network(x, time, classes) * weights).sum(), (x,))


def test_a_place_of_the_u_net_sees_the_whole_image() -> None:
    """28 x 28, the sizes that are trained: each corner of the prediction hears the opposite corner of the image."""
    network = made("convolutional", side=28, channels=32, blocks=3)
    x, time, classes = arguments(1, side=28)
    x.requires_grad_(True)
    corner = network(x, time, classes)[0, 0, 0, 0]
    (heard,) = torch.autograd.grad(corner, x)
    assert float(heard[0, 0, -4:, -4:].abs().max()) > 0


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"ConvolutionalShape\.side cannot be 30"):
        ConvolutionalShape(side=30)
    with pytest.raises(SettingsError, match=r"ConvolutionalShape\.channels cannot be 6"):
        ConvolutionalShape(channels=6)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_says_which_network_it_holds(name: str, tmp_path: Path) -> None:
    network, (x, time, classes) = made(name), arguments(5)
    assert name_of(network) == name
    said = {"kind": "denoiser", "data": "digits", ARCHITECTURE: name}
    write_model(tmp_path / "digits-flow.safetensors", network, network.shape, {}, **said)
    model = load("digits-flow", folder=tmp_path)
    assert type(model.module) is type(network)
    assert model.module.shape == network.shape
    with torch.no_grad():
        # Weights are kept in half precision.
        torch.testing.assert_close(model.module(x, time, classes), network(x, time, classes), rtol=0.02, atol=0.02)


def _said(tmp_path: Path, **changed: str) -> Path:
    """A folder with the shipped flow model under other metadata."""
    tensors, said = read_tensors(SHIPPED)
    write_tensors(tmp_path / SHIPPED.name, tensors, {**said, **changed})
    return tmp_path


def test_a_network_that_is_not_known_is_refused(tmp_path: Path) -> None:
    expected = "expected perceptron or convolutional"
    with pytest.raises(InputError, match=expected) as refused:
        load("digits-flow", folder=_said(tmp_path, **{ARCHITECTURE: "transformer"}))
    assert "transformer" in str(refused.value)
    assert "outthink train digits" in str(refused.value)
    # The first format: one patch is the shipped model, several are what no network here draws with.
    sizes = msgspec.json.decode(read_tensors(SHIPPED)[1]["shape"])
    with pytest.raises(InputError, match="patches of 4 pixels"):
        load("digits-flow", folder=_said(tmp_path, shape=msgspec.json.encode({**sizes, "patch": 4}).decode()))
    with pytest.raises(InputError, match="depth"):
        load("digits-flow", folder=_said(tmp_path, shape=msgspec.json.encode({**sizes, "depth": 4}).decode()))
    with pytest.raises(InputError, match="does not know"):
        load("digits-flow", folder=_said(tmp_path, shape="three layers"))


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    tensors, said = read_tensors(SHIPPED)
    path = tmp_path / SHIPPED.name
    write_tensors(path, {name: value for name, value in tensors.items() if name != "leave.bias"}, said)
    with pytest.raises(InputError, match=r"leave\.bias"):
        load("digits-flow", folder=tmp_path)
    write_tensors(path, {**tensors, "leave.bias": np.zeros(63, np.float16)}, said)
    with pytest.raises(InputError, match=r"leave\.bias"):
        load("digits-flow", folder=tmp_path)
