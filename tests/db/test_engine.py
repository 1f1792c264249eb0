"""The engine's connections."""

import sqlalchemy as sa

from maquette.db.engine import IDLE_S, KEEPALIVE, Database


def test_a_process_that_stops_in_a_transaction_does_not_keep_its_rows(database: Database) -> None:
    with database.begin() as session:
        shown = session.execute(sa.text("SHOW idle_in_transaction_session_timeout")).scalar_one()
    assert shown == f"{IDLE_S}s"


def test_both_sides_notice_that_the_other_has_vanished(database: Database) -> None:
    with database.engine.connect() as connection:
        told = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
    assert {name: int(told[f"keepalives_{name}"]) for name in KEEPALIVE} == KEEPALIVE
    assert all(f"-c tcp_keepalives_{name}={value}" in told["options"] for name, value in KEEPALIVE.items())
