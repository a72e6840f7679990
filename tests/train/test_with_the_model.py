"""A head on the embedded model's own states: collected, trained, stored, used by a search, and refused on other weights."""

from __future__ import annotations

from dataclasses import replace
from math import gcd
from pathlib import Path

import pytest

from outthink.core import Incompatible, Key, Session, Task
from outthink.engines.engine import Sampling
from outthink.engines.local import Local
from outthink.recipes.build import build
from outthink.recipes.recipe import Recipe
from outthink.search import BestOfN
from outthink.text import Example, Text
from outthink.train import train_head
from outthink.train.heads import collect_for
from outthink.verify import Numeric, RewardHead
from outthink.verify.head_file import save_head_file

pytestmark = pytest.mark.local_model
PAIRS = ((4, 6), (9, 3), (5, 7), (8, 2), (10, 15), (6, 9), (12, 3), (7, 14), (8, 12), (5, 10), (3, 11), (16, 6))
SHOWN = ((12, 18), (7, 5), (8, 20), (15, 10), (9, 4), (14, 7))
PROCESS = Text(
    format="plain",
    prompt="{question} = {answer}\n",
    stop=("\n",),
    max_tokens=8,
    examples=tuple(Example(question=f"gcd({a}, {b})", answer=str(gcd(a, b))) for a, b in SHOWN),
    sampling=Sampling(temperature=0.8),
)


async def test_a_head_from_collecting_to_choosing(tmp_path: Path) -> None:
    recipe = Recipe(
        algorithm=BestOfN(n=4),
        engine=Local(memory=120.0),
        process=PROCESS,
        answer=Numeric(),
    )
    tasks = [Task(prompt=f"gcd({a}, {b})", reference=str(gcd(a, b)), id=f"{a}-{b}") for a, b in PAIRS]
    examples, digest, name = await collect_for(recipe, tasks, samples=4, key=Key(1))
    assert examples.states.shape == (48, 576)
    assert examples.dropped == 0
    assert digest.startswith("sha256:")
    trained = train_head(examples, model=digest, model_name=name, key=Key(1), folds=2, penalties=(100.0,))
    path = tmp_path / "head.safetensors"
    save_head_file(path, trained.head)
    judged = replace(recipe, verifier=RewardHead(path=str(path)))
    async with build(judged) as built:
        session = Session.open(seed=2)
        result = await built.solver.solve(Task(prompt="gcd(6, 15)"), session)
        session.close()
        assert all(score is not None and 0.0 <= score <= 1.0 for score in result.scores)
        assert result.by_role["verify"].tokens == 0, "the states come with the reply"
        assert result.chosen == max(range(4), key=lambda i: (result.scores[i] or 0.0, -i))
    save_head_file(path, replace(trained.head, model="sha256:of-another-model"))
    with pytest.raises(Incompatible, match="another model"):
        async with build(judged):
            raise AssertionError("it was built on another model's head")
