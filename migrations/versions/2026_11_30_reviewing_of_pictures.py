"""Reviewing of pictures: when, what can be taken back, and what of comparisons is in the gallery"""

import sqlalchemy as sa
from alembic import op

revision = "3d9b6f20c8a1"
down_revision = "e4b95d0c8f17"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("outputs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("in_gallery", sa.Boolean(), server_default=sa.true(), nullable=False))
    # Pictures of comparisons stay with their order, except those that somebody made something of. A campaign that is
    # the order's own came by itself.
    op.execute(
        """
        UPDATE outputs SET in_gallery = false
        WHERE review = 'open' AND NOT favourite
          AND NOT EXISTS (SELECT 1 FROM output_tags WHERE output_tags.output_id = outputs.id)
          AND EXISTS (
            SELECT 1 FROM generations
            WHERE generations.id = outputs.generation_id AND generations.kind = 'strip'
              AND (outputs.campaign_id IS NULL OR outputs.campaign_id = generations.campaign_id)
          )
        """
    )
    op.create_index(
        "ix_outputs_counts",
        "outputs",
        ["workspace_id", "favourite", "review", "project_id"],
        sqlite_where=sa.text("deleted_at IS NULL AND in_gallery IS 1"),
        postgresql_where=sa.text("deleted_at IS NULL AND in_gallery IS true"),
    )
    op.create_table(
        "output_changes",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("output_id", sa.String(length=32), nullable=False),
        sa.Column("workspace_id", sa.String(length=32), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["output_id"], ["outputs.id"], name=op.f("fk_output_changes_output_id_outputs"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_output_changes_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", "output_id", name=op.f("pk_output_changes")),
    )
    op.create_index(op.f("ix_output_changes_output_id"), "output_changes", ["output_id"])
    op.create_index(op.f("ix_output_changes_created_at"), "output_changes", ["created_at"])


def downgrade() -> None:
    op.drop_table("output_changes")
    op.drop_index("ix_outputs_counts", table_name="outputs")
    with op.batch_alter_table("outputs", schema=None) as batch_op:
        batch_op.drop_column("in_gallery")
        batch_op.drop_column("reviewed_at")
