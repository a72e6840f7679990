"""The value model's training: exact labels, marks where they belong, weights back from their file, and resuming."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from outthink.core.errors import CheckpointError, Incompatible
from outthink.core.key import Key
from outthink.laboratory import Chains, Countdown, follow, problems, reachable
from outthink.laboratory.vocabulary import ids
from outthink.train.laboratory.rollouts import Rollout, games, labelled
from outthink.train.laboratory.settings import Shape, ValueTraining
from outthink.train.laboratory.value_batches import IGNORED, marked, value_batches
from outthink.train.laboratory.value_card import LAST, Rated
from tests.needs import need
from tests.train.laboratory.interrupted import Weights, interrupting, same

QUESTION = "3 5 7 -> 22"
RIGHT, LOST, WRONG = "5*3=15\n15+7=22", "3+5=8\n8*7=22", "5*3=25\n15+7=22"
SHAPE = Shape(width=64, layers=1, inner=64)
SETTINGS = ValueTraining(steps=6, tokens=400, warm=2, save_every=2)


def drawn(n: int = 40) -> list[Rollout]:
    return games(problems(Countdown(numbers=3), n, Key(3), unseen=False), samples=1, key=Key(4))


@pytest.mark.parametrize(
    ("text", "values"), [(RIGHT, (1, 1)), (LOST, (0, 0)), (WRONG, (0, 0)), ("5*3=15\n7+8=22", (1, 0))]
)
def test_labels_are_exact(text: str, values: tuple[int, ...]) -> None:
    assert labelled(QUESTION, text, 0).values == values


@pytest.mark.parametrize("family", [Chains(terms=4), Countdown(numbers=3), Countdown(numbers=4)])
def test_games_are_labelled_by_the_oracle_and_hold_both_kinds(family: Chains | Countdown) -> None:
    played = games(problems(family, 60, Key(1), unseen=False), samples=2, key=Key(2))
    values = np.concatenate([one.values for one in played])
    assert 0.1 < values.mean() < 0.95
    for one in played:
        lost = False
        for k, value in enumerate(one.values):
            text = "\n".join(one.lines[: k + 1])
            final = follow(one.question, text, final=True)
            assert value == (final.solved or reachable(follow(one.question, f"{text}\n")))
            assert not (lost and value), "what is lost stays lost"
            lost = not value
    again = games(problems(family, 60, Key(1), unseen=False), samples=2, key=Key(2))
    assert again == played


def test_marks_stand_at_line_ends_and_carry_the_worth() -> None:
    batch = marked([labelled(QUESTION, RIGHT, 0), labelled(QUESTION, LOST, 0)])
    assert batch.tokens.shape == batch.labels.shape
    assert batch.values.tolist() == [1, 1, 0, 0]
    assert batch.rows.tolist() == [0, 0, 1, 1]
    assert set(batch.tokens[batch.rows, batch.columns].tolist()) == set(ids("\n"))


def test_what_follows_is_learned_of_good_lines_and_of_others_only_the_true_result() -> None:
    batch = marked([labelled(QUESTION, RIGHT, 0), labelled(QUESTION, LOST, 0), labelled(QUESTION, WRONG, 0)])
    shown = [
        "".join(chr(0x7E if label == IGNORED else _letter(label)) for label in row.tolist()) for row in batch.labels
    ]
    assert shown[0].strip("~") == "5*3=15\n15+7=22\n"
    # 3+5=8 and 8*7=56 are true; of the second line only the first digit, since 2 is no 5.
    assert shown[1].replace("~", "") == "85"
    assert shown[2].replace("~", "") == "122", "15 begins as 25 does not; 15+7=22 is true whatever came before"


def _letter(token: int) -> int:
    return next(code for code in range(10, 127) if ids(chr(code))[0] == token)


def test_batches_hold_every_rollout_once_a_turn() -> None:
    rollouts = drawn()
    seen: list[int] = []
    for batch in value_batches(rollouts, 400, Key(5)):
        assert batch.tokens.size <= 400
        seen.append(len(batch.tokens))
        if sum(seen) >= len(rollouts):
            break
    assert sum(seen) == len(rollouts)
    later = value_batches(rollouts, 400, Key(5), start=2)
    every = value_batches(rollouts, 400, Key(5))
    _ = next(every), next(every)
    assert np.array_equal(next(later).tokens, next(every).tokens)


def test_within_a_problem_is_no_matter_of_how_hard_problems_are() -> None:
    """A judge that knows only the problem is at one half within, however well it does over all."""
    problem = np.repeat(np.arange(20), 10)
    right = (np.arange(200) % 10 < np.repeat(np.arange(20) % 9 + 1, 10)).astype(float)
    place = np.full(200, LAST)
    easy = Rated("", right.reshape(20, 10).mean(axis=1).repeat(10), right, problem, place)
    assert easy.within(LAST) == 0.5
    assert easy.over_all > 0.7
    assert Rated("", right, right, problem, place).within(LAST) == 1.0
    assert easy.error < 1e-9
    one, best, most = Rated("", right, right, problem, place).best_of()
    assert (one, best, most) == (pytest.approx(right.mean()), 1.0, 1.0)


# -- with torch ---------------------------------------------------------------------------------------------------------


def weights(folder: Path, settings: ValueTraining = SETTINGS, *, interrupt_at: int = 0) -> Weights | None:
    need("torch")
    import torch

    from outthink.train.laboratory.network import Network
    from outthink.train.laboratory.value_training import train_value

    network = Network(SHAPE, torch.Generator().manual_seed(1))
    whole = train_value(settings, network, drawn(), folder, interrupting(interrupt_at))
    return {name: p.detach().numpy() for name, p in network.named_parameters()} if whole else None


def test_an_interrupted_training_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = weights(tmp_path / "whole")
    assert weights(tmp_path / "cut", interrupt_at=3) is None
    assert same(weights(tmp_path / "cut"), whole)
    assert not same(weights(tmp_path / "other", msgspec.structs.replace(SETTINGS, seed=2)), whole)
    with pytest.raises(CheckpointError, match="another training"):
        weights(tmp_path / "cut", msgspec.structs.replace(SETTINGS, steps=7))


def test_the_loss_falls(tmp_path: Path) -> None:
    need("torch")
    import torch

    from outthink.train.laboratory.network import Network
    from outthink.train.laboratory.value_training import train_value

    losses: list[float] = []
    network = Network(SHAPE, torch.Generator().manual_seed(1))
    settings = msgspec.structs.replace(SETTINGS, steps=60, tokens=800)
    train_value(settings, network, drawn(), tmp_path, lambda progress: losses.append(progress.loss))
    assert np.mean(losses[-10:]) < 0.9 * np.mean(losses[:5])


def test_a_network_comes_back_from_its_file_within_the_rounding(tmp_path: Path) -> None:
    need("torch")
    import torch

    from outthink.train.laboratory.export import write
    from outthink.train.laboratory.loading import load_network
    from outthink.train.laboratory.network import Network

    network = Network(SHAPE, torch.Generator().manual_seed(1))
    write(network, tmp_path / "a.gguf", {"general.name": "a"})
    back = load_network(tmp_path / "a.gguf", SHAPE)
    for (name, one), other in zip(network.named_parameters(), back.parameters(), strict=True):
        bound = 0.0 if one.dim() == 1 else float(one.detach().abs().max()) / 120
        assert float((one - other).detach().abs().max()) <= bound, name
    write(back, tmp_path / "b.gguf", {"general.name": "a"})
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes(), "rounding twice is rounding once"
    deeper = load_network(tmp_path / "a.gguf", SHAPE, more=2)
    assert len(deeper.layers) == 3
    tokens = torch.arange(24).view(2, 12)
    assert torch.equal(deeper(tokens), back(tokens)), "new layers begin by changing nothing"
    with pytest.raises(Incompatible, match="another network"):
        load_network(tmp_path / "a.gguf", Shape(width=64, layers=2, inner=64))
