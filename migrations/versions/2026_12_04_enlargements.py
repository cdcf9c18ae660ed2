"""Enlargements of pictures"""

import sqlalchemy as sa
from alembic import op

revision = "a7d3e51c90f6"
down_revision = "93ce5b0f18a7"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("generations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("enlargements", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("generations", schema=None) as batch_op:
        batch_op.drop_column("enlargements")
