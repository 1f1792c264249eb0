"""Properties of rows: whatever came before, production is what was published last, and kept rows keep their ids."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from maquette.errors import Conflict
from maquette.providers.text.port import UNIVERSE_LANGUAGES
from maquette.publishing import rows
from maquette.publishing.models import PublishedAsset, PublishedSong, Universe
from maquette.publishing.reading import read_universe
from maquette.publishing.target import Production
from maquette.publishing.univers import METADATA
from tests.publishing.rig import a_universe, an_asset

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
WORD = st.sampled_from(["monkey", "Affe", "singe", "l'été", "a{b}", 'x"y,{NULL}', "NULL", "\\", "😀"])
NAMES = st.dictionaries(st.sampled_from(UNIVERSE_LANGUAGES), WORD | st.just(""))
MOMENTS = st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.sampled_from([None, UTC]))


@st.composite
def assets(draw: st.DrawFn) -> tuple[PublishedAsset, ...]:
    places = draw(st.lists(st.integers(-1, 6), unique=True, max_size=6))
    return tuple(
        PublishedAsset(
            sort_order=place,
            image_name=draw(WORD),
            display_name=draw(WORD),
            names=draw(NAMES),
            image_prompt=draw(st.none() | TEXT),
            video_prompt=draw(st.none() | WORD),
            generation_count=draw(st.integers(1, 3)),
            last_generated_at=draw(MOMENTS),
        )
        for place in places
    )


@st.composite
def songs(draw: st.DrawFn) -> tuple[PublishedSong, ...]:
    languages = draw(st.lists(st.sampled_from(UNIVERSE_LANGUAGES), unique=True))
    return tuple(PublishedSong(language=each, prompt=draw(WORD), lyrics=draw(TEXT)) for each in languages)


UNIVERSES = st.builds(
    Universe,
    name=WORD,
    slug=st.just("jungle"),
    is_public=st.booleans(),
    thumbnail_name=st.none() | st.just("00_monkey.png"),
    background_color=st.sampled_from(["#ffffff", "#204020"]),
    background_music=st.none() | WORD,
    owner_id=st.none() | st.uuids(),
    default_image_prompt=st.none() | WORD,
    default_video_prompt=st.none() | TEXT,
    names=NAMES,
    assets=assets(),
    songs=songs(),
)


def wanted(universe: Universe) -> rows.Rows:
    url = f"https://x/{universe.slug}/{universe.thumbnail_name}" if universe.thumbnail_name else None
    return rows.wanted_rows(universe, thumbnail_url=url)


def apply(connection: Connection, universe: Universe) -> rows.Stored:
    """Publish the rows; what is stored then."""
    rows.apply(connection, rows.read(connection, universe.slug), wanted(universe))
    return rows.read(connection, universe.slug)


def completed(universe: Universe, owner: object) -> Universe:
    """As its readers see it: all names, assets and songs in their order, times with a zone."""
    return universe.model_copy(
        update={
            "owner_id": universe.owner_id or owner,
            "names": {each: universe.names.get(each) or universe.name for each in UNIVERSE_LANGUAGES},
            "songs": tuple(sorted(universe.songs, key=lambda song: UNIVERSE_LANGUAGES.index(song.language))),
            "assets": tuple(
                asset.model_copy(
                    update={
                        "names": {each: asset.names.get(each) or asset.display_name for each in UNIVERSE_LANGUAGES},
                        "last_generated_at": asset.last_generated_at and asset.last_generated_at.replace(tzinfo=UTC),
                    }
                )
                for asset in sorted(universe.assets, key=lambda asset: asset.sort_order)
            ),
        }
    )


def tuples(connection: Connection) -> dict[str, dict[Any, tuple[Any, ...]]]:
    """Where each row lies: the address changes with every write to it, within one transaction as well."""
    return {
        table.name: {row.id: tuple(row) for row in connection.execute(sa.text(f"SELECT id, ctid FROM {table.name}"))}
        for table in METADATA.sorted_tables
    }


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(UNIVERSES, min_size=2, max_size=4))
def test_after_any_sequence_production_is_the_last(production: Production, sequence: list[Universe]) -> None:
    with production.engine.connect() as connection:
        owner: object = None
        stored = rows.Stored()
        for universe in sequence:
            before, placed = stored, tuples(connection)
            planned = rows.changes(before, wanted(universe))
            stored = apply(connection, universe)
            owner = universe.owner_id or owner
            assert read_universe(connection, "jungle") == completed(universe, owner)
            assert rows.changes(stored, wanted(universe)) == []
            assert not any(stored.surplus.values())
            for table, ids in stored.ids.items():
                # A row whose key stays keeps its id, and only rows that were said to change have moved.
                assert all(before.ids[table].get(key, row_id) == row_id for key, row_id in ids.items())
                now = tuples(connection)[table]
                moved = [row_id for row_id in now if row_id in placed[table] and now[row_id] != placed[table][row_id]]
                told = [each.kind for each in planned if each.where == table]
                assert len(moved) == told.count("update")
                assert len(now.keys() - placed[table].keys()) == told.count("insert")
                assert len(placed[table].keys() - now.keys()) == told.count("delete")
            again = tuples(connection)
            rows.apply(connection, stored, wanted(universe))
            assert tuples(connection) == again
        connection.rollback()


@settings(max_examples=40, deadline=None)
@given(UNIVERSES, UNIVERSES)
def test_differences_run_both_ways(one: Universe, other: Universe) -> None:
    def stored(universe: Universe) -> rows.Stored:
        made = wanted(universe)
        return rows.Stored(univers_id=1, rows=made, ids={name: dict.fromkeys(each, 0) for name, each in made.items()})

    assert rows.changes(stored(one), wanted(one)) == []
    there, back = rows.changes(stored(one), wanted(other)), rows.changes(stored(other), wanted(one))
    mirrored = {"insert": "delete", "delete": "insert", "update": "update"}
    assert sorted((mirrored[each.kind], each.where) for each in there if each.key != "jungle") == sorted(
        (each.kind, each.where) for each in back if each.key != "jungle"
    )


def test_statements_do_not_grow_with_rows(production: Production) -> None:
    counts = []
    for number in (2, 200):
        universe = a_universe(assets=tuple(an_asset(place) for place in range(number)), slug=f"many-{number}")
        changed = universe.model_copy(
            update={"assets": tuple(an_asset(place, "owl") for place in range(1, number + 5)), "songs": ()}
        )
        with production.engine.connect() as connection:
            apply(connection, universe)
            seen: list[str] = []

            def note(conn: object, cursor: object, statement: str, *_: object, seen: list[str] = seen) -> None:
                seen.append(statement)

            sa.event.listen(connection, "before_cursor_execute", note)
            apply(connection, changed)
            counts.append(len(seen))
            connection.rollback()
    assert counts[0] == counts[1] <= 26


def test_names_fall_back_to_the_title(production: Production) -> None:
    universe = a_universe(assets=(an_asset(0, "monkey", names={"fr": "singe", "de": ""}),), names={})
    with production.engine.connect() as connection:
        apply(connection, universe)
        found = read_universe(connection, "jungle")
        connection.rollback()
    assert found is not None
    assert found.assets[0].names == {"fr": "singe", **dict.fromkeys(("en", "es", "it", "de"), "monkey")}
    assert found.names == dict.fromkeys(UNIVERSE_LANGUAGES, "Jungle")


@pytest.mark.parametrize("slug", ["nowhere", "jung%", "'; DROP TABLE univers; --"])
def test_what_is_not_there_is_nothing(production: Production, slug: str) -> None:
    with production.transaction(read_only=True) as connection:
        assert read_universe(connection, slug) is None
        assert rows.read(connection, slug) == rows.Stored()


def test_reading_changes_nothing_and_cannot(production: Production) -> None:
    with (
        pytest.raises(Conflict, match="read-only"),
        production.transaction(read_only=True) as connection,
    ):
        apply(connection, a_universe(1))
