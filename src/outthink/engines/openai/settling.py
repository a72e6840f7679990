"""From what arrived to generations and costs: texts cut at stop strings, reasons, log-probabilities in line, the bill or its interval."""

from __future__ import annotations

from dataclasses import replace

from outthink.core.cost import ZERO, Cost
from outthink.core.errors import EngineError, Failure
from outthink.engines.engine import Generation, Request, StopReason
from outthink.engines.openai.calls import Call
from outthink.engines.openai.drafts import Draft, first_stop
from outthink.engines.openai.failing import BrokenReply
from outthink.engines.openai.usage import (
    BYTES_PER_TOKEN,
    Prices,
    Usage,
    cost_of,
    least_tokens,
    money_of,
    most_tokens,
    shares,
)
from outthink.engines.paid_failure import PaidFailure, Ungiven
from outthink.engines.tools import ToolCall

LENGTH = frozenset({"length", "max_tokens", "max_output_tokens"})
_LEEWAY = 64
REFUSED = frozenset({"content_filter", "error", "abort", "failed"})


def text_so_far(call: Call, draft: Draft, echo: bool | None) -> str:
    """A choice's text without the prefix, where the server repeats it."""
    text, prefix = draft.text, call.written.prefix
    return text.removeprefix(prefix) if prefix and echo else text


def _heard(call: Call, draft: Draft, echo: bool | None) -> str:
    """`text_so_far` of a reply that goes on: while the server may still be repeating the prefix, nothing counts."""
    text = draft.text
    return "" if echo and call.written.prefix.startswith(text) else text_so_far(call, draft, echo)


def wants_no_more(call: Call, echo: bool | None) -> bool:
    """Whether the stream may be left: it has said all that is wanted, or more than it was allowed to.

    The first where every choice that goes on has met a stop string that the server was not told. A reply that ended by itself is read to
    its last event, which brings the usage.
    """
    if _runs_away(call):
        return True
    if call.written.server_stops or not call.request.stop or len(call.reply.drafts) < call.n:
        return False
    going = [draft for draft in call.reply.drafts.values() if draft.finish is None]
    return bool(going) and all(first_stop(_heard(call, draft, echo), call.request.stop)[1] for draft in going)


def _runs_away(call: Call) -> bool:
    """Whether a reply is longer than any within its limit can be, by a factor of two: a server that ignores limits may never end."""
    most = (2 * call.request.max_tokens + _LEEWAY) * BYTES_PER_TOKEN
    return any(max(draft.size, draft.pieces) > most for draft in call.reply.drafts.values() if draft.finish is None)


class Settling:
    """Turns calls into results. `abort_tokens`: the most generated after a connection was closed; None for unknown."""

    def __init__(
        self, *, prices: Prices | None, trusted: bool, limits: bool, echo: bool | None, abort_tokens: int | None
    ) -> None:
        self._prices = prices
        self._trusted = trusted
        self._limits = limits
        self._echo = echo
        self._abort = abort_tokens

    # -- results ----------------------------------------------------------------------------------------------------

    def finished(self, call: Call) -> list[Generation | Failure]:
        """The results of a call that came to its end, in the order of its slots."""
        costs, uncertain, estimated = self._bill(call)
        results: list[Generation | Failure] = []
        for index, request in enumerate(call.requests):
            draft = call.reply.drafts.get(index)
            if draft is None:
                told = f"The backend gave {len(call.reply.drafts)} of {call.n} replies."
                results.append(Ungiven(BrokenReply.__name__, told, None, True, costs[index], uncertain[index]))
            elif draft.finish in REFUSED:
                told = f"The backend ended the reply: {draft.finish}."
                results.append(paid(EngineError(told), costs[index], uncertain[index]))
            else:
                results.append(self._generation(call, request, draft, costs[index], uncertain[index], estimated))
        return results

    def cut(self, call: Call) -> list[Generation | Failure]:
        """The results of a call that was cut off: what has arrived, and an interval for what it cost."""
        cost, uncertain = self.interval(call)
        exact = uncertain.output_tokens == 0 and uncertain.input_tokens == 0 and uncertain.calls == 0
        results: list[Generation | Failure] = []
        for index, request in enumerate(call.requests):
            draft = call.reply.drafts.get(index) or Draft()
            own = (cost, uncertain) if index == 0 else (ZERO, ZERO)
            one = self._generation(call, request, draft, *own, not exact)
            results.append(replace(one, stop=StopReason.CANCELLED, stop_text=""))
        return results

    def failed(self, call: Call, error: EngineError) -> list[Generation | Failure]:
        """The results of a call that broke. What may have been billed stands with the first."""
        if not getattr(error, "billed", False):
            return [Failure.of(error)] * call.n
        cost, uncertain = self.interval(call)
        return [paid(error, *((cost, uncertain) if i == 0 else (ZERO, ZERO))) for i in range(call.n)]

    def _generation(
        self, call: Call, request: Request, draft: Draft, cost: Cost, uncertain: Cost, estimated: bool
    ) -> Generation:
        whole = text_so_far(call, draft, self._echo)
        at, stop_text = first_stop(whole, request.stop)
        text = whole[:at] if stop_text else whole
        if not stop_text and draft.told_stop is not None and draft.told_stop in request.stop:
            stop_text = draft.told_stop
        if stop_text:
            stop = StopReason.STOP
        else:
            # A stream that was left without a stop string ran away.
            ran_away = call.reply.closed and draft.finish is None
            stop = StopReason.LENGTH if draft.finish in LENGTH or ran_away else StopReason.END
        kept = _kept(draft, whole, at + len(stop_text)) if at >= 0 else len(draft.log_probs)
        asked = "log_probs" in request.wants and bool(draft.log_probs)
        tokens = tuple(draft.tokens) if draft.tokens and at < 0 else None
        aligned = tokens is None or len(tokens) == kept
        return Generation(
            text=text,
            stop=stop,
            cost=cost,
            tokens=tokens if aligned or not asked else None,
            log_probs=tuple(draft.log_probs[:kept]) if asked else None,
            stop_text=stop_text,
            reasoning=draft.reasoning,
            estimated=estimated,
            uncertain=uncertain,
            names=tuple(draft.names[:kept]) if asked else None,
            tool_calls=tuple(
                ToolCall(call.get("name", ""), call.get("arguments", ""), call.get("id", ""))
                for _, call in sorted(draft.calls.items())
            ),
        )

    # -- bills ------------------------------------------------------------------------------------------------------

    def interval(self, call: Call) -> tuple[Cost, Cost]:
        """What a call that did not come to its end has cost at least, and how much more it may have cost."""
        reply = call.reply
        if not reply.sent:
            return ZERO, ZERO
        if self._told_all(call) and reply.usage is not None:
            return cost_of(reply.usage, self._prices), ZERO
        if not reply.begun:
            # What a stream has generated before its first piece arrives is what it generates after it was left, at most.
            few = reply.streamed and self._abort is not None
            output = min(call.n * (self._abort or 0), call.most.output) if few else call.most.output
            return self._between(ZERO, cost_of(Usage(call.input_most, output), self._prices))
        input_least, input_most = call.input_least, call.input_most
        seen = [_seen(draft) for draft in reply.drafts.values()]
        least, usage = sum(seen), reply.usage if self._trusted else None
        if usage is not None and usage.output >= least:
            input_least = input_most = usage.input
            least = usage.output
        running = sum(draft.finish is None for draft in reply.drafts.values()) + call.n - len(reply.drafts)
        limit = call.most.output
        highest = least if usage is not None else max(least, sum(_at_most(d) for d in reply.drafts.values()))
        slack = limit if self._abort is None else highest + running * self._abort
        if not running and usage is None:
            slack = highest
        thought = sum(1 for draft in reply.drafts.values() for _ in draft.thoughts)
        cached = usage.cached if usage is not None else 0
        low = cost_of(Usage(input_least, least, cached, min(thought, least)), self._prices)
        # Who has passed the limit is not held by it.
        high = cost_of(Usage(input_most, max(least, slack if least > limit else min(slack, limit))), self._prices)
        return self._between(low, high)

    def _bill(self, call: Call) -> tuple[list[Cost], list[Cost], bool]:
        """Costs and uncertainties of a whole call, one of each per request; the prompt stands with the first."""
        reply = call.reply
        drafts = [reply.drafts.get(i) or Draft() for i in range(call.n)]
        weights = [max(1, _weight(draft)) if i in reply.drafts else 0 for i, draft in enumerate(drafts)]
        if reply.usage_final and reply.usage is not None and self._plausible(call, reply.usage):
            return self._shared(call, reply.usage, weights), [ZERO] * call.n, False
        if reply.closed:
            low, rest = self.interval(call)
        else:
            least = Usage(call.input_least, sum(_seen(draft) for draft in drafts))
            limit = call.most.output
            most = Usage(call.input_most, max(least.output, min(limit, sum(_at_most(draft) for draft in drafts))))
            low, rest = self._between(cost_of(least, self._prices), cost_of(most, self._prices))
        used = Usage(low.input_tokens, low.output_tokens, low.cached_input_tokens, low.reasoning_tokens)
        return self._shared(call, used, weights), [rest] + [ZERO] * (call.n - 1), True

    def _shared(self, call: Call, usage: Usage, weights: list[int]) -> list[Cost]:
        outputs, thoughts = shares(usage.output, weights), shares(usage.reasoning, weights)
        costs = []
        for i in range(call.n):
            one = Usage(usage.input if i == 0 else 0, outputs[i], usage.cached if i == 0 else 0, thoughts[i])
            costs.append(cost_of(one, self._prices, calls=1 if i == 0 else 0))
        return costs

    def _told_all(self, call: Call) -> bool:
        """Whether the usage of the whole call has arrived, though the reply cannot be used."""
        reply = call.reply
        whole = reply.usage_final and (reply.ended or len(reply.drafts) == call.n)
        return whole and reply.usage is not None and self._plausible(call, reply.usage)

    def _plausible(self, call: Call, usage: Usage) -> bool:
        """Whether a report can be true. One that cannot is not used at all."""
        if not self._trusted or usage.input < 1:
            return False
        least = sum(_seen(draft) for draft in call.reply.drafts.values())
        return usage.output >= least and (not self._limits or usage.output <= call.most.output)

    def _between(self, low: Cost, high: Cost) -> tuple[Cost, Cost]:
        counted = {
            name: max(0, getattr(high, name) - getattr(low, name))
            for name in ("input_tokens", "output_tokens", "calls")
        }
        # Reasoning is part of output: how much of what is uncertain was reasoning is not known either.
        extra = Usage(int(counted["input_tokens"]), int(counted["output_tokens"]))
        return low, Cost(**counted, money=money_of(extra, self._prices) if low != high else 0.0)


def paid(error: EngineError, cost: Cost, uncertain: Cost) -> PaidFailure:
    """The failure that an error stands for, with what it cost."""
    plain = Failure.of(error)
    return PaidFailure(plain.kind, plain.message, plain.status, plain.retryable, cost, uncertain)


def _seen(draft: Draft) -> int:
    """The fewest tokens that a choice can have had."""
    text = least_tokens(draft.text) + least_tokens(draft.reasoning)
    return max(len(draft.log_probs), len(draft.tokens), text)


def _at_most(draft: Draft) -> int:
    """The most tokens that a choice can have had: those shown by id or by log-probability where these cover all of its text, else its
    bytes; those of a stop string that is not shown; and an end token."""
    told = most_tokens(draft.told_stop) if draft.told_stop is not None else 0
    shown = max(len(draft.tokens), len(draft.log_probs))
    covered = bool(draft.names) and not draft.thoughts and "".join(draft.names) == draft.text
    text = most_tokens(draft.text) + most_tokens(draft.reasoning)
    return (min(shown, text) if covered or draft.tokens else text) + told + 1


def _weight(draft: Draft) -> int:
    return len(draft.log_probs) or len(draft.tokens) or most_tokens(draft.text) + most_tokens(draft.reasoning)


def _kept(draft: Draft, text: str, end: int) -> int:
    """How many log-probabilities belong to the first `end` characters."""
    at = 0
    for i, name in enumerate(draft.names):
        if at >= end:
            return i
        at += len(name)
    return len(draft.names)
