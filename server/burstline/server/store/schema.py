"""The tables of the store. Migrations make them; a test compares the two."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("request_id", String(200), nullable=True),
    Column("server", String(300), nullable=False),
    Column("name", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("verdict", String(40), nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Column("create_nanos", BigInteger, nullable=False),
    Column("start_nanos", BigInteger, nullable=True),
    Column("end_nanos", BigInteger, nullable=True),
    Column("worker_count", Integer, nullable=False, default=0),
    Column("segment_count", Integer, nullable=False, default=0),
    Column("stopped_by", String(20), nullable=False, default=""),
    Column("abort_rule", Text, nullable=False, default=""),
    Column("stop_nanos", BigInteger, nullable=True),
    Column("plan", LargeBinary, nullable=False),
    Column("account", LargeBinary, nullable=True),
    Column("preflight", LargeBinary, nullable=True),
    Column("trace_parent", String(60), nullable=False, server_default=""),
    UniqueConstraint("request_id", name="runs_request_id"),
    Index("runs_create_nanos", "create_nanos", "id"),
)
"""One row a run. `plan`, `account` and `preflight` are proto bytes; times are nanoseconds of the server's clock.
`trace_parent` is W3C's, of the call that created it; "" while traces are off."""

epochs = Table(
    "epochs",
    metadata,
    Column("run", String(40), primary_key=True),
    Column("segment", Integer, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("worker_id", String(100), nullable=False),
    Column("worker_name", String(120), nullable=False),
    Column("hostname", String(300), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", String(60), nullable=False),
    Column("from_position", BigInteger, nullable=False),
    Column("living_until_nanos", BigInteger, nullable=True),
    Column("end_reason", String(20), nullable=False, default=""),
    Column("window_count", BigInteger, nullable=True),
)
"""One row per assignment of a segment. `living_until_nanos` is set when it was given up; `end_reason` when it ended."""

leases = Table(
    "leases",
    metadata,
    Column("run", String(40), primary_key=True),
    Column("owner", String(40), nullable=False),
    Column("until_nanos", BigInteger, nullable=False),
    Column("lead_nanos", BigInteger, nullable=False),
)
"""One row per unfinished run of a database that several servers share. `owner` is a server process's own random name,
`until_nanos` the database's clock, `lead_nanos` how far the owner's clock is ahead of it."""

windows = Table(
    "windows",
    metadata,
    Column("run", String(40), primary_key=True),
    Column("segment", Integer, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""Windows as proto bytes under their key."""

reports = Table(
    "reports",
    metadata,
    Column("run", String(40), primary_key=True),
    Column("document", LargeBinary, nullable=False),
)
"""Reports as UTF-8 JSON."""

files = Table(
    "files",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("create_nanos", BigInteger, nullable=False),
)
"""Uploaded files. A row is written last: it says that all pieces are there."""

file_pieces = Table(
    "file_pieces",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
"""Their content, in pieces of at most 512 KiB counted from 0. Kept in the database so that there is one thing to back
up, and several servers on one PostgreSQL see the same files."""

increase_requests = Table(
    "increase_requests",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("run", String(40), nullable=False),
    Column("quota", String(100), nullable=False),
    Column("display_name", String(300), nullable=False),
    Column("region", String(40), nullable=False),
    Column("account_last4", String(4), nullable=False, default=""),
    Column("current_value", Float, nullable=False),
    Column("desired_value", Float, nullable=False),
    Column("derivation", Text, nullable=False, default=""),
    Column("justification", Text, nullable=False, default=""),
    Column("state", String(20), nullable=False),
    Column("aws_request_id", String(100), nullable=False, default=""),
    Column("case_id", String(100), nullable=False, default=""),
    Column("explanation", Text, nullable=False, default=""),
    Column("create_nanos", BigInteger, nullable=False),
    Column("update_nanos", BigInteger, nullable=False),
    Column("value_after", Float, nullable=True),
    Index("increase_requests_create_nanos", "create_nanos", "id"),
)
"""Requests made to AWS for more of a quota. A row is there before AWS is asked, so that none is forgotten."""
