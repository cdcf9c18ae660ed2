"""How the first ads of a copied campaign differ from what its brief says"""

import sqlalchemy as sa
from alembic import op

revision = "5e1b8c40d7a3"
down_revision = "c3f81a6d2e47"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("campaign_briefs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("beginnings", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("campaign_briefs", schema=None) as batch_op:
        batch_op.drop_column("beginnings")
