"""Under which conditions the figures came about, in terms and values."""

from __future__ import annotations

from outthink.bench.grid.folder import RunRecord
from outthink.bench.report.study import Study
from outthink.core.cost import total_of


def facts(study: Study) -> dict[str, str]:
    """Terms and values, for lists."""
    stored, record = study.stored, study.stored.record
    found = {
        "folder": stored.path.name,
        "outcomes": f"{len(stored.outcomes):,}",
        "questions": f"{len(stored.questions):,}",
    }
    samples = sum(len(pool.samples) for pool in stored.pools)
    if samples:
        found["stored samples"] = f"{samples:,} in {len(stored.pools):,} pools"
    found["bad rows"] = str(len(stored.problems))
    if record is None:
        found["record"] = (
            "none: the folder is from before runs were recorded, so its machine and settings stand elsewhere"
        )
        return found
    spent = total_of(record.spent.values())
    uncertain = f", and up to {record.uncertain.tokens:,} more that a kill hides" if record.uncertain.tokens else ""
    found |= {
        "state": f"{record.ended}, {len(stored.outcomes):,} of {record.total:,} outcomes",
        "grid": record.digest,
        "started": record.started,
        "took": _took(record),
        "spent": f"{spent.tokens:,} tokens, {spent.calls:,} calls{uncertain}",
        "estimated at its last start": record.estimate,
        "executor": record.executor,
        **record.versions,
        **record.machine,
    }
    return {term: value for term, value in found.items() if value}


def _took(record: RunRecord) -> str:
    processor = f", {record.processor_seconds:,.0f} s of processor time" if record.processor_seconds else ""
    return f"{record.seconds:,.0f} s by the clock, over all starts{processor}"
