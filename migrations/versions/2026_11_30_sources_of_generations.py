"""What was made from a picture is found without reading all generations"""

from alembic import op

revision = "b7e40c915d26"
down_revision = "3d9b6f20c8a1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_generations_source", "generations", ["source_output_id"])


def downgrade() -> None:
    op.drop_index("ix_generations_source", table_name="generations")
