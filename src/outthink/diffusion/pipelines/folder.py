"""Pipelines from a folder on this machine. Nothing is downloaded: what is missing is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from outthink.core.errors import InputError, ModelMissing, explain

INDEX = "model_index.json"
"""What makes a folder a pipeline of diffusers."""


def open_folder(path: str | Path) -> Any:
    """The pipeline in a folder that `DiffusionPipeline.save_pretrained` wrote. Raises `InputError` and `ModelMissing`."""
    folder = Path(path).expanduser()
    if not (folder / INDEX).is_file():
        raise ModelMissing(
            explain(
                "There is no pipeline of diffusers in this place.",
                got=str(path),
                expected=f"a folder with {INDEX}",
                remedy="Save one with pipeline.save_pretrained(folder), or name a model of the laboratory such as digits-diffusion.",
            )
        )
    import diffusers

    kind: Any = diffusers.DiffusionPipeline

    try:
        with _without_bars():
            return kind.from_pretrained(
                folder, local_files_only=True, low_cpu_mem_usage=find_spec("accelerate") is not None
            )
    except (OSError, ValueError, ImportError, AttributeError, KeyError) as error:
        raise InputError(
            explain(
                "The pipeline cannot be opened.",
                got=f"{folder}: {' '.join(str(error).split())[:300]}",
                expected="the files that save_pretrained writes, of a class that the installed diffusers knows",
                remedy="Save the pipeline again, or install what the message names.",
            )
        ) from error


@contextmanager
def _without_bars() -> Iterator[None]:
    """No progress bars on standard error while a pipeline is read; whoever has them keeps them otherwise."""
    from diffusers.utils import logging

    bars: Any = logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()
