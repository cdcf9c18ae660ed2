"""Channels of a workspace's own"""

import sqlalchemy as sa
from alembic import op

revision = "41d7be92c05f"
down_revision = "6f0c2d93ab58"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "own_channels",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("workspace_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("safe_top", sa.Integer(), nullable=False),
        sa.Column("safe_right", sa.Integer(), nullable=False),
        sa.Column("safe_bottom", sa.Integer(), nullable=False),
        sa.Column("safe_left", sa.Integer(), nullable=False),
        sa.Column("file_type", sa.String(length=10), nullable=False),
        sa.Column("max_bytes", sa.Integer(), nullable=True),
        sa.Column("width_mm", sa.Double(), nullable=True),
        sa.Column("height_mm", sa.Double(), nullable=True),
        sa.Column("bleed_mm", sa.Double(), nullable=True),
        sa.Column("dpi", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_own_channels_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_own_channels_created_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_own_channels")),
    )


def downgrade() -> None:
    op.drop_table("own_channels")
