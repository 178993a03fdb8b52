"""what recovery needs: deaths, quarantine, the try that a dead letter tells of"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("deaths", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("jobs", sa.Column("death_facts", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("jobs", sa.Column("quarantined", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index("ix_jobs_failed", "jobs", ["id"], unique=False, postgresql_where=sa.text("status = 'FAILED'"))
    op.add_column("dead_letters", sa.Column("job_token", sa.Integer(), nullable=True))
    op.add_column(
        "dead_letters",
        sa.Column(
            "facts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.create_unique_constraint("uq_dead_letters_job_id_job_token", "dead_letters", ["job_id", "job_token"])
    op.drop_index("ix_dead_letters_job_id", table_name="dead_letters")
    op.create_index("ix_dead_letters_document_id", "dead_letters", ["document_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_dead_letters_document_id", table_name="dead_letters")
    op.create_index("ix_dead_letters_job_id", "dead_letters", ["job_id"], unique=False)
    op.drop_constraint("uq_dead_letters_job_id_job_token", "dead_letters", type_="unique")
    op.drop_column("dead_letters", "facts")
    op.drop_column("dead_letters", "job_token")
    op.drop_index("ix_jobs_failed", table_name="jobs", postgresql_where=sa.text("status = 'FAILED'"))
    op.drop_column("jobs", "quarantined")
    op.drop_column("jobs", "death_facts")
    op.drop_column("jobs", "deaths")
