"""Pages of the library: nothing twice, nothing missing, and the last one costs what the first does."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from maquette.brands import service as brands
from maquette.db.engine import Database
from maquette.errors import InvalidInput
from maquette.intake.requests import parse_request
from maquette.intake.service import Intake
from maquette.library.listing import Cursor, Type, cursor_of, list_assets
from maquette.library.models import Asset
from maquette.settings import Settings
from maquette.storage.port import Store

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def add(session: Session, kind: str, *, at_s: float = 0, subject: str = "a", **fields: Any) -> Asset:
    asset = Asset(subject=subject, kind=kind, key="k", sha256="s", size_bytes=1, media_type="image/png")
    asset.listed = kind in ("image", "carousel", "film", "reference")
    asset.created_at = NOON + timedelta(seconds=at_s)
    for name, value in fields.items():
        setattr(asset, name, value)
    session.add(asset)
    session.flush()
    return asset


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of the database meanwhile."""
    heard: list[tuple[str, Any]] = []

    def hear(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        heard.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", hear)
    yield heard
    sa.event.remove(database.engine, "before_cursor_execute", hear)


def test_pages_together_are_the_whole_whatever_comes_in_between(database: Database) -> None:
    with database.begin() as session:
        for number in range(24):  # many of the same moment
            add(session, "image", at_s=number // 8)
        for number in range(5):
            add(session, "carousel", at_s=number // 2, subject=f"c{number}")
            for index in (1, 0, 2):
                add(session, "carousel_slide", at_s=9, subject=f"c{number}", slide_index=index)
        counts: dict[Type | None, int] = {None: 29, "image": 24, "carousel_slide": 15}
        for type_, limit in itertools.product(counts, (1, 3, 7, 50)):
            whole = list_assets(session, limit=200, type_=type_).items
            page = list_assets(session, limit=limit, type_=type_)
            seen = [*page.items]
            between = add(session, "image", at_s=99)  # newer than all, after the first page was read
            while page.next:
                page = list_assets(session, limit=limit, type_=type_, cursor=page.next)
                assert 0 < len(page.items) <= limit
                seen += page.items
            assert (seen, len(seen)) == (whole, counts[type_])
            if type_ == "carousel_slide":
                assert [entry.slide_index for entry in seen] == [0, 1, 2] * 5
            else:
                assert seen == sorted(seen, key=lambda entry: (entry.created_at, entry.id), reverse=True)
            session.delete(between)
            session.flush()


def test_a_page_with_its_carousels_takes_two_questions(database: Database) -> None:
    with database.begin() as session:
        for number in range(6):
            add(session, "carousel", at_s=number, subject=f"c{number}")
            for index in (2, 0, 1):
                add(session, "carousel_slide", subject=f"c{number}", slide_index=index, title=f"{number}.{index}")
    with statements(database) as heard, database.begin() as session:
        page = list_assets(session, limit=4)
    assert sum(statement.startswith("SELECT") for statement, _ in heard) == 2
    assert [[slide.title for slide in entry.slides or ()] for entry in page.items] == [
        [f"{number}.{index}" for index in range(3)] for number in (5, 4, 3, 2)
    ]


def test_a_film_is_shown_by_its_newest_poster(database: Database) -> None:
    with database.begin() as session:
        add(session, "film", subject="f")
        add(session, "poster", subject="f", at_s=1)
        poster = add(session, "poster", subject="f", at_s=2)
        (entry,) = list_assets(session).items
    assert (entry.type, entry.slides) == ("video", None)
    assert entry.thumbnail_url == f"/api/library/{poster.id}/file"


def test_an_order_shows_the_carousel_that_it_added_a_slide_to(
    database: Database, store: Store, settings: Settings
) -> None:
    """As a retry does, for the carousel of the order before."""
    intake = Intake(database, store, settings)
    first, retry, other = (intake.order(parse_request({"topic": "un chat"})).order_id for _ in range(3))
    with database.begin() as session:
        carousel = add(session, "carousel", subject="c", order_id=first)
        add(session, "carousel_slide", subject="c", slide_index=0, order_id=first)
        slide = add(session, "carousel_slide", subject="c", slide_index=1, order_id=retry)
        image = add(session, "image", at_s=1, order_id=retry)
        assert [entry.id for entry in list_assets(session, order_id=first).items] == [carousel.id]
        assert [entry.id for entry in list_assets(session, order_id=retry).items] == [image.id, carousel.id]
        assert [entry.id for entry in list_assets(session, order_id=retry, type_="carousel_slide").items] == [slide.id]
        assert list_assets(session, order_id=other).items == []


def test_what_is_shown_only_where_it_is_asked_for(database: Database) -> None:
    with database.begin() as session:
        brand = brands.get(session, None).id
        upload = add(session, "reference", brand_id=brand, title="Logo")
        add(session, "carousel", subject="c", listed=False)
        add(session, "carousel_slide", subject="c", slide_index=0)
        add(session, "raw_image")
        assert list_assets(session).items == list_assets(session, type_="carousel_slide").items == []
        assert [entry.id for entry in list_assets(session, type_="reference", brand_id=brand).items] == [upload.id]
        assert list_assets(session, type_="reference", brand_id=uuid4()).items == []


def test_titles_are_searched_as_people_write_to_a_search_engine(database: Database) -> None:
    risks, salt, tea = "Les risques du SUCRE", "Le sucre et le sel", "Un thé"
    with database.begin() as session:
        for title in (risks, salt, tea):
            add(session, "image", title=title)
        for search, found in (
            ("sucre", {risks, salt}),
            ("sucre -sel", {risks}),
            ('"sucre et le sel"', {salt}),
            ("risques or thé", {risks, tea}),
            ("  ", {risks, salt, tea}),
            ("café", set()),
            ("'); DROP TABLE assets --", set()),
        ):
            assert {entry.title for entry in list_assets(session, search=search).items} == found, search


@given(st.datetimes(timezones=st.just(UTC)), st.uuids(), st.integers(-1, 999))
def test_a_cursor_comes_back_as_it_went(created_at: datetime, id_: UUID, slide: int) -> None:
    cursor = Cursor(created_at, id_, slide)
    assert cursor_of(cursor.encoded()) == cursor


@given(st.text() | st.binary().map(lambda raw: raw.hex()) | st.just(Cursor(NOON, UUID(int=1)).encoded()[:-3]))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        cursor_of(text)


# Six thousand entries of four brands and nine thousand slides.
THOUSANDS = """
    WITH brand AS (
        INSERT INTO brands (id, name, plan, is_default, kit)
        SELECT gen_random_uuid(), 'b' || n, 'pro', false, '{}' FROM generate_series(0, 3) n RETURNING id
    ), numbered AS (SELECT id, row_number() OVER () - 1 AS n FROM brand)
    INSERT INTO assets (id, subject, kind, brand_id, listed, title, slide_index, tags, key, sha256, size_bytes,
                        media_type, provenance, created_at)
    SELECT gen_random_uuid(), 's' || g, kind, numbered.id, kind <> 'carousel_slide',
           'sujet ' || g, part - 1, '{}', 'k' || g, 's', 1, 'image/png', '{}',
           TIMESTAMPTZ '2026-01-31 12:00Z' - g * INTERVAL '1 second'
    FROM generate_series(1, 6000) g
    CROSS JOIN LATERAL (
        SELECT 'image' AS kind, 0 AS part WHERE mod(g, 2) = 0
        UNION ALL SELECT CASE WHEN p = 0 THEN 'carousel' ELSE 'carousel_slide' END, p
        FROM generate_series(0, 3) p WHERE mod(g, 2) = 1
    ) made
    JOIN numbered ON numbered.n = mod(g / 2, 4)
"""


def plan_of(database: Database, session: Session, **narrowed: Any) -> tuple[list[str], int]:
    """The nodes of the page's plan with their indexes, and the blocks that were read."""
    with statements(database) as heard:
        assert len(list_assets(session, limit=20, **narrowed).items) > 0
    statement, parameters = next(each for each in heard if each[0].startswith("SELECT"))
    explained = session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
    root = explained.scalar_one()[0]["Plan"]
    nodes, left = [], [root]
    while left:
        node = left.pop()
        nodes.append(f"{node['Node Type']} {node.get('Index Name') or node.get('Relation Name') or ''}".strip())
        left += node.get("Plans", [])
    return nodes, root["Shared Hit Blocks"] + root["Shared Read Blocks"]


def test_the_last_page_costs_what_the_first_does(database: Database) -> None:
    """By the blocks that are read, and by the plan: an index in the pages' own order, and never the whole table."""
    with database.begin() as session:
        session.connection().exec_driver_sql(THOUSANDS)
        session.connection().exec_driver_sql("ANALYZE assets")
        brand = session.execute(sa.text("SELECT brand_id FROM assets WHERE title = 'sujet 10'")).scalar_one()
        deep = Cursor(NOON - timedelta(seconds=3000), uuid4()).encoded()
        for narrowed in ({}, {"type_": "image"}, {"brand_id": brand}, {"type_": "carousel_slide"}):
            first, first_blocks = plan_of(database, session, **narrowed)
            last, last_blocks = plan_of(database, session, cursor=deep, **narrowed)
            for nodes in (first, last):
                assert any("Index Scan ix_assets_listed" in node for node in nodes), (narrowed, nodes)
                assert not [node for node in nodes if node.startswith(("Seq Scan", "Sort"))], (narrowed, nodes)
            assert last_blocks <= 2 * first_blocks + 20, narrowed
        found, blocks = plan_of(database, session, search="5432")
        assert "Bitmap Index Scan ix_assets_search" in found
        assert blocks < 50
