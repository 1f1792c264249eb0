"""Drafts with their assets, versions, songs and approvals, and the publications of universes.

Only tables are added. On the way back open orders of drafts are cancelled, for older versions cannot make them; what
they held of a budget is freed by the reconciler.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON = postgresql.JSONB(none_as_null=True)
TIME = sa.DateTime(timezone=True)


def stamp(name: str) -> "sa.Column[Any]":
    return sa.Column(name, TIME, server_default=sa.text("now()"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "publications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("universe", JSON, nullable=False),
        sa.Column("replaced", JSON, nullable=False),
        sa.Column("univers_id", sa.BigInteger(), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        stamp("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publications")),
    )
    op.create_index(op.f("ix_publications_slug"), "publications", ["slug"])
    op.create_index(op.f("ix_publications_subject_created_at"), "publications", ["subject", "created_at"])
    op.create_table(
        "drafts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("brand_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("theme", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("background_color", sa.String(), nullable=True),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("titles", JSON, nullable=False),
        sa.Column("default_image_prompt", sa.String(), nullable=True),
        sa.Column("default_video_prompt", sa.String(), nullable=True),
        sa.Column("objects_prompt", sa.String(), nullable=True),
        sa.Column("music_prompt", sa.String(), nullable=True),
        sa.Column("words", JSON, nullable=True),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("asks", sa.Integer(), nullable=False),
        sa.Column("require_approval", sa.Boolean(), nullable=False),
        sa.Column("approved_hash", sa.String(), nullable=True),
        sa.Column("approved_at", TIME, nullable=True),
        sa.Column("waiting_run_id", sa.Uuid(), nullable=True),
        sa.Column("waiting_since", TIME, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("written_version", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("source_hash", sa.String(), nullable=True),
        sa.Column("extra", JSON, nullable=False),
        sa.Column("published_hash", sa.String(), nullable=True),
        sa.Column("published_at", TIME, nullable=True),
        sa.Column("univers_id", sa.BigInteger(), nullable=True),
        stamp("created_at"),
        stamp("updated_at"),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_drafts_brand_id_brands")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drafts")),
        sa.UniqueConstraint("folder", name=op.f("uq_drafts_folder")),
        sa.UniqueConstraint("source", name=op.f("uq_drafts_source")),
    )
    op.create_index(op.f("ix_drafts_brand_id"), "drafts", ["brand_id"])
    op.create_index(op.f("ix_drafts_slug"), "drafts", ["slug"])
    op.create_index(op.f("ix_drafts_updated_at"), "drafts", ["updated_at"])
    op.create_table(
        "draft_approvals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("draft_id", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        stamp("created_at"),
        sa.ForeignKeyConstraint(
            ["draft_id"], ["drafts.id"], name=op.f("fk_draft_approvals_draft_id_drafts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft_approvals")),
    )
    op.create_index(op.f("ix_draft_approvals_draft_id"), "draft_approvals", ["draft_id"])
    op.create_table(
        "draft_assets",
        sa.Column("draft_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("titles", JSON, nullable=False),
        sa.Column("image_prompt", sa.String(), nullable=True),
        sa.Column("video_prompt", sa.String(), nullable=True),
        sa.Column("image_file", sa.String(), nullable=True),
        sa.Column("video_file", sa.String(), nullable=True),
        sa.Column("image_id", sa.Uuid(), nullable=True),
        sa.Column("video_id", sa.Uuid(), nullable=True),
        sa.Column("mp4_id", sa.Uuid(), nullable=True),
        sa.Column("thumbnail_id", sa.Uuid(), nullable=True),
        sa.Column("takes", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("generation_count", sa.Integer(), nullable=False),
        sa.Column("generated_at", TIME, nullable=True),
        sa.Column("extra", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["draft_id"], ["drafts.id"], name=op.f("fk_draft_assets_draft_id_drafts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("draft_id", "number", name=op.f("pk_draft_assets")),
    )
    op.create_table(
        "draft_songs",
        sa.Column("draft_id", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("lyrics", sa.String(), nullable=False),
        sa.Column("audio_file", sa.String(), nullable=True),
        sa.Column("audio_id", sa.Uuid(), nullable=True),
        sa.Column("takes", sa.Integer(), nullable=False),
        sa.Column("generated_at", TIME, nullable=True),
        sa.Column("extra", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["draft_id"], ["drafts.id"], name=op.f("fk_draft_songs_draft_id_drafts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("draft_id", "language", name=op.f("pk_draft_songs")),
    )
    op.create_table(
        "draft_asset_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("draft_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("asset", JSON, nullable=False),
        stamp("created_at"),
        sa.ForeignKeyConstraint(
            ["draft_id", "number"],
            ["draft_assets.draft_id", "draft_assets.number"],
            name=op.f("fk_draft_asset_versions_draft_id_number_draft_assets"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft_asset_versions")),
        sa.UniqueConstraint(
            "draft_id", "number", "version", name=op.f("uq_draft_asset_versions_draft_id_number_version")
        ),
    )


def downgrade() -> None:
    of_drafts = "(SELECT id FROM orders WHERE kind = 'draft')"
    op.execute(
        "UPDATE order_items SET status = 'cancelled', finished_at = now()"
        f" WHERE status IN ('pending', 'processing') AND order_id IN {of_drafts}"
    )
    op.execute(
        "UPDATE job_queue SET status = 'cancelled', finished_at = now(), fence = fence + 1"
        f" WHERE status IN ('queued', 'sent', 'running') AND order_id IN {of_drafts}"
    )
    op.execute(
        "UPDATE orders SET status = 'cancelled', finished_at = now()"
        " WHERE status IN ('pending', 'processing') AND kind = 'draft'"
    )
    op.drop_table("draft_asset_versions")
    op.drop_table("draft_songs")
    op.drop_table("draft_assets")
    op.drop_index(op.f("ix_draft_approvals_draft_id"), table_name="draft_approvals")
    op.drop_table("draft_approvals")
    op.drop_index(op.f("ix_drafts_updated_at"), table_name="drafts")
    op.drop_index(op.f("ix_drafts_slug"), table_name="drafts")
    op.drop_index(op.f("ix_drafts_brand_id"), table_name="drafts")
    op.drop_table("drafts")
    op.drop_index(op.f("ix_publications_subject_created_at"), table_name="publications")
    op.drop_index(op.f("ix_publications_slug"), table_name="publications")
    op.drop_table("publications")
