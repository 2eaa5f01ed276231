"""Runs, epochs, windows, reports and files."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    _runs()
    _epochs()
    op.create_table(
        "windows",
        sa.Column("run", sa.String(40), primary_key=True),
        sa.Column("segment", sa.Integer, primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "reports",
        sa.Column("run", sa.String(40), primary_key=True),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "files",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("create_nanos", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "file_pieces",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("request_id", sa.String(200), nullable=True),
        sa.Column("server", sa.String(300), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("verdict", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("create_nanos", sa.BigInteger, nullable=False),
        sa.Column("start_nanos", sa.BigInteger, nullable=True),
        sa.Column("end_nanos", sa.BigInteger, nullable=True),
        sa.Column("worker_count", sa.Integer, nullable=False),
        sa.Column("segment_count", sa.Integer, nullable=False),
        sa.Column("stopped_by", sa.String(20), nullable=False),
        sa.Column("abort_rule", sa.Text, nullable=False),
        sa.Column("stop_nanos", sa.BigInteger, nullable=True),
        sa.Column("plan", sa.LargeBinary, nullable=False),
        sa.Column("account", sa.LargeBinary, nullable=True),
        sa.Column("preflight", sa.LargeBinary, nullable=True),
        sa.UniqueConstraint("request_id", name="runs_request_id"),
    )
    op.create_index("runs_create_nanos", "runs", ["create_nanos", "id"])


def _epochs() -> None:
    op.create_table(
        "epochs",
        sa.Column("run", sa.String(40), primary_key=True),
        sa.Column("segment", sa.Integer, primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("worker_id", sa.String(100), nullable=False),
        sa.Column("worker_name", sa.String(120), nullable=False),
        sa.Column("hostname", sa.String(300), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("version", sa.String(60), nullable=False),
        sa.Column("from_position", sa.BigInteger, nullable=False),
        sa.Column("living_until_nanos", sa.BigInteger, nullable=True),
        sa.Column("end_reason", sa.String(20), nullable=False),
        sa.Column("window_count", sa.BigInteger, nullable=True),
    )


def downgrade() -> None:
    """Take the tables away."""
    for table in ("file_pieces", "files", "reports", "windows", "epochs", "runs"):
        op.drop_table(table)
