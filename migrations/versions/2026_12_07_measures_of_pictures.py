"""Measures of pictures, for the diagnosis of a set"""

import sqlalchemy as sa
from alembic import op

revision = "c4e8a2f1760b"
down_revision = "c3f81a6d2e47"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.add_column(sa.Column("measures", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.drop_column("measures")
