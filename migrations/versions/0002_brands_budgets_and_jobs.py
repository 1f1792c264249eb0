"""Brands, budgets, carousels and the library; a job may hold several items, and the lease moves from item to job.

Every row stays: the orders, films and assets that are there belong to the default brand, and the keys of repeated
requests move from the orders to a table of their own.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JSON = postgresql.JSONB(none_as_null=True)
TIME = sa.DateTime(timezone=True)
OPEN_ITEMS = "status IN ('pending', 'processing')"
OPEN_JOBS = "status IN ('queued', 'sent', 'running')"
DEFAULT_BRAND = "(SELECT id FROM brands WHERE is_default)"


def stamp(name: str) -> "sa.Column[Any]":
    return sa.Column(name, TIME, server_default=sa.text("now()"), nullable=False)


def add(table: str, name: str, type_: sa.types.TypeEngine[Any], *, fill: str) -> None:
    """A column that may not be empty: added, filled from the rows that are there, then closed."""
    op.add_column(table, sa.Column(name, type_, nullable=True))
    op.execute(f"UPDATE {table} SET {name} = {fill}")
    op.alter_column(table, name, nullable=False)


def add_optional(table: str, *columns: "sa.Column[Any]") -> None:
    for column in columns:
        op.add_column(table, column)


def upgrade() -> None:
    _new_tables()
    _jobs()
    _orders()
    _assets()
    _calls()
    add("videos", "brand_id", sa.Uuid(), fill=DEFAULT_BRAND)
    op.create_foreign_key(op.f("fk_videos_brand_id_brands"), "videos", "brands", ["brand_id"], ["id"])
    _budgets()


def _new_tables() -> None:
    op.create_table(
        "brands",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("kit", JSON, nullable=False),
        stamp("created_at"),
        stamp("updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brands")),
    )
    op.create_index("uq_brands_default", "brands", ["is_default"], unique=True, postgresql_where=sa.text("is_default"))
    # The owner of the machine: without limits until another plan is chosen.
    op.execute(
        "INSERT INTO brands (id, name, plan, is_default, kit)"
        " VALUES (gen_random_uuid(), 'Default', 'admin', true, '{}')"
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request", JSON, nullable=False),
        sa.Column("response", JSON, nullable=True),
        stamp("created_at"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "provider_breakers",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", TIME, nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        stamp("updated_at"),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_breakers")),
    )
    op.create_table(
        "carousels",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("slides", sa.Integer(), nullable=False),
        sa.Column("brief", JSON, nullable=False),
        sa.Column("plan", JSON, nullable=True),
        sa.Column("asks", sa.Integer(), nullable=False),
        sa.Column("versions", JSON, nullable=False),
        stamp("created_at"),
        stamp("updated_at"),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_carousels_brand_id_brands")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carousels")),
    )
    op.create_index(op.f("ix_carousels_brand_id"), "carousels", ["brand_id"])


def _jobs() -> None:
    def of_item(column: str) -> str:
        return f"(SELECT i.{column} FROM order_items i WHERE i.id = job_queue.item_id)"

    add("job_queue", "order_id", sa.Uuid(), fill=of_item("order_id"))
    add("job_queue", "brand_id", sa.Uuid(), fill=DEFAULT_BRAND)
    add("job_queue", "subject", sa.String(), fill=of_item("subject"))
    add("job_queue", "premium", sa.Boolean(), fill="true")
    add("job_queue", "sent_premium", sa.Boolean(), fill="true")
    add("job_queue", "dispatches", sa.Integer(), fill="attempts")
    add("job_queue", "fence", sa.BigInteger(), fill=of_item("fence"))
    add_optional("job_queue", sa.Column("lease_holder", sa.String()))
    add_optional(
        "job_queue",
        *(sa.Column(n, TIME) for n in ("lease_expires_at", "deadline_at", "started_at", "claimed_at", "finished_at")),
    )
    add_optional("job_queue", sa.Column("error_code", sa.String()))
    op.execute(
        "UPDATE job_queue j SET (lease_holder, lease_expires_at, deadline_at, started_at, claimed_at, finished_at,"
        " error_code) = (SELECT i.lease_holder, i.lease_expires_at, i.deadline_at, i.started_at, i.claimed_at,"
        " i.finished_at, i.error_code FROM order_items i WHERE i.id = j.item_id)"
    )
    add("order_items", "job_id", sa.Uuid(), fill="(SELECT j.id FROM job_queue j WHERE j.item_id = order_items.id)")
    add_optional("order_items", sa.Column("text", JSON))
    add("order_items", "tries", sa.Integer(), fill="0")
    add("order_items", "reworded", sa.Boolean(), fill="false")
    add_optional("order_items", sa.Column("error_values", JSON))
    op.drop_index("ix_order_items_open_lease", table_name="order_items")
    op.drop_index("uq_order_items_open_subject", table_name="order_items")
    for column in ("subject", "fence", "lease_holder", "lease_expires_at", "deadline_at", "flow_run_id", "started_at",
                   "claimed_at"):  # fmt: skip
        op.drop_column("order_items", column)
    op.drop_column("job_queue", "item_id")
    op.create_index(op.f("ix_order_items_job_id"), "order_items", ["job_id"])
    op.create_foreign_key(op.f("fk_order_items_job_id_job_queue"), "order_items", "job_queue", ["job_id"], ["id"])
    op.create_foreign_key(op.f("fk_job_queue_brand_id_brands"), "job_queue", "brands", ["brand_id"], ["id"])
    op.create_foreign_key(op.f("fk_job_queue_order_id_orders"), "job_queue", "orders", ["order_id"], ["id"])
    op.create_index("ix_job_queue_brand_sent", "job_queue", ["brand_id", "sent_at"])
    op.create_index("ix_job_queue_finished", "job_queue", ["finished_at"])
    op.create_index("ix_job_queue_open_lease", "job_queue", ["lease_expires_at"], postgresql_where=sa.text(OPEN_JOBS))
    op.create_index(op.f("ix_job_queue_order_id"), "job_queue", ["order_id"])
    op.create_index("ix_job_queue_subject", "job_queue", ["subject", "created_at"])
    op.create_index(
        "uq_job_queue_open_subject", "job_queue", ["subject"], unique=True, postgresql_where=sa.text(OPEN_JOBS)
    )


def _orders() -> None:
    add("orders", "brand_id", sa.Uuid(), fill=DEFAULT_BRAND)
    # Changes of a film and second attempts at one name no theme of their own.
    theme = "(SELECT v.theme FROM videos v JOIN job_queue j ON j.subject = v.id WHERE j.order_id = orders.id LIMIT 1)"
    add("orders", "campaign_name", sa.String(), fill=f"left(coalesce(brief ->> 'theme', {theme}, kind), 120)")
    add_optional("orders", sa.Column("retry_of", sa.Uuid()))
    op.execute(
        "INSERT INTO idempotency_keys (key, request, response, created_at)"
        " SELECT o.idempotency_key, o.brief, jsonb_build_object('video_id', j.subject, 'order_id', o.id,"
        " 'job_id', j.id, 'item_id', i.id), o.created_at"
        " FROM orders o JOIN job_queue j ON j.order_id = o.id JOIN order_items i ON i.job_id = j.id"
        " WHERE o.idempotency_key IS NOT NULL"
    )
    op.drop_column("orders", "idempotency_key")
    op.create_index(op.f("ix_orders_brand_id_created_at_id"), "orders", ["brand_id", "created_at", "id"])
    op.create_index(op.f("ix_orders_created_at_id"), "orders", ["created_at", "id"])
    op.create_index(op.f("ix_orders_retry_of"), "orders", ["retry_of"])
    op.create_foreign_key(op.f("fk_orders_retry_of_orders"), "orders", "orders", ["retry_of"], ["id"])
    op.create_foreign_key(op.f("fk_orders_brand_id_brands"), "orders", "brands", ["brand_id"], ["id"])


def _assets() -> None:
    add_optional("assets", *(sa.Column(n, sa.Uuid()) for n in ("brand_id", "order_id", "item_id")))
    add("assets", "listed", sa.Boolean(), fill="EXISTS (SELECT 1 FROM videos v WHERE v.film_asset_id = assets.id)")
    add("assets", "title", sa.String(), fill="coalesce((SELECT v.theme FROM videos v WHERE v.id = assets.subject), '')")
    add_optional("assets", sa.Column("ratio", sa.String()), sa.Column("width", sa.Integer()))
    add_optional("assets", sa.Column("height", sa.Integer()), sa.Column("slide_index", sa.Integer()))
    add_optional("assets", sa.Column("public_id", sa.String()))
    add("assets", "tags", sa.ARRAY(sa.Text()), fill="'{}'")
    add_optional("assets", sa.Column("text", JSON), sa.Column("expires_at", TIME), sa.Column("expired_at", TIME))
    op.execute(
        f"UPDATE assets SET brand_id = {DEFAULT_BRAND}, ratio = (SELECT v.aspect_ratio FROM videos v"
        " WHERE v.id = assets.subject), order_id = (SELECT j.order_id FROM job_queue j WHERE j.subject = assets.subject"
        " AND j.created_at <= assets.created_at ORDER BY j.created_at DESC LIMIT 1)"
    )
    # The film that an item delivered: one an item, the newest of them.
    op.execute(
        "UPDATE assets a SET item_id = i.id FROM (SELECT DISTINCT ON (f.order_id) f.id AS film, f.order_id"
        " FROM assets f WHERE f.kind = 'film' AND f.order_id IS NOT NULL ORDER BY f.order_id, f.created_at DESC) newest"
        " JOIN order_items i ON i.order_id = newest.order_id AND i.status = 'completed' WHERE a.id = newest.film"
    )
    op.create_index(
        "ix_assets_expires_at", "assets", ["expires_at"], postgresql_where=sa.text("expires_at IS NOT NULL")
    )
    op.create_index("ix_assets_listed", "assets", ["created_at", "id"], postgresql_where=sa.text("listed"))
    op.create_index(
        "ix_assets_listed_brand", "assets", ["brand_id", "created_at", "id"], postgresql_where=sa.text("listed")
    )
    op.create_index(op.f("ix_assets_order_id"), "assets", ["order_id"])
    op.create_index(
        "ix_assets_search",
        "assets",
        [sa.literal_column("to_tsvector('simple', title)")],
        postgresql_using="gin",
        postgresql_where=sa.text("listed"),
    )
    # The planner takes no statistics from a partial index; without them it reads the whole library for a rare word.
    op.execute("CREATE STATISTICS st_assets_title_words ON (to_tsvector('simple', title)) FROM assets")
    op.execute("ALTER STATISTICS st_assets_title_words SET STATISTICS 1000")
    op.create_index(
        "uq_assets_item", "assets", ["item_id"], unique=True, postgresql_where=sa.text("item_id IS NOT NULL")
    )
    op.create_foreign_key(op.f("fk_assets_brand_id_brands"), "assets", "brands", ["brand_id"], ["id"])
    op.create_foreign_key(op.f("fk_assets_item_id_order_items"), "assets", "order_items", ["item_id"], ["id"])
    op.create_foreign_key(op.f("fk_assets_order_id_orders"), "assets", "orders", ["order_id"], ["id"])


def _calls() -> None:
    add_optional("provider_calls", sa.Column("brand_id", sa.Uuid()), sa.Column("order_id", sa.Uuid()))
    add("provider_calls", "saved_micros", sa.BigInteger(), fill="0")
    add_optional("provider_calls", sa.Column("cached_from", sa.Uuid()))
    op.execute(
        f"UPDATE provider_calls SET brand_id = {DEFAULT_BRAND}, order_id = (SELECT j.order_id FROM job_queue j"
        " WHERE j.subject = provider_calls.account AND j.created_at <= provider_calls.created_at"
        " ORDER BY j.created_at DESC LIMIT 1)"
    )
    op.create_index(op.f("ix_provider_calls_brand_id_created_at"), "provider_calls", ["brand_id", "created_at"])
    op.create_index(
        "ix_provider_calls_cache", "provider_calls", ["input_hash"], postgresql_where=sa.text("state = 'succeeded'")
    )
    op.create_index(op.f("ix_provider_calls_order_id"), "provider_calls", ["order_id"])


def _budgets() -> None:
    units = ("images", "reels", "woofs")
    counters = [f"{unit}_{what}" for what in ("used", "reserved") for unit in units]
    op.create_table(
        "counters_monthly",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("period_yyyymm", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in counters),
        *(sa.CheckConstraint(f"{name} >= 0", name=op.f(f"ck_counters_monthly_{name}")) for name in counters),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_counters_monthly_brand_id_brands")),
        sa.PrimaryKeyConstraint("brand_id", "period_yyyymm", name=op.f("pk_counters_monthly")),
    )
    op.create_table(
        "reservations",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("period_yyyymm", sa.Integer(), nullable=False),
        *(sa.Column(unit, sa.Integer(), nullable=False) for unit in units),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        stamp("created_at"),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_reservations_brand_id_brands")),
        sa.ForeignKeyConstraint(["item_id"], ["order_items.id"], name=op.f("fk_reservations_item_id_order_items")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_reservations")),
    )
    op.create_index(op.f("ix_reservations_brand_id_period_yyyymm"), "reservations", ["brand_id", "period_yyyymm"])
    op.create_index("ix_reservations_open", "reservations", ["item_id"], postgresql_where=sa.text("state = 'reserved'"))
    op.create_table(
        "quota_ledger",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("period_yyyymm", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("unit", "account")),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        stamp("created_at"),
        sa.ForeignKeyConstraint(
            ["item_id"], ["reservations.item_id"], name=op.f("fk_quota_ledger_item_id_reservations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quota_ledger")),
        sa.UniqueConstraint(
            "item_id", "unit", "account", "reason", name=op.f("uq_quota_ledger_item_id_unit_account_reason")
        ),
    )
    op.create_index(op.f("ix_quota_ledger_brand_id_period_yyyymm"), "quota_ledger", ["brand_id", "period_yyyymm"])
    # Books are added to, never changed: not by a defect of ours, nor by hand.
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN RAISE EXCEPTION 'the ledger % is append-only', TG_TABLE_NAME; END $$"
    )
    op.execute(
        "CREATE TRIGGER quota_ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON quota_ledger"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Back to one item a job. Orders with several items a job cannot be told in the old tables: they must be gone."""
    several = "SELECT count(*) FROM (SELECT 1 FROM order_items GROUP BY job_id HAVING count(*) > 1) found"
    if op.get_bind().scalar(sa.text(several)):
        raise RuntimeError("orders with several items a job cannot be kept by revision 0001: restore a backup instead")
    op.drop_table("quota_ledger")
    op.execute("DROP FUNCTION refuse_change()")
    op.drop_table("reservations")
    op.drop_table("counters_monthly")
    op.drop_column("videos", "brand_id")
    for name in ("ix_provider_calls_brand_id_created_at", "ix_provider_calls_cache", "ix_provider_calls_order_id"):
        op.drop_index(name, table_name="provider_calls")
    for column in ("brand_id", "order_id", "saved_micros", "cached_from"):
        op.drop_column("provider_calls", column)
    op.execute("DROP STATISTICS st_assets_title_words")
    for name in ("ix_assets_expires_at", "ix_assets_listed", "ix_assets_listed_brand", "ix_assets_order_id",
                 "ix_assets_search", "uq_assets_item"):  # fmt: skip
        op.drop_index(name, table_name="assets")
    for column in ("brand_id", "order_id", "item_id", "listed", "title", "ratio", "width", "height", "slide_index",
                   "public_id", "tags", "text", "expires_at", "expired_at"):  # fmt: skip
        op.drop_column("assets", column)
    add_optional("orders", sa.Column("idempotency_key", sa.String()))
    op.execute(
        "UPDATE orders o SET idempotency_key = k.key FROM idempotency_keys k"
        " WHERE k.response ->> 'order_id' = o.id::text"
    )
    op.create_unique_constraint(op.f("uq_orders_idempotency_key"), "orders", ["idempotency_key"])
    op.drop_index("ix_orders_created_at_id", table_name="orders")
    for column in ("brand_id", "campaign_name", "retry_of"):
        op.drop_column("orders", column)
    _jobs_back()
    op.drop_table("carousels")
    op.drop_table("provider_breakers")
    op.drop_table("idempotency_keys")
    op.drop_table("brands")


def _jobs_back() -> None:
    def of_job(column: str) -> str:
        return f"(SELECT j.{column} FROM job_queue j WHERE j.id = order_items.job_id)"

    add("job_queue", "item_id", sa.Uuid(), fill="(SELECT i.id FROM order_items i WHERE i.job_id = job_queue.id)")
    op.create_unique_constraint(op.f("uq_job_queue_item_id"), "job_queue", ["item_id"])
    add("order_items", "subject", sa.String(), fill=of_job("subject"))
    add("order_items", "fence", sa.BigInteger(), fill=of_job("fence"))
    add_optional("order_items", sa.Column("lease_holder", sa.String()))
    add_optional("order_items", *(sa.Column(n, TIME) for n in ("lease_expires_at", "deadline_at")))
    add_optional("order_items", sa.Column("flow_run_id", sa.Uuid()))
    add_optional("order_items", *(sa.Column(n, TIME) for n in ("started_at", "claimed_at")))
    op.execute(
        "UPDATE order_items i SET (lease_holder, lease_expires_at, deadline_at, flow_run_id, started_at, claimed_at) ="
        " (SELECT j.lease_holder, j.lease_expires_at, j.deadline_at,"
        " CASE WHEN j.status <> 'sent' THEN j.flow_run_id END, j.started_at, j.claimed_at"
        " FROM job_queue j WHERE j.id = i.job_id)"
    )
    for name in ("ix_job_queue_brand_sent", "ix_job_queue_finished", "ix_job_queue_open_lease", "ix_job_queue_order_id",
                 "ix_job_queue_subject", "uq_job_queue_open_subject"):  # fmt: skip
        op.drop_index(name, table_name="job_queue")
    op.drop_constraint(op.f("fk_order_items_job_id_job_queue"), "order_items", type_="foreignkey")
    op.drop_index("ix_order_items_job_id", table_name="order_items")
    for column in ("job_id", "text", "tries", "reworded", "error_values"):
        op.drop_column("order_items", column)
    for column in ("order_id", "brand_id", "subject", "premium", "sent_premium", "dispatches", "fence", "lease_holder",
                   "lease_expires_at", "deadline_at", "started_at", "claimed_at", "finished_at",
                   "error_code"):  # fmt: skip
        op.drop_column("job_queue", column)
    op.create_foreign_key(op.f("fk_job_queue_item_id_order_items"), "job_queue", "order_items", ["item_id"], ["id"])
    op.create_index(
        "ix_order_items_open_lease", "order_items", ["lease_expires_at"], postgresql_where=sa.text(OPEN_ITEMS)
    )
    op.create_index(
        "uq_order_items_open_subject", "order_items", ["subject"], unique=True, postgresql_where=sa.text(OPEN_ITEMS)
    )
