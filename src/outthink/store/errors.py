"""What can go wrong with a store."""

from __future__ import annotations

from outthink.core.errors import OutthinkError


class StoreError(OutthinkError):
    """The store cannot be opened, read or written; the run that needed it stops, and can be resumed."""


class NoSuchRun(StoreError):
    """No stored run has this name, or several begin with it."""
