"""The engine's connections."""

import sqlalchemy as sa

from maquette.db.engine import IDLE_S, Database


def test_a_process_that_stops_in_a_transaction_does_not_keep_its_rows(database: Database) -> None:
    with database.begin() as session:
        shown = session.execute(sa.text("SHOW idle_in_transaction_session_timeout")).scalar_one()
    assert shown == f"{IDLE_S}s"
