"""What is asked of a server, and what each answer proves. Status codes prove nothing: many servers accept a field and ignore it.

prefix        "The number after 41 is 4" must be continued with 2; a reply that starts anew, or that ends in 42, restarted it
n             two replies must come back
seeds         one seed twice must give one text, another seed another text; where all three agree the model is too sure to tell
log-probs     the tokens that carry them must make up the text; one question at temperature 0.5 tells raw from processed:
              differences between two tokens stay as they are, or double
stop          a string from the middle of a known reply must end the same reply there
limits        a limit of one token must leave a text shorter than the known reply
usage         a reply that ends by its limit must be reported with exactly that many tokens
system        a system message must change the prompt's length, by the server's own count
schema        a question about something else must be answered by the only document that the schema allows
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from outthink.engines.openai.abilities import Known, PrefixWay
from outthink.engines.openai.body import continued
from outthink.engines.openai.drafts import Draft, Reply
from outthink.engines.probe_asking import Asker, Heard, OutOfLimits

COUNT = "Count from 1 to 9, with a space between the digits."
LETTERS = "Write twelve random letters, nothing else."
ASKED = "What number comes after 41?"
BEGUN = "The number after 41 is 4"
NEXT = "2"
ROW = "1 2 3 4 5 6 7 8 9 10 11 12 13 1"
ROW_NEXT = "4"
SYSTEM = "You answer briefly and plainly."
DOCUMENT = {"ok": "zebra"}
SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "string", "enum": ["zebra"]}},
    "required": ["ok"],
    "additionalProperties": False,
}
ALTERNATIVES = 20
LENGTH = 12


class Checks:
    """Runs the checks in order; each leaves what it found in `found` and its evidence in `notes`."""

    def __init__(self, asker: Asker) -> None:
        self._ask = asker.ask
        self._asker = asker
        self.found: dict[str, Any] = {}
        self.notes: dict[str, str] = {}
        self._reports: list[tuple[Heard, int]] = []
        self._base = ""
        self._messages: list[dict[str, Any]] | None = None

    async def run(self) -> None:
        """Everything that the interface allows. Raises `EngineError` when not even a plain question is answered."""
        parts = [self._system_and_limits, self._stop_and_stream, self._log_probs_and_seeds]
        if self._asker.api == "chat":
            parts += [self._several, self._prefix]
        elif self._asker.api == "responses":
            self._set("n", "no", "the interface has no n")
            self._set("prefix", "none", "the interface has no prefix")
        parts += [self._completion, self._schema]
        try:
            for part in parts:
                await part()
        except OutOfLimits:
            self.notes["limit"] = "the probe's limit left the rest unknown"
        self._usage()

    # -- parts ------------------------------------------------------------------------------------------------------

    async def _system_and_limits(self) -> None:
        with_system = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": COUNT}]
        chats = self._asker.api != "completions"
        first = await self._ask(COUNT, most=LENGTH, messages=with_system if chats else None)
        accepted = chats and first.ok
        if chats and not first.ok:
            told = first.error
            first = await self._ask(COUNT, most=LENGTH)
            if first.ok:
                self._set("system", "no", f"refused: {told}")
        if first.error is not None:
            raise first.error
        self._messages = with_system if accepted else None
        self._base = first.text
        self._reports.append((first, LENGTH))
        short = await self._ask(COUNT, most=1)
        self._limit(short)
        if accepted and first.usage is not None and short.usage is not None:
            await self._system(first.usage.input, short.usage.input)

    async def _system(self, with_it: int, without: int) -> None:
        """By the prompt's length. A template may put a message of its own where there is none, so a shorter prompt proves it as well."""
        told = f"{with_it} tokens of prompt with it, {without} without"
        if with_it == without:
            longer = [{"role": "system", "content": SYSTEM * 3}, {"role": "user", "content": COUNT}]
            again = await self._ask(COUNT, most=1, messages=longer)
            if again.usage is None:
                return
            with_it = again.usage.input
            told += f", {with_it} with a longer one"
        self._set("system", "no" if with_it == without else "yes", told)

    def _limit(self, short: Heard) -> None:
        if not short.ok:
            return
        if len(short.text) > 8 or (short.text and short.text == self._base and len(short.text) > 1):
            self._set("limits", "no", f"a limit of 1 token gave {len(short.text)} characters")
        elif short.first.finish in ("length", "max_output_tokens", "max_tokens"):
            self._set("limits", "yes", "a limit of 1 token held")
            self._reports.append((short, 1))

    async def _stop_and_stream(self) -> None:
        stop = _middle(self._base)
        fields: dict[str, Any] = {"stop": [stop]} if stop and self._asker.api != "responses" else {}
        heard = await self._ask(COUNT, most=LENGTH, messages=self._messages, stream=True, **fields)
        if not heard.ok:
            # Either field may be what the server dislikes.
            self._set("stream", "no", f"refused: {heard.error}")
            heard = await self._ask(COUNT, most=LENGTH, messages=self._messages, **fields)
            if not heard.ok and fields:
                self._set("stop", "no", f"refused: {heard.error}")
                heard = await self._ask(COUNT, most=LENGTH, messages=self._messages, stream=True)
                self.found.pop("stream", None)
                fields = {}
        if heard.events > 0:
            self._streamed(heard)
        if fields and heard.ok:
            self._stopped(heard, stop)

    def _streamed(self, heard: Heard) -> None:
        came = heard.events > 1
        self._set("stream", "yes" if came else "no", f"{heard.events} pieces")
        if came:
            told = heard.usage is not None
            self._set("stream_usage", "yes" if told else "no", "reported at the end" if told else "not reported")

    def _stopped(self, heard: Heard, stop: str) -> None:
        text = heard.text
        if stop in text:
            self._set("stop", "no", f"{stop!r} stands in the reply")
        elif text == self._base.partition(stop)[0]:
            self._set("stop", "yes", f"the reply ended before {stop!r}")
            told = heard.first.told_stop == stop
            self._set("tells_stop", "yes" if told else "no", "named" if told else "not named")

    async def _log_probs_and_seeds(self) -> None:
        seeded: dict[str, Any] = {} if self._asker.api == "responses" else {"seed": 11}
        first, fields = await self._letters(seeded)
        if not first.ok:
            return
        self._reports.append((first, LENGTH))
        if not seeded:
            self._set("seeds", "no", "the interface has no seed")
        elif "seed" in fields:
            again = await self._ask(LETTERS, most=LENGTH, **fields)
            other = await self._ask(LETTERS, most=LENGTH, **{**fields, "seed": 12})
            self._seeded(first, again, other)
        if self.found.get("log_probs") == "yes":
            self._law(first, await self._ask(LETTERS, most=1, **{**fields, "temperature": 0.5}))

    async def _letters(self, seeded: Mapping[str, Any]) -> tuple[Heard, dict[str, Any]]:
        """Letters at temperature 1 with as many of the extra fields as the server takes, and those fields."""
        api, told, heard = self._asker.api, "", Heard(Reply())
        many, few = _log_prob_fields(api, ALTERNATIVES), _log_prob_fields(api, 5)
        tries: list[dict[str, Any]] = [{**seeded, **many}, {**seeded, **few}, {**many}, {**seeded}, {}]
        for extra in tries if seeded else [many, few, {}]:
            fields = {"temperature": 1.0, **extra}
            heard = await self._ask(LETTERS, most=LENGTH, **fields)
            if heard.ok:
                if seeded and "seed" not in extra:
                    self._set("seeds", "no", f"refused: {told}")
                if extra.keys() & many.keys():
                    self._aligned(heard)
                else:
                    self._set("log_probs", "no", f"refused: {told}")
                return heard, fields
            told = told or str(heard.error)
        return heard, {}

    def _aligned(self, heard: Heard) -> None:
        draft = heard.first
        whole = "".join(draft.names)
        if not draft.log_probs:
            self._set("log_probs", "no", "asked for, and none came")
        elif draft.text and whole.strip() != draft.text.strip() and draft.text.strip() not in whole:
            self._set("log_probs", "no", "their tokens do not make up the text")
        else:
            self._set("log_probs", "yes", f"{len(draft.log_probs)} tokens, which make up the text")
            most = max((len(others) for others in draft.others), default=0)
            if most:
                self.found["most_log_probs"] = most

    def _seeded(self, first: Heard, again: Heard, other: Heard) -> None:
        if not (again.ok and other.ok) or not first.text:
            return
        if first.text != again.text:
            self._set("seeds", "no", "one seed gave two texts")
        elif other.text != first.text:
            self._set("seeds", "yes", "one seed repeated its text, another gave another")
        else:
            self.notes["seeds"] = "two seeds gave one text: the model is too sure to tell"

    def _law(self, plain: Heard, sharper: Heard) -> None:
        one, half = _first_position(plain.first), _first_position(sharper.first)
        shared = sorted(set(one) & set(half), key=lambda token: (-one[token], token))
        pairs = [(a, b) for a in shared for b in shared if one[a] - one[b] > 0.02]
        if not pairs:
            return
        top, low = max(pairs, key=lambda pair: one[pair[0]] - one[pair[1]])
        ratio = (half[top] - half[low]) / (one[top] - one[low])
        law = "raw" if abs(ratio - 1) < 0.25 else "processed" if abs(ratio - 2) < 0.5 else "unknown"
        self._set("log_prob_law", law, f"at temperature 0.5 differences grow by a factor of {ratio:.2f}")

    async def _several(self) -> None:
        heard = await self._ask(LETTERS, most=4, n=2, temperature=1.0)
        if not heard.ok:
            self._set("n", "no", f"refused: {heard.error}")
        else:
            count = len(heard.reply.drafts)
            self._set("n", "yes" if count == 2 else "no", f"n = 2 gave {count}")

    async def _prefix(self) -> None:
        evidence = []
        for way in self._asker.preset.prefix:
            messages: list[dict[str, Any]] = [{"role": "user", "content": ASKED}]
            heard = await self._ask(ASKED, most=4 + len(BEGUN), messages=messages, **continued(messages, BEGUN, way))
            verdict, echo = _goes_on(heard)
            if verdict:
                self._set("prefix", way, f"{BEGUN!r} was continued with {heard.text.removeprefix(BEGUN)[:8]!r}")
                self.found["prefix_echo"] = echo
                return
            evidence.append(f"{way}: {heard.text[:40]!r}" if heard.ok else f"{way}: refused")
        nowhere: PrefixWay = "none"
        self._set("prefix", nowhere, "; ".join(evidence) or "the preset knows no way")

    async def _completion(self) -> None:
        heard = await self._ask(BEGUN, most=4, api="completions")
        going = heard.ok and heard.text.lstrip().startswith(NEXT)
        if heard.ok and not going:
            # A small model without its template may not know the answer; a row of numbers asks for less.
            heard = await self._ask(ROW, most=4, api="completions")
            going = heard.ok and heard.text.startswith(ROW_NEXT)
        self._set("completion", "yes" if going else "no", f"{heard.text[:40]!r}" if heard.ok else f"{heard.error}")

    async def _schema(self) -> None:
        if self._asker.api == "completions":
            return
        inner = {"name": "reply", "schema": SCHEMA, "strict": True}
        fields: dict[str, Any] = {"response_format": {"type": "json_schema", "json_schema": inner}}
        if self._asker.api == "responses":
            fields = {"text": {"format": {"type": "json_schema", **inner}}}
        heard = await self._ask(COUNT, most=24, **fields)
        held: Known = "yes" if heard.ok and _decoded(heard.text) == DOCUMENT else "no"
        self._set("schema", held, f"{heard.text[:40]!r}" if heard.ok else f"refused: {heard.error}")

    def _usage(self) -> None:
        """Whether what was reported is what must have been used."""
        if not self._reports:
            return
        if any(heard.usage is None for heard, _ in self._reports):
            self._set("usage", "no", "not reported")
            return
        wrong = [
            f"{limit} tokens reported as {heard.usage.output}"
            for heard, limit in self._reports
            if heard.usage is not None and self._must_be(heard, limit) not in (None, heard.usage.output)
        ]
        self._set("usage", "no" if wrong else "yes", "; ".join(wrong) or "reported, and what it must be")

    def _must_be(self, heard: Heard, limit: int) -> int | None:
        """How many tokens a reply must have had; None where that is not known."""
        if self.found.get("limits") == "yes" and heard.first.finish in ("length", "max_output_tokens", "max_tokens"):
            return limit
        if self.found.get("log_probs") == "yes" and heard.first.log_probs and heard.first.finish == "length":
            return len(heard.first.log_probs)
        return None

    def _set(self, name: str, value: str, evidence: str) -> None:
        self.found[name] = value
        self.notes[name] = evidence[:200]


# -- reading answers ------------------------------------------------------------------------------------------------


def _middle(text: str) -> str:
    """A stop string from the middle of a text that stands there only once; "" when there is none."""
    for at in range(len(text) // 2, len(text)):
        mark = text[at]
        if mark.isalnum() and text.count(mark) == 1 and at > 0:
            return mark
    return ""


def _goes_on(heard: Heard) -> tuple[bool, bool]:
    """Whether the prefix was continued, and whether it was repeated first."""
    text = heard.text
    if text.startswith(BEGUN):
        # "The number after 41 is 42" as a whole is what a server gives that repeats the prefix, and also one that started anew with
        # the same words: only the count of tokens tells, and the text is right either way.
        return text.removeprefix(BEGUN).startswith(NEXT) and _is_echo(heard), True
    return heard.ok and text.lstrip().startswith(NEXT), False


def _is_echo(heard: Heard) -> bool:
    """Whether the prefix in the reply was copied by the server and not generated: then it was not counted."""
    usage = heard.usage
    return usage is not None and usage.output < len(BEGUN.split())


def _first_position(draft: Draft) -> dict[str, float]:
    return dict(draft.others[0]) if draft.others else {}


def _log_prob_fields(api: str, wanted: int) -> dict[str, Any]:
    if api == "completions":
        return {"logprobs": wanted}
    if api == "responses":
        return {"include": ["message.output_text.logprobs"], "top_logprobs": wanted}
    return {"logprobs": True, "top_logprobs": wanted}


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
