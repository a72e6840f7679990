"""The store: runs with their candidates, scores and events, in SQLite by default or in PostgreSQL by URL.

`Store` begins, resumes, lists, reads and removes runs; a `Recorder` writes one run while it goes on, as a sink of its events. Importing
this package imports SQLAlchemy, so the command line does it in the commands that need it.
"""

from outthink.store.errors import NoSuchRun, StoreError
from outthink.store.location import data_folder, store_url
from outthink.store.recorder import Recorder
from outthink.store.retention import Removed
from outthink.store.solving import solve_in_session, solve_stored
from outthink.store.store import Store
from outthink.store.stored import RunLine, StoredRun

__all__ = [
    "NoSuchRun",
    "Recorder",
    "Removed",
    "RunLine",
    "Store",
    "StoreError",
    "StoredRun",
    "data_folder",
    "solve_in_session",
    "solve_stored",
    "store_url",
]
