"""What is learned from a model's own runs. For now: heads on hidden states, which need numpy alone.

    examples = await collect(process_for, tasks, label, samples=16, key=Key(0))
    trained = train_head(examples, model=engine.fingerprint)
    save_head_file(path, trained.head)

What needs torch will live in files of its own here, and nothing imports these before they are used.
"""

from __future__ import annotations

from outthink.train.examples import Examples, collect
from outthink.train.feature_weights import fit_features
from outthink.train.heads import Trained, train_head
from outthink.train.logistic import Fitted, fit_logistic
from outthink.train.selection import Selection, best_of_each

__all__ = [
    "Examples",
    "Fitted",
    "Selection",
    "Trained",
    "best_of_each",
    "collect",
    "fit_features",
    "fit_logistic",
    "train_head",
]
