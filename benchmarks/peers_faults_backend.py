"""The backend of `peers_faults.py`: a scripted server in a thread of its own that drafts, and judges in the form that each side asks for.

It understands three kinds of judge: ours ("Score: 7"), its-hub's (a JSON object with "score") and optillm's (a bare number).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from outthink.engines.scripted_tokens import ASSISTANT, END, reply_of
from outthink.testing.openai_server import OpenAIServer, Personality

TASK = "write a draft"
DRAFTS = tuple(f"draft {i}" for i in range(60))
JUDGES = {
    "Score:": tuple(f"Score: {i}" for i in range(11)),
    '"score"': tuple(f'{{"score": {i}}}' for i in range(11)),
    "Rate the above": tuple(str(i) for i in range(11)),
}
VOCABULARY = (*DRAFTS, *(word for words in JUDGES.values() for word in words))


def drafts_and_verdicts(text: str) -> Mapping[str, float]:
    """One draft, or one verdict in the form that the judge asks for; a single token either way."""
    if ASSISTANT in text and reply_of(text):
        return {END: 1.0}
    words = next((words for mark, words in JUDGES.items() if mark in text), DRAFTS)
    return dict.fromkeys(words, 1 / len(words))


@contextmanager
def backend(personality: Personality) -> Iterator[OpenAIServer]:
    """The server, listening; it lives on a loop of its own."""
    server, loop = (
        OpenAIServer(drafts_and_verdicts, personality=personality, vocabulary=VOCABULARY),
        asyncio.new_event_loop(),
    )
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
