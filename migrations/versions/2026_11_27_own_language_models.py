"""Own language models"""

import sqlalchemy as sa
from alembic import op

revision = "c7a41e90d2f5"
down_revision = "7c41f0b9d2e6"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("base_models", schema=None) as batch_op:
        batch_op.add_column(sa.Column("languages", sa.String(length=250), server_default="", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("base_models", schema=None) as batch_op:
        batch_op.drop_column("languages")
