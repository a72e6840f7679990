"""Does this model give the same logits through the shared pool of cells as by itself? Measured when an engine opens, a few tokens each way.

Models differ in how they treat masks, positions and caches. A model that ignores what this engine relies on would answer, and answer
wrongly; it is refused instead.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from outthink.core.errors import Incompatible, explain
from outthink.engines.local.backend import StepBatch
from outthink.engines.torch.backend import TorchBackend
from outthink.engines.torch.weights import Weights

LENGTH, FEW = 12, 16
TOLERANCE = {"float32": 1e-3, "float16": 0.05, "bfloat16": 0.2}
"""How far a row's logits may differ: root mean square, as a share of their own spread (standard deviation)."""


def check_fitness(weights: Weights, backend: TorchBackend, name: str) -> None:
    """Raise `Incompatible` unless logits through the cache are those of the model alone. The cache is empty afterwards."""
    length = min(LENGTH, weights.context)
    tokens = np.array([(17 * i * i + 5 * i + 3) % weights.vocabulary for i in range(length)], dtype=np.int32)
    with torch.inference_mode():
        alone = weights.read(
            weights.model(input_ids=torch.from_numpy(tokens.astype(np.int64)).to(weights.device)[None])
        )
    expected = alone[0].float().cpu().numpy()
    try:
        got = _in_company(backend, tokens)
    except Exception as error:
        raise _unfit(name, f"{type(error).__name__}: {str(error)[:200]}") from error
    finally:
        backend.clear()
    # A head of one or two numbers has no spread worth the name in a single row.
    spread = expected.std(axis=1) if expected.shape[1] > FEW else expected.std()
    off = float((np.sqrt(np.square(got - expected).mean(axis=1)) / (spread + 1e-6)).max())
    allowed = TOLERANCE[str(weights.dtype).removeprefix("torch.")]
    if not off <= allowed:
        raise _unfit(name, f"logits that differ by {off:.2g} of their spread, where {allowed} is allowed")


def _in_company(
    backend: TorchBackend, tokens: np.ndarray[tuple[int], np.dtype[np.int32]]
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Logits after every token, computed in three steps beside another sequence, the middle one in a fork."""
    rows = []
    cuts = [0, len(tokens) // 3, len(tokens) - 1, len(tokens)]
    other = (tokens[::-1] + 1) % backend.vocabulary
    for step, (start, stop) in enumerate(pairwise(cuts)):
        own = 0 if step == 0 else 2
        if step == 1:
            backend.share(0, 2, start)
        entries = [(int(other[step]), step, 1)] + [(int(tokens[i]), i, own) for i in range(start, stop)]
        table = np.array(entries, dtype=np.int32)
        rows.append(
            backend.decode(StepBatch(table[:, 0], table[:, 1], table[:, 2], np.ones(len(table), dtype=np.int8))).logits[
                1:
            ]
        )
    return np.concatenate(rows)


def _unfit(name: str, got: str) -> Incompatible:
    return Incompatible(
        explain(
            f"The model {name!r} does not compute through a shared cache as it does by itself.",
            got=got,
            expected="the same logits",
            remedy="Serve it by another program and use it as `openai:NAME`.",
        )
    )
