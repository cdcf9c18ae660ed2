"""Trainings that are paused, that keep their steps, and that go on from another's"""

import sqlalchemy as sa
from alembic import op

revision = "c3f81a6d2e47"
down_revision = "c4e81f60a2d7"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("pause_requested", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("jobs", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("paused_seconds", sa.Float(), server_default="0", nullable=False))
    op.add_column("trainings", sa.Column("kept_steps", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("trainings", sa.Column("continues", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("trainings", "continues")
    op.drop_column("trainings", "kept_steps")
    op.drop_column("jobs", "paused_seconds")
    op.drop_column("jobs", "paused_at")
    op.drop_column("jobs", "pause_requested")
