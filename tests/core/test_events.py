from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from outthink.core import AnyEvent, Trace, events
from outthink.core.events import Event, Scored, Started, Warned


def test_the_union_is_closed_and_every_tag_is_its_own() -> None:
    members = set(get_args(AnyEvent))
    assert members == set(Event.__subclasses__())
    tags = [member.__struct_config__.tag for member in members]
    assert len(set(tags)) == len(tags)
    assert all(isinstance(member.__doc__, str) for member in members)
    assert members <= {value for value in vars(events).values() if isinstance(value, type)}


@pytest.mark.parametrize(
    "event", [Started(run="a", nodes=(1, 2)), Scored(nodes=(3,), values=(None,)), Warned(message="x", seconds=1.5)]
)
def test_events_come_back_from_json(event: AnyEvent) -> None:
    assert msgspec.json.decode(msgspec.json.encode(event), type=AnyEvent) == event


def test_a_trace_keeps_the_order_and_tells_every_sink_at_once() -> None:
    heard: list[tuple[str, AnyEvent]] = []
    trace = Trace((lambda event: heard.append(("first", event)), lambda event: heard.append(("second", event))))
    one, two = Warned(message="1", run="a"), Warned(message="2", run="b")
    trace.emit(one)
    assert heard == [("first", one), ("second", one)]
    trace.emit(two)
    assert trace.events == [one, two]
    assert trace.of("b") == [two]
