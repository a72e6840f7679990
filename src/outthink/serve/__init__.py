"""The gateway: search behind the API that every client already speaks.

    outthink serve                                  # http://127.0.0.1:8711/v1, the embedded model
    client = openai.OpenAI(base_url="http://127.0.0.1:8711/v1", api_key="-")
    client.chat.completions.create(model="vote@local", messages=[...])

A model's name chooses the method (`vote@local`), a recipe of the server, or one call of the model itself (`local`). Every field of a
request is honoured or refused by name; a failure is never an answer. `docs/gateway.md` says the rest. Needs `pip install outthink[serve]`.
"""

from __future__ import annotations

from outthink.serve.configuration import Ceilings, Configuration, Limits, load_configuration
from outthink.serve.gateway import Gateway
from outthink.serve.keys import Key, KeyFile, MadeKey
from outthink.serve.quotas import Quota
from outthink.serve.running import bound, check_exposure, serve, server_of

__all__ = [
    "Ceilings",
    "Configuration",
    "Gateway",
    "Key",
    "KeyFile",
    "Limits",
    "MadeKey",
    "Quota",
    "bound",
    "check_exposure",
    "load_configuration",
    "serve",
    "server_of",
]
