"""What publishing a universe of 1,000 assets costs, against the barest way to write the same rows and files.

*ours*: the rows alone as ``publish`` changes them (lock, read, compare, apply, commit), then ``Publisher.publish`` with
a folder as the bucket and tiny files. *bare*: one transaction of psycopg's ``executemany`` for each table; where the
universe is there already it is deleted first, which is how the rows were written before; files are copied, neither
verified nor flushed to the disk. The ways take turns.

``python -m benchmarks.publishing`` prints a table and writes ``benchmarks/results/publishing.json``.
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import uuid4

import psycopg
import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel import SQLModel

from benchmarks.report import Column, Machine, Report, command, machine, moment, run_bench
from benchmarks.rig import bench_database
from maquette.db.embedded import ensure_database
from maquette.db.engine import Database
from maquette.providers.text.port import UNIVERSE_LANGUAGES
from maquette.publishing import rows
from maquette.publishing.connection import connect
from maquette.publishing.models import PublishedAsset, PublishedSong, Universe, UniverseFile
from maquette.publishing.service import Publisher
from maquette.publishing.tables import Publication
from maquette.publishing.target import Production
from maquette.storage.buckets.folder import FolderBucket

ASSETS: Final = 1_000
ROUNDS: Final = 7
_SLUG: Final = "bench"


class Case(BaseModel):
    """One thing that was done both ways; seconds of each round."""

    name: str
    rows: int
    files: int
    ours_s: list[float] = []
    bare_s: list[float] = []


def universe_of(assets: int) -> Universe:
    """``assets`` concepts with their names and prompts in the five languages, and five songs."""
    return Universe(
        name="Bench",
        slug=_SLUG,
        names={language: f"Bench {language}" for language in UNIVERSE_LANGUAGES},
        assets=tuple(
            PublishedAsset(
                sort_order=place,
                image_name=f"{place:04d}_thing.png",
                display_name=f"thing {place}",
                names={language: f"thing {place} in {language}" for language in UNIVERSE_LANGUAGES},
                image_prompt=f"A friendly thing number {place}, in soft colours, on a white ground",
                video_prompt=f"Thing number {place} waves slowly, and comes back to where it was",
            )
            for place in range(assets)
        ),
        songs=tuple(PublishedSong(language=each, prompt="calm", lyrics="la " * 150) for each in UNIVERSE_LANGUAGES),
    )


def files_of(universe: Universe, folder: Path) -> list[UniverseFile]:
    """A picture of some bytes for each asset."""
    files = []
    for asset in universe.assets:
        path = folder / asset.image_name
        path.write_bytes(f"picture of {asset.display_name}".encode())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append(UniverseFile(name=asset.image_name, path=path, sha256=digest, media_type="image/png"))
    return files


def publish_rows(production: Production, universe: Universe) -> None:
    """The rows as ``Publisher.publish`` changes them."""
    with production.transaction() as connection:
        rows.lock(connection, universe.slug)
        stored, wanted = rows.read(connection, universe.slug), rows.wanted_rows(universe, thumbnail_url=None)
        rows.changes(stored, wanted)
        rows.apply(connection, stored, wanted)


def write_bare(connection: psycopg.Connection[Any], universe: Universe) -> None:
    """The same rows without a look at what is there, but for the universe's own row."""
    wanted = rows.wanted_rows(universe, thumbnail_url=None)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM univers WHERE slug = %s", [universe.slug])
        inserted = _insert(cursor, "univers", [wanted["univers"][()]], returning=True)
        asset_ids = {key: uuid4() for key in wanted["univers_assets"]}
        for table, found in wanted.items():
            if table == "univers":
                continue
            made = []
            for key, values in found.items():
                row = dict(values)
                if table in ("univers_assets_translations", "univers_assets_prompts"):
                    row["asset_id"] = asset_ids[key[:1]]
                else:
                    row["univers_id"] = inserted
                if table == "univers_assets":
                    row |= {"id": asset_ids[key], "sort_order": key[0]}
                elif key and isinstance(key[-1], str):
                    row["language"] = key[-1]
                made.append(row)
            _insert(cursor, table, made)


def _insert(cursor: psycopg.Cursor[Any], table: str, made: Sequence[rows.Values], *, returning: bool = False) -> Any:
    names = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, made[0]))
    marks = psycopg.sql.SQL(", ").join([psycopg.sql.Placeholder()] * len(made[0]))
    statement = psycopg.sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(psycopg.sql.Identifier(table), names, marks)
    if returning:
        found = cursor.execute(statement + psycopg.sql.SQL(" RETURNING id"), [*made[0].values()]).fetchone()
        return found[0] if found else None
    cursor.executemany(statement, [[*row.values()] for row in made])
    return None


def copy_bare(files: Sequence[UniverseFile], folder: Path) -> None:
    """The files as a script would copy them."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(file.path, folder / file.name)


def compare(database: Database, production: Production, folder: Path, *, assets: int, rounds: int) -> list[Case]:
    """Each case both ways in turns, ``rounds`` times after one that does not count."""
    universe = universe_of(assets)
    (folder / "made").mkdir()
    files = files_of(universe, folder / "made")
    bucket = FolderBucket(folder / "buckets" / "bench", public_url="/storage/buckets/bench")
    publisher = Publisher(database, production, bucket)
    count = sum(map(len, rows.wanted_rows(universe, thumbnail_url=None).values()))
    cases = [
        Case(name="rows, first time", rows=count, files=0),
        Case(name="rows, nothing changed", rows=count, files=0),
        Case(name="rows and files, first time", rows=count, files=len(files)),
        Case(name="rows and files, nothing changed", rows=count, files=len(files)),
    ]
    url = production.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def forget() -> None:
        with production.transaction() as connection:
            connection.execute(sa.text("TRUNCATE univers CASCADE"))
        shutil.rmtree(bucket.root, ignore_errors=True)
        shutil.rmtree(folder / "bare", ignore_errors=True)

    def ours() -> None:
        publisher.publish(universe, files, subject="bench", content_hash="bench")

    with psycopg.connect(url) as bare:

        def theirs() -> None:
            write_bare(bare, universe)
            copy_bare(files, folder / "bare")

        ways: list[tuple[Callable[[], None], Callable[[], None]]] = [
            (lambda: publish_rows(production, universe), lambda: write_bare(bare, universe)),
            (ours, theirs),
        ]
        for turn in range(rounds + 1):
            for way, (mine, other) in enumerate(ways):
                for work, name in ((mine, "ours_s"), (other, "bare_s")):
                    forget()
                    for case in cases[2 * way : 2 * way + 2]:
                        since = time.perf_counter()
                        work()
                        if turn:
                            getattr(case, name).append(time.perf_counter() - since)
    return cases


@contextmanager
def bench_production(database: Database) -> Iterator[Production]:
    """A prepared production beside ``database``."""
    production = Production(connect(ensure_database(database.libpq_url, "bench_production")))
    SQLModel.metadata.tables[str(Publication.__tablename__)].create(database.engine, checkfirst=True)
    production.prepare(dry_run=False)
    try:
        yield production
    finally:
        production.dispose()


def measure(quick: bool) -> Report:
    """Seven rounds with 1,000 assets; quick, one with 20."""
    assets, rounds = (20, 1) if quick else (ASSETS, ROUNDS)
    facts = machine()
    with (
        bench_database() as database,
        bench_production(database) as production,
        TemporaryDirectory(prefix="maquette-bench-") as folder,
    ):
        found = compare(database, production, Path(folder), assets=assets, rounds=rounds)
    return report(found, facts, quick=quick, assets=assets)


def report(found: Sequence[Case], facts: Machine, *, quick: bool, assets: int) -> Report:
    """Medians as rows; the ratio is our time to the bare one's."""
    return Report(
        name="publishing",
        title=f"Publishing a universe of {assets} assets in five languages: medians",
        command=command("publishing", quick=quick),
        quick=quick,
        measured_at=moment(),
        machine=facts,
        columns=[
            Column(key="case", heading="what"),
            Column(key="rows", heading="rows"),
            Column(key="files", heading="files"),
            Column(key="ours_s", heading="ours: s", digits=3),
            Column(key="ours_rows_per_s", heading="rows/s", digits=0),
            Column(key="bare_s", heading="bare: s", digits=3),
            Column(key="bare_rows_per_s", heading="rows/s", digits=0),
            Column(key="ratio", heading="ratio"),
        ],
        rows=[
            {
                "case": each.name,
                "rows": each.rows,
                "files": each.files,
                "ours_s": median(each.ours_s),
                "ours_rows_per_s": each.rows / median(each.ours_s),
                "bare_s": median(each.bare_s),
                "bare_rows_per_s": each.rows / median(each.bare_s),
                "ratio": median(each.ours_s) / median(each.bare_s),
            }
            for each in found
        ],
        notes=[
            "bare: executemany, delete and insert; its files are copied without fsync and without a look at the result",
            "nothing changed: ours reads and compares, and writes no row and no file; bare writes all of them again",
        ],
    )


if __name__ == "__main__":
    run_bench(measure)
