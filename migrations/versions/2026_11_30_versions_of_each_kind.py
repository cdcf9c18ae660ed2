"""Versions of each kind of adapter"""

from alembic import op

revision = "e4b95d0c8f17"
down_revision = "c1d7a40e6b92"
branch_labels = None
depends_on = None

NAME = "uq_adapters_project_version"


def upgrade() -> None:
    with op.batch_alter_table("adapters", schema=None) as batch_op:
        batch_op.drop_constraint(NAME, type_="unique")
        batch_op.create_unique_constraint(NAME, ["project_id", "modality", "version"])


def downgrade() -> None:
    with op.batch_alter_table("adapters", schema=None) as batch_op:
        batch_op.drop_constraint(NAME, type_="unique")
        batch_op.create_unique_constraint(NAME, ["project_id", "version"])
