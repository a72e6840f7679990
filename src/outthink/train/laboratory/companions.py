"""What lies beside the weights: a reward head and the card, both made with the embedded engine. Needs no torch.

await accompany(Training(seed=1), Path("laboratory/laboratory.gguf"), made="2,500 steps")
"""

from __future__ import annotations

from pathlib import Path

from outthink.core.key import Key
from outthink.engines.local import Local
from outthink.train.laboratory.card import PROBLEMS, SAMPLES, accuracies, card
from outthink.train.laboratory.head import laboratory_head
from outthink.train.laboratory.settings import Training
from outthink.verify.head_file import save_head_file

PLACES = 63


async def accompany(
    settings: Training, weights: Path, *, made: str, problems: int = PROBLEMS, samples: int = SAMPLES
) -> None:
    """Measure the model, train its reward head, and write both down beside `weights`: NAME.md and NAME-head.safetensors.

    Args:
        made: what the training took, for the card. problems: of each kind, to measure on and to train the head on.
    """
    engine = Local(model=str(weights), max_sequences=PLACES, retained=PLACES).open()
    try:
        measured = await accuracies(engine, problems=problems, samples=samples)
        trained = await laboratory_head(engine, key=Key(settings.seed).child("laboratory", "head"), count=problems)
    finally:
        await engine.close()
    save_head_file(weights.with_name(f"{weights.stem}-head.safetensors"), trained.head)
    weights.with_suffix(".md").write_text(card(settings, made, weights, measured, trained), encoding="utf-8")
