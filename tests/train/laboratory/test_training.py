"""Training itself, where torch is installed: a few steps of a small network."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from outthink.core.errors import CheckpointError
from outthink.engines.local import gguf
from outthink.laboratory import Chains
from outthink.train.laboratory.settings import Part, Shape, Training
from tests.needs import need
from tests.train.laboratory.interrupted import Weights, interrupting, same

need("torch")
import torch

SETTINGS = Training(
    steps=6,
    tokens=256,
    workers=1,
    shape=Shape(width=64, layers=1, inner=64),
    mixture=(Part(family=Chains(terms=2), share=1.0),),
    warm=2,
    save_every=2,
)


def weights(folder: Path, settings: Training = SETTINGS, *, interrupt_at: int = 0) -> Weights | None:
    from outthink.train.laboratory.training import train

    network = train(settings, folder, interrupting(interrupt_at))
    return None if network is None else {name: p.detach().numpy() for name, p in network.named_parameters()}


def test_an_interrupted_training_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = weights(tmp_path / "whole")
    assert weights(tmp_path / "cut", interrupt_at=3) is None
    assert (tmp_path / "cut" / "checkpoint.pt").is_file()
    assert same(weights(tmp_path / "cut"), whole)
    assert not same(weights(tmp_path / "other", msgspec.structs.replace(SETTINGS, seed=2)), whole)


def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    two = msgspec.structs.replace(SETTINGS, workers=2)
    assert same(weights(tmp_path / "two", two), weights(tmp_path / "one"))


def test_another_trainings_checkpoint_is_refused(tmp_path: Path) -> None:
    weights(tmp_path)
    with pytest.raises(CheckpointError, match="another training"):
        weights(tmp_path, msgspec.structs.replace(SETTINGS, seed=2))


def test_the_loss_falls(tmp_path: Path) -> None:
    from outthink.train.laboratory.training import train

    losses: list[float] = []
    train(msgspec.structs.replace(SETTINGS, steps=30), tmp_path, lambda progress: losses.append(progress.loss))
    assert losses[0] > 5.0
    assert losses[-1] < 0.6 * losses[0]


def test_the_file_holds_the_weights_within_the_rounding(tmp_path: Path) -> None:
    from outthink.train.laboratory.export import write
    from outthink.train.laboratory.network import Network

    network = Network(SETTINGS.shape, torch.Generator().manual_seed(1))
    write(network, tmp_path / "a.gguf", {"general.name": "a"})
    head = gguf.read(tmp_path / "a.gguf")
    (up,) = [tensor for tensor in head.tensors if tensor.name == "blk.0.ffn_up.weight"]
    blocks = head.data(up)[: 64 * 64 // 32 * 34].reshape(-1, 34)
    found = blocks[:, :2].copy().view(np.float16).astype(np.float32) * blocks[:, 2:].view(np.int8)
    true = network.layers[0].up.weight.detach().numpy().reshape(-1, 32)
    bound = np.abs(true).max(axis=1, keepdims=True) / 127
    assert (np.abs(found - true) <= 0.5 * bound + 1e-3 * np.abs(true)).all()
