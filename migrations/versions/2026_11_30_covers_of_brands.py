"""Covers of brands"""

import sqlalchemy as sa
from alembic import op

revision = "c1d7a40e6b92"
down_revision = "5c2e90b7d1a4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cover_id", sa.String(length=32), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.drop_column("cover_id")
