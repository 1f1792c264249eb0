"""What saving a project of 200 kB costs: a real API process over real sockets, against a bare upsert of the same JSONB.

Two ways, in turns, from so many clients at once, each a thread that sends its next save when the last is answered:

* *save-all*: ``POST /api/projects/{id}/save-all`` with the whole document, as the editor sends it, over a connection
  that stays open; the answer is read whole;
* *bare*: ``INSERT … ON CONFLICT DO UPDATE`` of the same document as one JSONB value, by plain psycopg on a connection
  of each client. It checks nothing, counts nothing and keeps nothing of what it overwrites.

``python -m benchmarks.projects`` prints a table and writes ``benchmarks/results/projects.json``.
"""

import http.client
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import count
from typing import Any, Final

import orjson
import psycopg
import sqlalchemy as sa
from pydantic import BaseModel

from benchmarks.intake import Took, race
from benchmarks.meter import Meter
from benchmarks.report import Column, Machine, Report, command, machine, moment, run_bench
from benchmarks.rig import ROOT, bench_database, free_port
from maquette.db.engine import Database
from maquette.projects.grammar import parse
from maquette.settings import Settings

SIZE_BYTES: Final = 200_000
CLIENTS: Final = (1, 20)
# Where each save differs from the one before: in the script's text alone, as when somebody writes, or everywhere.
EDITS: Final = ("one section", "all sections")
WAIT_S: Final = 30.0

_MARK: Final = b"@@@@@@@@"
_WORDS: Final = (
    "pluie", "ville", "nuit", "lumière", "regard", "silence", "porte", "rue", "toit", "ombre", "vent", "train",
    "couloir", "main", "visage", "sourire", "cri", "course", "chute", "départ", "retour", "souffle", "écho", "orage",
)  # fmt: skip
_TABLE: Final = (
    "CREATE TABLE bare_scripts (project_id text, user_id text, script_data jsonb NOT NULL,"
    " updated_at timestamptz NOT NULL DEFAULT now(), UNIQUE (project_id, user_id))"
)
_BARE: Final = (
    "INSERT INTO bare_scripts (project_id, user_id, script_data) VALUES (%s, 'home', %s::jsonb)"
    " ON CONFLICT (project_id, user_id) DO UPDATE SET script_data = EXCLUDED.script_data, updated_at = now()"
)


class Case(BaseModel):
    """So many clients whose saves change so much: each of a project of its own, or all of one."""

    edit: str
    clients: int
    projects: int


class Compared(BaseModel):
    """Both ways of a case."""

    case: Case
    save: Took
    bare: Took
    body_bytes: int


def body_of(edit: str, *, size_bytes: int = SIZE_BYTES) -> bytes:
    """A save's body of about that size, marked where the saves are to differ: drawn by rule, always the same."""
    rng = random.Random(5)

    def text(words: int) -> str:
        return " ".join(rng.choices(_WORDS, k=words))

    everywhere = _MARK.decode() if edit == "all sections" else ""
    lines = [_MARK.decode()]
    for page in range(1, 25):
        lines += ["", f"PAGE {page}:"]
        if page % 6 == 1:
            lines.append(f"CHAPTER {page // 6 + 1}: {text(3)}")
        for panel in range(1, 5):
            lines += ["", f"PANEL {panel}:", f"({text(12)})", f"[AKIRA]: {text(8)}"]
    content = "\n".join(lines)
    parsed = parse(content)
    body: dict[str, Any] = {
        "scriptData": {
            "content": content,
            "title": "Tokyo Rain",
            "stats": parsed.stats,
            "fileTree": parsed.file_tree,
            "lastModified": "2026-01-31T12:00:00.000Z",
        },
        "charactersData": [
            {"id": f"ch-{n}", "name": text(1), "description": text(60) + everywhere, "traits": text(4).split()}
            for n in range(12)
        ],
        "decorsData": [{"id": f"dc-{n}", "name": text(2), "prompt": text(30) + everywhere} for n in range(12)],
        "scenesData": [
            {"id": f"sc-{n}", "title": text(3), "description": text(40) + everywhere, "panels": []} for n in range(24)
        ],
        "assemblyData": {"pages": [], "currentPage": 1, "totalPages": 0, "canvasState": {"zoom": 25, "is": everywhere}},
    }
    pages = body["assemblyData"]["pages"]
    left = size_bytes - len(orjson.dumps(body))
    while left > 0:
        panels = [
            {"id": f"p-{n}", "x": rng.random() * 1000, "y": rng.random() * 1000, "content": text(20)} for n in range(4)
        ]
        pages.append({"id": f"page-{len(pages)}", "number": len(pages) + 1, "panels": panels, "layout": "single"})
        left -= len(orjson.dumps(pages[-1])) + 1
    return orjson.dumps(body)


@contextmanager
def api(database: Database) -> Iterator[int]:
    """The API as a process of its own on that database; its port."""
    port = free_port()
    told = {"MAQUETTE_DATABASE_URL": database.libpq_url, "MAQUETTE_API_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "maquette.api"], cwd=ROOT, env=os.environ | told)
    try:
        deadline = time.monotonic() + WAIT_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the API did not start")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(WAIT_S)


def _answers(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False


def save(connection: http.client.HTTPConnection, project_id: str, body: bytes) -> bytes:
    """One save; its answer. Raises ``RuntimeError`` for any status but 200."""
    connection.request("POST", f"/api/projects/{project_id}/save-all", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {content[:500]!r}")
    return content


def upsert(connection: psycopg.Connection[Any], project_id: str, document: str) -> None:
    """One bare upsert, in a transaction of its own."""
    connection.execute(_BARE, (project_id, document))


def compare(database: Database, port: int, case: Case, meter: Meter, *, rounds: int, saves: int) -> Compared:
    """Both ways by turns, ``saves`` a round of each, between the clients; the first round does not count."""
    body, numbers = body_of(case.edit), count(10_000_000)
    name = f"{case.edit}-{case.clients}-{case.projects}".replace(" ", "-")
    ids = [f"{name}-{index % case.projects}" for index in range(case.clients)]
    each = range(max(1, saves // case.clients))

    def ours(connection: http.client.HTTPConnection, project_id: str) -> None:
        save(connection, project_id, body.replace(_MARK, b"%08d" % next(numbers)))

    def theirs(connection: psycopg.Connection[Any], project_id: str) -> None:
        upsert(connection, project_id, document.replace(_MARK, b"%08d" % next(numbers)).decode())

    with ExitStack() as exits:
        posting = [exits.enter_context(closing(http.client.HTTPConnection("127.0.0.1", port))) for _ in ids]
        plain = [exits.enter_context(psycopg.connect(database.libpq_url, autocommit=True)) for _ in ids]
        document = orjson.dumps(orjson.loads(save(posting[0], ids[0], body))["data"]["script_data"])
        found = Compared(case=case, save=Took(), bare=Took(), body_bytes=len(body))
        for turn in range(rounds + 1):
            took = (found.save, found.bare) if turn else (Took(), Took())
            race([[partial(ours, *who) for _ in each] for who in zip(posting, ids, strict=True)], took[0], meter)
            race([[partial(theirs, *who) for _ in each] for who in zip(plain, ids, strict=True)], took[1], meter)
    return found


def cases(clients: Sequence[int]) -> list[Case]:
    """Each edit by so many clients, each of a project of its own; and by the most of them on one project."""
    own = [Case(edit=edit, clients=number, projects=number) for edit in EDITS for number in clients]
    return [*own, Case(edit=EDITS[0], clients=max(clients), projects=1)]


def measure(quick: bool) -> Report:
    """Four rounds of 500 saves a case and way; quick, one of 8 by 1 and by 4 clients."""
    clients, rounds, saves = ((1, 4), 1, 8) if quick else (CLIENTS, 4, 500)
    facts = machine()
    with bench_database() as database, api(database) as port:
        with database.begin() as session:
            session.execute(sa.text(_TABLE))
        meter = Meter(Settings().home)
        found = [compare(database, port, case, meter, rounds=rounds, saves=saves) for case in cases(clients)]
    return report(found, facts, quick=quick)


def figures(took: Took, way: str) -> dict[str, float]:
    """Median, 95th and 99th percentile (all ms), saves a second, and CPU ms a save."""
    percentiles = statistics.quantiles(took.ms, n=100, method="inclusive")
    return {
        f"{way}_p50_ms": statistics.median(took.ms),
        f"{way}_p95_ms": percentiles[94],
        f"{way}_p99_ms": percentiles[98],
        f"{way}_per_s": len(took.ms) / took.wall_s,
        f"{way}_cpu_ms": took.cpu_s / len(took.ms) * 1000,
    }


def report(found: Sequence[Compared], facts: Machine, *, quick: bool) -> Report:
    """The cases as rows; ratios are the save's to the bare upsert's."""
    rows: list[dict[str, Any]] = []
    for each in found:
        row = {**figures(each.save, "save"), **figures(each.bare, "bare")}
        ratios = {f"{name}_ratio": row[f"save_{name}"] / row[f"bare_{name}"] for name in ("p50_ms", "p99_ms")}
        rows.append({**each.case.model_dump(), **row, **ratios})
    headings = (("p50_ms", "p50 ms", 1), ("p95_ms", "p95 ms", 1), ("p99_ms", "p99 ms", 1), ("per_s", "saves/s", 0),
                ("cpu_ms", "CPU ms", 1))  # fmt: skip
    return Report(
        name="projects",
        title=f"Saving a project of {found[0].body_bytes:,} bytes, {len(found[0].save.ms)} times each way",
        command=command("projects", quick=quick),
        quick=quick,
        measured_at=moment(),
        machine=facts,
        columns=[
            Column(key="edit", heading="changed"),
            Column(key="clients", heading="clients"),
            Column(key="projects", heading="projects"),
            *(
                Column(key=f"{way}_{key}", heading=f"{way}: {heading}" if key == "p50_ms" else heading, digits=digits)
                for way in ("save", "bare")
                for key, heading, digits in headings
            ),
            Column(key="p50_ms_ratio", heading="p50 ratio"),
            Column(key="p99_ms_ratio", heading="p99 ratio"),
        ],
        rows=rows,
        notes=[
            "every client sends its next save when the last is answered; client, API and PostgreSQL share the cores",
            "CPU ms: of client, API and PostgreSQL",
        ],
    )


if __name__ == "__main__":
    run_bench(measure)
