"""Pictures that judge trainings and are never learned"""

import sqlalchemy as sa
from alembic import op

revision = "c4e81f60a2d7"
down_revision = "b7d40c1e95f2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.add_column(sa.Column("only_judging", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("trainings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("held_out", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    with op.batch_alter_table("trainings", schema=None) as batch_op:
        batch_op.drop_column("held_out")
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.drop_column("only_judging")
