"""What is kept for a time only: media whose days are over lose their files; their rows and costs stay."""

import sqlalchemy as sa
from sqlmodel import Session, col

from maquette.db.types import now
from maquette.library.models import Asset


def expired_subjects(session: Session, *, limit: int = 500) -> list[str]:
    """Things all of whose media has passed its last day, those that have it longest first."""
    last = sa.func.max(col(Asset.expires_at))
    found = (
        sa.select(col(Asset.subject))
        .where(col(Asset.expires_at).is_not(None), col(Asset.expired_at).is_(None))
        .group_by(col(Asset.subject))
        .having(last < now(session))
        .order_by(last)
        .limit(limit)
    )
    return list(session.execute(found).scalars())


def expire(session: Session, subject: str) -> int:
    """Take the thing's assets out of the library and give up their files, which are swept later; how many."""
    done = session.execute(
        sa.update(Asset)
        .where(col(Asset.subject) == subject, col(Asset.expired_at).is_(None))
        .values(expired_at=now(session), listed=False)
        .returning(col(Asset.id))
    )
    return len(done.all())
