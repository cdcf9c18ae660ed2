"""Pictures that judge trainings and are never learned, and what a jury reads at each step"""

import sqlalchemy as sa
from alembic import op

revision = "c4e81f60a2d7"
down_revision = "c41f7a9d20e6"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.add_column(sa.Column("only_judging", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("trainings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("held_out", sa.JSON(), nullable=False, server_default="[]"))
    op.create_table(
        "jury_readings",
        sa.Column("training_id", sa.String(length=32), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("reading", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["training_id"],
            ["trainings.id"],
            name=op.f("fk_jury_readings_training_id_trainings"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("training_id", "step", name=op.f("pk_jury_readings")),
    )


def downgrade() -> None:
    op.drop_table("jury_readings")
    with op.batch_alter_table("trainings", schema=None) as batch_op:
        batch_op.drop_column("held_out")
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.drop_column("only_judging")
