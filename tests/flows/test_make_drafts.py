"""Drafts in a real Prefect engine, against local providers that fail, refuse and lose answers."""

import json

import pytest

from flows.draft import generate_draft
from maquette.db.engine import Database
from maquette.drafts.models import AssetDocument, GenerationProgress, Making, NewDraft
from maquette.drafts.production import DraftResult
from maquette.drafts.service import Drafts
from maquette.intake.service import AcceptedDraft, Intake
from maquette.journal.costs import costs
from maquette.media.probe import probe
from maquette.quota import service as quota
from maquette.settings import Settings
from maquette.videos.service import Videos
from tests.rehearsing import Rehearse

# Prefect's engine and its test server leave sockets to the garbage collector.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
QUICK = {
    "retry_base_s": 0,
    "breaker_base_s": 0,
    "image_poll_s": 0.01,
    "loop_poll_s": 0.01,
    "music_poll_s": 0.01,
    "local_price_micros_per_image": 3000,
    "local_price_micros_per_loop": 5000,
    "local_price_micros_per_song": 7000,
}
ONE_SONG = Making(num_assets=3, languages=("fr",))


def of(videos: Videos) -> tuple[Drafts, Intake]:
    return (
        Drafts(videos.database, videos.store, videos.settings),
        Intake(videos.database, videos.store, videos.settings),
    )


async def made(videos: Videos, accepted: AcceptedDraft) -> GenerationProgress:
    """Where the draft stands after one run of its flow."""
    await generate_draft(job_id=accepted.job_id, return_state=True)
    return of(videos)[0].status(accepted.draft_id)


def paid(settings: Settings) -> dict[str, list[tuple[int, str, int]]]:
    """The providers' own logs: item, outcome, price."""
    found = {}
    for kind in ("images", "loops", "music"):
        log = settings.home / f"provider-local-{kind}" / "submissions.jsonl"
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        found[kind] = sorted((line["number"], line["outcome"], line["cost_micros"]) for line in lines)
    return found


def hashes(assets: list[AssetDocument]) -> dict[str, tuple[str | None, str | None]]:
    return {asset.id: (asset.image_sha256, asset.video_sha256) for asset in assets}


def assert_books_agree(database: Database, settings: Settings) -> None:
    with database.begin() as session:
        total = sum(price for lines in paid(settings).values() for _, _, price in lines)
        assert costs(session, by="provider").cost_micros == total
        assert quota.audit(session) == []


async def test_a_theme_becomes_a_universe(rehearse: Rehearse, settings: Settings, database: Database) -> None:
    videos = rehearse(**QUICK)
    drafts, intake = of(videos)
    draft = drafts.create(NewDraft(name="Ma jungle", theme="jungle"))
    assert (draft.status, draft.num_assets, draft.folder) == ("draft", 0, f"ma-jungle-{draft.draft_id}")
    accepted = intake.generate_draft(draft.draft_id, Making(num_assets=3))
    assert drafts.status(draft.draft_id).status == "generating"
    status = await made(videos, accepted)
    assert (status.status, status.progress, status.message) == ("completed", 100, None)
    assert (status.total_assets, status.generated_assets, status.failed_assets) == (3, 3, 0)
    log = paid(settings)
    assert [len(log[kind]) for kind in ("images", "loops", "music")] == [3, 3, 5]
    assert_books_agree(database, settings)

    assets = drafts.assets(draft.draft_id)
    assert [asset.id for asset in assets] == ["00", "01", "02"]
    assert len({asset.display_name for asset in assets}) == 3
    assert all(set(asset.titles) == {"fr", "en", "es", "it", "de"} for asset in assets)
    assert all("{" not in (asset.image_prompt or "{") + (asset.video_prompt or "{") for asset in assets)

    folder = settings.home / "drafts" / draft.folder
    first = assets[0].display_name.replace(" ", "_")
    names = {path.name for path in (folder / "assets").iterdir()}
    assert {f"00_{first}.png", f"00_{first}_silent.webm", f"00_{first}_silent.mp4", "music_fr.mp3"} <= names
    assert len(names) == 3 * 3 + 5
    metadata = json.loads((folder / "metadata.json").read_text("utf-8"))
    assert metadata["status"] == "completed"
    assert metadata["num_assets"] == 3
    assert metadata["thumbnail_url"] == f"/storage/drafts/{draft.folder}/assets/00_{first}.png"
    assert set(metadata["music_lyrics"]) == {"fr", "en", "es", "it", "de"}
    told = json.loads((folder / "assets_metadata.json").read_text("utf-8"))
    assert [entry["image_file"] for entry in told] == [asset.image_file for asset in assets]
    loop = probe(folder / "assets" / f"00_{first}_silent.webm")
    assert not loop.has_audio
    assert list((settings.home / "tmp").iterdir()) == []  # nothing half-made is left


async def test_one_failure_leaves_the_rest_and_another_order_makes_what_is_missing(
    rehearse: Rehearse, settings: Settings, database: Database
) -> None:
    videos = rehearse(**QUICK, local_image_faults={2: ["refuse", "refuse"]}, local_music_faults={1: ["fail"] * 9})
    drafts, intake = of(videos)
    draft_id = drafts.create(NewDraft(name="Océan", theme="ocean")).draft_id
    status = await made(videos, intake.generate_draft(draft_id, ONE_SONG))
    while status.status == "generating":  # what may pass is left to the next attempt
        status = await made(videos, AcceptedDraft(draft_id=draft_id, job_id=status.job_id))
    assert (status.status, status.generated_assets, status.failed_assets) == ("failed", 2, 1)
    assert {(f.asset, f.part, f.code) for f in status.failures} == {
        ("01", "image", "usage_guidelines"),
        ("01", "video", "picture_missing"),
        ("fr", "music", "provider_unavailable"),
    }
    assert "image 01" in (status.message or "")
    before, log = hashes(drafts.assets(draft_id)), paid(settings)
    assert_books_agree(database, settings)

    videos = rehearse(**QUICK, local_image_faults={}, local_music_faults={})
    again = intake.generate_draft(draft_id, ONE_SONG)
    assert again.items == 3
    status = await made(videos, again)
    assert (status.status, status.generated_assets, status.failures) == ("completed", 3, [])
    after = hashes(drafts.assets(draft_id))
    assert {key: value for key, value in after.items() if key != "01"} == {k: v for k, v in before.items() if k != "01"}
    assert [len(paid(settings)[k]) - len(log[k]) for k in ("images", "loops", "music")] == [1, 1, 1]
    assert intake.generate_draft(draft_id, ONE_SONG).job_id is None  # nothing is missing any more
    assert_books_agree(database, settings)


async def test_a_lost_answer_is_looked_up_and_a_broken_loop_tried_again(
    rehearse: Rehearse, settings: Settings, database: Database
) -> None:
    videos = rehearse(**QUICK, local_loop_faults={1: ["lose-answer"], 2: ["broken-clip"], 3: ["throttle"]})
    drafts, intake = of(videos)
    draft_id = drafts.create(NewDraft(name="Ferme", theme="farm")).draft_id
    status = await made(videos, intake.generate_draft(draft_id, ONE_SONG))
    while status.status == "generating":
        status = await made(videos, AcceptedDraft(draft_id=draft_id, job_id=status.job_id))
    assert status.status == "completed"
    outcomes = sorted(outcome for _, outcome, _ in paid(settings)["loops"])
    assert outcomes == ["accepted", "accepted", "broken-clip", "lose-answer", "throttle"]
    assert_books_agree(database, settings)


async def test_a_run_started_by_hand_makes_a_draft_of_its_own(rehearse: Rehearse, settings: Settings) -> None:
    videos = rehearse(**QUICK)
    result = await generate_draft(theme="une ferme", num_assets=2)
    assert isinstance(result, DraftResult)
    assert (result.status, result.assets) == ("completed", 2)
    draft = of(videos)[0].get(result.draft_id)
    assert (draft.name, draft.status, draft.content_hash) == ("une ferme", "completed", result.content_hash)
    state = await generate_draft(draft_id=result.draft_id, num_assets=2, return_state=True)
    assert state.is_failed()
    assert "nothing of draft" in (state.message or "")
