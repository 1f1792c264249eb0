"""What a page of the library costs far down, against its first page and against counting rows with OFFSET.

Over a million entries of two brands: pictures, carousels with their slides, films with their posters. The cursor of
the far page is that of the row before it, as a client has it who walked there; its entries are checked against those
that OFFSET finds.

``python -m benchmarks.library`` prints a table and writes ``benchmarks/results/library.json``.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel import Session, col

from benchmarks.report import Column, Machine, Report, command, machine, moment, run_bench
from benchmarks.rig import bench_database
from maquette.brands import service as brands
from maquette.brands.service import NewBrand
from maquette.db.engine import Database
from maquette.library.listing import Cursor, Page, Type, list_assets
from maquette.library.models import Asset

ENTRIES: Final = 1_000_000
FAR: Final = 10_000
LIMIT: Final = 100
AIM: Final = 2.0
MADE: Final = ("image", "carousel", "film")
SLIDE: Final = "carousel_slide"

# Of 100 entries, a page, 94 are pictures, 5 carousels and one is a film; of 500 the first brand has 300. Half of the
# titles have «automne», one in 100 has «torréfaction», one in 5,000 «quetzal». One entry a minute, back in time.
_ENTRIES: Final = """
INSERT INTO assets (id, subject, kind, brand_id, listed, title, ratio, width, height, tags, key, sha256, size_bytes,
    media_type, provenance, created_at)
SELECT gen_random_uuid(), kind || '_' || n, kind, CASE WHEN n % 500 < 300 THEN :large ELSE :small END, true,
    'Campagne ' || n || CASE n % 2 WHEN 0 THEN ' automne' ELSE ' printemps' END
        || CASE n % 100 WHEN 7 THEN ' torréfaction' ELSE '' END || CASE n % 5000 WHEN 9 THEN ' quetzal' ELSE '' END,
    '4:5', 1080, 1350, ARRAY['type:' || kind, 'ratio:4:5'], left(digest, 2) || '/' || digest || '.jpg', digest,
    300000, CASE kind WHEN 'film' THEN 'video/mp4' ELSE 'image/jpeg' END,
    jsonb_build_object('prompt', 'Une terrasse de café au lever du soleil. Industry: coffee.', 'provider', 'local'),
    now() - n * interval '1 minute'
FROM (
    SELECT n, CASE WHEN n % 100 < 5 THEN 'carousel' WHEN n % 100 = 5 THEN 'film' ELSE 'image' END AS kind,
        md5(n::text) || md5('of ' || n) AS digest
    FROM generate_series(0, :entries - 1) AS n
) AS entries
"""
# What is shown with an entry and not listed itself: a carousel's five slides, a film's poster.
_PARTS: Final = """
INSERT INTO assets (id, subject, kind, brand_id, listed, title, ratio, width, height, slide_index, tags, text, key,
    sha256, size_bytes, media_type, provenance, created_at)
SELECT gen_random_uuid(), subject, CASE kind WHEN 'film' THEN 'poster' ELSE 'carousel_slide' END, brand_id, false,
    title, ratio, width, height, CASE kind WHEN 'carousel' THEN number END, tags, jsonb_build_object('title', title),
    key, sha256, size_bytes, 'image/jpeg', provenance, created_at
FROM assets JOIN generate_series(0, 4) AS number ON kind = 'carousel' OR (kind = 'film' AND number = 0)
"""


class Listing(BaseModel):
    """What is listed: of all brands or of the larger one, of one type, with words in the title."""

    name: str
    of_brand: bool = False
    type_: Type | None = None
    search: str = ""


LISTINGS: Final = (
    Listing(name="all brands"),
    Listing(name="one brand", of_brand=True),
    Listing(name="images", type_="image"),
    Listing(name="one brand's images", of_brand=True, type_="image"),
    Listing(name="carousels", type_="carousel"),
    Listing(name="films", type_="film"),
    Listing(name="slides", type_="carousel_slide"),
    Listing(name="word of half the titles", search="automne"),
    Listing(name="one brand, such a word", of_brand=True, search="automne"),
    Listing(name="word of 1 in 100", search="torréfaction"),
    Listing(name="word of 1 in 5,000", search="quetzal"),
)


class Times(BaseModel):
    """Milliseconds of each call, and of the statements in it."""

    ms: list[float] = []
    sql_ms: list[float] = []


class Compared(BaseModel):
    """The first page and the one furthest down, by cursor; the latter's rows by OFFSET."""

    name: str
    far_page: int
    first: Times
    far: Times
    offset: Times


def fill(database: Database, entries: int) -> UUID:
    """``entries`` entries with their parts; the larger brand. The indexes are made last, which is faster."""
    with database.begin() as session:
        large, small = (brands.create(session, NewBrand(name=name, plan="admin")).id for name in ("Large", "Small"))
        found = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'assets' AND indexname <> 'pk_assets'"
        indexes = session.execute(sa.text(found)).all()
        for name, _ in indexes:
            session.execute(sa.text(f"DROP INDEX {name}"))
        # Foreign keys are not looked up a million times: the two brands are there.
        session.execute(sa.text("SET LOCAL session_replication_role = replica"))
        session.execute(sa.text(_ENTRIES), {"entries": entries, "large": large, "small": small})
        session.execute(sa.text(_PARTS))
        for _, definition in indexes:
            session.execute(sa.text(definition))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM (ANALYZE) assets"))
    return large


def in_order(listing: Listing, brand_id: UUID) -> sa.Select[*tuple[Any, ...]]:
    """Id and place of each row of a listing, in its order: what OFFSET counts."""
    entry = sa.orm.aliased(Asset) if listing.type_ == SLIDE else Asset
    found = sa.select(col(Asset.id), col(entry.created_at), col(entry.id), col(Asset.slide_index)).select_from(entry)
    kinds = MADE if listing.type_ is None else (listing.type_,)
    if entry is not Asset:
        found = found.join(Asset, col(Asset.subject) == col(entry.subject)).where(col(Asset.kind) == SLIDE)
        kinds = ("carousel",)
    found = found.where(col(entry.listed), col(entry.kind).in_(kinds))
    if listing.of_brand:
        found = found.where(col(entry.brand_id) == brand_id)
    if listing.search:
        words = sa.func.to_tsvector(sa.literal_column("'simple'"), col(entry.title))
        found = found.where(words.bool_op("@@")(sa.func.plainto_tsquery(sa.literal_column("'simple'"), listing.search)))
    return found.order_by(col(entry.created_at).desc(), col(entry.id).desc(), col(Asset.slide_index))


@contextmanager
def timed(database: Database, times: Times) -> Iterator[Session]:
    """A session, of which the calls are timed from the first statement on, and its statements."""
    spent_s = 0.0
    began = 0.0

    def begin(*_: Any) -> None:
        nonlocal began
        began = time.perf_counter()

    def end(*_: Any) -> None:
        nonlocal spent_s
        spent_s += time.perf_counter() - began

    with database.begin() as session:
        session.connection()  # from the pool, with its transaction
        sa.event.listen(database.engine, "before_cursor_execute", begin)
        sa.event.listen(database.engine, "after_cursor_execute", end)
        since = time.perf_counter()
        try:
            yield session
        finally:
            times.ms.append((time.perf_counter() - since) * 1000)
            times.sql_ms.append(spent_s * 1000)
            sa.event.remove(database.engine, "before_cursor_execute", begin)
            sa.event.remove(database.engine, "after_cursor_execute", end)


def compare(
    database: Database, listing: Listing, brand_id: UUID, *, far: int, rounds: int, counts: int
) -> Compared | None:
    """First and far page by turns, ``rounds`` times after ten that do not count; OFFSET ``counts`` times.

    The far page is the last full one where there are less than ``far``; ``None`` where that is the first. Raises
    ``RuntimeError`` when its entries are not those that OFFSET finds.
    """

    def page(session: Session, cursor: str | None = None) -> Page:
        return list_assets(
            session,
            brand_id=brand_id if listing.of_brand else None,
            type_=listing.type_,
            search=listing.search,
            cursor=cursor,
            limit=LIMIT,
        )

    rows = in_order(listing, brand_id)
    with database.begin() as session:
        count = sa.select(sa.func.count()).select_from(rows.subquery())
        number = min(far, session.execute(count).scalar_one() // LIMIT)
        if number < 2:
            return None
        above = (number - 1) * LIMIT
        last, *expected = session.execute(rows.offset(above - 1).limit(LIMIT + 1)).all()
    cursor = Cursor(last[1], last[2], last[3] if listing.type_ == SLIDE else -1).encoded()
    found = Compared(name=listing.name, far_page=number, first=Times(), far=Times(), offset=Times())
    # By then the statements are prepared, and PostgreSQL has chosen between plans for these values and for any.
    unheeded = 10
    shown: dict[str | None, Page] = {}
    for turn in range(rounds + unheeded):
        first, furthest = (found.first, found.far) if turn >= unheeded else (Times(), Times())
        ways = [(None, first), (cursor, furthest)]
        for place, times in ways if turn % 2 else reversed(ways):
            with timed(database, times) as session:
                shown[place] = page(session, place)
        if [entry.id for entry in shown[cursor].items] != [row[0] for row in expected]:
            raise RuntimeError(f"{listing.name}: page {number} is not what OFFSET finds")
    for _ in range(counts):
        with timed(database, found.offset) as session:
            session.execute(rows.offset(above).limit(LIMIT + 1)).all()
    return found


def measure(quick: bool) -> Report:
    """A million entries, 40 rounds a listing; quick, twenty thousand and two rounds."""
    entries, far, rounds, counts = (20_000, 200, 2, 1) if quick else (ENTRIES, FAR, 40, 5)
    facts = machine()
    with bench_database() as database:
        brand_id = fill(database, entries)
        found = [compare(database, listing, brand_id, far=far, rounds=rounds, counts=counts) for listing in LISTINGS]
    return report([each for each in found if each], facts, quick=quick, entries=entries)


def report(found: Sequence[Compared], facts: Machine, *, quick: bool, entries: int) -> Report:
    """Medians as rows; ``ratio`` is the far page's to the first one's, ``offset_ratio`` OFFSET's to the far page's."""
    return Report(
        name="library",
        title=f"A page of {LIMIT} of the library, {entries} entries: medians",
        command=command("library", quick=quick),
        quick=quick,
        measured_at=moment(),
        machine=facts,
        columns=[
            Column(key="listing", heading="listing"),
            Column(key="far_page", heading="far page"),
            Column(key="first_ms", heading="page 1: ms"),
            Column(key="first_sql_ms", heading="SQL ms"),
            Column(key="far_ms", heading="far page: ms"),
            Column(key="far_sql_ms", heading="SQL ms"),
            Column(key="ratio", heading="ratio"),
            Column(key="sql_ratio", heading="SQL ratio"),
            Column(key="aim", heading="aim: at most", digits=0),
            Column(key="offset_sql_ms", heading="OFFSET: SQL ms", digits=1),
            Column(key="offset_ratio", heading="to the far page", digits=1),
        ],
        rows=[
            {
                "listing": each.name,
                "far_page": each.far_page,
                "first_ms": median(each.first.ms),
                "first_sql_ms": median(each.first.sql_ms),
                "far_ms": median(each.far.ms),
                "far_sql_ms": median(each.far.sql_ms),
                "ratio": median(each.far.ms) / median(each.first.ms),
                "sql_ratio": median(each.far.sql_ms) / median(each.first.sql_ms),
                "aim": AIM,
                "offset_sql_ms": median(each.offset.sql_ms),
                "offset_ratio": median(each.offset.sql_ms) / median(each.far.sql_ms),
            }
            for each in found
        ],
        notes=[
            "a page's ms: the query of the entries, that of their slides and posters, and the entries as documents",
            "OFFSET: the query of the entries' ids alone",
        ],
    )


if __name__ == "__main__":
    run_bench(measure)
