"""Precision of workers"""

import sqlalchemy as sa
from alembic import op

revision = "9d4e17b6a0c3"
down_revision = "e2a95c31f7b4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("device_computes_in", sa.String(length=8), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.drop_column("device_computes_in")
