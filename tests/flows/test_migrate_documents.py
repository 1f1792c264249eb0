"""Migrations in a real Prefect engine: phases as tasks, a block for the database, what the run's page shows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.artifacts import Artifact
from prefect.client.orchestration import get_client
from pydantic import SecretStr

from blocks.database import DatabaseBlock
from flows.migration import contract_migration, follow_migration, migrate_documents, roll_back_migration
from maquette.errors import Conflict
from maquette.migrating.models import Options, Plan, Result, RunStatus
from maquette.settings import get_settings
from tests.migrating import rig
from tests.rehearsing import Rehearse

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
OPTIONS = Options(watch_s=0, window_s=1, soak_s=0, rehearse=False)


@pytest.fixture
def notes_url(postgres: str) -> Iterator[str]:
    with rig.twelve_notes(postgres) as url:
        yield url


async def test_a_migration_is_planned_carried_out_and_contracted(
    rehearse: Rehearse, notes_url: str, tmp_path: Path
) -> None:
    rehearse()
    (tmp_path / "notes_v2.py").write_text(rig.FILE)
    await DatabaseBlock(url=SecretStr(notes_url)).save("notes")
    place: dict[str, Any] = {"migration": "notes_v2", "database": "notes", "folder": str(tmp_path)}

    plan = await migrate_documents(**place, dry_run=True, options=OPTIONS)
    assert isinstance(plan, Plan) and (plan.rows, plan.rows_to_archive) == (12, 1)
    with pytest.raises(Conflict, match="approved was the plan"):
        await migrate_documents(**place, approve="0" * 64, options=OPTIONS)
    found = await migrate_documents(**place, approve=plan.hash, options=OPTIONS)
    assert isinstance(found, Result)
    assert (found.status, found.percent, found.rows_migrated, found.archived) == (RunStatus.SOAKING, 100, 11, 1)
    assert [phase.phase.value for phase in found.phases][-1] == "cut_over"

    with rig.connected(notes_url) as connection:
        note = next(iter(rig.old(connection)))
        rig.edit_new(connection, UUID(note), "written in the new shape")
    assert (await follow_migration(**place)).pending == 0
    with rig.connected(notes_url) as connection:
        assert rig.old(connection)[note] == {"lines": ["written in the new shape"]}

    from maquette.migrating.definition import load
    from maquette.migrating.service import Migrations

    use = Migrations(notes_url, load("notes_v2", tmp_path), home=tmp_path)
    ended = await contract_migration(**place, approve=use.contract_plan().hash)
    assert isinstance(ended, Result) and ended.status == RunStatus.COMPLETED
    with rig.connected(notes_url) as connection:
        assert rig.old(connection)[note]["text"] == "written in the new shape"

    keys = ("plan", "statements", "counts", "phases", "batches")
    shown = {key: await Artifact.aget(f"migration-notes-v2-{key}") for key in keys}
    assert all(shown.values()), shown
    assert str(shown["batches"] and shown["batches"].data).startswith("data:image/svg+xml;base64,")
    assert plan.hash in str(shown["plan"] and shown["plan"].data)
    async with get_client() as client:
        told = json.dumps([run.parameters for run in await client.read_flow_runs()], default=str)
    assert notes_url not in told


async def test_a_migration_is_rolled_back_by_its_deployment(rehearse: Rehearse, notes_url: str, tmp_path: Path) -> None:
    rehearse()
    (tmp_path / "notes_v2.py").write_text(rig.FILE)
    await DatabaseBlock(url=SecretStr(notes_url)).save("notes-back")
    place: dict[str, Any] = {"migration": "notes_v2", "database": "notes-back", "folder": str(tmp_path)}
    with rig.connected(notes_url) as connection:
        before = rig.old(connection)
    plan = await migrate_documents(**place, dry_run=True, options=OPTIONS)
    assert isinstance(plan, Plan)
    await migrate_documents(**place, approve=plan.hash, options=OPTIONS)
    found = await roll_back_migration(**place)
    assert (found.status, found.percent) == (RunStatus.ROLLED_BACK, 0)
    with rig.connected(notes_url) as connection:
        kept = rig.old(connection)
    assert len(kept) == 11 and kept.items() <= before.items()


async def test_a_breach_ends_the_run_as_failed_with_its_report(
    rehearse: Rehearse, notes_url: str, tmp_path: Path
) -> None:
    rehearse()
    broken = """
from maquette.migrating.definition import Invariant
from tests.migrating.rig import Notes as Shared


class Notes(Shared):
    name = "notes_v2"
    invariants = (Invariant("no note is ever read", "SELECT count(*) FROM {current}"),)
"""
    (tmp_path / "notes_v2.py").write_text(broken)
    await DatabaseBlock(url=SecretStr(notes_url)).save("notes-broken")
    place: dict[str, Any] = {"migration": "notes_v2", "database": "notes-broken", "folder": str(tmp_path)}
    plan = await migrate_documents(**place, dry_run=True, options=OPTIONS)
    assert isinstance(plan, Plan)
    state = await migrate_documents(**place, approve=plan.hash, options=OPTIONS, return_state=True)
    assert state.is_failed()
    assert "no note is ever read" in (state.message or "")
    (report,) = (get_settings().home / "migrations").glob("*/report.html")
    assert "no note is ever read" in report.read_text("utf-8")
