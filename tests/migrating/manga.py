"""Scripts of a manga editor: the tables as Supabase lays them out, documents of every age, and what goes wrong."""

from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from maquette.migrating.definition import DocumentMigration, Row, load
from maquette.migrating.source import Connection

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "projects"
"""The editor's own files, where they are at hand."""

USER = "11111111-1111-4111-8111-111111111111"

# What Supabase brings: users, roles, and who is asking.
AUTH = """
CREATE SCHEMA auth;
CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
    )::uuid
$$;
CREATE FUNCTION uuid_generate_v4() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()';
"""

TABLES = """
CREATE TABLE manga_projects (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    title text NOT NULL
);
CREATE TABLE manga_scripts (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    project_id uuid NOT NULL REFERENCES manga_projects ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    title text NOT NULL DEFAULT 'Mon Manga',
    description text DEFAULT '',
    script_data jsonb NOT NULL DEFAULT '{"chapters": []}',
    version integer DEFAULT 1,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
ALTER TABLE manga_scripts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_scripts ON manga_scripts USING (auth.uid() = user_id);
CREATE TABLE manga_script_versions (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    script_id uuid NOT NULL REFERENCES manga_scripts ON DELETE CASCADE,
    version_number integer NOT NULL,
    script_data jsonb NOT NULL,
    created_by uuid NOT NULL REFERENCES auth.users
);
CREATE FUNCTION touch_script() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = now();
    RETURN NEW;
END $$;
CREATE TRIGGER touch_script BEFORE UPDATE ON manga_scripts FOR EACH ROW EXECUTE FUNCTION touch_script();
CREATE FUNCTION keep_script() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF OLD.script_data IS DISTINCT FROM NEW.script_data THEN
        INSERT INTO manga_script_versions (script_id, version_number, script_data, created_by)
        VALUES (OLD.id, OLD.version, OLD.script_data, auth.uid());
        NEW.version = OLD.version + 1;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_script BEFORE UPDATE ON manga_scripts FOR EACH ROW EXECUTE FUNCTION keep_script();
CREATE VIEW manga_script_stats AS
SELECT s.id, s.project_id, s.title, s.updated_at,
    COALESCE(jsonb_array_length(s.script_data -> 'chapters'), 0) AS chapter_count,
    (SELECT count(*) FROM jsonb_array_elements(s.script_data -> 'chapters') c,
        jsonb_array_elements(c -> 'scenes') e) AS scene_count,
    (SELECT count(*) FROM jsonb_array_elements(s.script_data -> 'chapters') c,
        jsonb_array_elements(c -> 'scenes') e, jsonb_array_elements(e -> 'panels') p) AS panel_count,
    (SELECT count(*) FROM jsonb_array_elements(s.script_data -> 'chapters') c,
        jsonb_array_elements(c -> 'scenes') e, jsonb_array_elements(e -> 'panels') p,
        jsonb_array_elements(p -> 'dialogues') d) AS dialogue_count
FROM manga_scripts s;
"""


def migration(name: str = "manga_scripts") -> DocumentMigration:
    """A migration of the repository, loaded as the engine loads it."""
    return load(name, ROOT / "migrations" / "documents")


def lay_out(connection: Connection, *, real: bool = False) -> None:
    """Make the tables, of the editor's own files with ``real``, and one user."""
    connection.execute(AUTH.encode())
    if real:
        for name in ("20241219000001_initial_schema.sql", "20241220000001_manga_scripts.sql"):
            lines = (REAL / name).read_text("utf-8").splitlines()
            # The embedded server has no extension; AUTH has the function.
            kept = "\n".join(line for line in lines if "CREATE EXTENSION" not in line)
            connection.execute(kept.encode())
    else:
        connection.execute(TABLES.encode())
    connection.execute("INSERT INTO auth.users (id, email) VALUES (%s, 'somebody@example.org')", [USER])


def panel(number: int, *said: str, page: int = 1) -> dict[str, Any]:
    """A panel in which a fox says something."""
    return {
        "id": f"panel-{page}-{number}",
        "pageNumber": page,
        "panelNumber": number,
        "description": "A bridge in the rain.",
        "dialogues": [
            {"id": f"says-{number}-{index}", "character": "FOX", "text": text, "type": "speech",
             "formatting": {"bold": False, "italic": True, "size": "normal"}, "position": "top", "bubbleStyle": "round"}
            for index, text in enumerate(said)
        ],
        "characters": ["FOX", "OWL"],
        "shotType": "wide",
        "cameraAngle": "low",
        "transition": "fade",
        "soundEffects": [{"id": f"sound-{number}", "text": "PLIC", "style": "ambient", "size": "small"}],
        "notes": "Rain on the lens.",
        "timing": Decimal("2.50"),
        "mood": "calm",
        "lighting": "dim",
    }  # fmt: skip


def scene(*panels: dict[str, Any]) -> dict[str, Any]:
    """A scene by the river."""
    return {
        "id": "scene-a", "title": "The river", "description": "", "location": "Old town", "timeOfDay": "evening",
        "panels": list(panels), "expanded": True, "notes": "",
    }  # fmt: skip


def chapter(*scenes: dict[str, Any], name: str = "The crossing") -> dict[str, Any]:
    """A chapter."""
    return {
        "id": f"chapter-{name}", "title": name, "description": "They meet.", "scenes": list(scenes), "expanded": False,
        "pageCount": 2,
    }  # fmt: skip


def story() -> list[dict[str, Any]]:
    """Two chapters, three panels, four dialogues."""
    return [
        chapter(scene(panel(1, "Who goes there?"), panel(2, "Wait!", "Come back!"))),
        chapter(scene(panel(1, "It is late.", page=2)), name="Night"),
    ]


def saved() -> dict[str, Any]:
    """What the editor's save writes."""
    return {
        "script": {
            "content": "PAGE 1:\n\nPANEL 1:\n[OWL]: Good evening.\n",
            "title": "The owl",
            # As an older front end counted: nobody but the editor corrects it.
            "stats": {"pages": 2, "panels": 1, "chapters": 0, "words": 7, "characters": 41, "dialogues": 1},
            "fileTree": [{"id": "page-2", "type": "page", "title": "Page 1", "children": []}],
            "lastModified": "2025-03-02T10:00:00.000Z",
        },
        "characters": {"characters": [{"id": "owl", "name": "OWL"}], "lastModified": "2025-03-02T10:00:00.000Z"},
        "backgrounds": {"backgrounds": []},
        "decors": {"decors": [{"id": "bridge", "name": "Bridge"}]},
        "scenes": {"scenes": []},
        "assembly": {"pages": [], "currentPage": 1, "totalPages": 0, "canvasState": {"zoom": 25}},
        "metadata": {"version": 4, "savedAt": "2025-03-02T10:00:00.000Z", "savedBy": USER},
    }


def by_plain_sql() -> dict[str, Any]:
    """What the old plan's UPDATE left: the script is the array of chapters, the time PostgreSQL's text."""
    return {
        "script": story(),
        "characters": {"characters": []},
        "backgrounds": {"backgrounds": []},
        "scenes": {"scenes": []},
        "assembly": {"pages": [], "currentPage": 1},
        "metadata": {"lastModified": "2025-03-01 09:30:00+00", "version": 1},
    }


def shapes() -> dict[str, Any]:
    """Documents by what they are."""
    plain = by_plain_sql()
    return {
        "old": {"chapters": story()},
        "default": {"chapters": []},
        "plain sql": plain,
        "plain sql of nothing": {**plain, "script": []},
        "strategy": {**plain, "script": {"chapters": story(), "theme": "ink"},
                     "metadata": {"version": 1, "migratedAt": "2025-03-01 09:30:00+01", "lastModified": "2025-03-01"}},
        "saved": saved(),
        "half saved": {key: value for key, value in saved().items() if key not in ("assembly", "metadata")},
        "bare arrays": {**saved(), "characters": [{"id": "owl"}], "assembly": [{"id": "p1"}], "decors": []},
        "both": {**saved(), "chapters": story()},
        "both, no text": {**saved(), "script": {**saved()["script"], "content": ""}, "chapters": story()},
        "unknown keys": {"chapters": story(), "theme": {"ink": "blue"}, "legacy": 1, "maquette_document": "?"},
        "somebody's legacy": {"chapters": [], "metadata": {"legacy": {"a": 1}, "migration": 3}},
        "no list": {"chapters": "oops", "script": "PAGE 1:\n"},
        "array": story(),
        "null": None,
        "scalar": Decimal("1.10"),
        "empty": {},
    }  # fmt: skip


def row(document: Any, **columns: Any) -> Row:
    """A row as the engine reads it."""
    times = {"created_at": "2025-01-01 08:00:00+00", "updated_at": "2025-01-21 14:32:15.123456+00"}
    return {"id": USER, "title": "Tales", "user_id": USER, **times, "script_data": document, **columns}


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["PAGE 1:", "[A]: b", "(c)\nPANEL 2:", "2025-01-21 14:32:15+00"])
)
KEYS = st.text(max_size=6) | st.sampled_from(
    ["script", "chapters", "content", "scenes", "panels", "dialogues", "characters", "metadata", "legacy", "migration",
     "maquette_document", "title", "stats", "fileTree", "pages", "description", "text", "name", "kept", "moved"]
)  # fmt: skip
JSON = st.recursive(LEAVES, lambda each: st.lists(each, max_size=4) | st.dictionaries(KEYS, each, max_size=4))


@st.composite
def mutated(draw: st.DrawFn, documents: st.SearchStrategy[Any]) -> Any:
    """One of ``documents`` in which one to four values were put, replaced or taken away, wherever they stand."""
    document = deepcopy(draw(documents))
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(document))
        if not places:
            return draw(JSON)
        held, key = draw(st.sampled_from(places))
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "replace":
            held[key] = draw(JSON)
        elif change == "remove":
            del held[key]
        elif isinstance(held, dict):
            held[draw(KEYS)] = draw(JSON)
        else:
            held.insert(key, draw(JSON))
    return document


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    left = [value]
    while left:
        held = left.pop()
        for key in held if isinstance(held, dict) else range(len(held)) if isinstance(held, list) else ():
            yield held, key
            left.append(held[key])


def anything() -> st.SearchStrategy[Any]:
    """Any JSON, and real shapes that went wrong."""
    return JSON | mutated(st.sampled_from(list(shapes().values())))
