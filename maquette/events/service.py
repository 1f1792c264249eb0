"""Progress as a sequenced log: append in the transaction of the change itself, read from any ``seq`` on."""

from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa
from pydantic import JsonValue
from sqlmodel import Session, col, select

from maquette.events.models import Event

CHANNEL: Final = "maquette_events"


def append(session: Session, subject: str, type_: str, data: Mapping[str, JsonValue]) -> int:
    """Append one event and wake the listeners when the transaction commits; its ``seq``.

    Writers of one subject take turns (an advisory lock until the transaction's end), so that a reader
    never sees ``seq`` n+1 before n.
    """
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(subject, 1))))
    table = Event.__table__  # type: ignore[attr-defined]  # SQLModel declares it at run time
    next_ = sa.select(
        sa.literal(subject), sa.func.coalesce(sa.func.max(table.c.seq), 0) + 1, sa.literal(type_),
        sa.literal(dict(data), table.c.data.type),
    ).where(table.c.subject == subject)  # fmt: skip
    told = sa.func.pg_notify(CHANNEL, subject)
    append = sa.insert(table).from_select(["subject", "seq", "type", "data"], next_).returning(table.c.seq, told)
    return int(session.execute(append).one().seq)


def since(session: Session, subject: str, *, seq: int = 0, limit: int = 500) -> Sequence[Event]:
    """Events of ``subject`` after ``seq``, oldest first."""
    found = select(Event).where(Event.subject == subject, Event.seq > seq).order_by(col(Event.seq)).limit(limit)
    return session.exec(found).all()


def last_seq(session: Session, subject: str) -> int:
    """The newest ``seq`` of ``subject``, 0 where nothing happened yet."""
    return session.execute(sa.select(sa.func.max(Event.seq)).where(col(Event.subject) == subject)).scalar() or 0


def forget(session: Session, subject: str) -> None:
    """Drop the log of a thing that is deleted."""
    session.execute(sa.delete(Event).where(col(Event.subject) == subject))
