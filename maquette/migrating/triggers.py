"""The SQL that keeps both shapes together while people write: table, triggers and view beside the old table.

A write in the old shape is noted in its own transaction, and so is one in the new shape; the follower brings the
other side up to date. The view needs no follower: it shows whichever side was written last.
"""

from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg import sql

from maquette.migrating.definition import DocumentMigration
from maquette.migrating.models import SCHEMA
from maquette.migrating.source import Source
from maquette.migrating.work import APPLYING

NEW_COLUMNS: Final = ("untouched", "only_new", "from_old", "written_at", "is_new")
"""Names of our own beside the migration's columns."""

# The types and collations are those of the old columns; NOT NULL and defaults are not taken along.
_TABLE: Final = """CREATE TABLE {new} AS SELECT s.{key}, {copied}, NULL::text AS untouched,
    false AS only_new, true AS from_old, clock_timestamp() AS written_at FROM {old} s WITH NO DATA"""
_TABLE_KEY: Final = """ALTER TABLE {new} ADD PRIMARY KEY ({key}),
    ALTER only_new SET DEFAULT false, ALTER only_new SET NOT NULL,
    ALTER from_old SET DEFAULT true, ALTER from_old SET NOT NULL,
    ALTER written_at SET DEFAULT clock_timestamp(), ALTER written_at SET NOT NULL"""

# A deletion is noted as well: a batch that read the row before may put it into the new table after. A row whose key
# changes takes its new row along, which may hold a write that the old one does not have yet.
_NOTE_OLD: Final = """CREATE FUNCTION {note_old}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $maquette$
DECLARE
    applying text := coalesce(current_setting({applying}, true), '');
    kind text := 'old';
    moved {new}%ROWTYPE;
    last text;
BEGIN
    IF applying = {migration} THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND record_image_eq(ROW({old_columns}), ROW({new_columns})) THEN
        kind := 'row';
    END IF;
    IF TG_OP = 'DELETE' THEN
        DELETE FROM {new} n WHERE n.{key} = OLD.{key};
        INSERT INTO {changes} (migration, key, side) VALUES ({migration}, OLD.{key}::text, 'old');
        RETURN NULL;
    ELSIF TG_OP = 'UPDATE' AND OLD.{key} IS DISTINCT FROM NEW.{key} THEN
        last := {last_side}({migration}, OLD.{key}::text);
        PERFORM set_config({applying}, {migration}, true);
        DELETE FROM {new} n WHERE n.{key} = NEW.{key};
        UPDATE {new} n SET {key} = NEW.{key} WHERE n.{key} = OLD.{key} RETURNING * INTO moved;
        PERFORM set_config({applying}, applying, true);
        IF kind = 'row' THEN
            kind := CASE WHEN last = 'new' OR moved.only_new THEN 'new'
                WHEN last = 'old' OR moved.{key} IS NULL THEN 'old' ELSE 'row' END;
        END IF;
        INSERT INTO {changes} (migration, key, side) VALUES ({migration}, OLD.{key}::text, 'old');
    END IF;
    INSERT INTO {changes} (migration, key, side) VALUES ({migration}, NEW.{key}::text, kind);
    RETURN NULL;
END $maquette$"""
_EMPTY: Final = """CREATE FUNCTION {empty}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $maquette$
BEGIN
    TRUNCATE {new};
    RETURN NULL;
END $maquette$"""
_NOTE_NEW: Final = """CREATE FUNCTION {note_new}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $maquette$
BEGIN
    IF current_setting({applying}, true) IS DISTINCT FROM {migration} THEN
        NEW.from_old := false;
        NEW.written_at := clock_timestamp();
        INSERT INTO {changes} (migration, key, side) VALUES ({migration}, NEW.{key}::text, 'new');
    END IF;
    RETURN NEW;
END $maquette$"""

# Runs as the writer, with the writer's search_path: the old table's own triggers must find what they always found.
# A view's UPDATE does not look again at a row that it waited for, as a table's does, so a write that was reckoned from
# a row that is no longer so is refused: the alternative is to lose somebody's write.
_WRITE: Final = """CREATE FUNCTION {write}() RETURNS trigger LANGUAGE plpgsql AS $maquette$
DECLARE
    kept {old}%ROWTYPE;
    applying text := coalesce(current_setting({applying}, true), '');
    side text;
    is_there boolean;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        SELECT * INTO kept FROM {old} s WHERE s.{key} = OLD.{key} FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        side := {last_side}({migration}, OLD.{key}::text);
        IF record_image_ne(ROW({kept_others}), ROW({old_others})) OR NOT coalesce(CASE WHEN OLD.is_new
            THEN side IS DISTINCT FROM 'old'
                AND (SELECT record_image_eq(ROW({n_columns}), ROW({old_columns}))
                    FROM {new} n WHERE n.{key} = OLD.{key})
            ELSE side IS DISTINCT FROM 'new' AND record_image_eq(ROW({kept_columns}), ROW({old_columns})) END, false)
        THEN
            RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
                MESSAGE = format('the row %s of %s was written by somebody else meanwhile: try again',
                    OLD.{key}, {old_name});
        END IF;
    END IF;
    IF TG_OP = 'DELETE' THEN
        DELETE FROM {old} s WHERE s.{key} = OLD.{key};
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.{key} IS DISTINCT FROM OLD.{key} THEN
            RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
                MESSAGE = format('keys of %s change in the table, not in this view', {old_name});
        END IF;
        IF record_image_eq(ROW({new_columns}), ROW({old_columns})) THEN
            UPDATE {old} s SET {set_others} WHERE s.{key} = OLD.{key} RETURNING * INTO kept;
            IF NOT FOUND THEN
                RETURN NULL;
            END IF;
            {take_others}
            RETURN NEW;
        END IF;
        PERFORM set_config({applying}, {migration}, true);
        UPDATE {old} s SET {set_others} WHERE s.{key} = OLD.{key} RETURNING * INTO kept;
        is_there := FOUND;
    ELSE
        PERFORM set_config({applying}, {migration}, true);
        INSERT INTO {old} ({written}) OVERRIDING SYSTEM VALUE VALUES ({written_values}) RETURNING * INTO kept;
        is_there := FOUND;
    END IF;
    PERFORM set_config({applying}, applying, true);
    IF NOT is_there THEN
        RETURN NULL;
    END IF;
    INSERT INTO {new} AS n ({key}, {columns}) VALUES (kept.{key}, {new_columns})
        ON CONFLICT ({key}) DO UPDATE SET {set_columns};
    NEW.{key} := kept.{key};
    {take_others}
    RETURN NEW;
END $maquette$"""

_VIEW: Final = """CREATE VIEW {current}{invoker} AS SELECT {shown}, {is_new} AS is_new
    FROM {old} s LEFT JOIN {new} n ON n.{key} = s.{key}"""
_IS_NEW: Final = "(n.{key} IS NOT NULL AND {shows_new}({migration}, s.{key}::text, n.only_new))"

# Who may read and write the old table may do so here; nobody empties the new table, and rows leave it with the old.
_RIGHTS: Final = """DO $maquette$
DECLARE
    owner name;
    given record;
BEGIN
    SELECT pg_get_userbyid(relowner) INTO owner FROM pg_class WHERE oid = {old_name}::regclass;
    FOR given IN
        SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee,
            a.privilege_type AS privilege, c.relowner = a.grantee AS is_owner
        FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = {old_name}::regclass
            AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    LOOP
        CONTINUE WHEN given.is_owner;
        EXECUTE format('GRANT %s ON %s TO %s', given.privilege, {current_name}, given.grantee);
        IF given.privilege <> 'DELETE' THEN
            EXECUTE format('GRANT %s ON %s TO %s', given.privilege, {new_name}, given.grantee);
        END IF;
    END LOOP;
    IF owner <> current_user THEN
        EXECUTE format('ALTER TABLE %s OWNER TO %I', {new_name}, owner);
        EXECUTE format('ALTER VIEW %s OWNER TO %I', {current_name}, owner);
    END IF;
END $maquette$"""

# What the table fills in by itself, the view fills in; not the documents: the table's default is of the old shape.
_DEFAULTS: Final = """DO $maquette$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) AS value FROM pg_attrdef d
        JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE d.adrelid = {old_name}::regclass AND a.attgenerated = '' AND a.attname <> ALL ({names})
    LOOP
        EXECUTE format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', {current_name}, given.attname, given.value);
    END LOOP;
END $maquette$"""

_TRIGGERS: Final = (
    "CREATE TRIGGER maquette_note AFTER INSERT OR UPDATE OR DELETE ON {old} FOR EACH ROW EXECUTE FUNCTION {note_old}()",
    "CREATE TRIGGER maquette_empty AFTER TRUNCATE ON {old} FOR EACH STATEMENT EXECUTE FUNCTION {empty}()",
    "CREATE TRIGGER maquette_note BEFORE INSERT OR UPDATE ON {new} FOR EACH ROW EXECUTE FUNCTION {note_new}()",
    "CREATE TRIGGER maquette_write INSTEAD OF INSERT OR UPDATE OR DELETE ON {current} "
    "FOR EACH ROW EXECUTE FUNCTION {write}()",
)
_ROW_SECURITY: Final = (
    "ALTER TABLE {new} ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY maquette_as_the_old_row ON {new} USING (EXISTS (SELECT 1 FROM {old} s WHERE s.{key} = {new}.{key}))",
)
_WITHDRAWN: Final = (
    "DROP VIEW IF EXISTS {current}",
    "DROP TRIGGER IF EXISTS maquette_note ON {old}",
    "DROP TRIGGER IF EXISTS maquette_empty ON {old}",
    "DROP TABLE IF EXISTS {new}",
    "DROP FUNCTION IF EXISTS {note_old}(), {note_new}(), {empty}(), {write}()",
)


def scaffold(source: Source, migration: DocumentMigration, server_version: int) -> list[str]:
    """What is put up beside the old table, in its order."""
    texts: list[LiteralString] = [_TABLE, _TABLE_KEY, _NOTE_OLD, _EMPTY, _NOTE_NEW, _VIEW, _WRITE, _DEFAULTS]
    if source.row_security:
        texts += _ROW_SECURITY
    texts += [*_TRIGGERS, _RIGHTS]
    parts = _parts(source, migration, server_version)
    return [sql.SQL(text).format(**parts).as_string() for text in texts]


def withdrawal(source: Source, migration: DocumentMigration) -> list[str]:
    """What takes it down; each may be run again."""
    parts = _parts(source, migration, 0)
    return [sql.SQL(text).format(**parts).as_string() for text in _WITHDRAWN]


def untouched(source: Source, migration: DocumentMigration, *, alias: str) -> sql.Composed:
    """Hash of a row's other columns, as SQL over the old table's ``alias``."""
    return sql.SQL("md5(ROW({})::text)").format(_list(alias, _others(source, migration)))


def _others(source: Source, migration: DocumentMigration) -> list[str]:
    return [column for column in source.types if column not in migration.columns]


def _list(alias: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, column) for column in columns)


def _parts(source: Source, migration: DocumentMigration, server_version: int) -> dict[str, sql.Composable]:
    key, name = sql.Identifier(source.key), sql.Literal(migration.name)
    columns, others = migration.columns, _others(source, migration)
    own = {
        each: sql.Identifier(SCHEMA, f"{migration.name}_{each}") for each in ("note_old", "note_new", "empty", "write")
    }
    is_new = sql.SQL(_IS_NEW).format(key=key, migration=name, shows_new=sql.Identifier(SCHEMA, "shows_new"))
    # A column of its own value where there is no other: the table's triggers are to see an update.
    settable = [each for each in others if each not in {source.key, *source.generated, *source.identity}]
    written = [each for each in source.types if each not in source.generated]
    return {
        **own,
        "old": source.table,
        "new": source.new_table,
        "current": source.current,
        "old_name": sql.Literal(source.table.as_string()),
        "new_name": sql.Literal(source.new_table.as_string()),
        "current_name": sql.Literal(source.current.as_string()),
        "changes": sql.Identifier(SCHEMA, "changes"),
        "last_side": sql.Identifier(SCHEMA, "last_side"),
        "applying": sql.Literal(APPLYING),
        "migration": name,
        "key": key,
        "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
        "copied": _list("s", columns),
        "old_columns": _list("old", columns),
        "new_columns": _list("new", columns),
        "kept_columns": _list("kept", columns),
        "n_columns": _list("n", columns),
        "old_others": _list("old", others),
        "kept_others": _list("kept", others),
        "names": sql.Literal(list(columns)),
        "set_columns": _set(columns, "excluded"),
        "set_others": _set(settable, "new") if settable else sql.SQL("{0} = s.{0}").format(key),
        "take_others": sql.SQL(" ").join(
            sql.SQL("{} := {};").format(sql.Identifier("new", each), sql.Identifier("kept", each)) for each in others
        ),
        "written": sql.SQL(", ").join(map(sql.Identifier, written)),
        "written_values": sql.SQL(", ").join(_given(source, each) for each in written),
        "invoker": sql.SQL(" WITH (security_invoker = true)" if server_version >= 150_000 else ""),
        "is_new": is_new,
        "shown": sql.SQL(", ").join(
            sql.SQL("CASE WHEN {is_new} THEN n.{column} ELSE s.{column} END AS {column}").format(
                is_new=is_new, column=sql.Identifier(each)
            )
            if each in columns
            else sql.Identifier("s", each)
            for each in source.types
        ),
    }


def _set(columns: Sequence[str], origin: str) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(each), sql.Identifier(origin, each)) for each in columns
    )


def _given(source: Source, column: str) -> sql.Composable:
    given = sql.Identifier("new", column)
    if column not in source.identity:
        return given
    return sql.SQL("coalesce({}, nextval(pg_get_serial_sequence({}, {})))").format(
        given, sql.Literal(source.table.as_string()), sql.Literal(column)
    )
