"""A scripted OpenAI-compatible server: real sockets, exact distributions, every fault on request, and counters that do not lie.

    async with OpenAIServer(personality=Personality(token_seconds=0.01)) as server:
        ...                                     # point any client at server.base_url
    server.counters.output_tokens               # what it generated, aborted requests included

It listens on 127.0.0.1 on a port that the system chooses, serves chat, completions, responses and models, streaming and not, and needs
nothing beyond the core install. The script is the same function that `ScriptedEngine` takes; `able_model` is one that passes a probe.
"""

from outthink.testing.openai_server.counters import Counters
from outthink.testing.openai_server.personality import Ability, Fault, Faults, Personality, every, first
from outthink.testing.openai_server.scoring import Scoring
from outthink.testing.openai_server.scripts import LETTERS, able_model
from outthink.testing.openai_server.server import OpenAIServer

__all__ = [
    "LETTERS",
    "Ability",
    "Counters",
    "Fault",
    "Faults",
    "OpenAIServer",
    "Personality",
    "Scoring",
    "able_model",
    "every",
    "first",
]
