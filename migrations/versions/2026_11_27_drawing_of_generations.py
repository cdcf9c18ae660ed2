"""Drawing of generations"""

import sqlalchemy as sa
from alembic import op

revision = "e2a95c31f7b4"
down_revision = "c7a41e90d2f5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("generations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("drawing", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("generations", schema=None) as batch_op:
        batch_op.drop_column("drawing")
