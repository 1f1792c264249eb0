"""What placing an order costs, against a bare transaction of the same inserts. Ratios within one run.

Two ways, in turns, from so many clients at once, each a thread that sends its next order when the last is accepted:

* *intake*: ``Intake.order`` with an idempotency key, every client on a connection of the pool;
* *bare*: the rows that the intake writes for such an order, under new ids that were made beforehand, in one
  transaction of plain psycopg with one ``executemany`` a table. It checks nothing and wakes nobody.

``python -m benchmarks.intake`` prints a table and writes ``benchmarks/results/intake.json``.
"""

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from typing import Any, Final, Literal
from uuid import UUID, uuid4

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from pydantic import BaseModel

from benchmarks.meter import Meter
from benchmarks.report import Column, Machine, Report, command, machine, moment, run_bench
from benchmarks.rig import bench_database
from maquette.brands import service as brands
from maquette.brands.models import BrandKit
from maquette.brands.service import NewBrand
from maquette.db.engine import Database
from maquette.intake.requests import MediaRequest
from maquette.intake.service import Accepted, Intake
from maquette.settings import Settings
from maquette.storage import store_from_settings

CLIENTS: Final = (1, 8, 32)
REQUESTS: Final = {
    "image": MediaRequest(format="image", topic="Une terrasse de café au lever du soleil", platform="instagram"),
    "carousel of 5": MediaRequest(format="carousel", count=5, topic="5 erreurs qui ruinent vos carrousels"),
}
KIT: Final = BrandKit(
    palette=["#5b2be0", "#ff5a5f", "#ffd23f"],
    fonts={"primary": "Roboto", "secondary": "Roboto"},
    voice="chaleureuse et directe",
    niche="torréfaction artisanale",
)
# How the rows of one order are found, in a sequence that foreign keys allow.
_ITEMS: Final = "item_id IN (SELECT id FROM order_items WHERE order_id = %(order_id)s)"
ROWS: Final = {
    "idempotency_keys": "key = %(key)s",
    "carousels": "id IN (SELECT subject FROM job_queue WHERE order_id = %(order_id)s)",
    "orders": "id = %(order_id)s",
    "job_queue": "order_id = %(order_id)s",
    "order_items": "order_id = %(order_id)s",
    "reservations": _ITEMS,
    "quota_ledger": _ITEMS,
    "events": "subject = 'order:' || %(order_id)s",
}
# The database counts these itself.
_SERIAL: Final = ("quota_ledger", "events")

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
Statement = tuple[sql.Composed, Sequence[Sequence[Any]]]


class Took(BaseModel):
    """What the orders of one way took: milliseconds of each; in all the wall's seconds and the CPU's.

    The CPU is that of this process and of PostgreSQL.
    """

    ms: list[float] = []
    wall_s: float = 0
    cpu_s: float = 0


class Case(BaseModel):
    """So many clients with orders of one kind: each for a brand of its own, or all for one."""

    order: str
    clients: int
    brands: int


class Compared(BaseModel):
    """Both ways of a case; ``statements`` are those that one order sends, without BEGIN and COMMIT."""

    case: Case
    intake: Took
    bare: Took
    statements: int
    bare_statements: int


def race(clients: Sequence[Sequence[Callable[[], object]]], took: Took, meter: Meter) -> None:
    """Every client's calls one after the other, all clients at once; adds to ``took``."""
    start = threading.Barrier(len(clients) + 1)

    def client(calls: Sequence[Callable[[], object]]) -> list[float]:
        start.wait()
        ends = [time.perf_counter()]
        for call in calls:
            call()
            ends.append(time.perf_counter())
        return [(end - since) * 1000 for since, end in pairwise(ends)]

    with ThreadPoolExecutor(len(clients)) as pool:
        ended = [pool.submit(client, calls) for calls in clients]
        before = meter.read()
        start.wait()
        since = time.perf_counter()
        for each in ended:
            took.ms += each.result()
        took.wall_s += time.perf_counter() - since
        used = meter.read() - before
        took.cpu_s += used.work_s + used.servers_s


def written(connection: psycopg.Connection[Any], order_id: UUID, key: str) -> Rows:
    """The rows that an order left, by table; not the month's counters, which are no rows of its own."""
    rows: dict[str, list[dict[str, Any]]] = {}
    with connection.cursor(row_factory=dict_row) as cursor:
        for table, found in ROWS.items():
            cursor.execute(f"SELECT * FROM {table} WHERE {found}", {"order_id": order_id, "key": key})
            rows[table] = cursor.fetchall()
            for row in rows[table] if table in _SERIAL else ():
                del row["id"]
    return rows


def anew(rows: Rows, brand_id: UUID) -> list[Statement]:
    """The statements that write ``rows`` as another order of ``brand_id``, and count it in its month."""
    [order] = rows["orders"]
    ids = {row["id"]: uuid4() for table in ("orders", "job_queue", "order_items") for row in rows[table]}
    names = {job["subject"]: f"{job['kind']}_{uuid4().hex[:22]}" for job in rows["job_queue"]}
    names |= {row["key"]: uuid4().hex for row in rows["idempotency_keys"]}
    names[f"order:{order['id']}"] = f"order:{ids[order['id']]}"
    new: dict[Any, Any] = {**ids, **names, order["brand_id"]: brand_id}

    def value(old: Any) -> Any:
        return Jsonb(old) if isinstance(old, dict) else new.get(old, old)

    statements = [
        (_insert(table, list(found[0])), [[value(old) for old in row.values()] for row in found])
        for table, found in rows.items()
        if found
    ]
    # Where the intake counts, so that orders of one brand wait for each other as long.
    place = [table for table, found in rows.items() if found].index("reservations")
    return [*statements[:place], _counted(rows["reservations"], brand_id), *statements[place:]]


def _insert(table: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
    )


def _counted(reservations: Sequence[Mapping[str, Any]], brand_id: UUID) -> Statement:
    units = ("images", "reels", "woofs")
    columns = ["brand_id", "period_yyyymm", *(f"{unit}_{what}" for what in ("reserved", "used") for unit in units)]
    added = sql.SQL(", ").join(
        sql.SQL("{0} = counters_monthly.{0} + EXCLUDED.{0}").format(sql.Identifier(column)) for column in columns[2:5]
    )
    amounts = [sum(row[unit] for row in reservations) for unit in units]
    insert = _insert("counters_monthly", columns)
    return (
        sql.SQL("{} ON CONFLICT (brand_id, period_yyyymm) DO UPDATE SET {}").format(insert, added),
        [[brand_id, reservations[0]["period_yyyymm"], *amounts, 0, 0, 0]],
    )


def run_bare(connection: psycopg.Connection[Any], statements: Sequence[Statement]) -> None:
    """One transaction, one round trip a statement."""
    with connection.transaction(), connection.cursor() as cursor:
        for statement, rows in statements:
            cursor.executemany(statement, rows)


def place(intake: Intake, request: MediaRequest, brand_id: UUID, key: str) -> Accepted:
    """One order through the intake."""
    return intake.order(request.model_copy(update={"brand_id": brand_id}), key=key)


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that SQLAlchemy sends meanwhile."""
    sent: list[str] = []

    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        sent.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", count)
    try:
        yield sent
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", count)


def compare(database: Database, intake: Intake, case: Case, meter: Meter, *, rounds: int, orders: int) -> Compared:
    """Both ways by turns, ``orders`` a round of each, between the clients; the first round does not count."""
    request = REQUESTS[case.order]
    with database.begin() as session:
        made = [
            brands.create(session, NewBrand(name=f"Brand {index}", plan="admin", kit=KIT)).id
            for index in range(case.brands)
        ]
    payers = [made[index % case.brands] for index in range(case.clients)]
    each = range(max(1, orders // case.clients))
    with ExitStack() as exits:
        connections = [exits.enter_context(psycopg.connect(database.libpq_url)) for _ in payers]
        key = uuid4().hex
        place(intake, request, payers[0], uuid4().hex)  # the brand's first of the month opens its counters
        with counted(database) as sent:
            sample = place(intake, request, payers[0], key)
        rows = written(connections[0], sample.order_id, key)
        connections[0].rollback()
        found = Compared(
            case=case,
            intake=Took(),
            bare=Took(),
            statements=len(sent),
            bare_statements=len(anew(rows, payers[0])),
        )
        for turn in range(rounds + 1):
            ours, theirs = (found.intake, found.bare) if turn else (Took(), Took())
            through = [[partial(place, intake, request, payer, uuid4().hex) for _ in each] for payer in payers]
            plain = [
                [partial(run_bare, connection, anew(rows, payer)) for _ in each]
                for connection, payer in zip(connections, payers, strict=True)
            ]
            race(through, ours, meter)
            race(plain, theirs, meter)
    return found


def cases(clients: Sequence[int]) -> list[Case]:
    """Each kind of order by so many clients: each for a brand of its own, and all for one."""
    return [
        Case(order=order, clients=number, brands=share)
        for order in REQUESTS
        for number in clients
        for share in dict.fromkeys((number, 1))
    ]


def measure(quick: bool) -> Report:
    """Six rounds of 128 orders a case and way; quick, one of 8 by 1 and by 4 clients."""
    clients, rounds, orders = ((1, 4), 1, 8) if quick else (CLIENTS, 6, 128)
    facts = machine()
    with bench_database(connections=max(clients)) as database:
        settings = Settings()
        intake, meter = Intake(database, store_from_settings(settings), settings), Meter(settings.home)
        found = [compare(database, intake, case, meter, rounds=rounds, orders=orders) for case in cases(clients)]
    return report(found, facts, quick=quick)


Way = Literal["intake", "bare"]


def figures(took: Took, way: Way) -> dict[str, float]:
    """Median, 99th percentile (both ms), orders a second, and CPU ms an order."""
    return {
        f"{way}_p50_ms": statistics.median(took.ms),
        f"{way}_p99_ms": statistics.quantiles(took.ms, n=100, method="inclusive")[98],
        f"{way}_per_s": len(took.ms) / took.wall_s,
        f"{way}_cpu_ms": took.cpu_s / len(took.ms) * 1000,
    }


def report(found: Sequence[Compared], facts: Machine, *, quick: bool) -> Report:
    """The cases as rows; ratios are the intake's to the bare transaction's."""
    rows: list[dict[str, Any]] = []
    for each in found:
        row = {**figures(each.intake, "intake"), **figures(each.bare, "bare")}
        ratios = {f"{name}_ratio": row[f"intake_{name}"] / row[f"bare_{name}"] for name in ("p50_ms", "per_s")}
        rows.append({**each.case.model_dump(), **row, **ratios, **each.model_dump(include=_STATEMENTS)})
    return Report(
        name="intake",
        title=f"Placing an order, {len(found[0].intake.ms)} times each way",
        command=command("intake", quick=quick),
        quick=quick,
        measured_at=moment(),
        machine=facts,
        columns=[
            Column(key="order", heading="order"),
            Column(key="clients", heading="clients"),
            Column(key="brands", heading="brands"),
            *(
                Column(key=f"{way}_{key}", heading=f"{way}: {heading}" if key == "p50_ms" else heading, digits=digits)
                for way in ("intake", "bare")
                for key, heading, digits in (
                    ("p50_ms", "p50 ms", 1), ("p99_ms", "p99 ms", 1), ("per_s", "orders/s", 0), ("cpu_ms", "CPU ms", 1)
                )
            ),
            Column(key="p50_ms_ratio", heading="p50 ratio"),
            Column(key="per_s_ratio", heading="orders/s ratio"),
            Column(key="statements", heading="statements"),
            Column(key="bare_statements", heading="bare"),
        ],
        rows=rows,
        notes=[
            "clients are threads of one process, which take turns at Python: with more of them an order takes longer",
            "CPU ms: of this process and of PostgreSQL; statements: without BEGIN, COMMIT and the pool's ping",
        ],
    )  # fmt: skip


_STATEMENTS: Final = {"statements", "bare_statements"}


if __name__ == "__main__":
    run_bench(measure)
