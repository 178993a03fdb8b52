"""Every move of every document, page and job, written down by triggers: what the tables no longer tell at the end."""

from sqlalchemy import text

from pipeline.database import Database

INSTALL = """
    CREATE SCHEMA chaos;
    CREATE TABLE chaos.moves (
        id bigint GENERATED ALWAYS AS IDENTITY,
        what text, document_id bigint, key bigint, before text, after text,
        at timestamptz DEFAULT clock_timestamp()
    );
    CREATE FUNCTION chaos.note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO chaos.moves (what, document_id, key, before, after) VALUES (
            TG_TABLE_NAME,
            coalesce(to_jsonb(NEW) ->> 'document_id', to_jsonb(NEW) ->> 'id')::bigint,
            coalesce(to_jsonb(NEW) ->> 'number', to_jsonb(NEW) ->> 'id')::bigint,
            OLD.status, NEW.status);
        RETURN NULL;
    END $$;
    CREATE TRIGGER moved AFTER UPDATE ON documents FOR EACH ROW
        WHEN (OLD.status <> NEW.status OR OLD.finished_at IS DISTINCT FROM NEW.finished_at)
        EXECUTE FUNCTION chaos.note();
    CREATE TRIGGER moved AFTER UPDATE ON pages FOR EACH ROW WHEN (OLD.status <> 'PENDING' OR NEW.status <> 'PENDING')
        EXECUTE FUNCTION chaos.note();
    CREATE TRIGGER moved AFTER UPDATE ON jobs FOR EACH ROW
        WHEN (OLD.status <> NEW.status OR OLD.token <> NEW.token) EXECUTE FUNCTION chaos.note();
"""


def install(database: Database) -> None:
    with database.session() as session:
        session.execute(text(INSTALL))


def moves(database: Database) -> list[tuple[str, int, str, str]]:
    """Table, document, and the states before and after, of every kind of move that documents and jobs made."""
    query = """
        SELECT DISTINCT what, document_id, before, after FROM chaos.moves WHERE what <> 'pages' AND before <> after
    """
    with database.session() as session:
        return [(what, document_id, before, after) for what, document_id, before, after in session.execute(text(query))]
