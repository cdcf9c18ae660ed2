"""Passages of texts"""

import sqlalchemy as sa
from alembic import op

revision = "b3f09c57e1d8"
down_revision = "5d0be6a7c214"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("text_samples", schema=None) as batch_op:
        batch_op.add_column(sa.Column("passage", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("text_samples", schema=None) as batch_op:
        batch_op.drop_column("passage")
