"""The flow of films in a real Prefect engine: made, made anew in part, started by hand, refused."""

from uuid import UUID

import pytest

from flows.video import make_video
from maquette.db.engine import Database
from maquette.errors import MaquetteError
from maquette.settings import Settings
from maquette.videos.models import BlockEdit
from maquette.videos.script import Script
from tests.flows.films import BRIEF, ONE_BLOCK, assert_books_agree, paid, run
from tests.rehearsing import PRICE, Rehearse

# Prefect's engine and its test server leave sockets to the garbage collector.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


async def test_a_theme_becomes_a_film(rehearse: Rehearse, settings: Settings, database: Database) -> None:
    videos = rehearse()
    video = await run(videos, videos.order(BRIEF))
    assert (video.status, video.progress, video.completed_blocks) == ("completed", 100, 2)
    assert paid(settings) == [(1, "accepted", 8 * PRICE), (2, "accepted", 7 * PRICE)]
    assert video.cost_micros == 15 * PRICE
    assert_books_agree(database, settings, video)
    folder = settings.home / "videos" / video.video_id
    names = {"script_v2.json", "script_raw.txt", "block_1.mp4", "block_2.mp4", "final.mp4", "poster.jpg"}
    assert names | {"contact_sheet.png", "preview.mp4"} == {path.name for path in folder.iterdir()}
    script = Script.model_validate_json((folder / "script_v2.json").read_text())
    assert (script.total_blocks, script.actual_duration, script.target_duration) == (2, 15, 15)
    assert list((settings.home / "tmp").iterdir()) == []  # nothing half-made is left


async def test_an_edit_makes_one_block_and_the_film_anew(rehearse: Rehearse, settings: Settings) -> None:
    videos = rehearse()
    video = await run(videos, videos.order(BRIEF))
    folder = settings.home / "videos" / video.video_id
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    again = await run(videos, videos.edit(video.video_id, 1, BlockEdit(dialogue="Un autre texte.")))
    assert again.status == "completed"
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert after["block_2.mp4"] == before["block_2.mp4"]
    assert after["final.mp4"] != before["final.mp4"]
    assert [number for number, _, _ in paid(settings)] == [1, 1, 2]


async def test_a_run_without_a_job_takes_its_brief_through_intake(rehearse: Rehearse, database: Database) -> None:
    videos = rehearse()
    result = await make_video(theme="Coffee in 1900", target_duration=8, language="en")
    assert not isinstance(result, UUID)
    listed = videos.list()
    assert [(video.theme, video.status) for video in listed] == [("Coffee in 1900", "completed")]


async def test_a_run_without_a_theme_says_so(rehearse: Rehearse) -> None:
    rehearse()
    with pytest.raises(MaquetteError, match="theme is empty"):
        await make_video()


async def test_a_missing_key_ends_the_video_with_what_to_set(
    rehearse: Rehearse, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    videos = rehearse(clip_provider="replicate")
    video = await run(videos, videos.order(ONE_BLOCK))
    assert (video.status, video.error_code) == ("failed", "configuration")
    assert "MAQUETTE_REPLICATE_API_TOKEN" in caplog.text


async def test_a_second_run_of_an_ended_job_is_refused_without_harm(rehearse: Rehearse, settings: Settings) -> None:
    videos = rehearse()
    placed = videos.order(ONE_BLOCK)
    await run(videos, placed)
    before = paid(settings)
    state = await make_video(job_id=placed.job_id, return_state=True)
    assert state.is_cancelled()
    assert paid(settings) == before
