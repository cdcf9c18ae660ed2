"""Words of generations"""

import sqlalchemy as sa
from alembic import op

revision = "5c2e90b7d1a4"
down_revision = "8f3c61a5d0e9"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("generations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("words", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("generations", schema=None) as batch_op:
        batch_op.drop_column("words")
