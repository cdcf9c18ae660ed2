"""Proposals of brand guidelines"""

import sqlalchemy as sa
from alembic import op

revision = "93ce5b0f18a7"
down_revision = "d2f81c6e4b07"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "brand_guidelines",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("workspace_id", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=32), nullable=False),
        sa.Column("filename", sa.String(length=120), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_brand_guidelines_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_brand_guidelines_project_id_projects"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_brand_guidelines_created_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brand_guidelines")),
        sa.UniqueConstraint("project_id", name=op.f("uq_brand_guidelines_project_id")),
    )
    op.create_table(
        "guideline_logos",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("workspace_id", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=32), nullable=False),
        sa.Column("guideline_id", sa.String(length=32), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("byte_count", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("preview_key", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_guideline_logos_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_guideline_logos_project_id_projects"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["guideline_id"],
            ["brand_guidelines.id"],
            name=op.f("fk_guideline_logos_guideline_id_brand_guidelines"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guideline_logos")),
    )
    op.create_index(op.f("ix_guideline_logos_guideline_id"), "guideline_logos", ["guideline_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_guideline_logos_guideline_id"), table_name="guideline_logos")
    op.drop_table("guideline_logos")
    op.drop_table("brand_guidelines")
