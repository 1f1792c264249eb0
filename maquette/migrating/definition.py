"""What a migration of documents is: a class that says how one row becomes its new shape, and back."""

import hashlib
import importlib.util
import inspect
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import BaseModel

from maquette.errors import InvalidInput, NotFound

Row = dict[str, Any]
"""A row by column: json and jsonb as values (fractions are ``Decimal``), integers and booleans as such, all else as
PostgreSQL's text in UTC, NULL as ``None``."""

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True)
class UniqueRule:
    """Which rows are duplicates of each other, and which of them stays."""

    columns: tuple[str, ...]
    constraint: str
    newest_first: tuple[str, ...] = ("updated_at",)
    """Columns that tell the newest, each descending with NULL last; the key, descending, decides what is equal."""


@dataclass(frozen=True)
class Invariant:
    """A query that answers with one number: how many rows break the rule. Zero holds."""

    name: str
    query: str


class DocumentMigration(ABC):
    """One table's rows from an old shape to a new one, both kept side by side until the contract.

    ``transform`` and ``inverse`` are pure and total: no clock, no randomness, no exception for anything that the
    table can hold (one that raises puts its row into quarantine). ``transform(transform(x)) == transform(x)`` and
    ``inverse(transform(x)) == x`` are checked for every row.
    """

    name: ClassVar[str]
    """Of the migration: lower case, digits and underscores, at most 40 characters."""
    table: ClassVar[str]
    """The table, with its schema where that is not ``public``: ``manga_scripts``, ``app.scripts``."""
    key: ClassVar[str] = "id"
    """Its primary key: one column."""
    columns: ClassVar[tuple[str, ...]]
    """The columns that get a new shape. All others stay untouched, which is checked."""
    reads: ClassVar[tuple[str, ...]] = ()
    """Further columns that ``transform`` and ``inverse`` are given."""
    model: ClassVar[type[BaseModel]]
    """What every new row must satisfy: a model whose fields are ``columns``."""
    unique: ClassVar[UniqueRule | None] = None
    invariants: ClassVar[tuple[Invariant, ...]] = ()
    """Checked before cutting over and while it is watched. ``{current}`` in a query is the view of current rows."""
    acting_as: ClassVar[Mapping[str, str]] = {}
    """Settings for writes into the old table, by column of the row: ``{"request.jwt.claim.sub": "user_id"}``."""
    before: ClassVar[tuple[str, ...]] = ()
    """Statements run with the expansion, such as views that must read both shapes; each may be run again."""
    undo: ClassVar[tuple[str, ...]] = ()
    """Statements that take ``before`` back in a rollback; each may be run again."""

    @abstractmethod
    def transform(self, row: Row) -> Row:
        """The new shape of ``columns`` from a row of key, ``reads`` and ``columns``, of whichever shape."""

    @abstractmethod
    def inverse(self, row: Row) -> Row:
        """The old shape of ``columns`` from a row of key, ``reads`` and new ``columns``.

        A row that was only ever written in the new shape gets the best old shape there is, and loses nothing.
        """

    def oddities(self, row: Row) -> Iterable[str]:
        """Short names of what is unusual in an old row (``unknown key: foo``), counted by the plan."""
        return ()

    def lacks(self, survivor: Row, loser: Row) -> Sequence[str]:
        """What a duplicate holds that the row which stays lacks, in short names, for the report."""
        return ()

    @classmethod
    def digest(cls) -> str:
        """Hash of the migration's own code: an approval is for this text and no other."""
        return hashlib.sha256(Path(inspect.getfile(cls)).read_bytes()).hexdigest()


def load(name: str, folder: Path) -> DocumentMigration:
    """The migration ``name`` of ``folder``, which is ``<folder>/<name>.py``.

    Raises ``NotFound`` (``migration_not_found``) or ``InvalidInput`` with what is wrong.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is no migration's name: lower case letters, digits and underscores")
    path = folder.expanduser().absolute() / f"{name}.py"
    if not path.is_file():
        there = ", ".join(names(folder)) or "none"
        raise NotFound(f"there is no migration {name} in {folder}: there are {there}", code="migration_not_found")
    module_name = f"_maquette_migration_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None  # the file is there and ends with .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # pydantic looks types up by their module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise InvalidInput(f"{path} cannot be loaded ({type(error).__name__}: {error})") from error
    kinds = [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, DocumentMigration) and kind.__module__ == module_name
    ]
    if len(kinds) != 1 or getattr(kinds[0], "name", None) != name:
        raise InvalidInput(f"{path} must define one DocumentMigration with name = {name!r}; it defines {len(kinds)}")
    return _checked(kinds[0], path)


def names(folder: Path) -> list[str]:
    """The migrations that ``folder`` holds, by the names of its files."""
    there = folder.expanduser().absolute()
    return sorted(path.stem for path in there.glob("*.py") if NAME.fullmatch(path.stem)) if there.is_dir() else []


def _checked(kind: type[DocumentMigration], path: Path) -> DocumentMigration:
    missing = [field for field in ("table", "columns", "model") if not hasattr(kind, field)]
    if missing or inspect.isabstract(kind):
        wanted = ", ".join([*missing, *sorted(kind.__abstractmethods__)])
        raise InvalidInput(f"{path}: {kind.__name__} lacks {wanted}")
    if not kind.columns or kind.key in kind.columns or set(kind.reads) & {kind.key, *kind.columns}:
        raise InvalidInput(f"{path}: `columns` must be given, and `key`, `reads` and `columns` must not overlap")
    fields = set(kind.model.model_fields)
    if fields != set(kind.columns):
        raise InvalidInput(f"{path}: the fields of `model` are {sorted(fields)}, the columns {sorted(kind.columns)}")
    return kind()
