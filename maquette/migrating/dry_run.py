"""Every row brought over and back without writing anything: what is odd, what is refused, what it looks like."""

import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from psycopg import sql
from pydantic import JsonValue

from maquette.migrating.definition import DocumentMigration, Row
from maquette.migrating.exact import Unreadable
from maquette.migrating.models import RowDiff, SizeClass
from maquette.migrating.shaping import Refused, shape
from maquette.migrating.source import Connection, Source, row_of

SAMPLES: Final = 5
_KINDS: Final = 100
_OTHERS: Final = "others"
_CLASSES: Final = [256 * 4**power for power in range(14)]
# A document may take many megabytes: few are held at once.
_FETCHED: Final = 64
_LONGEST_TEXT: Final = 200
_LONGEST_LIST: Final = 5
_MOST_KEYS: Final = 24
_DEEPEST: Final = 6


@dataclass
class Looked:
    """What was found."""

    rows: int = 0
    seconds: float = 0.0
    already_new: int = 0
    oddities: Counter[str] = field(default_factory=Counter)
    quarantine: Counter[str] = field(default_factory=Counter)
    smallest: tuple[int, RowDiff] | None = None
    largest: tuple[int, RowDiff] | None = None
    odd: dict[str, RowDiff] = field(default_factory=dict)
    plain: RowDiff | None = None

    @property
    def samples(self) -> list[RowDiff]:
        """The most different rows: the smallest, the largest, odd ones, an ordinary one."""
        found = [pair[1] for pair in (self.smallest, self.largest) if pair]
        odd = [*self.odd.values()]
        last = [self.plain] if self.plain else []
        room = SAMPLES - len(found) - len(last)
        return list({each.key: each for each in [*found, *odd[:room], *last]}.values())


def look(connection: Connection, source: Source, migration: DocumentMigration, *, within_s: float) -> Looked:
    """Shape the rows of the caller's snapshot, one after the other, until all are done or the time is over."""
    columns = [source.key, *migration.reads, *migration.columns]
    looked, started = Looked(), time.perf_counter()
    if within_s <= 0:
        return looked
    query = sql.SQL("SELECT {} FROM {} s").format(source.select_list(columns, alias="s"), source.table)
    with connection.cursor(name="maquette_dry_run") as cursor:
        cursor.itersize = _FETCHED
        for values in cursor.execute(query):
            _note(looked, migration, row_of(columns, values))
            looked.seconds = time.perf_counter() - started
            if looked.seconds > within_s:
                break
    return looked


def sizes(connection: Connection, source: Source, migration: DocumentMigration) -> list[SizeClass]:
    """Rows by the bytes that their ``columns`` take as text, uncompressed, in steps of four from 256 on."""
    size = sql.SQL(" + ").join(
        sql.SQL("coalesce(octet_length({}::text), 0)").format(sql.Identifier("s", column))
        for column in migration.columns
    )
    found = connection.execute(
        sql.SQL("SELECT width_bucket({} - 1, %s::integer[]), count(*) FROM {} s GROUP BY 1 ORDER BY 1").format(
            size, source.table
        ),
        [[upto for upto in _CLASSES if upto < 2**31]],
    ).fetchall()
    return [SizeClass(upto_bytes=_CLASSES[bucket], rows=rows) for bucket, rows in found]


def _note(looked: Looked, migration: DocumentMigration, row: Row) -> None:
    looked.rows += 1
    shaped = shape(migration, row)
    odd = sorted(_oddities(migration, row))
    for each in odd:
        looked.oddities[_kind(looked.oddities, each)] += 1
    if isinstance(shaped, Refused):
        # Numbers in a reason tell where in one document; the plan counts kinds.
        looked.quarantine[_kind(looked.quarantine, re.sub(r"\d+", "N", shaped.reason))] += 1
        return
    if shaped.is_same:
        looked.already_new += 1
        return
    size = sum(map(len, shaped.texts))
    smallest = looked.smallest is None or size < looked.smallest[0]
    largest = looked.largest is None or size > looked.largest[0]
    unseen = next((each for each in odd if each not in looked.odd), None) if len(looked.odd) < SAMPLES else None
    ordinary = looked.plain is None and not odd
    if not (smallest or largest or unseen or ordinary):
        return
    diff = RowDiff(key=str(row[migration.key]), before=_shown(migration, row), after=_shown(migration, shaped.row))
    if smallest:
        looked.smallest = size, diff
    if largest:
        looked.largest = size, diff
    if unseen is not None:
        looked.odd[unseen] = diff
    if ordinary:
        looked.plain = diff


def _oddities(migration: DocumentMigration, row: Row) -> Iterable[str]:
    try:
        return {str(each)[:_LONGEST_TEXT] for each in migration.oddities(row)}
    except Exception as error:  # a migration's own code: what it trips over is odd
        return [f"oddities raised {type(error).__name__}"]


def _kind(counted: Counter[str], name: str) -> str:
    """``name``, or the one word for all that came after the first hundred: keys of documents may be anything."""
    return name if name in counted or len(counted) < _KINDS else _OTHERS


def _shown(migration: DocumentMigration, row: Row) -> dict[str, JsonValue]:
    return {column: _short(row[column], _DEEPEST) for column in migration.columns}


def _short(value: Any, depth: int) -> JsonValue:
    """``value`` for people: long texts and lists are cut, and it is told by how much."""
    if isinstance(value, str):
        whole = value.encode("utf-8", "replace").decode()
        return whole if len(whole) <= _LONGEST_TEXT else f"{whole[:_LONGEST_TEXT]}… ({len(whole):,} characters)"
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Unreadable):
        return value.reason
    if isinstance(value, (list, dict)) and value and not depth:
        return f"… ({len(value):,} more inside)"
    if isinstance(value, list):
        rest = [f"… {len(value) - _LONGEST_LIST:,} more"] if len(value) > _LONGEST_LIST else []
        return [*(_short(each, depth - 1) for each in value[:_LONGEST_LIST]), *rest]
    if isinstance(value, dict):
        shown = {str(_short(key, 0)): _short(each, depth - 1) for key, each in list(value.items())[:_MOST_KEYS]}
        return shown | ({"…": f"{len(value) - _MOST_KEYS:,} more"} if len(value) > _MOST_KEYS else {})
    return value  # type: ignore[no-any-return]  # null, true, false or an integer
