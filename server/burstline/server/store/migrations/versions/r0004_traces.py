"""The trace that a run belongs to, so that whoever goes on with it goes on with its trace."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; runs that are there belong to none."""
    op.add_column("runs", sa.Column("trace_parent", sa.String(60), nullable=False, server_default=""))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("runs", "trace_parent")
