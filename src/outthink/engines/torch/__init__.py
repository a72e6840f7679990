"""Hugging Face language models in this process, on torch: many sequences in one batch, shared prefixes computed once.

    from outthink.engines.torch import Transformers
    engine = Transformers(model="models/my-model").open()

Nothing heavy is imported before an engine is opened; `TransformersEngine` loads its module, and with it torch, when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outthink.engines.torch.settings import Transformers

if TYPE_CHECKING:
    from outthink.engines.torch.engine import TransformersEngine

__all__ = ["Transformers", "TransformersEngine"]


def __getattr__(name: str) -> Any:
    if name == "TransformersEngine":
        from outthink.engines.torch.engine import TransformersEngine

        return TransformersEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
