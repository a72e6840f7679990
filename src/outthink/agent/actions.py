"""Actions of the form WORD CONTENT, as models write them: in any case, with or without a colon, in a fenced block or not.

read = worded("TEST", "SUBMIT")
read("submit:\\n```python\\nx = 1\\n```")                # ("SUBMIT", "x = 1")
"""

from __future__ import annotations

import re
from collections.abc import Callable

_FENCE = re.compile(r"^```\w*[ \t]*$", re.MULTILINE)


def worded(*words: str) -> Callable[[str], tuple[str, str]]:
    """What reads an action's word and what follows it; ("", "") for what is no action."""
    form = re.compile(rf"\s*(?:```\w*\n)?\s*({'|'.join(words)})\b:?(.*)", re.DOTALL | re.IGNORECASE)

    def read(action: str) -> tuple[str, str]:
        found = form.match(action)
        if found is None:
            return "", ""
        return found.group(1).upper(), _FENCE.sub("", found.group(2)).strip("\n").strip()

    return read
