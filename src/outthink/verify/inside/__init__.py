"""What runs inside the sandbox, on nothing but the standard library: mounted there alone, see `outthink.verify.sandbox`.

`candidate_side` holds the program that is tested, `tests_side` its tests, `plain_data` is what both say to each other.
"""

from __future__ import annotations

__all__: list[str] = []
