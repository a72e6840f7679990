"""Select, vote and re-budget over samples that were paid for before."""

from outthink.replay.stored_samples import StoredSample, StoredSamples
from outthink.replay.stored_scores import StoredScore, StoredScores

__all__ = ["StoredSample", "StoredSamples", "StoredScore", "StoredScores"]
