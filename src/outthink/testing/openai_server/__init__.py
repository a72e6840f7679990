"""A scripted OpenAI-compatible server: real sockets, exact distributions, every fault on request, and counters that do not lie.

    async with OpenAIServer(personality=Personality(token_seconds=0.01)) as server:
        ...                                     # point any client at server.base_url
    server.counters.output_tokens               # what it generated, aborted requests included

It listens on 127.0.0.1 on a port that the system chooses, serves chat, completions, responses and models, streaming and not, and needs
nothing beyond the core install. The script is the same function that `ScriptedEngine` takes; `able_model` is one that passes a probe.
`FaultyBackend` is a set of such servers that go wrong in known ways.
"""

from outthink.testing.openai_server.counters import Counters
from outthink.testing.openai_server.faulty import FaultyBackend, Misbehaviour, in_thread, misbehaviours
from outthink.testing.openai_server.personality import Ability, Fault, Faults, Personality, always, every, first
from outthink.testing.openai_server.scoring import Scoring
from outthink.testing.openai_server.scripts import LETTERS, able_model, opinionated_model
from outthink.testing.openai_server.server import OpenAIServer

__all__ = [
    "LETTERS",
    "Ability",
    "Counters",
    "Fault",
    "Faults",
    "FaultyBackend",
    "Misbehaviour",
    "OpenAIServer",
    "Personality",
    "Scoring",
    "able_model",
    "always",
    "every",
    "first",
    "in_thread",
    "misbehaviours",
    "opinionated_model",
]
