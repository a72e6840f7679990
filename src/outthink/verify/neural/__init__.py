"""Reward models that run in this process on torch. Imported only when one is opened; everything above it deals in plain arrays."""

from outthink.verify.neural.scorer import NeuralScorer

__all__ = ["NeuralScorer"]
