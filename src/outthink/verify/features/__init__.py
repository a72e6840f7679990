"""Cheap features of an answer as verifiers: its length, its hedges, and both weighed by what was learned from other questions.

Nothing is asked and nothing is trained beforehand (but for `LearnedFeatures`): `Length` and `MarkerRate` read what is there. Scores are the
features' negatives, so that higher is better: right answers of reasoning models tend to be shorter and to hedge less. That is a correlation
seen in some models, not a law; `outthink.numerics.separation_within` says whether it holds for yours.

Source: spec 06, response features.
"""

from outthink.verify.features.learned_features import LearnedFeatures, feature_columns
from outthink.verify.features.length import Length
from outthink.verify.features.marker_rate import MARKERS, MarkerRate, marker_rate

__all__ = ["MARKERS", "LearnedFeatures", "Length", "MarkerRate", "feature_columns", "marker_rate"]
