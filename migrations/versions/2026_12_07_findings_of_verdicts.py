"""What a verdict was given in spite of; and kits whose first family was used without a role name it"""

import sqlalchemy as sa
from alembic import op

revision = "c41f7a9d20e6"
down_revision = "b7d40c1e95f2"
branch_labels = None
depends_on = None

KITS = sa.table("brand_kits", sa.column("id", sa.String), sa.column("snapshot", sa.JSON))


def upgrade() -> None:
    with op.batch_alter_table("verdicts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("despite_findings", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))
    connection = op.get_bind()
    for row in connection.execute(sa.select(KITS.c.id, KITS.c.snapshot)).fetchall():
        fonts, roles = row.snapshot.get("fonts"), row.snapshot.get("font_roles") or {}
        if fonts and not any(roles.values()):
            first = {"headline": fonts[0]["family"], "body": fonts[0]["family"]}
            changed = {**row.snapshot, "font_roles": first}
            connection.execute(KITS.update().where(KITS.c.id == row.id).values(snapshot=changed))


def downgrade() -> None:
    with op.batch_alter_table("verdicts", schema=None) as batch_op:
        batch_op.drop_column("despite_findings")
