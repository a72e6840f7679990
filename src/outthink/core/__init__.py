"""The core: keys, costs, budgets, ledgers, processes, verifiers, algorithms, runs and solvers. It knows no domain and no method."""

from outthink.core.abridging import Abridging
from outthink.core.algorithm import Algorithm, Answer
from outthink.core.allocation import Allocator, Even, Marginal
from outthink.core.batch import Batch
from outthink.core.checkpoint import Saved, decode, encode
from outthink.core.component import AnswerSettings, EngineSettings, Parts, ProcessSettings, VerifierSettings
from outthink.core.cost import Budget, Cost, Role
from outthink.core.cut import Cut, gather_until
from outthink.core.errors import (
    AllFailed,
    BelowQuorum,
    BudgetExhausted,
    CheckpointError,
    Collapsed,
    ContextOverflow,
    EngineClosed,
    EngineError,
    Failure,
    Incompatible,
    InputError,
    ModelMissing,
    OutthinkError,
    RecipeError,
    SettingsError,
    VerifierError,
)
from outthink.core.events import AnyEvent, Trace
from outthink.core.key import Key, slot_rng
from outthink.core.ledger import Allowance, Bill, Ledger
from outthink.core.moved import Moved
from outthink.core.process import (
    Adaptation,
    Advance,
    Completable,
    Perturbable,
    Process,
    Revisable,
    Rewindable,
    Temperable,
)
from outthink.core.result import Result, Stop
from outthink.core.rows import Rows
from outthink.core.run import Run
from outthink.core.session import Session
from outthink.core.settings import Settings, Tagged
from outthink.core.solver import Search, Snapshot, Solver, solve_many
from outthink.core.task import Candidate, Message, Task
from outthink.core.tolerance import Tolerance
from outthink.core.verifier import Equivalence, LogMap, ScoreKind, Scores, ScoreSpec, Verifier

__all__ = [
    "Abridging",
    "Adaptation",
    "Advance",
    "Algorithm",
    "AllFailed",
    "Allocator",
    "Allowance",
    "Answer",
    "AnswerSettings",
    "AnyEvent",
    "Batch",
    "BelowQuorum",
    "Bill",
    "Budget",
    "BudgetExhausted",
    "Candidate",
    "CheckpointError",
    "Collapsed",
    "Completable",
    "ContextOverflow",
    "Cost",
    "Cut",
    "EngineClosed",
    "EngineError",
    "EngineSettings",
    "Equivalence",
    "Even",
    "Failure",
    "Incompatible",
    "InputError",
    "Key",
    "Ledger",
    "LogMap",
    "Marginal",
    "Message",
    "ModelMissing",
    "Moved",
    "OutthinkError",
    "Parts",
    "Perturbable",
    "Process",
    "ProcessSettings",
    "RecipeError",
    "Result",
    "Revisable",
    "Rewindable",
    "Role",
    "Rows",
    "Run",
    "Saved",
    "ScoreKind",
    "ScoreSpec",
    "Scores",
    "Search",
    "Session",
    "Settings",
    "SettingsError",
    "Snapshot",
    "Solver",
    "Stop",
    "Tagged",
    "Task",
    "Temperable",
    "Tolerance",
    "Trace",
    "Verifier",
    "VerifierError",
    "VerifierSettings",
    "decode",
    "encode",
    "gather_until",
    "slot_rng",
    "solve_many",
]
