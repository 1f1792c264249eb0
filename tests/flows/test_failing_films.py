"""The flow of films in a real Prefect engine, against a provider that fails, refuses, stalls and loses answers."""

import errno
import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.video import make_video
from maquette.db.engine import Database
from maquette.db.types import now
from maquette.errors import QuotaExceeded
from maquette.orders import documents
from maquette.orders import service as orders
from maquette.providers.clips.local.provider import LocalClips
from maquette.settings import Settings
from maquette.videos import production
from tests.flows.films import BRIEF, ONE_BLOCK, assert_books_agree, paid, run
from tests.rehearsing import Rehearse

# Prefect's engine and its test server leave sockets to the garbage collector.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


async def test_a_block_that_fails_is_tried_again_alone(
    rehearse: Rehearse, settings: Settings, database: Database
) -> None:
    faults = {1: ["fail"] * 3, 2: ["throttle"], 3: ["lose-answer"], 4: ["refuse"]}
    videos = rehearse(local_faults=faults)
    video = await run(videos, videos.order(BRIEF.model_copy(update={"target_duration": 29})))
    assert (video.status, video.error_message) == ("completed", None)
    accepted = {1: ["accepted"], 2: ["accepted"], 3: [], 4: ["accepted"]}  # a lost answer was taken all the same
    for number in faults:
        outcomes = [outcome for block, outcome, _ in paid(settings) if block == number]
        assert sorted(outcomes) == sorted(faults[number] + accepted[number])
    assert [block.reworded for block in video.blocks] == [False, False, False, True]
    assert_books_agree(database, settings, video)


async def test_blocks_that_stay_failed_fail_the_film_and_retry_makes_only_them(
    rehearse: Rehearse, settings: Settings, database: Database
) -> None:
    faults = {2: ["refuse"] * 2, 3: ["fail"] * 4, 4: ["broken-clip"] * 4}
    videos = rehearse(local_faults=faults)
    video = await run(videos, videos.order(BRIEF.model_copy(update={"target_duration": 29})))
    assert (video.status, video.error_code) == ("failed", "usage_guidelines")
    assert [block.error_code for block in video.blocks] == [
        None,
        "usage_guidelines",
        "provider_unavailable",
        "bad_clip",
    ]
    texts = [block.error_message or "" for block in video.blocks]
    assert "règles de sécurité de Google" in texts[1]
    assert "Le fournisseur ne répond pas" in texts[2]
    assert "inutilisable" in texts[3]
    tried = [number for number, _, _ in paid(settings)]
    assert {number: tried.count(number) for number in (1, 2, 3, 4)} == {1: 1, 2: 2, 3: 4, 4: 4}
    kept = settings.home / "videos" / video.video_id / "block_1.mp4"
    before = kept.read_bytes(), kept.stat().st_mtime_ns
    again = await run(videos, videos.retry(video.video_id))
    assert (again.status, again.error_code) == ("completed", None)
    assert (kept.read_bytes(), kept.stat().st_mtime_ns) == before
    assert [outcome for number, outcome, _ in paid(settings) if number == 1] == ["accepted"]
    assert_books_agree(database, settings, again)


async def test_a_stalled_operation_is_waited_for_again_and_never_paid_twice(
    rehearse: Rehearse, settings: Settings, database: Database
) -> None:
    videos = rehearse(local_faults={"1": ["stall"]}, clip_timeout_s=0.3, local_stall_s=3600)
    video = await run(videos, videos.order(BRIEF))
    assert (video.status, video.error_code) == ("failed", "operation_timeout")
    assert video.blocks[1].status == "completed"
    videos = rehearse(local_faults={"1": ["stall"]}, local_stall_s=0)  # the provider recovers
    again = await run(videos, videos.retry(video.video_id))
    assert again.status == "completed"
    assert [outcome for number, outcome, _ in paid(settings) if number == 1] == ["stall"]
    assert_books_agree(database, settings, again)


async def test_a_film_waits_for_a_provider_whose_account_is_empty_and_uses_up_no_attempt(
    rehearse: Rehearse, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = rehearse(breaker_base_s=60)
    placed = videos.order(BRIEF)
    asked: list[str] = []

    def empty(*args: object, reference: str) -> str:
        asked.append(reference)
        raise QuotaExceeded("the account is empty")

    with monkeypatch.context() as account:
        account.setattr(LocalClips, "submit", empty)
        state = await make_video(job_id=placed.job_id, return_state=True)
    assert state.is_failed()
    with database.begin() as session:
        job = orders.get_job(session, placed.job_id)
        assert (job.status, job.attempts, job.dispatches) == ("queued", 0, 1)
        assert job.available_at > now(session)
        (breaker,) = documents.queue_document(session).breakers
        assert (breaker.provider, breaker.open_until is not None) == ("local", True)
        # The provider's time has come.
        session.execute(sa.text("UPDATE provider_breakers SET open_until = clock_timestamp()"))
    assert videos.get(placed.video_id).status == "generating_parallel"
    assert len(asked) <= 2  # blocks that were on their way; nobody else asked
    video = await run(videos, placed)
    if video.status != "completed":
        # One block asks first; where the others came before its answer, the film waits once more.
        with database.begin() as session:
            assert orders.get_job(session, placed.job_id).attempts == 0
        video = await run(videos, placed)
    assert video.status == "completed"
    assert_books_agree(database, settings, video)
    with database.begin() as session:
        assert documents.queue_document(session).breakers == []


async def test_an_error_that_nobody_foresaw_gives_the_work_back_to_the_queue(
    rehearse: Rehearse, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = rehearse()
    placed = videos.order(ONE_BLOCK)
    with monkeypatch.context() as broken:
        broken.setattr(production, "write_script", _break)
        state = await make_video(job_id=placed.job_id, return_state=True)
    assert state.is_failed()
    with database.begin() as session:
        job = orders.get_job(session, placed.job_id)
        assert (job.status, job.last_error) == ("queued", "RuntimeError: a defect")
    assert videos.get(placed.video_id).status == "queued"
    assert (await run(videos, placed)).status == "completed"


async def test_a_full_disk_fails_clearly_and_retry_goes_on(
    rehearse: Rehearse, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = rehearse()
    real, full = os.link, [True]

    def link(source: Path, target: Path) -> None:
        if full[0] and str(target).endswith(".mp4"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    video = await run(videos, videos.order(BRIEF))
    assert (video.status, video.error_code) == ("failed", "storage_full")
    assert video.error_message == "Le disque est plein. Libérez de l'espace puis relancez."
    assert not (settings.home / "videos" / video.video_id / "final.mp4").exists()
    full[0] = False
    again = await run(videos, videos.retry(video.video_id))
    assert again.status == "completed"
    assert [number for number, _, _ in paid(settings)] == [1, 2]  # nothing was ordered twice


def _break(*args: object) -> None:
    raise RuntimeError("a defect")
