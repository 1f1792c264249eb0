"""A breaker per provider: while it is open nobody asks, and afterwards one asks first."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from maquette.db.types import now
from maquette.errors import QuotaExceeded, Transient
from maquette.journal.models import Breaker

# A provider that does not answer gets this many chances in a row.
CHANCES: Final = 3
LONGEST_S: Final = 900.0
PROBE_S: Final = 30.0


def admit(session: Session, provider: str) -> datetime:
    """Pass where the breaker is closed; once it may be tried again, pass for one caller at a time. When it passed.

    Raises ``Transient`` (``provider_paused``) with the seconds to wait in ``retry_after_s``.
    """
    moment = now(session)
    breaker = session.get(Breaker, provider, populate_existing=True)
    if breaker is not None and breaker.open_until is not None and breaker.open_until <= moment:
        # Whoever moves this mark is the one that asks first.
        first = session.execute(
            sa.update(Breaker)
            .where(col(Breaker.provider) == provider, col(Breaker.open_until) == breaker.open_until)
            .values(open_until=moment + timedelta(seconds=PROBE_S))
            .returning(col(Breaker.provider))
        ).first()
        if first is not None:
            return moment
        # Who asked first may have been answered meanwhile.
        breaker = session.get(Breaker, provider, populate_existing=True)
    if breaker is None or breaker.open_until is None:
        return moment
    wait_s = max(1.0, (breaker.open_until - moment).total_seconds())
    raise Transient(
        f"{provider} is out of service and is asked again in {wait_s:.0f} s ({breaker.reason})",
        code="provider_paused",
        retry_after_s=wait_s,
        outage=True,
        provider=provider,
    )


def trip(
    session: Session, provider: str, error: QuotaExceeded | Transient, *, asked_at: datetime, base_s: float
) -> datetime | None:
    """Count an outage; until when the breaker is open now, ``None`` while it still is closed.

    Calls that were under way when it opened fail of the same outage: they do not make the pause longer.
    """
    moment, reason = now(session), str(error)[:500]
    # Its row is made or locked at one stroke: another call's success may remove it.
    session.execute(
        insert(Breaker)
        .values(provider=provider, reason=reason)
        .on_conflict_do_update(index_elements=["provider"], set_={"reason": reason})
    )
    breaker = session.get_one(Breaker, provider, populate_existing=True)
    named_s = error.retry_after_s or 0
    if breaker.open_until is not None and asked_at < breaker.updated_at:
        breaker.open_until = max(breaker.open_until, moment + timedelta(seconds=named_s))
    else:
        used_up = CHANCES if isinstance(error, QuotaExceeded) else 0
        breaker.failures = max(breaker.failures + 1, used_up)
        if breaker.failures >= CHANCES:
            pause_s = min(base_s * 2.0 ** min(breaker.failures - CHANCES, 20), LONGEST_S)
            breaker.open_until = moment + timedelta(seconds=max(pause_s, named_s))
    session.flush()
    return breaker.open_until


def reset(session: Session, provider: str) -> None:
    """The provider answered: close its breaker."""
    session.execute(sa.delete(Breaker).where(col(Breaker.provider) == provider))


def open_breakers(session: Session) -> Sequence[Breaker]:
    """Providers that had an outage since they last answered, by name."""
    return session.exec(select(Breaker).order_by(col(Breaker.provider))).all()
