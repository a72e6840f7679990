"""Reading GGUF, and re-rounding Q4_1 to Q8_0: the values stay, and the engine runs on the new file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from outthink.core.errors import EngineError, Failure, Incompatible, ModelMissing
from outthink.engines import TokenPrompt
from outthink.engines.local import Local, LocalEngine, gguf, models
from outthink.engines.local.engine import re_rounds
from outthink.engines.local.weights import Q4_1, Q8_0, re_rounded, to_q8_0


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty cache folder for this module."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


def values_of_q8_0(blocks: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    rows = blocks.reshape(-1, 34)
    return rows[:, :2].copy().view(np.float16).astype(np.float32) * rows[:, 2:].view(np.int8).astype(np.float32)


def values_of_q4_1(blocks: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """One value at a time, by the format's definition."""
    out = []
    for row in blocks.reshape(-1, 20):
        d, m = row[:4].copy().view(np.float16).astype(np.float64)
        low, high = [int(b) & 15 for b in row[4:]], [int(b) >> 4 for b in row[4:]]
        out.append([d * q + m for q in (*low, *high)])
    return np.array(out)


def test_values_stay_within_half_a_step() -> None:
    rng = np.random.default_rng(1)
    blocks = rng.integers(0, 256, size=(50, 20), dtype=np.uint8)
    blocks[:, :4] = rng.normal(0, 0.1, size=(50, 2)).astype(np.float16).view(np.uint8)
    blocks[0] = 0
    before, after = values_of_q4_1(blocks), values_of_q8_0(to_q8_0(blocks.reshape(-1)))
    largest = np.abs(before).max(axis=1, keepdims=True)
    # Half a step of largest / 127, and the rounding of the step itself to half precision.
    assert (np.abs(before - after) <= largest * (0.5 / 127 + 2**-11) + 1e-7).all()
    assert np.abs(before - after).max() > 0
    assert (after[0] == 0).all()


def test_what_is_no_gguf(tmp_path: Path) -> None:
    for data in (b"GGUF", b"GGUF\x03\0\0\0" + bytes(16) + b"x", b"GGUF\x09\0\0\0" + bytes(16), b"nothing of the kind"):
        file = tmp_path / "bad.gguf"
        file.write_bytes(data)
        if data.startswith(b"GGUF\x03"):
            assert gguf.read(file).tensors == (), "a file without tensors is one all the same"
        else:
            with pytest.raises(ModelMissing, match="cannot be read"):
                gguf.read(file)


@pytest.mark.local_model
class TestEmbeddedModel:
    def test_the_file_is_made_once_and_holds_the_same_model(self, cache: Path) -> None:
        made = re_rounded(models.path())
        assert made.is_relative_to(cache)
        stamp = made.stat().st_mtime_ns
        assert re_rounded(models.path()) == made
        assert made.stat().st_mtime_ns == stamp
        before, after = gguf.read(models.path()), gguf.read(made)
        assert [(t.name, t.sizes) for t in before.tensors] == [(t.name, t.sizes) for t in after.tensors]
        assert {t.type for t in before.tensors} - {t.type for t in after.tensors} == {Q4_1}
        for old, new in zip(before.tensors[:12], after.tensors, strict=False):
            assert new.type == (Q8_0 if old.type == Q4_1 else old.type)
            if old.type != Q4_1:
                assert np.array_equal(before.data(old), after.data(new))
        with pytest.raises(Incompatible, match="holds none"):
            re_rounded(made)

    async def test_the_engine_says_nearly_the_same_with_it(self, cache: Path) -> None:
        text = "The capital of France is Paris, and the capital of Italy is Rome."
        rated = []
        for weights in ("as-shipped", "q8_0"):
            engine = LocalEngine(Local(memory=12.0, max_sequences=2, retained=2, weights=weights))
            tokens = engine.tokenizer.encode(text)
            (result,) = await engine.log_probs([(TokenPrompt(tokens[:1]), tokens[1:])])
            assert not isinstance(result, Failure)
            rated.append(result.log_probs)
            assert ("q8_0" in engine.name) == (weights == "q8_0")
            await engine.close()
        assert np.abs(np.subtract(*rated)).mean() < 0.2
        assert rated[0] != rated[1]

    def test_only_the_embedded_model_is_re_rounded_unasked(self, cache: Path) -> None:
        embedded = models.path()
        assert re_rounds(Local())
        assert re_rounds(Local(model=models.SMOLLM2.name))
        assert re_rounds(Local(model=str(embedded), weights="q8_0"))
        assert not re_rounds(Local(weights="as-shipped"))
        assert not re_rounds(Local(model=str(embedded)))
        engine = LocalEngine(Local(memory=12.0, max_sequences=2, retained=2))
        assert engine.name.startswith(f"local:{embedded.name} as q8_0 ")
        engine.close_now()

    def test_a_cache_that_cannot_be_written(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        blocked = cache / "a file"
        blocked.write_text("in the way")
        monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
        with pytest.raises(EngineError, match="XDG_CACHE_HOME"):
            LocalEngine(Local(weights="q8_0"))
