"""The bench of saves saves what it says that it saves: tried small, on a real API and a real database."""

from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
import sqlalchemy as sa

from benchmarks import projects as bench
from benchmarks.meter import Meter
from benchmarks.report import machine
from maquette.db.engine import Database
from maquette.projects.service import Projects
from maquette.settings import Settings
from tests.api.rig import served


@pytest.mark.parametrize("edit", bench.EDITS)
def test_the_body_is_of_its_size_and_differs_where_it_says(database: Database, settings: Settings, edit: str) -> None:
    body = bench.body_of(edit)
    assert 0.99 < len(body) / bench.SIZE_BYTES < 1.03 and body == bench.body_of(edit)
    projects = Projects(database, settings)
    for number in (b"00000001", b"00000002"):
        saved = projects.save("p", orjson.loads(body.replace(bench._MARK, number)))
    everywhere = ["script", "characters", "decors", "scenes", "assembly"]
    assert saved.changed == (everywhere if edit == "all sections" else ["script"])


def test_both_ways_keep_the_same_as_often(database: Database, settings: Settings, tmp_path: Path) -> None:
    with database.begin() as session:
        session.execute(sa.text(bench._TABLE))
    case = bench.Case(edit="one section", clients=2, projects=2)
    with served(settings, database) as address:
        port = urlsplit(address).port
        assert port is not None
        found = bench.compare(database, port, case, Meter(tmp_path), rounds=1, saves=4)
    assert (len(found.save.ms), len(found.bare.ms)) == (4, 4) and min(found.save.ms) > 0
    projects = Projects(database, settings)
    with database.begin() as session:
        rows = session.execute(sa.text("SELECT project_id, script_data FROM bare_scripts")).all()
    assert len(rows) == 2
    for project_id, document in rows:
        kept = orjson.loads(projects.load(project_id)[0].document)
        assert kept["assembly"]["pages"] == document["assembly"]["pages"]
        assert len(kept["script"]["content"]) == len(document["script"]["content"])
    report = bench.report([found], machine(), quick=True)
    assert set(report.rows[0]) >= {column.key for column in report.columns}
