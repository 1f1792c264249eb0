"""One row from the old shape to the new one, with every law checked: what the plan, backfill and follower share."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from maquette.migrating import exact
from maquette.migrating.definition import DocumentMigration, Row


@dataclass(frozen=True, slots=True)
class Shaped:
    """A row that was brought over."""

    row: Row
    """The new ``columns``."""
    texts: tuple[str, ...]
    """Their ``exact.dumps``, in the order of ``migration.columns``."""
    is_same: bool
    """Was it of the new shape already?"""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a row cannot be brought over: it stays as it is."""

    reason: str


def shape(migration: DocumentMigration, row: Row) -> Shaped | Refused:
    """The new shape of an old row, or which law it breaks. Never raises for what the row holds.

    The laws: the model, ``inverse(transform(x)) == x`` and ``transform(transform(x)) == transform(x)``, compared as
    exact texts.
    """
    try:
        before = texts(migration, row)
        new = migration.transform(row)
        refused = _misnamed(migration, new, "transform")
        if refused is not None:
            return refused
        after = texts(migration, new)
        migration.model.__pydantic_validator__.validate_python(new)
        back = migration.inverse({**row, **new})
        refused = _misnamed(migration, back, "inverse") or _differing(
            migration, texts(migration, back), before, "inverse(transform(row)) is not the row"
        )
        if refused is not None:
            return refused
        # A row of the new shape has just been transformed.
        if after != before:
            again = migration.transform({**row, **new})
            refused = _misnamed(migration, again, "transform") or _differing(
                migration, texts(migration, again), after, "transform of the new row changes it again"
            )
            if refused is not None:
                return refused
    except Exception as error:  # another's code over anybody's documents: whatever it is, the row is set aside
        return Refused(reason(error))
    return Shaped(new, after, after == before)


def unshape(migration: DocumentMigration, row: Row) -> Shaped | Refused:
    """The old shape of a row that was written in the new one, or why there is none."""
    try:
        refused = check(migration, row)
        if refused is not None:
            return refused
        old = migration.inverse(row)
        refused = _misnamed(migration, old, "inverse")
        if refused is not None:
            return refused
        after = texts(migration, old)
        return Shaped(old, after, after == texts(migration, row))
    except Exception as error:  # as in shape
        return Refused(reason(error))


def check(migration: DocumentMigration, row: Row) -> Refused | None:
    """Why the new ``columns`` of ``row`` do not satisfy the model."""
    try:
        texts(migration, row)
        migration.model.__pydantic_validator__.validate_python({each: row[each] for each in migration.columns})
    except Exception as error:  # as in shape
        return Refused(reason(error))
    return None


def verify(migration: DocumentMigration, old: Row, new: Row) -> Refused | None:
    """Which law a pair of rows, read back from both tables, breaks; ``None`` when all hold."""
    try:
        before = texts(migration, new)
        migration.model.__pydantic_validator__.validate_python({each: new[each] for each in migration.columns})
        return _differing(
            migration, texts(migration, migration.inverse(new)), texts(migration, old), "inverse(new) is not old"
        ) or _differing(migration, texts(migration, migration.transform(new)), before, "transform changes the new row")
    except Exception as error:  # as in shape
        return Refused(reason(error))


def texts(migration: DocumentMigration, row: Row) -> tuple[str, ...]:
    """``exact.dumps`` of the ``columns``. Raises ``TypeError`` with what cannot be read or is not JSON."""
    found = []
    for column in migration.columns:
        value = row[column]
        if type(value) is exact.Unreadable:
            raise TypeError(f"{column} {value.reason}")
        found.append(exact.dumps(value))
    return tuple(found)


def reason(error: Exception) -> str:
    """Short words for what a migration's code or model raised, without the document that it was raised for."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"model: {'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]
    if isinstance(error, RecursionError):
        return "nested too deep"
    return f"{type(error).__name__}: {error}"[:300]


def _misnamed(migration: DocumentMigration, row: Any, what: str) -> Refused | None:
    if isinstance(row, dict) and row.keys() == set(migration.columns):
        return None
    given = sorted(row) if isinstance(row, dict) else type(row).__name__
    return Refused(f"{what} must answer with {', '.join(migration.columns)}: it answered with {given}"[:300])


def _differing(
    migration: DocumentMigration, found: tuple[str, ...], wanted: tuple[str, ...], what: str
) -> Refused | None:
    for column, ours, theirs in zip(migration.columns, found, wanted, strict=True):
        if ours != theirs:
            at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), len(theirs))
            return Refused(f"{what}: {column} differs from character {at} on")
    return None
