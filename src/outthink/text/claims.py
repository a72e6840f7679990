"""What each request may spend; it is the same for everything that sends requests, and stands in `outthink.engines.claims`."""

from __future__ import annotations

from outthink.engines.claims import Granted, grant

__all__ = ["Granted", "grant"]
