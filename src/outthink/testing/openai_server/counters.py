"""What a scripted server has counted: the other side of every bill."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Counters:
    """Counts since the server started, or since `OpenAIServer.reset`.

    Attributes:
        requests: generation requests received, refused ones included. `listed`: requests for the list of models.
        calls: generation requests that were taken up, so that they cost tokens. A request for n replies is one call.
        input_tokens, cached_input_tokens, output_tokens, reasoning_tokens: tokens of all calls, aborted ones up to their last token.
        statuses: how many replies went out with each status.
        faults: how many of each kind were played.
        aborts: calls whose client closed the connection before the end.
        connections: connections accepted; `open_connections` are open now.
        in_flight: calls being served now; `most_in_flight` the most at one moment.
    """

    requests: int = 0
    listed: int = 0
    calls: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    aborts: int = 0
    connections: int = 0
    open_connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    def enter(self) -> None:
        """One more request in flight."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def leave(self) -> None:
        """One request less in flight."""
        self.in_flight -= 1
