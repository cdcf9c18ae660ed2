"""secrets of jobs"""

import sqlalchemy as sa
from alembic import op

revision = "5d0be6a7c214"
down_revision = "c1f00e89cc91"
branch_labels = None
depends_on = None

# Orders that are over have no use for theirs.
TO_JOBS = {
    "brought_files": """
        UPDATE jobs SET sealed_secret = (
            SELECT sealed_token FROM brought_files WHERE brought_files.id = jobs.subject_id AND sealed_token <> ''
        ) WHERE kind = 'adapter_import' AND state IN ('queued', 'running')""",
    "publications": """
        UPDATE jobs SET sealed_secret = (
            SELECT sealed_token FROM publications WHERE publications.id = jobs.subject_id AND sealed_token <> ''
        ) WHERE kind = 'adapter_publish' AND state IN ('queued', 'running')""",
}
FROM_JOBS = {
    "brought_files": """
        UPDATE brought_files SET sealed_token = COALESCE(
            (SELECT sealed_secret FROM jobs WHERE jobs.subject_id = brought_files.id), '')""",
    "publications": """
        UPDATE publications SET sealed_token = COALESCE(
            (SELECT sealed_secret FROM jobs WHERE jobs.subject_id = publications.id), '')""",
}


def upgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sealed_secret", sa.Text(), nullable=True))
    for table, statement in TO_JOBS.items():
        op.execute(statement)
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("sealed_token")


def downgrade() -> None:
    for table, statement in FROM_JOBS.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("sealed_token", sa.String(length=700), server_default="", nullable=False))
        op.execute(statement)
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("sealed_secret")
