"""Heads on made-up hidden states whose truth is known: the fit, the split by problem, the control, and the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from outthink.core import Candidate, Incompatible, InputError, Key, Parts, ScoreKind, Task
from outthink.core.task import Feature
from outthink.engines.fingerprint import Fingerprinted, file_digest
from outthink.engines.scripted import ScriptedEngine
from outthink.testing import FunctionOfContent, TokenChain
from outthink.testing.contracts import VerifierContract
from outthink.testing.token_chain import Strings
from outthink.text import Text
from outthink.train import Examples, collect, fit_logistic, train_head
from outthink.train.heads import area_under
from outthink.train.selection import AnswerPrior
from outthink.verify import RewardHead
from outthink.verify.head_file import load_head_file, save_head_file
from outthink.verify.reward_head import HeadVerifier
from outthink.verify.tensor_file import read_tensors, write_tensors

WIDTH = 12


class Known(ScriptedEngine, Fingerprinted):
    """An engine that says which weights it runs."""

    def __init__(self, digest: str) -> None:
        super().__init__(lambda text: {"x": 1.0})
        self.digest = digest

    @property
    def fingerprint(self) -> str:
        return self.digest


def made_up(signal: float, *, problems: int = 80, samples: int = 8, seed: int = 0) -> Examples:
    """States of which one direction tells right from wrong as clearly as `signal` says, and answers that tell a little."""
    rng = np.random.default_rng(seed)
    problem = np.repeat(np.arange(problems), samples)
    right = rng.random(len(problem)) < 0.3
    # Each problem has a direction of its own, which is no use on others.
    own = rng.normal(size=(problems, WIDTH))[problem]
    states = rng.normal(size=(len(problem), WIDTH)) + own
    states[:, 3] += signal * (right - 0.5) * 2
    likely = np.where(right, 0.6, 0.35)
    answers = tuple("1" if hit else "2" for hit in rng.random(len(problem)) < likely)
    return Examples(states, right, problem, np.arange(len(problem)), np.ones(len(problem), bool), answers)


def test_newtons_method_finds_the_minimum() -> None:
    rng = np.random.default_rng(1)
    states = rng.normal(size=(400, 5)) * [1.0, 5.0, 0.1, 1.0, 0.0] + 2.0
    right = rng.random(400) < 1 / (1 + np.exp(-(states[:, 0] - 0.4 * states[:, 1])))
    fitted = fit_logistic(states, right, penalty=3.0)
    mean, deviation = states.mean(0), np.where(states.std(0) > 1e-6, states.std(0), 1.0)
    scaled = (states - mean) / deviation
    weights, offset = fitted.weights * deviation, fitted.offset + mean @ fitted.weights
    slope = scaled.T @ (1 / (1 + np.exp(-(scaled @ weights + offset))) - right) + 3.0 * weights
    assert np.abs(slope).max() < 1e-6, "the penalised loss is flat there"
    assert fitted.weights[4] == 0.0
    assert fitted.logits(states) == pytest.approx(scaled @ weights + offset)
    with pytest.raises(InputError):
        fit_logistic(states, np.ones(400, bool))


def test_a_head_learns_what_is_there_and_nothing_where_nothing_is() -> None:
    told = train_head(made_up(1.5), model="m", key=Key(0))
    assert told.auc > 0.85
    assert told.selection.head > told.selection.control + 0.1
    assert told.error < 0.1
    assert told.selection.problems == 20
    blind = train_head(made_up(0.0), model="m", key=Key(0))
    assert 0.35 < blind.auc < 0.65
    assert blind.selection.head <= blind.selection.control + 0.15


def test_samples_of_one_problem_are_never_on_both_sides() -> None:
    """Labels by problem, states that name the problem: memory would score 1 on problems it has seen."""
    rng = np.random.default_rng(2)
    problem = np.repeat(np.arange(60), 10)
    names = rng.normal(size=(60, 80))[problem]
    right = (np.arange(60) % 2 == 0)[problem]
    examples = Examples(names, right, problem, np.arange(600), np.ones(600, bool), ("1",) * 600)
    trained = train_head(examples, model="m", key=Key(1), penalties=(10.0,))
    assert fit_logistic(names, right, penalty=10.0).logits(names)[right].min() > 0, "it could have remembered them all"
    assert trained.auc < 0.85


def test_too_few_problems_are_refused() -> None:
    with pytest.raises(InputError, match="too few"):
        train_head(made_up(1.0, problems=6), model="m", key=Key(0))


def test_the_control_knows_answers_only() -> None:
    prior = AnswerPrior(["1", "1", "2", "2"], np.array([True, True, False, False]))
    assert prior("1") > prior("new") > prior("2") > prior(None) == 0.0
    assert prior("new") == 0.5


def test_area_under_the_curve_by_hand() -> None:
    assert area_under(np.array([3.0, 2.0, 1.0]), np.array([True, False, False])) == 1.0
    assert area_under(np.array([1.0, 1.0]), np.array([True, False])) == 0.5
    assert np.isnan(area_under(np.array([1.0]), np.array([True])))


# -- collecting -----------------------------------------------------------------------------------------------------


class Stated(TokenChain):
    """A chain that shows a state: how many of each letter."""

    async def view(self, states: Strings, wants: frozenset[Feature]) -> list[Candidate]:
        shown = await super().view(states, wants - {"hidden"})
        return [
            Candidate(
                content=c.content,
                final=c.final,
                answer=c.answer,
                features={"hidden": np.array([c.content.count(letter) for letter in self.alphabet], float)},
            )
            for c in shown
        ]


@pytest.mark.parametrize("prefixes", [False, True])
async def test_states_and_labels_of_samples(prefixes: bool) -> None:
    tasks = [Task(prompt="q", id=str(i)) for i in range(5)]
    label = FunctionOfContent(lambda text: float(text.endswith("b")))
    seen: list[int] = []
    examples = await collect(
        lambda task: Stated("ab", length=3),
        tasks,
        label,
        samples=4,
        key=Key(3),
        prefixes=prefixes,
        each=seen.append,
    )
    assert examples.states.shape == ((60 if prefixes else 20), 2)
    assert sorted(seen) == [1, 2, 3, 4, 5]
    assert examples.final.sum() == 20
    assert list(examples.states.sum(axis=1)[examples.final]) == [3.0] * 20
    for answer, right in zip(examples.answers, examples.right.tolist(), strict=True):
        assert answer is not None
        assert right == answer.endswith("b"), "a prefix has the label of what it became"
    again = await collect(lambda task: Stated("ab", length=3), tasks, label, samples=4, key=Key(3), prefixes=prefixes)
    assert np.array_equal(again.states, examples.states)
    with pytest.raises(InputError, match="hidden"):
        await collect(lambda task: TokenChain("ab", length=3), tasks, label, samples=4, key=Key(3))


# -- the file -------------------------------------------------------------------------------------------------------


def written(path: Path, digest: str = "sha256:one") -> Path:
    save_head_file(path, train_head(made_up(1.0), model=digest, model_name="tiny", key=Key(0)).head)
    return path


def test_a_head_comes_back_from_its_file(tmp_path: Path) -> None:
    for calibration in ("platt", "isotonic"):
        head = train_head(made_up(1.0), model="m", key=Key(0), calibration=calibration).head  # type: ignore[arg-type]
        save_head_file(tmp_path / "h.safetensors", head)
        again = load_head_file(tmp_path / "h.safetensors")
        states = np.random.default_rng(0).normal(size=(5, WIDTH))
        assert again.chances(states) == pytest.approx(head.chances(states), abs=1e-6)
        assert (again.kind, again.model, dict(again.facts)) == (head.kind, "m", dict(head.facts))


def test_another_model_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = str(written(tmp_path / "h.safetensors"))
    assert RewardHead(path=path).build(Parts(engine=Known("sha256:one"))).spec.wants == {"hidden"}
    with pytest.raises(Incompatible, match=r"another model.*sha256:two.*tiny.*sha256:one"):
        RewardHead(path=path).build(Parts(engine=Known("sha256:two")))
    with pytest.raises(Incompatible, match="cannot say which model"):
        RewardHead(path=path).build(Parts(engine=ScriptedEngine(lambda text: {"x": 1.0})))


def test_what_is_no_head_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a head, and long enough to have a length")
    with pytest.raises(InputError, match="no tensors"):
        load_head_file(tmp_path / "text")
    write_tensors(tmp_path / "other", {"x": np.zeros(3)}, {})
    with pytest.raises(InputError, match="no reward head"):
        load_head_file(tmp_path / "other")
    with pytest.raises(InputError, match="cannot be read"):
        load_head_file(tmp_path / "nothing")


def test_tensors_are_what_safetensors_says(tmp_path: Path) -> None:
    tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([7], np.int64)}
    write_tensors(tmp_path / "t", tensors, {"k": "v"})
    data = (tmp_path / "t").read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    assert len(data) == 8 + length + 24 + 8
    found, said = read_tensors(tmp_path / "t")
    assert said == {"k": "v"}
    assert all(np.array_equal(found[name], tensor) for name, tensor in tensors.items())
    (tmp_path / "cut").write_bytes(data[:-4])
    with pytest.raises(InputError):
        read_tensors(tmp_path / "cut")


def test_a_file_digest_follows_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"one")
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b")
    (tmp_path / "b").write_bytes(b"two!")
    assert file_digest(tmp_path / "a") != file_digest(tmp_path / "b")


async def test_a_candidate_without_a_state_is_no_opinion() -> None:
    head = train_head(made_up(1.0), model="m", key=Key(0)).head
    verifier = HeadVerifier(head)
    got = await verifier.score(candidates_with([np.zeros(WIDTH), None]), Task())
    assert np.isnan(got.values[1])
    assert got.notes == ("", "there is no hidden state")
    assert (verifier.spec.kind, verifier.spec.partial) == (ScoreKind.OUTCOME, False)


def test_states_are_asked_for_where_a_verifier_looks_at_them() -> None:
    plain = Text()
    assert plain.showing(frozenset({"hidden", "steps"})).hidden
    assert plain.showing(frozenset({"steps"})) is plain


def candidates_with(states: Sequence[object]) -> list[Candidate]:
    return [Candidate(content=str(i), features={"hidden": state}) for i, state in enumerate(states)]


class TestContract(VerifierContract):
    @pytest.fixture
    def verifier(self) -> HeadVerifier:
        return HeadVerifier(train_head(made_up(1.0, problems=30), model="m", key=Key(0)).head)

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        rng = np.random.default_rng(0)
        return candidates_with([rng.normal(size=WIDTH), None, rng.normal(size=WIDTH), rng.normal(size=WIDTH)])
