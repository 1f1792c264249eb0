"""Column types and the naming convention that all tables share."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

JSON = JSONB(none_as_null=True)
Timestamp = sa.DateTime(timezone=True)


def created_at() -> Any:
    """A timestamp that the database sets on insert."""
    return Field(default=None, sa_type=Timestamp, sa_column_kwargs={"server_default": sa.func.now()}, nullable=False)


def updated_at() -> Any:
    """A timestamp that the database sets on insert and SQLAlchemy on each update."""
    return Field(
        default=None,
        sa_type=Timestamp,
        sa_column_kwargs={"server_default": sa.func.now(), "onupdate": sa.func.now()},
        nullable=False,
    )


def moment() -> Any:
    """A timestamp that may be absent."""
    return Field(default=None, sa_type=Timestamp)


def now(session: Any) -> datetime:
    """The database's clock: the one clock of leases and deadlines (not the transaction's start)."""
    value: datetime = session.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return value
