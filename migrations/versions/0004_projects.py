"""Projects: the script of each, its versions, and the sections that they are made of. Only tables are added."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

JSON = postgresql.JSONB(none_as_null=True)
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "project_scripts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sections", JSON, nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_scripts")),
        sa.UniqueConstraint("project_id", "user_id", name=op.f("uq_project_scripts_project_id_user_id")),
    )
    op.create_index(op.f("ix_project_scripts_updated_at_id"), "project_scripts", ["updated_at", "id"])
    op.create_table(
        "project_script_versions",
        sa.Column("script_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("sections", JSON, nullable=False),
        sa.Column("changed", JSON, nullable=False),
        sa.Column("restored_from", sa.Integer(), nullable=True),
        sa.Column("saved_by", sa.Uuid(), nullable=False),
        sa.Column("saved_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["script_id"],
            ["project_scripts.id"],
            name=op.f("fk_project_script_versions_script_id_project_scripts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("script_id", "version", name=op.f("pk_project_script_versions")),
    )
    op.create_table(
        "project_sections",
        sa.Column("script_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["script_id"],
            ["project_scripts.id"],
            name=op.f("fk_project_sections_script_id_project_scripts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("script_id", "sha256", name=op.f("pk_project_sections")),
    )
    # To compress them took half of the server's time of a save. What is kept for good is bounded by the versions kept.
    op.execute("ALTER TABLE project_sections ALTER COLUMN content SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.drop_table("project_sections")
    op.drop_table("project_script_versions")
    op.drop_index(op.f("ix_project_scripts_updated_at_id"), table_name="project_scripts")
    op.drop_table("project_scripts")
