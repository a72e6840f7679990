"""Hugging Face language models in this process, on torch: many sequences in one batch, shared prefixes computed once.

    from outthink.engines.torch import Transformers
    engine = Transformers(model="models/my-model").open()

torch and transformers (extra `local-torch`) are imported when an engine is opened, never before; the engine's own class is
`outthink.engines.torch.engine.TransformersEngine`.
"""

from outthink.engines.torch.settings import Transformers

__all__ = ["Transformers"]
