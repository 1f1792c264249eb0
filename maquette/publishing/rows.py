"""A universe as rows of production: what is there, what differs, and the statements that make it so.

Rows are known again by their natural keys: the slug, the place of an asset, the language. So ids stay, and a row that
is right already is not touched. Each table takes one statement of each kind, whatever the number of rows. Columns and
rows that are not ours stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from maquette.providers.text.port import UNIVERSE_LANGUAGES
from maquette.publishing.models import Change, Universe
from maquette.publishing.univers import METADATA

# Ours and production may be one database: the locks of publications there have another seed.
_SEED: Final = 12
_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]

Key = tuple[int | str, ...]
Values = dict[str, Any]
Rows = dict[str, dict[Key, Values]]


@dataclass(frozen=True)
class _Part:
    """A table's share of a universe. ``key`` tells its rows apart within their universe or their asset."""

    name: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    parent: str | None = "univers_id"

    @property
    def table(self) -> sa.Table:
        return METADATA.tables[self.name]


# Parents before their children.
_PARTS: Final = (
    _Part(
        "univers",
        (),
        ("name", "slug", "is_public", "thumbnail_url", "background_color", "background_music", "owner_id"),
        None,
    ),
    _Part("univers_translations", ("language",), ("name",)),
    _Part("univers_prompts", (), ("default_image_prompt", "default_video_prompt")),
    _Part("univers_music_prompts", ("language",), ("prompt", "lyrics")),
    _Part("univers_assets", ("sort_order",), ("image_name", "display_name")),
    _Part("univers_assets_translations", ("language",), ("display_name",), "asset_id"),
    _Part(
        "univers_assets_prompts",
        (),
        ("custom_image_prompt", "custom_video_prompt", "generation_count", "last_generated_at"),
        "asset_id",
    ),
)


@dataclass
class Stored:
    """A universe's rows as production has them, with their ids; ``surplus`` are ids of rows whose key came before."""

    univers_id: int | None = None
    rows: Rows = field(default_factory=lambda: {part.name: {} for part in _PARTS})
    ids: dict[str, dict[Key, Any]] = field(default_factory=lambda: {part.name: {} for part in _PARTS})
    surplus: dict[str, list[Any]] = field(default_factory=lambda: {part.name: [] for part in _PARTS})


@dataclass
class _Difference:
    part: _Part
    inserted: dict[Key, Values]
    updated: dict[Key, tuple[Values, Values]]
    deleted: dict[Key, Values]


def lock(connection: Connection, slug: str) -> None:
    """Let nobody else publish ``slug`` until the transaction ends."""
    asked = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(slug, _SEED))
    connection.execute(sa.select(asked))


def wanted_rows(universe: Universe, *, thumbnail_url: str | None) -> Rows:
    """The rows that ``universe`` is. A name that is missing in a language is the title."""
    rows: Rows = {part.name: {} for part in _PARTS}
    rows["univers"][()] = {
        "name": universe.name,
        "slug": universe.slug,
        "is_public": universe.is_public,
        "thumbnail_url": thumbnail_url,
        "background_color": universe.background_color,
        "background_music": universe.background_music,
        "owner_id": universe.owner_id,
    }
    rows["univers_prompts"][()] = {
        "default_image_prompt": universe.default_image_prompt,
        "default_video_prompt": universe.default_video_prompt,
    }
    for language in UNIVERSE_LANGUAGES:
        rows["univers_translations"][(language,)] = {"name": universe.names.get(language) or universe.name}
    for song in universe.songs:
        rows["univers_music_prompts"][(song.language,)] = {"prompt": song.prompt, "lyrics": song.lyrics}
    for asset in universe.assets:
        place = asset.sort_order
        rows["univers_assets"][(place,)] = {"image_name": asset.image_name, "display_name": asset.display_name}
        for language in UNIVERSE_LANGUAGES:
            name = asset.names.get(language) or asset.display_name
            rows["univers_assets_translations"][(place, language)] = {"display_name": name}
        rows["univers_assets_prompts"][(place,)] = {
            "custom_image_prompt": asset.image_prompt,
            "custom_video_prompt": asset.video_prompt,
            "generation_count": asset.generation_count,
            "last_generated_at": _aware(asset.last_generated_at),
        }
    return rows


def read(connection: Connection, slug: str) -> Stored:
    """The rows of ``slug``; none of them where it is not in production."""
    found = Stored()
    univers = METADATA.tables["univers"]
    found.univers_id = connection.scalar(sa.select(univers.c.id).where(univers.c.slug == slug))
    if found.univers_id is None:
        return found
    places: dict[Any, Key | None] = {}
    for part in _PARTS:
        table = part.table
        own = [table.c[name] for name in (*part.key, *part.values)]
        if part.parent == "asset_id":
            assets = METADATA.tables["univers_assets"]
            query = sa.select(table.c.id, table.c.asset_id, *own).join_from(table, assets)
            query = query.where(assets.c.univers_id == found.univers_id)
        else:
            query = sa.select(table.c.id, sa.null(), *own)
            query = query.where((table.c.univers_id if part.parent else table.c.id) == found.univers_id)
        for row_id, parent_id, *values in connection.execute(query.order_by(table.c.id)):
            of_parent = places[parent_id] if part.parent == "asset_id" else ()
            key = None if of_parent is None else (*of_parent, *values[: len(part.key)])
            if key is None or key in found.ids[part.name]:
                found.surplus[part.name].append(row_id)
                key = None
            else:
                found.ids[part.name][key] = row_id
                found.rows[part.name][key] = dict(zip(part.values, values[len(part.key) :], strict=True))
            if part.name == "univers_assets":
                places[row_id] = key
    return found


def changes(stored: Stored, wanted: Rows) -> list[Change]:
    """What ``apply`` would do: a change for each row. Without any, production is as it is wanted."""
    found = []
    for difference in _differences(stored, wanted):
        where = difference.part.name
        for key, after in difference.inserted.items():
            found.append(Change(kind="insert", where=where, key=_shown(key, wanted), after=after))
        for key, (before, after) in difference.updated.items():
            found.append(Change(kind="update", where=where, key=_shown(key, wanted), before=before, after=after))
        for key, before in difference.deleted.items():
            found.append(Change(kind="delete", where=where, key=_shown(key, stored.rows), before=before))
        for row_id in stored.surplus[where]:
            found.append(Change(kind="delete", where=where, key=f"id {row_id}"))
    return found


def apply(connection: Connection, stored: Stored, wanted: Rows) -> int:
    """Make production what is wanted, in the caller's transaction; the universe's id."""
    differences = _differences(stored, wanted)
    for difference in reversed(differences):
        name = difference.part.name
        gone = [*stored.surplus[name], *(stored.ids[name][key] for key in difference.deleted)]
        if gone:
            table = difference.part.table
            connection.execute(sa.delete(table).where(table.c.id == sa.func.any(_array(table.c.id, gone))))
    univers_id = stored.univers_id
    asset_ids = dict(stored.ids["univers_assets"])
    for difference in differences:
        part = difference.part
        _update(connection, part, {stored.ids[part.name][key]: wanted[part.name][key] for key in difference.updated})
        if part.parent is None:
            for values in difference.inserted.values():
                univers_id = connection.scalar(sa.insert(part.table).values(values).returning(part.table.c.id))
            continue
        made = []
        for key, values in difference.inserted.items():
            row: Values = dict(zip(part.key, key[len(key) - len(part.key) :], strict=True)) | values
            if part.parent == "asset_id":
                row["asset_id"] = asset_ids[key[:1]]
            else:
                row["univers_id"] = univers_id
            if part.name == "univers_assets":  # their children need to know it
                row["id"] = asset_ids[key] = uuid4()
            made.append(row)
        _insert(connection, part, made)
    assert univers_id is not None  # it was there, or was inserted
    return univers_id


def _differences(stored: Stored, wanted: Rows) -> list[_Difference]:
    found = []
    for part in _PARTS:
        old, new = stored.rows[part.name], wanted[part.name]
        updated = {}
        for key in old.keys() & new.keys():
            # Nobody named an owner: the one that production knows stays.
            kept = {"owner_id"} if new[key].get("owner_id") is None else set()
            names = [name for name in part.values if name not in kept and old[key][name] != new[key][name]]
            if names:
                updated[key] = {name: old[key][name] for name in names}, {name: new[key][name] for name in names}
        inserted = {key: values for key, values in new.items() if key not in old}
        deleted = {key: values for key, values in old.items() if key not in new}
        found.append(_Difference(part, inserted, dict(sorted(updated.items())), deleted))
    return found


def _shown(key: Key, rows: Rows) -> str:
    """``03 fr``, or the slug where the universe itself is meant."""
    return " ".join(f"{each:02d}" if isinstance(each, int) else each for each in key) or rows["univers"][()]["slug"]


def _insert(connection: Connection, part: _Part, rows: Sequence[Values]) -> None:
    if rows:
        source = _unnested(part.table, {name: [row[name] for row in rows] for name in rows[0]})
        connection.execute(sa.insert(part.table).from_select([*rows[0]], sa.select(source)))


def _update(connection: Connection, part: _Part, rows: Mapping[Any, Values]) -> None:
    if not rows:
        return
    table = part.table
    names = [name for name in part.values if name != "owner_id" or any(row[name] for row in rows.values())]
    columns = {"id": [*rows], **{name: [row[name] for row in rows.values()] for name in names}}
    source = _unnested(table, columns)
    values: Values = {name: source.c[name] for name in names}
    if "updated_at" in table.c:
        values["updated_at"] = sa.func.now()
    connection.execute(sa.update(table).where(table.c.id == source.c.id).values(values))


def _unnested(table: sa.Table, columns: Mapping[str, Sequence[Any]]) -> sa.FromClause:
    """Rows as one array for each column: a statement of the same size for one row and for thousands."""
    arrays = [_array(table.c[name], values) for name, values in columns.items()]
    listed = [sa.column(name, table.c[name].type) for name in columns]
    return sa.func.unnest(*arrays).table_valued(*listed).render_derived(name="given")


def _array(column: sa.Column[Any], values: Sequence[Any]) -> sa.ColumnElement[Any]:
    kind = postgresql.ARRAY(column.type)
    return sa.cast(sa.bindparam(None, list(values), type_=kind), kind)


def _aware(moment: datetime | None) -> datetime | None:
    """A time without a zone is UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
