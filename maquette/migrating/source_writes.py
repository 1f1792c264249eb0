"""Writes of the engine into the old table: its own triggers must not take them for a user's."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from maquette.migrating.source import Connection
from maquette.migrating.work import Work

_ROLE: Final = "session_replication_role"


def may_be_quiet(connection: Connection) -> bool:
    """May this role write without the table's triggers firing? Superusers may, from PostgreSQL 15 on others by grant:
    ``GRANT SET ON PARAMETER session_replication_role TO …``."""
    granted = (
        f"has_parameter_privilege('{_ROLE}', 'SET')"
        if connection.info.server_version >= 150_000
        else "(SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)"
    )
    return connection.execute(f"SELECT {granted}".encode()).fetchone() == (True,)


@contextmanager
def quiet(work: Work) -> Iterator[bool]:
    """Within ``work.transaction()``: triggers of users do not fire for what is written here, where the role may.

    Yields whether they are quiet. Foreign keys are not checked then and do not cascade: who deletes sees to the
    children. Where the role may not, triggers fire, and each row is written under ``act_as``.
    """
    quietly = may_be_quiet(work.connection)
    if quietly:
        work.connection.execute(f"SET LOCAL {_ROLE} = replica".encode())
    yield quietly
    # Only when all went well: an error has ended the transaction or its savepoint, and the setting with it.
    if quietly:
        work.connection.execute(f"SET LOCAL {_ROLE} = origin".encode())


def act_as(work: Work, row: Mapping[str, Any]) -> None:
    """Until the transaction ends, write as the owner of ``row``, which holds the columns of ``acting_as``."""
    for setting, column in work.migration.acting_as.items():
        value = row[column]
        work.connection.execute("SELECT set_config(%s, %s, true)", [setting, "" if value is None else str(value)])
