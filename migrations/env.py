"""Alembic's environment: online only, on the URL that the caller or MAQUETTE_DATABASE_URL names."""

import sqlalchemy as sa
from alembic import context
from sqlmodel import SQLModel

import maquette.brands.models
import maquette.carousels.tables
import maquette.drafts.tables
import maquette.events.models
import maquette.journal.models
import maquette.library.models
import maquette.orders.models
import maquette.projects.tables
import maquette.publishing.tables
import maquette.quota.models
import maquette.videos.models  # noqa: F401  # each import registers its tables
from maquette.db.engine import database_from_settings, sqlalchemy_url
from maquette.settings import get_settings

url = context.config.get_main_option("sqlalchemy.url")
engine = (
    sa.create_engine(sqlalchemy_url(url), poolclass=sa.NullPool)
    if url
    else database_from_settings(get_settings()).engine
)
with engine.connect() as connection:
    # One upgrade at a time: two stacks may start on one database.
    connection.execute(sa.select(sa.func.pg_advisory_lock(0x6D617175)))
    connection.commit()
    context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
