"""device hours: begin empty, so that for a day all workspaces count as having had less time than they had"""

import sqlalchemy as sa
from alembic import op

revision = "10033a500a19"
down_revision = "a88fe80b43ce"
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "device_hours",
        sa.Column("workspace_id", sa.String(length=32), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_device_hours_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "hour", name=op.f("pk_device_hours")),
    )
    op.drop_index("ix_jobs_used", table_name="jobs")


def downgrade() -> None:
    op.create_index("ix_jobs_used", "jobs", ["started_at", "workspace_id", "device_seconds"])
    op.drop_table("device_hours")
