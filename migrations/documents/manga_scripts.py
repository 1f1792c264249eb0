"""Scripts of manga: from chapters, and from what earlier migrations left, to the sectioned document."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from pydantic import BaseModel, model_validator

from maquette.migrating import exact, times
from maquette.migrating.definition import Invariant, Row, UniqueRule
from maquette.migrating.reversible import ASIDE, Document, ReversibleMigration
from maquette.projects import chapters, chapters_reading, contents, grammar
from maquette.projects import document as documents
from maquette.projects.contents import at, chapters_at
from maquette.projects.document import SECTIONS, STATS, SectionedDocument

_KNOWN: Final = frozenset({*SECTIONS, "decors"})
_TIMES: Final = ("lastModified", "migratedAt", "savedAt", "createdAt")

# The statistics that people read: of the new shape as its script says, of all old ones as their chapters say. Paths
# are lax and ask for objects, so that no document stops the view.
_STATS_VIEW: Final = """
SELECT ms.id, ms.project_id, ms.title, ms.updated_at,
    COALESCE((stats.chapters)::int, jsonb_array_length(old.chapters), 0) AS chapter_count,
    COALESCE(
        (SELECT NULLIF(count(*), 0) FROM jsonb_path_query(ms.script_data, ''$.scenes.scenes[*]'', silent => true)),
        (SELECT count(*) FROM jsonb_path_query(
            old.chapters, ''$[*].scenes[*] ? (@.type() == "object")'', silent => true))
    ) AS scene_count,
    COALESCE((stats.panels)::bigint, (SELECT count(*) FROM jsonb_path_query(
        old.chapters, ''$[*].scenes[*].panels[*] ? (@.type() == "object")'', silent => true))) AS panel_count,
    COALESCE((stats.dialogues)::bigint, (SELECT count(*) FROM jsonb_path_query(
        old.chapters, ''$[*].scenes[*].panels[*].dialogues[*] ? (@.type() == "object")'', silent => true))
    ) AS dialogue_count
FROM public.manga_scripts ms
CROSS JOIN LATERAL (SELECT CASE ''array''
    WHEN jsonb_typeof(ms.script_data -> ''chapters'') THEN ms.script_data -> ''chapters''
    WHEN jsonb_typeof(ms.script_data -> ''script'') THEN ms.script_data -> ''script''
    WHEN jsonb_typeof(ms.script_data -> ''script'' -> ''chapters'') THEN ms.script_data -> ''script'' -> ''chapters''
    END AS chapters) old
CROSS JOIN LATERAL (SELECT
    jsonb_path_query_first(ms.script_data, ''$.script.stats.chapters ? (@ >= 0 && @ < 1000000000)'') AS chapters,
    jsonb_path_query_first(ms.script_data, ''$.script.stats.panels ? (@ >= 0 && @ < 1000000000)'') AS panels,
    jsonb_path_query_first(ms.script_data, ''$.script.stats.dialogues ? (@ >= 0 && @ < 1000000000)'') AS dialogues
    ) stats
"""
# What the view was is kept beside the books, options such as security_invoker stay. A view with other columns is
# somebody's own, and left alone.
_COUNT_BOTH: Final = (
    """
DO $maquette$
DECLARE
    shown regclass := to_regclass('public.manga_script_stats');
    settings text;
BEGIN
    IF (SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = shown AND attnum > 0 AND NOT attisdropped) IS DISTINCT FROM
        ARRAY['id', 'project_id', 'title', 'updated_at', 'chapter_count', 'scene_count', 'panel_count',
              'dialogue_count'] THEN
        RETURN;
    END IF;
    IF to_regclass('maquette_migrating.manga_script_stats_before') IS NULL THEN
        EXECUTE 'CREATE VIEW maquette_migrating.manga_script_stats_before AS ' || pg_get_viewdef(shown);
    END IF;
    SELECT 'WITH (' || array_to_string(reloptions, ', ') || ') ' INTO settings FROM pg_class WHERE oid = shown;
    EXECUTE 'CREATE OR REPLACE VIEW public.manga_script_stats ' || COALESCE(settings, '') || 'AS """
    + _STATS_VIEW
    + """';
END $maquette$
"""
)
_COUNT_CHAPTERS: Final = """
DO $maquette$
DECLARE
    shown regclass := to_regclass('public.manga_script_stats');
    kept regclass := to_regclass('maquette_migrating.manga_script_stats_before');
    settings text;
BEGIN
    IF kept IS NULL THEN
        RETURN;
    END IF;
    IF shown IS NOT NULL THEN
        SELECT 'WITH (' || array_to_string(reloptions, ', ') || ') ' INTO settings FROM pg_class WHERE oid = shown;
        EXECUTE 'CREATE OR REPLACE VIEW public.manga_script_stats ' || COALESCE(settings, '') || 'AS '
            || pg_get_viewdef(kept);
    END IF;
    EXECUTE 'DROP VIEW ' || kept::text;
END $maquette$
"""


class MigratedDocument(SectionedDocument):
    """A document as the editor saves it, and nothing of the old shape."""

    @model_validator(mode="after")
    def _is_not_old(self) -> "MigratedDocument":
        extra = self.model_extra or {}
        if "chapters" in extra or ASIDE in extra:
            raise ValueError(f"chapters stand in script.chapters, and {ASIDE} only in old documents")
        return self


class ScriptRow(BaseModel):
    """The column that changes."""

    script_data: MigratedDocument


class MangaScripts(ReversibleMigration):
    """``manga_scripts.script_data``: each row with its chapters kept, and shown as the text of the script."""

    name = "manga_scripts"
    table = "manga_scripts"
    columns = ("script_data",)
    reads = ("title", "user_id", "created_at", "updated_at")
    model = ScriptRow
    document = MigratedDocument
    made_with = (chapters, chapters_reading, contents, documents, grammar, times)
    unique = UniqueRule(columns=("project_id", "user_id"), constraint="unique_project_user")
    # auth.uid() looks here first; it reads request.jwt.claims only where this is empty.
    acting_as: ClassVar[Mapping[str, str]] = {"request.jwt.claim.sub": "user_id"}
    before = (_COUNT_BOTH,)
    undo = (_COUNT_CHAPTERS,)
    invariants = (
        Invariant(
            "every new document has its six sections",
            "SELECT count(*) FROM {current} WHERE is_new AND NOT script_data ?& "
            "ARRAY['script', 'characters', 'backgrounds', 'scenes', 'assembly', 'metadata']",
        ),
        Invariant(
            "the script of every new document is text",
            "SELECT count(*) FROM {current} "
            "WHERE is_new AND jsonb_typeof(script_data -> 'script' -> 'content') IS DISTINCT FROM 'string'",
        ),
        Invariant(
            "every script is there",
            "SELECT count(*) FROM public.manga_scripts s "
            "WHERE NOT EXISTS (SELECT 1 FROM {current} c WHERE c.id = s.id)",
        ),
    )

    def build(self, old: Any, row: Row) -> tuple[Document, Mapping[str, str]]:
        """The sections of ``old``, each one made whole; chapters become the text where there is none yet."""
        modified = times.javascript_time(row.get("updated_at")) or times.javascript_time(row.get("created_at"))
        given: Document = old if isinstance(old, dict) else {}
        carried: Document = given[ASIDE] if self.is_new(given.get(ASIDE)) else {}
        known = {**carried, **given}
        origin = chapters_at(old)
        if "script" not in given and carried:
            # The text of before gives way to the chapters that were edited since.
            rest = {"content", "stats", "fileTree", "chapters", "lastModified"}
            known["script"] = {key: value for key, value in carried["script"].items() if key not in rest}
        script = self._script(known.get("script"), at(old, origin), row.get("title"), modified)
        document = {
            "script": script,
            "characters": _listed("characters", known.get("characters"), modified),
            "backgrounds": _listed("backgrounds", known.get("backgrounds"), modified),
            "scenes": _listed("scenes", known.get("scenes"), modified),
            "assembly": _assembly(known.get("assembly"), modified),
            "metadata": _metadata(known.get("metadata"), modified),
        }
        if "decors" in known:
            document["decors"] = _listed("decors", known["decors"], modified)
        return document, {} if origin is None else {"/script/chapters": origin}

    def _script(self, given: Any, found: list[Any] | None, title: Any, modified: str | None) -> Document:
        script: Document = given if isinstance(given, dict) else {"content": given} if isinstance(given, str) else {}
        script = {"lastModified": modified, **script}
        content, stats = script.get("content"), script.get("stats")
        is_counted = isinstance(stats, dict) and all(type(stats.get(key)) is int for key in STATS)
        is_whole = is_counted and isinstance(script.get("fileTree"), list)
        if not isinstance(content, str) or (found and not content.strip()):
            parsed: grammar.ParsedScript | None = grammar.parse(chapters.render(found))
        else:
            parsed = None if is_whole else grammar.parse(content)
        if parsed is not None:
            script["content"], script["fileTree"] = parsed.content, parsed.file_tree
            script["stats"] = {**stats, **parsed.stats} if isinstance(stats, dict) else parsed.stats
        if not isinstance(script.get("title"), str):
            script["title"] = title if isinstance(title, str) else ""
        if found is not None:
            script["chapters"] = found
        return script

    def as_old(self, new: Document) -> Document:
        """Chapters, as they were while the text is theirs, else read from the text; and unknown keys."""
        script = new["script"]
        before = script.get("chapters")
        is_theirs = isinstance(before, list) and chapters.render(before) == script["content"]
        legacy = new["metadata"]["legacy"]
        unknown = {key: value for key, value in legacy.items() if key not in _KNOWN} if isinstance(legacy, dict) else {}
        return {
            **unknown,
            "chapters": before if is_theirs else chapters_reading.parse(script["content"], previous=before),
        }

    def oddities(self, row: Row) -> Iterable[str]:
        """What is unusual in a row, in few words."""
        document = row["script_data"]
        if times.javascript_time(row.get("updated_at")) is None:
            yield "no updated_at"
        if not isinstance(document, dict):
            yield f"not an object: {_kind(document)}"
            return
        yield from _odd_keys(document)
        yield from _odd_sections(document)

    def lacks(self, survivor: Row, loser: Row) -> Sequence[str]:
        """Text, chapters, scenes, panels, characters, backgrounds, decors and pages that only ``loser`` has."""
        there = {(kind, exact.dumps(value)) for kind, _, value in contents.contents(survivor["script_data"])}
        ids = {(kind, name) for kind, name, _ in contents.contents(survivor["script_data"])}
        missing = []
        for kind, name, value in contents.contents(loser["script_data"]):
            if (kind, exact.dumps(value)) not in there:
                missing.append(f"{kind} {name}".rstrip() + (" (differs)" if (kind, name) in ids else ""))
        return list(dict.fromkeys(missing))


def _listed(name: str, given: Any, modified: str | None) -> Document:
    section: Document = given if isinstance(given, dict) else {name: given}
    whole = {"lastModified": modified, **section}
    if not isinstance(whole.get(name), list):
        whole[name] = []
    return whole


def _assembly(given: Any, modified: str | None) -> Document:
    whole = _listed("pages", given, modified)
    if type(whole.get("currentPage")) is not int:
        whole["currentPage"] = 1
    if type(whole.get("totalPages")) is not int:
        whole["totalPages"] = len(whole["pages"])
    return whole


def _metadata(given: Any, modified: str | None) -> Document:
    metadata: Document = {"lastModified": modified, **(given if isinstance(given, dict) else {})}
    for key in _TIMES:
        # What is `modified` already is as browsers write it.
        if key in metadata and metadata[key] != modified:
            # PostgreSQL's text is no date for every browser.
            metadata[key] = times.javascript_time(metadata[key]) or (
                modified if key == "lastModified" else metadata[key]
            )
    if type(metadata.get("version")) is not int:
        metadata["version"] = 1
    return metadata


_KINDS: Final = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "number")


def _odd_keys(document: Document) -> Iterator[str]:
    yield from (f"unknown key: {key[:40]}" for key in document if key not in _KNOWN and key not in ("chapters", ASIDE))
    if ASIDE in document:
        yield "an old document made of an edited new one"
    if "chapters" in document:
        if not isinstance(document["chapters"], list):
            yield f"chapters is no array: {_kind(document['chapters'])}"
        if document.keys() & set(SECTIONS):
            yield "chapters beside sections"
    elif missing := [section for section in SECTIONS if section not in document]:
        yield "no chapters and no sections" if len(missing) == 6 else f"sections missing: {', '.join(missing)}"


def _odd_sections(document: Document) -> Iterator[str]:
    script = document.get("script")
    if isinstance(script, list):
        yield "script is an array of chapters"
    elif isinstance(script, dict):
        if "content" not in script and "chapters" in script:
            yield "script holds chapters and no text"
    elif "script" in document:
        yield f"script is no object: {_kind(script)}"
    for section in ("characters", "backgrounds", "scenes", "decors", "assembly", "metadata"):
        if section in document and not isinstance(document[section], dict):
            yield f"{section} is no object: {_kind(document[section])}"
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        for key in _TIMES:
            text = metadata.get(key)
            if isinstance(text, str) and times.javascript_time(text) not in (None, text):
                yield f"metadata.{key} is not as browsers write it"
        if "legacy" in metadata:
            yield "metadata.legacy is there"
