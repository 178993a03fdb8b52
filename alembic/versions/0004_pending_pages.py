"""the pages that nobody has read, found among millions that are done"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pending = sa.text("status = 'PENDING'")
    op.create_index("ix_pages_pending", "pages", ["document_id", "number"], postgresql_where=pending)


def downgrade() -> None:
    op.drop_index("ix_pages_pending", table_name="pages")
