"""devices of workers"""

import sqlalchemy as sa
from alembic import op

revision = "ecd97c9b486f"
down_revision = "fb6bd0ae37f6"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("device_kind", sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column("device_memory_bytes", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("device_tera_operations", sa.Float(), nullable=True))
    op.execute("UPDATE workers SET device_kind = 'cpu'")  # until they report again, within seconds
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.alter_column("device_kind", existing_type=sa.String(length=8), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.drop_column("device_tera_operations")
        batch_op.drop_column("device_memory_bytes")
        batch_op.drop_column("device_kind")
