"""Select, vote and re-budget over samples that were paid for before."""

from outthink.replay.stored_samples import StoredSample, StoredSamples

__all__ = ["StoredSample", "StoredSamples"]
