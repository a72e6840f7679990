"""Every format against the model itself, asked directly and without a cache; and that a prefix is computed once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outthink.core import Candidate, Cost, Incompatible, Parts, ScoreKind, SettingsError, Task
from outthink.testing.contracts import VerifierContract
from outthink.verify import RewardFormat, RewardModel
from outthink.verify.reward_model import LocalRewards
from tests.verify.neural.conftest import EXTRA

TASK = Task(prompt="What is the sum of one and two?", id="t")
STEPS = (
    ("one is the first.\n\n", "two comes on.\n\n", "the sum is three."),
    ("the sum is one.\n\n", "done."),
    ("three",),
)
WORDS = RewardFormat(
    head="words", layout="plain", prompt="{question} ", mark=" #", between="\n", good="+", bad="-", squash="softmax"
)
TURNS = RewardFormat(head="words", layout="turns", prompt="{question} ", good="+", bad="-")
TOLERANCE = 2e-5


def candidate(steps: tuple[str, ...], *, final: bool = True) -> Candidate:
    return Candidate(content="".join(steps), final=final, features={"steps": steps})


CANDIDATES = [candidate(steps) for steps in STEPS]


def opened(models: dict[str, Path], kind: str, **settings: Any) -> LocalRewards:
    return RewardModel(model=str(models[kind]), device="cpu", memory=4.0, **settings).build(Parts())


def scores(verifier: LocalRewards, candidates: list[Candidate]) -> np.ndarray[Any, Any]:
    got = asyncio.run(verifier.score(candidates, TASK))
    assert not got.failures, got.failures
    return np.asarray(got.values)


def uncached(cost: Cost) -> int:
    return cost.input_tokens - cost.cached_input_tokens


def softmax(rows: Any) -> Any:
    import torch

    return torch.softmax(rows.float(), dim=-1).numpy()


class Direct:
    """The model by transformers' own classes, and its tokenizer."""

    def __init__(self, folder: Path, kind: str) -> None:
        import transformers

        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = getattr(transformers, kind).from_pretrained(folder).eval()

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def run(self, ids: list[int], **more: Any) -> Any:
        import torch

        with torch.inference_mode():
            return self.model(input_ids=torch.tensor([ids]), **more)

    def chat(self, messages: list[tuple[str, str]]) -> list[int]:
        shown = [{"role": role, "content": text} for role, text in messages]
        return self.ids(self.tokenizer.apply_chat_template(shown, tokenize=False))


def cleaned(steps: tuple[str, ...]) -> list[str]:
    return [step.strip() for step in steps]


def test_a_sequence_classifier_rates_the_conversation(models: dict[str, Path]) -> None:
    verifier = opened(models, "sequence")
    direct = Direct(models["sequence"], "AutoModelForSequenceClassification")
    expected = []
    for steps in STEPS:
        ids = direct.chat([("user", TASK.question), ("assistant", "".join(steps).strip())])
        expected.append(float(direct.run(ids).logits[0, 0]))
    assert scores(verifier, CANDIDATES) == pytest.approx(expected, abs=TOLERANCE)
    assert verifier.spec.kind is ScoreKind.OUTCOME
    assert not verifier.spec.partial
    assert verifier.spec.high == np.inf


def test_the_good_class_of_several(models: dict[str, Path]) -> None:
    form = RewardFormat(head="sequence", layout="chat", label=2, squash="softmax")
    direct = Direct(models["three-classes"], "AutoModelForSequenceClassification")
    ids = direct.chat([("user", TASK.question), ("assistant", "three")])
    expected = softmax(direct.run(ids).logits)[0, 2]
    assert scores(opened(models, "three-classes", format=form), CANDIDATES[2:]) == pytest.approx(
        [expected], abs=TOLERANCE
    )
    with pytest.raises(SettingsError, match="do not fit together"):
        scores(opened(models, "sequence", format=form), CANDIDATES)


@pytest.mark.parametrize("aggregation", ["last", "min", "product", "mean", "step"])
def test_token_classes_at_line_ends(models: dict[str, Path], aggregation: str) -> None:
    verifier = opened(models, "tokens", format="trl-prm", aggregation=aggregation)
    direct = Direct(models["tokens"], "AutoModelForTokenClassification")
    together = {"last": lambda v: v[-1], "step": lambda v: v[-1], "min": np.min, "product": np.prod, "mean": np.mean}
    opening = [direct.tokenizer.bos_token_id]
    expected = []
    for steps in STEPS:
        ids, marks = [*opening, *direct.ids(TASK.question)], []
        for step in cleaned(steps):
            ids += [*direct.ids(step), *direct.ids("\n")]
            marks.append(len(ids) - 1)
        expected.append(together[aggregation](softmax(direct.run(ids).logits)[0, marks, 1]))
    assert scores(verifier, CANDIDATES) == pytest.approx(expected, abs=TOLERANCE)
    kind = ScoreKind.STEP_REWARD if aggregation == "step" else ScoreKind.PREFIX_VALUE
    assert (verifier.spec.kind, verifier.spec.partial) == (kind, True)


def test_a_special_token_and_a_head_of_two_layers(models: dict[str, Path]) -> None:
    """Qwen2.5-Math-PRM's format, by the tokens that transformers makes of the whole text."""
    import torch
    from safetensors.torch import load_file

    verifier = opened(models, "two-layers", format="qwen-prm", aggregation="min")
    direct = Direct(models["two-layers"], "AutoModel")
    tensors = load_file(models["two-layers"] / "model.safetensors")
    system = "Please reason step by step, and put your final answer within \\boxed{}."
    expected = []
    for steps in STEPS:
        answer = EXTRA.join(cleaned(steps)) + EXTRA
        ids = direct.chat([("system", system), ("user", TASK.question), ("assistant", answer)])
        at = [i for i, token in enumerate(ids) if token == direct.tokenizer.convert_tokens_to_ids(EXTRA)]
        hidden = direct.run(ids).last_hidden_state[0, at]
        inner = torch.relu(hidden @ tensors["score.0.weight"].T + tensors["score.0.bias"])
        expected.append(softmax(inner @ tensors["score.2.weight"].T + tensors["score.2.bias"])[:, 1].min())
    assert scores(verifier, CANDIDATES) == pytest.approx(expected, abs=TOLERANCE)


def test_a_number_at_each_line_end(models: dict[str, Path]) -> None:
    """Skywork's format: a value head and a sigmoid."""
    import torch
    from safetensors.torch import load_file

    verifier = opened(models, "value", format="skywork-prm", aggregation="product")
    direct = Direct(models["value"], "AutoModel")
    tensors = load_file(models["value"] / "model.safetensors")
    expected = []
    for steps in STEPS:
        ids, marks = [direct.tokenizer.bos_token_id, *direct.ids(TASK.question + "\n")], []
        for step in cleaned(steps):
            ids += [*direct.ids(step), *direct.ids("\n")]
            marks.append(len(ids) - 1)
        values = direct.run(ids).last_hidden_state[0, marks] @ tensors["v_head.summary.weight"].T
        expected.append(float(torch.sigmoid(values + tensors["v_head.summary.bias"]).prod()))
    assert scores(verifier, CANDIDATES) == pytest.approx(expected, abs=TOLERANCE)


def test_the_chances_of_two_words(models: dict[str, Path]) -> None:
    verifier = opened(models, "words", format=WORDS, aggregation="mean")
    direct = Direct(models["words"], "AutoModelForCausalLM")
    words = [direct.ids("+")[0], direct.ids("-")[0]]
    expected = []
    for steps in STEPS:
        ids, marks = [direct.tokenizer.bos_token_id, *direct.ids(TASK.question + " ")], []
        for i, step in enumerate(cleaned(steps)):
            ids += [*(direct.ids("\n") if i else []), *direct.ids(step), *direct.ids(" #")]
            marks.append(len(ids) - 1)
        expected.append(softmax(direct.run(ids).logits[0, marks][:, words])[:, 0].mean())
    assert scores(verifier, CANDIDATES) == pytest.approx(expected, abs=TOLERANCE)


def test_each_step_as_a_message(models: dict[str, Path]) -> None:
    """RLHFlow's format: the chance of + where the reply to each step begins."""
    verifier = opened(models, "words", format=TURNS, aggregation="min")
    direct = Direct(models["words"], "AutoModelForCausalLM")
    words = [direct.ids("+")[0], direct.ids("-")[0]]
    expected = []
    for steps in STEPS:
        conversation: list[tuple[str, str]] = []
        each = []
        for i, step in enumerate(cleaned(steps)):
            conversation.append(("user", (TASK.question + " " if i == 0 else "") + step))
            conversation.append(("assistant", "+"))
            ids = direct.chat(conversation)
            reply = len(ids) - 1 - ids[::-1].index(words[0])
            each.append(softmax(direct.run(ids).logits[0, reply - 1, words])[0])
        expected.append(min(each))
    assert scores(verifier, CANDIDATES) == pytest.approx(expected, abs=TOLERANCE)


def test_a_classifier_that_reads_in_both_directions(models: dict[str, Path]) -> None:
    verifier = opened(models, "both-directions", both_directions=True)
    direct = Direct(models["both-directions"], "AutoModelForSequenceClassification")
    expected = []
    for steps in STEPS:
        ids = direct.tokenizer(TASK.question, "".join(steps).strip())["input_ids"]
        expected.append(float(direct.run(list(ids)).logits[0, 0]))
    assert scores(verifier, CANDIDATES) == pytest.approx(expected, abs=TOLERANCE)


def test_the_whole_as_one_step(models: dict[str, Path]) -> None:
    whole = opened(models, "tokens", format="trl-prm", aggregation="whole")
    single = [candidate(("".join(steps).replace("\n\n", "\n").strip(),)) for steps in STEPS]
    by_last = scores(opened(models, "tokens", format="trl-prm"), single)
    assert scores(whole, CANDIDATES) == pytest.approx(by_last, abs=TOLERANCE)
    assert "steps" not in whole.spec.wants


def test_what_was_read_before_is_not_computed_again(models: dict[str, Path]) -> None:
    """Counted in tokens; and the scores are those of a model that never read anything before."""
    verifier = opened(models, "tokens", format="trl-prm")
    first = [candidate(STEPS[0][:1], final=False), candidate(STEPS[1][:1], final=False)]
    cold = asyncio.run(verifier.score(first, TASK)).cost
    # Two prompts, one of them computed.
    assert 0 < cold.cached_input_tokens < cold.input_tokens
    grown = [candidate(STEPS[0][:2], final=False), candidate((STEPS[0][0], "no."), final=False)]
    warm = asyncio.run(verifier.score(grown, TASK))
    new = sum(len(step.strip()) + 1 for step in (STEPS[0][1], "no."))
    assert uncached(warm.cost) <= new, "at most a token for each character of the new steps, and their marks"
    again = asyncio.run(verifier.score(grown, TASK))
    assert uncached(again.cost) == 0
    assert list(again.values) == list(warm.values)
    fresh = scores(opened(models, "tokens", format="trl-prm"), grown)
    assert list(warm.values) == pytest.approx(list(fresh), abs=TOLERANCE)


def test_a_small_cache_costs_time_and_no_correctness(models: dict[str, Path]) -> None:
    many = [candidate((f"step {i} of one.\n\n", f"and {j}.")) for i in range(6) for j in range(3)]
    roomy = scores(opened(models, "tokens", format="trl-prm", aggregation="mean"), many)
    settings = {"format": "trl-prm", "aggregation": "mean", "device": "cpu", "memory": 0.065, "retained": 2}
    tight = RewardModel(model=str(models["tokens"]), **settings).build(Parts())  # type: ignore[arg-type]
    for order in (range(len(many)), range(len(many) - 1, -1, -1)):
        got = asyncio.run(tight.score([many[i] for i in order], TASK))
        assert not got.failures
        assert list(got.values) == pytest.approx([roomy[i] for i in order], abs=TOLERANCE)


def test_a_candidate_cannot_write_marks(models: dict[str, Path]) -> None:
    """The special token written out as text is text."""
    verifier = opened(models, "two-layers", format="qwen-prm", aggregation="mean")
    got = asyncio.run(verifier.score([candidate((f"a {EXTRA} b.\n\n", "c."))], TASK))
    assert got.notes[0].count("0.") + got.notes[0].count("1.") == 2, got.notes


def test_a_long_candidate_fails_by_itself(models: dict[str, Path]) -> None:
    verifier = opened(models, "tokens", format="trl-prm", candidate_tokens=40)
    got = asyncio.run(verifier.score([CANDIDATES[2], candidate(("x" * 300,)), candidate(())], TASK))
    assert set(got.failures) == {1}
    assert "candidate_tokens" in got.failures[1].message
    assert not np.isnan(got.values[0])
    assert got.notes[2] == "nothing to rate"


def test_models_without_the_right_head_are_refused(models: dict[str, Path]) -> None:
    with pytest.raises(Incompatible, match="no head"):
        opened(models, "words", format="trl-prm")
    with pytest.raises(Incompatible, match="single tokens"):
        opened(models, "words", format=RewardFormat(head="words", layout="plain", mark="#", good="good", bad="bad"))


class TestContract(VerifierContract):
    tolerance = TOLERANCE

    @pytest.fixture(params=["tokens", "sequence", "both-directions"])
    def verifier(self, request: pytest.FixtureRequest, models: dict[str, Path]) -> LocalRewards:
        more = {
            "tokens": {"format": "trl-prm"},
            "sequence": {},
            "both-directions": {"both_directions": True},
        }[request.param]
        return opened(models, request.param, candidate_tokens=100, **more)

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        return [*CANDIDATES, candidate(("y" * 200,))]
