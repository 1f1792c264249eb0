"""What always holds of drafts, whoever did what to them, once nothing is under way."""

import json
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from maquette.drafts import repository
from maquette.drafts.documents import asset_metadata, data_document, metadata, whole, words_document
from maquette.drafts.folder import files_of
from maquette.drafts.tables import Draft
from maquette.journal.costs import costs
from maquette.journal.models import CallState, ProviderCall
from maquette.library import service as library
from maquette.orders import service as orders
from maquette.orders.models import Job
from maquette.quota.models import Reservation, ReservationState
from tests.drafts.house import House


def require_sound(house: House) -> None:
    """All drafts, their folders, budgets and costs agree."""
    for draft in house.drafts.list():
        require_folder(house, draft.draft_id)
        require_versions(house, draft.draft_id)
        house.status(draft.draft_id)
    assert house.books() == []
    require_nothing_held(house)
    require_paid_once(house)
    folders = {path.name for path in (house.settings.home / "drafts").iterdir() if path.name != ".turns"}
    assert folders == {draft.folder for draft in house.drafts.list()}


def require_folder(house: House, draft_id: str) -> None:
    """The folder says what the rows say, and holds the files that they name."""
    with house.database.begin() as session:
        found = whole(session, repository.get_draft(session, draft_id))
    folder = house.drafts.folder_of(draft_id)
    assert found.draft.written_version == found.draft.version
    assert _read(folder / "metadata.json") == metadata(found).model_dump(mode="json")
    assert _read(folder / "assets_metadata.json") == [
        asset_metadata(asset).model_dump(mode="json") for asset in found.assets
    ]
    assert _read(folder / "words.json") == words_document(found)
    assert _read(folder / "data.json") == data_document(found)
    wanted = files_of(found)
    there = {path.relative_to(folder).as_posix() for path in folder.glob("*/*")}
    assert there == set(wanted)
    for name, asset_id in wanted.items():
        assert (folder / name).samefile(house.drafts.store.path(found.files[asset_id].key)), name


def require_versions(house: House, draft_id: str) -> None:
    """Each earlier version has its files, and its number once."""
    for asset in house.drafts.assets(draft_id):
        kept = house.drafts.versions(draft_id, int(asset.id))
        assert [version.version for version in kept] == [*range(asset.version - 1, 0, -1)]
        with house.database.begin() as session:
            for version in repository.versions_of(session, draft_id, int(asset.id)):
                ids = [version.asset[name] for name in ("image_id", "video_id", "mp4_id") if version.asset[name]]
                for file in library.by_ids(session, ids).values():
                    assert house.drafts.store.exists(file.key)


def require_nothing_held(house: House) -> None:
    """No job is open that no run would find, no ended item holds a budget."""
    with house.database.begin() as session:
        open_jobs = {job.id for job in session.exec(select(Job).where(col(Job.status).in_(orders.OPEN_JOBS)))}
        held = session.exec(select(Reservation).where(Reservation.state == ReservationState.RESERVED)).all()
        assert {orders.get_item(session, row.item_id).job_id for row in held} <= open_jobs
        subjects = {f"draft_{each}" for each in session.exec(select(Draft.id))}
        for job_id in open_jobs:
            assert orders.get_job(session, job_id).subject in subjects


def require_paid_once(house: House) -> None:
    """The providers' own logs and the journal tell of the same calls, each once.

    A call whose order was cancelled while it was being sent stays ``sending``: nobody was there to note its answer.
    """
    lines = []
    for kind in ("images", "loops", "music"):
        log = house.settings.home / f"provider-local-{kind}" / "submissions.jsonl"
        lines += [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    with house.database.begin() as session:
        calls = {call.reference: call for call in session.exec(select(ProviderCall))}
        booked = costs(session, by="provider").cost_micros
    assert len({line["reference"] for line in lines}) == len(lines)
    noted = [line for line in lines if calls[line["reference"]].state != CallState.SENDING]
    assert {(each["reference"], each["operation_id"]) for each in noted} == {
        (reference, call.operation_id) for reference, call in calls.items() if call.operation_id is not None
    }
    assert booked == sum(line["cost_micros"] for line in noted)


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
