"""A small head on the generating model's own hidden states: what it knows of its answer, read out for nothing.

    outthink train head --task problems.jsonl --samples 16 --out head.safetensors
    outthink run --file more.jsonl --method best-of-n --verifier reward-head --set verifier.path=head.safetensors

It costs no tokens, because the states come with the reply, and needs an engine in this process. A head knows the kind of problem that it
was trained on, and of that it may have learned only which answers are usually right: training prints such a control beside it.

Sources: Burns et al. 2023 and Azaria and Mitchell 2023, that hidden states tell right from wrong; Cobbe et al. 2021, trained verifiers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta

from outthink.core.component import Parts, VerifierSettings
from outthink.core.cost import Cost
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec, Verifier
from outthink.verify.head_file import Head, load_head_file

HIDDEN = "hidden"


class RewardHead(VerifierSettings):
    """A trained head on hidden states.

    Attributes:
        path: the file that `outthink train head` wrote. It is refused on another model than the one it was trained on.
    """

    path: Annotated[str, Meta(min_length=1)]

    def build(self, parts: Parts) -> HeadVerifier:
        head = load_head_file(Path(self.path).expanduser())
        head.check_model(parts.engine)
        return HeadVerifier(head)


@dataclass(frozen=True)
class HeadVerifier(Verifier):
    """Live part of `RewardHead`."""

    head: Head

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(
            kind=self.head.kind,
            partial=self.head.kind is not ScoreKind.OUTCOME,
            log_map=LogMap.PROBABILITY,
            wants=frozenset({HIDDEN}),
        )

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        states = [candidate.features.get(HIDDEN) for candidate in candidates]
        known = [i for i, state in enumerate(states) if state is not None]
        values = np.full(len(candidates), np.nan)
        if known:
            values[known] = self.head.chances(np.array([states[i] for i in known], dtype=np.float64))
        notes = tuple("" if i in set(known) else "there is no hidden state" for i in range(len(candidates)))
        return Scores(values, notes, Cost(verifier_calls=len(candidates)))
