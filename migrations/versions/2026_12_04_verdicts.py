"""Verdicts: who said what of pictures and texts, when and why, and two rules of a workspace about it"""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "b7d40c1e95f2"
down_revision = "a7d3e51c90f6"
branch_labels = None
depends_on = None

AT_ONCE = 1000


def upgrade() -> None:
    op.create_table(
        "verdicts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("workspace_id", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=32), nullable=True),
        sa.Column("subject_kind", sa.String(length=10), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("by_user", sa.String(length=32), nullable=True),
        sa.Column("act_id", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_back_by", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_verdicts_workspace_id_workspaces"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_verdicts_project_id_projects"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["by_user"], ["users.id"], name=op.f("fk_verdicts_by_user_users"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["taken_back_by"], ["users.id"], name=op.f("fk_verdicts_taken_back_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
    )
    op.create_index(
        "ix_verdicts_subject", "verdicts", ["workspace_id", "subject_kind", "subject_id", "created_at", "id"]
    )
    op.create_index(op.f("ix_verdicts_project_id"), "verdicts", ["project_id"])
    with op.batch_alter_table("workspaces", schema=None) as batch_op:
        for name in ("forbids_own_approval", "viewers_download_open"):
            batch_op.add_column(sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("writing_variants", schema=None) as batch_op:
        batch_op.add_column(sa.Column("edited_by", sa.String(length=32), nullable=True))
        batch_op.create_foreign_key(
            op.f("fk_writing_variants_edited_by_users"), "users", ["edited_by"], ["id"], ondelete="SET NULL"
        )
    _write_down("outputs", "output", "coalesce(reviewed_at, created_at)")
    _write_down("writing_variants", "variant", "created_at")


def _write_down(table: str, kind: str, moment: str) -> None:
    """What was said before, by nobody knows whom; when, where that is known, else when the thing was made."""
    connection = op.get_bind()
    judged = connection.execute(
        sa.text(f"SELECT id, workspace_id, project_id, review, {moment} FROM {table} WHERE review <> 'open'")  # noqa: S608
    ).fetchall()
    insert = sa.text(
        "INSERT INTO verdicts (id, workspace_id, project_id, subject_kind, subject_id, state, reason, created_at) "
        "VALUES (:id, :workspace_id, :project_id, :kind, :subject_id, :state, '', :at)"
    )
    for start in range(0, len(judged), AT_ONCE):
        connection.execute(
            insert,
            [
                {
                    "id": uuid.uuid4().hex,
                    "workspace_id": workspace_id,
                    "project_id": project_id,
                    "kind": kind,
                    "subject_id": subject_id,
                    "state": state,
                    "at": at,
                }
                for subject_id, workspace_id, project_id, state, at in judged[start : start + AT_ONCE]
            ],
        )


def downgrade() -> None:
    with op.batch_alter_table("writing_variants", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("fk_writing_variants_edited_by_users"), type_="foreignkey")
        batch_op.drop_column("edited_by")
    with op.batch_alter_table("workspaces", schema=None) as batch_op:
        batch_op.drop_column("viewers_download_open")
        batch_op.drop_column("forbids_own_approval")
    op.drop_table("verdicts")
