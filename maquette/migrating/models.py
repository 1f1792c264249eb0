"""Phases, states and answers of a migration."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue, field_validator

SCHEMA: Final = "maquette_migrating"
"""Where the engine keeps its books, in the database that is migrated: what it did commits with what it wrote."""


class Phase(StrEnum):
    """The steps of a migration, in their order, and the way back."""

    PLAN = "plan"
    BACKUP = "backup"
    REHEARSE = "rehearse"
    EXPAND = "expand"
    DEDUPLICATE = "deduplicate"
    UNIQUE = "unique"
    BACKFILL = "backfill"
    VALIDATE = "validate"
    CUT_OVER = "cut_over"
    CONTRACT = "contract"
    ROLL_BACK = "roll_back"


class RunStatus(StrEnum):
    """Where a run stands. ``soaking``: all reads are new, both shapes are kept; the way back is a flip."""

    RUNNING = "running"
    FAILED = "failed"
    SOAKING = "soaking"
    ROLLING_BACK = "rolling_back"
    CONTRACTING = "contracting"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"


ENDED: Final = frozenset({RunStatus.COMPLETED, RunStatus.ROLLED_BACK})


class Duplicates(StrEnum):
    """What a rollback does with archived duplicates."""

    KEEP_ARCHIVED = "keep_archived"
    RESTORE = "restore"


class Options(BaseModel):
    """How a migration is carried out. Part of what is approved."""

    model_config = {"frozen": True, "extra": "forbid"}

    cohorts: tuple[int, ...] = Field(
        (1, 10, 100), title="Cohorts", description="Percent of rows read in the new shape, step by step."
    )
    watch_s: float = Field(60.0, ge=0, le=86_400, title="Watch", description="Seconds that each cohort is watched.")
    window_s: float = Field(
        30.0, gt=0, le=3600, title="Window", description="Seconds over which errors and latency are judged."
    )
    max_error_rate: float = Field(
        0.05, gt=0, le=1, title="Error rate", description="Rolled back above this share of failed requests."
    )
    max_latency_s: float = Field(
        5.0, gt=0, le=600, title="Latency", description="Rolled back above this 95th percentile, in seconds."
    )
    soak_s: float = Field(
        86_400.0,
        ge=0,
        le=31_536_000,
        title="Soak",
        description="Seconds between the last cohort and the contract, at least.",
    )
    batch_ms: float = Field(
        100.0, gt=0, le=10_000, title="Batch", description="What a batch should take, in milliseconds."
    )
    max_lock_ms: float = Field(
        40.0,
        gt=0,
        le=100_000,
        title="Lock",
        description="What a batch may hold rows of the old table, in milliseconds.",
    )
    max_lag_s: float = Field(
        5.0, gt=0, le=3600, title="Lag", description="Replication lag above which the backfill waits, in seconds."
    )
    lock_timeout_ms: int = Field(
        500, gt=0, le=1000, title="Lock timeout", description="Milliseconds that a DDL statement waits for its lock."
    )
    rehearse: bool = Field(
        True, title="Rehearse", description="Rehearse on the restored backup before touching the database."
    )
    on_rollback: Duplicates = Field(
        Duplicates.KEEP_ARCHIVED, title="On rollback", description="What a rollback does with archived duplicates."
    )

    @field_validator("cohorts")
    @classmethod
    def _grow_to_all(cls, cohorts: tuple[int, ...]) -> tuple[int, ...]:
        if not cohorts or cohorts[0] < 1 or cohorts[-1] != 100 or list(cohorts) != sorted(set(cohorts)):
            raise ValueError("cohorts are percentages that grow and end with 100, such as 1, 10, 100")
        return cohorts


class PhaseReport(BaseModel):
    """What a phase did. ``detail`` holds the phase's own figures."""

    phase: Phase
    seconds: float = 0.0
    rows: int = 0
    longest_lock_ms: float = 0.0
    detail: dict[str, JsonValue] = {}


class Run(BaseModel):
    """A run as its row tells."""

    id: UUID
    migration: str
    table_name: str
    status: RunStatus
    phase: Phase
    epoch: int
    plan_hash: str
    options: Options
    percent: int
    """Of the rows, how many are read in the new shape."""
    folder: str
    error: str | None = None
    started_at: datetime
    updated_at: datetime
    cut_over_at: datetime | None = None
    ended_at: datetime | None = None


class Result(BaseModel):
    """How a run stands, with its figures: what ``run``, ``status``, ``resume`` and ``rollback`` answer."""

    run_id: UUID
    migration: str
    status: RunStatus
    phase: Phase
    percent: int
    rows_migrated: int
    archived: int
    quarantined: int
    pending: int
    longest_lock_ms: float
    seconds: float
    error: str | None = None
    phases: list[PhaseReport] = []


class Statement(BaseModel):
    """One DDL statement of the plan."""

    phase: Phase
    sql: str
    lock: str
    """PostgreSQL's name of the lock class, such as ``ShareRowExclusiveLock``."""
    blocks: str
    """Whom it makes wait, in words."""


class RowDiff(BaseModel):
    """One row before and after, for people to judge by."""

    key: str
    before: dict[str, JsonValue]
    after: dict[str, JsonValue]


class SizeClass(BaseModel):
    """Rows whose columns take at most ``upto_bytes``."""

    upto_bytes: int
    rows: int


class Plan(BaseModel):
    """What a migration would do, found by reading alone."""

    hash: str
    """Of what is approved: the migration's code, the table's definition, the statements and the options; not of
    counts, which go on changing while people write."""
    migration: str
    table: str
    server_version: str
    rows: int
    size_bytes: int
    duplicate_groups: int
    rows_to_archive: int
    duplicates_lacking: list[dict[str, JsonValue]] = []
    """Groups in which a row that goes to the archive holds what the one that stays lacks; at most 100."""
    sizes: list[SizeClass]
    oddities: dict[str, int] = {}
    quarantine: dict[str, int] = {}
    """Rows that the migration could not bring over, by reason."""
    already_new: int = 0
    statements: list[Statement]
    samples: list[RowDiff] = []
    triggers: list[str] = []
    """Triggers of the table that must not fire for the engine's own writes, and do not."""
    free_disk_bytes: int | None
    needed_disk_bytes: int
    estimate_s: float
    options: Options
    warnings: list[str] = []
    refusals: list[str] = []
    """Why ``run`` would refuse; empty when it may start."""
