"""Any OpenAI-compatible server as an engine: chat, completions and responses, streamed or not.

    engine = Openai(preset="vllm", model="Qwen/Qwen3-8B").open()

What a server can do is not read off its name or its status codes but probed once (`outthink.engines.probe`) and kept. If unsure, set
`model` and `base_url` (or a `preset`) and leave the rest.
"""

from outthink.engines.openai.abilities import Abilities, Known, LogProbLaw, PrefixWay
from outthink.engines.openai.engine import OpenAIEngine
from outthink.engines.openai.failing import BackendError, BrokenReply, Refusal, TimedOut, Unreachable
from outthink.engines.openai.limits import HostLimits
from outthink.engines.openai.presets import Preset, preset, presets
from outthink.engines.openai.settings import Openai, connect
from outthink.engines.openai.transport import Timeouts
from outthink.engines.openai.usage import Prices

__all__ = [
    "Abilities",
    "BackendError",
    "BrokenReply",
    "HostLimits",
    "Known",
    "LogProbLaw",
    "OpenAIEngine",
    "Openai",
    "PrefixWay",
    "Preset",
    "Prices",
    "Refusal",
    "TimedOut",
    "Timeouts",
    "Unreachable",
    "connect",
    "preset",
    "presets",
]
