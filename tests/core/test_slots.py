"""What has become of the slots of one call: who comes back as given, who stopped short, what it cost."""

from __future__ import annotations

from outthink.core.cost import Cost
from outthink.core.errors import Failure
from outthink.core.slots import Slots


def test_who_failed_or_waits_comes_back_as_given_whatever_the_call_began_with() -> None:
    slots = Slots(("a", "b", "c", "d"), ("A", "B", "C", "D"))
    slots.states = ["A1", "B1", "C1", "D1"]
    slots.failures[1] = Failure("EngineError", "gone")
    slots.untouched.add(2)
    slots.short.update({1, 3})
    slots.charge(Cost(calls=2), Cost(output_tokens=5))
    got = slots.result(lambda state: state in ("A1", "b"))
    assert got.states == ("A1", "b", "c", "D1")
    assert got.done.tolist() == [True, True, False, False], "of the states that come back, not of those that were lost"
    assert got.was_short().tolist() == [False, False, False, True], "who failed is not short"
    assert got.was_untouched().tolist() == [False, False, True, False]
    assert (got.cost, got.uncertain) == (Cost(calls=2), Cost(output_tokens=5))


def test_who_has_moved_in_the_call_is_short_and_not_untouched() -> None:
    slots = Slots((0, 0))
    slots.states[0] = 1
    slots.untouched.add(0)
    slots.had_moved()
    assert not slots.goes_on(0)
    assert slots.goes_on(1)
    got = slots.result(bool)
    assert got.states == (1, 0)
    assert (got.was_short().tolist(), got.was_untouched().tolist()) == ([True, False], [False, False])
