"""Training of the image laboratory: the data, a few steps that repeat themselves, and everything that the command writes."""

from __future__ import annotations

import dataclasses
import gzip
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch
from click.testing import CliRunner

from outthink.cli.train_digits import digits
from outthink.core import InputError, Key
from outthink.core.errors import ModelMissing
from outthink.diffusion.laboratory import Convolutional, Denoiser, classifier, load
from outthink.diffusion.steering import judge_of
from outthink.train.digits import ConvolutionalSizes, Denoising, PerceptronSizes, Training
from outthink.train.digits.images import read, shifted


def idx(path: Path, table: np.ndarray[Any, Any], magic: int) -> None:
    head = np.array([magic, *table.shape], ">i4").tobytes()
    path.write_bytes(gzip.compress(head + table.astype(np.uint8).tobytes()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty images of 28 x 28 in the format of MNIST."""
    rng = np.random.default_rng(0)
    where = tmp_path / "idx"
    where.mkdir()
    idx(where / "mnist-t10k-images-idx3-ubyte.gz", rng.integers(0, 256, (40, 28, 28)), 2051)
    idx(where / "mnist-t10k-labels-idx1-ubyte.gz", np.arange(40) % 10, 2049)
    return where


def test_images_of_idx_files(folder: Path) -> None:
    images = read("mnist", folder, held_out=0.25, key=Key(1))
    assert images.images.shape == (30, 1, 28, 28)
    assert images.held_labels.shape == (10,)
    assert -1.0 <= float(images.images.min()) < -0.99
    assert 0.99 < float(images.images.max()) <= 1.0
    assert "t10k (40 images)" in images.source
    together = sorted(torch.cat([images.labels, images.held_labels]).tolist())
    assert together == sorted((np.arange(40) % 10).tolist())
    again = read("mnist", folder, held_out=0.25, key=Key(2))
    assert not torch.equal(again.held_images, images.held_images)


def test_what_is_no_idx_file_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--folder"):
        read("mnist", None, held_out=0.1, key=Key(1))
    with pytest.raises(InputError, match="t10k-images"):
        read("mnist", tmp_path, held_out=0.1, key=Key(1))
    (folder / "mnist-t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"no such thing"))
    with pytest.raises(InputError, match="no IDX file of labels"):
        read("mnist", folder, held_out=0.1, key=Key(1))


def test_the_digits_of_scikit_learn() -> None:
    need("sklearn")
    images = read("digits", None, held_out=0.2, key=Key(1))
    assert len(images.labels) + len(images.held_labels) == 1797
    assert images.images.shape[1:] == (1, 8, 8)
    assert (float(images.images.min()), float(images.images.max())) == (-1.0, 1.0)


def test_moved_images_keep_their_ink() -> None:
    dot = torch.full((200, 1, 8, 8), -1.0)
    dot[:, 0, 4, 4] = 1.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        moved = shifted(dot, 2)
    places = {tuple(place[2:].tolist()) for place in (moved > 0).nonzero()}
    assert len(places) == 25
    assert ((moved > 0).flatten(1).sum(dim=1) == 1).all()
    assert shifted(dot, 0) is dot


def test_everything_that_the_command_writes(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    # One step of each.
    given = ["--data", "mnist", "--folder", str(folder), "--share", "0.00025", "--out", str(out), "--samples", "2"]
    result = CliRunner().invoke(digits, given, catch_exceptions=False)
    assert result.exit_code == 0
    assert str(out / "mnist-flow.safetensors") in result.output
    names = {f"mnist-{part}{end}" for part in ("diffusion", "flow") for end in (".md", ".png", ".safetensors")}
    assert {path.name for path in out.iterdir()} == names | {"mnist-classifier.md", "mnist-classifier.safetensors"}
    card = (out / "mnist-diffusion.md").read_text(encoding="utf-8")
    told = re.search(r"outthink train digits --seed 1 --data mnist --folder FOLDER --share (\S+)", card)
    assert told is not None
    # The command on the card takes as many steps as were taken.
    whole = Training.of_mnist()
    assert whole.shortened(float(told[1].rstrip("`:"))).denoising == whole.shortened(0.00025).denoising
    assert "t10k (40 images)" in card
    model = load("mnist-flow", folder=out)
    assert model.shape == (1, 28, 28)
    assert isinstance(model.module, Convolutional)
    assert "A U-Net of 32 channels at half the side, 64 at a quarter" in card
    judge = classifier("mnist", folder=out)
    assert judge.features(torch.zeros(2, 1, 28, 28)).shape == (2, 32)
    # Steering asks the classifier that lies beside the model, whose images are as large, and says so where there is none.
    of_steering = judge_of(str(out / "mnist-flow"))
    assert torch.equal(of_steering.network.last.weight, judge.network.last.weight)
    assert judge_of("digits-flow") is judge_of(str(tmp_path)) is classifier()
    (out / "mnist-classifier.safetensors").unlink()
    with pytest.raises(ModelMissing, match="outthink train digits --data mnist"):
        judge_of(str(out / "mnist-flow"))


@pytest.mark.parametrize(
    "network",
    [PerceptronSizes(width=80, inner=80, layers=1, dropout=0.0), ConvolutionalSizes(channels=8, blocks=1)],
    ids=["perceptron", "convolutional"],
)
def test_a_class_is_learned_and_the_same_seed_makes_the_same_weights(
    folder: Path, network: PerceptronSizes | ConvolutionalSizes
) -> None:
    """Each class is an image of one grey. Whoever is not told the class can say no more of it than the mean of all of them."""
    from outthink.train.digits.denoising import train_denoiser

    images = read("mnist", folder, held_out=0.1, key=Key(1))
    greys = torch.linspace(-1, 1, 10)
    images = dataclasses.replace(images, images=greys[images.labels].reshape(-1, 1, 1, 1).expand(-1, 1, 8, 8))
    settings = Denoising(steps=150, batch=32, rate=1e-2, warm=5, nothing=0.1, averaging=0.9, network=network)

    def trained(seed: int, settings: Denoising) -> tuple[list[float], Denoiser]:
        losses: list[float] = []
        made = train_denoiser(settings, "diffusion", images, seed=seed, report=lambda step, loss: losses.append(loss))
        return losses, made

    losses, made = trained(1, settings)
    # A network that says nothing errs by the mean square of v = alpha e - sigma x0 at even times: half that of noise and half that of data.
    silent = 0.5 + 0.5 * float(greys.square().mean())
    assert losses[0] == pytest.approx(silent, rel=0.2)
    assert np.mean(losses[-20:]) < 0.4 * silent
    # In pure noise there is nothing to see but the class that is told: -v is x0.
    noise = torch.randn(10, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        told, untold = (-made(noise, torch.ones(10), told) for told in (torch.arange(10), torch.full((10,), 10)))
    wanted = greys.reshape(10, 1, 1, 1)
    assert float((told - wanted).square().mean()) < 0.5 * float(greys.square().mean())
    assert float((untold - wanted).square().mean()) > 0.8 * float(greys.square().mean())

    few = msgspec.structs.replace(settings, steps=3)
    weights, again, other = (trained(seed, few)[1].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert not torch.equal(weights["enter.weight"], other["enter.weight"])


def test_a_shorter_training_is_the_same_otherwise() -> None:
    whole = Training.of_mnist(3)
    short = whole.shortened(0.5)
    assert short.denoising.steps == whole.denoising.steps // 2
    assert msgspec.structs.replace(short.denoising, steps=whole.denoising.steps) == whole.denoising
