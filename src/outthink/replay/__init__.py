"""Select, vote and re-budget over samples that were paid for before: stored runs, benches, or others' files.

    from outthink.replay import read_samples, replay

    for line in replay(read_samples("samples.jsonl").table, select=("vote", "oracle"), sizes=(1, 4, 16)):
        print(line.select, line.size, line.accuracy, line.interval)

`replay` recomputes choices and smaller sizes from a table of samples, `replay_adaptive` stops on the way, `replay_budgets` counts tokens
instead of samples. To run a search itself over stored samples, hand it `StoredSamples` as its process.
"""

from outthink.replay.comparing import keys_by
from outthink.replay.fields import Fields
from outthink.replay.reading import BadRow, Imported, read_samples, same_text
from outthink.replay.replay import Line, replay
from outthink.replay.row import Keys
from outthink.replay.run_samples import Chance, RunSamples, chances, run_samples
from outthink.replay.samples import QuestionSamples, SampleTable, gathered
from outthink.replay.selectors import SELECTORS, Selector
from outthink.replay.stopping import replay_adaptive, replay_budgets
from outthink.replay.stored_samples import StoredSample, StoredSamples
from outthink.replay.stored_scores import StoredScore, StoredScores

__all__ = [
    "SELECTORS",
    "BadRow",
    "Chance",
    "Fields",
    "Imported",
    "Keys",
    "Line",
    "QuestionSamples",
    "RunSamples",
    "SampleTable",
    "Selector",
    "StoredSample",
    "StoredSamples",
    "StoredScore",
    "StoredScores",
    "chances",
    "gathered",
    "keys_by",
    "read_samples",
    "replay",
    "replay_adaptive",
    "replay_budgets",
    "run_samples",
    "same_text",
]
