"""Requests made to AWS for more of a quota."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of increase requests."""
    op.create_table(
        "increase_requests",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("run", sa.String(40), nullable=False),
        sa.Column("quota", sa.String(100), nullable=False),
        sa.Column("display_name", sa.String(300), nullable=False),
        sa.Column("region", sa.String(40), nullable=False),
        sa.Column("account_last4", sa.String(4), nullable=False),
        sa.Column("current_value", sa.Float, nullable=False),
        sa.Column("desired_value", sa.Float, nullable=False),
        sa.Column("derivation", sa.Text, nullable=False),
        sa.Column("justification", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("aws_request_id", sa.String(100), nullable=False),
        sa.Column("case_id", sa.String(100), nullable=False),
        sa.Column("explanation", sa.Text, nullable=False),
        sa.Column("create_nanos", sa.BigInteger, nullable=False),
        sa.Column("update_nanos", sa.BigInteger, nullable=False),
        sa.Column("value_after", sa.Float, nullable=True),
    )
    op.create_index("increase_requests_create_nanos", "increase_requests", ["create_nanos", "id"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("increase_requests")
