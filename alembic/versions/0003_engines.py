"""what several engines need: readings to compare and to reuse, escalation, who serves which queue"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ESCALATIONS = "escalation IN ('WAITING', 'BETTER', 'WORSE', 'FAILED')"


def upgrade() -> None:
    op.add_column("pages", sa.Column("result_key", sa.Text(), nullable=True))
    op.add_column("pages", sa.Column("orientation", sa.Integer(), nullable=True))
    op.add_column("pages", sa.Column("quality", sa.Double(), nullable=True))
    op.add_column("pages", sa.Column("timings", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("pages", sa.Column("reused", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("pages", sa.Column("escalation", sa.Text(), nullable=True))
    op.add_column("pages", sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint("escalation", "pages", ESCALATIONS)
    op.create_index("ix_pages_result_key", "pages", ["result_key"], postgresql_where=sa.text("result_key IS NOT NULL"))
    op.create_index(
        "ix_pages_escalated_at", "pages", ["escalated_at"], postgresql_where=sa.text("escalated_at IS NOT NULL")
    )
    op.create_table(
        "other_readings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("width", sa.Double(), nullable=True),
        sa.Column("height", sa.Double(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("words", postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.Column("engine", sa.Text(), nullable=True),
        sa.Column("engine_version", sa.Text(), nullable=True),
        sa.Column("engine_options", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("languages", sa.Text(), nullable=True),
        sa.Column("result_key", sa.Text(), nullable=True),
        sa.Column("dpi", sa.Double(), nullable=True),
        sa.Column("orientation", sa.Integer(), nullable=True),
        sa.Column("notes", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("quality", sa.Double(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("timings", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_other_readings_document_id_documents"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_other_readings")),
        sa.UniqueConstraint(
            "document_id", "number", "result_key", name=op.f("uq_other_readings_document_id_number_result_key")
        ),
    )
    op.create_index("ix_other_readings_result_key", "other_readings", ["result_key"])
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("queues", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    _allow_stages("ingest", "ocr", "escalate", "index")


def downgrade() -> None:
    op.execute("DELETE FROM jobs WHERE stage = 'escalate'")
    _allow_stages("ingest", "ocr", "index")
    op.drop_table("workers")
    op.drop_table("other_readings")
    op.drop_index("ix_pages_escalated_at", table_name="pages")
    op.drop_index("ix_pages_result_key", table_name="pages")
    op.drop_constraint("escalation", "pages", type_="check")
    for column in ("escalated_at", "escalation", "reused", "timings", "quality", "orientation", "result_key"):
        op.drop_column("pages", column)


def _allow_stages(*stages: str) -> None:
    names = ", ".join(f"'{stage}'" for stage in stages)
    op.drop_constraint("stage", "jobs", type_="check")
    op.create_check_constraint("stage", "jobs", f"stage IN ({names})")
