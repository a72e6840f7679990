"""What a process does in another way than asked is written into the run, before anything is spent."""

from __future__ import annotations

from outthink.core import Adaptation, Search, Session, Task
from outthink.core.events import Adapted, Advanced
from outthink.search import BestOfN
from outthink.testing import FunctionOfContent, TokenChain


class Adapting(TokenChain):
    """A chain whose backend lacks something."""

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        return (Adaptation("one seed a sample", "the server draws as it likes"),)


async def test_adaptations_are_events_of_the_run() -> None:
    session = Session.open(seed=0)
    judge = FunctionOfContent(lambda text: 1.0)
    await Search(lambda task: Adapting(), BestOfN(n=2), judge).solve(Task(), session)
    events = session.trace.events
    said = [i for i, e in enumerate(events) if isinstance(e, Adapted)]
    assert [(events[i].what, events[i].instead) for i in said] == [  # type: ignore[union-attr]
        ("one seed a sample", "the server draws as it likes")
    ]
    assert said[0] < min(i for i, e in enumerate(events) if isinstance(e, Advanced))
