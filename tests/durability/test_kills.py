"""SIGKILL at every named point, stopped workers, doubled runs, a wiped Prefect: one film, one payment a block."""

import os
import signal
import subprocess
from functools import partial

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient

from maquette.launch.processes import end_tree
from maquette.launch.stack import worker_command
from maquette.videos.models import VideoBrief
from tests.rehearsing import Rehearsal, until

pytestmark = pytest.mark.slow
# Those that a film passes, in its order.
POINTS = ("after-intent", "after-submit", "while-waiting", "after-fetch", "during-normalising", "during-assembly")
BRIEF = VideoBrief(theme="Les risques du sucre", target_duration=15)


def test_a_film_survives_a_kill_at_every_named_point(rehearsal: Rehearsal) -> None:
    rehearsal.kill_worker(then_crash_at=POINTS[0])
    video_id = rehearsal.videos.order(BRIEF).video_id
    finished: dict[str, tuple[bytes, int]] = {}
    for point, following in zip(POINTS, [*POINTS[1:], None], strict=True):
        until(partial(rehearsal.reached, point), what=point)
        if point == "during-assembly":
            finished = rehearsal.files(video_id)
            assert "final.mp4" not in finished  # nothing half-written under a final name
            assert {"block_1.mp4", "block_2.mp4"} <= finished.keys()
        rehearsal.kill_worker(then_crash_at=following)
    video = rehearsal.ended(video_id)
    assert (video.status, video.error_message) == ("completed", None)
    rehearsal.require_one_payment_per_block(video)
    files = rehearsal.files(video_id)
    assert {name: files[name] for name in finished} == finished  # same bytes, same mtime
    assert video.facts is not None
    assert video.facts["duration_s"] == pytest.approx(15, abs=0.05)


def test_a_worker_stopped_past_its_lease_and_continued_writes_nothing(rehearsal: Rehearsal) -> None:
    rehearsal.kill_worker(then_crash_at="while-waiting")
    video_id = rehearsal.videos.order(BRIEF).video_id
    until(lambda: rehearsal.reached("while-waiting"))
    stopped = rehearsal.workers()
    for process in stopped:
        os.kill(process.pid, signal.SIGSTOP)
    # Another worker of the same pool, without a crash point, finds the expired lease.
    rehearsal.stack.environment.pop("MAQUETTE_CRASH_AT")
    other = subprocess.Popen(
        worker_command(rehearsal.settings),
        env=rehearsal.stack.environment,
        cwd=rehearsal.stack.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        video = rehearsal.ended(video_id)
        settled = rehearsal.files(video_id)
        assert video.status == "completed"
        with rehearsal.prefect() as client:
            runs = [run.id for run in client.read_flow_runs() if video_id in run.tags]
            assert len(runs) == 2  # the stale run, which the reconciler marked, and the one that took over
            until(lambda: sorted(_final(client, run_id) for run_id in runs) == ["Completed", "Crashed"])
    finally:
        end_tree(other.pid)
        other.wait()
        # The stopped run stands at its crash point, which lets it go on when the marker is taken away.
        (rehearsal.markers / "while-waiting").unlink()
        for process in stopped:
            os.kill(process.pid, signal.SIGCONT)
    # Woken up, the stale run is refused and ends without a trace.
    until(partial(rehearsal.let_go, "while-waiting"), what="the end of the stale run's process")
    rehearsal.require_one_payment_per_block(video)
    assert rehearsal.files(video_id) == settled
    assert rehearsal.videos.get(video_id) == video
    rehearsal.kill_worker()  # its crash point dies with it


def test_two_runs_started_by_hand_for_one_job_make_one_film(rehearsal: Rehearsal) -> None:
    placed = rehearsal.videos.order(BRIEF)
    with rehearsal.prefect() as client:
        deployment = client.read_deployment_by_name("make-video/make-video")
        by_hand = [
            client.create_flow_run_from_deployment(deployment.id, parameters={"job_id": str(placed.job_id)})
            for _ in range(2)
        ]
        video = rehearsal.ended(placed.video_id)
        until(lambda: all(_final(client, run.id) for run in by_hand))
        names = sorted(_final(client, run.id) for run in by_hand)
    assert video.status == "completed"
    rehearsal.require_one_payment_per_block(video)
    assert names in (["Cancelled", "Cancelled"], ["Cancelled", "Completed"])


def test_a_run_started_from_the_form_takes_the_same_road(rehearsal: Rehearsal) -> None:
    with rehearsal.prefect() as client:
        deployment = client.read_deployment_by_name("make-video/make-video")
        run = client.create_flow_run_from_deployment(
            deployment.id, parameters={"theme": "Coffee in 1900", "target_duration": 8, "language": "en"}
        )
        until(lambda: _final(client, run.id))
        assert _final(client, run.id) == "Completed"
    video = rehearsal.videos.list(limit=1)[0]
    assert (video.theme, video.status) == ("Coffee in 1900", "completed")
    assert rehearsal.videos.get(video.id).flow_run_id == str(run.id)


def test_a_wiped_prefect_loses_no_order(rehearsal: Rehearsal) -> None:
    rehearsal.kill_worker(then_crash_at="while-waiting")
    video_id = rehearsal.videos.order(BRIEF).video_id
    until(lambda: rehearsal.reached("while-waiting"))
    server = psutil.Process(rehearsal.stack.state.children["prefect-server"])
    for path in (rehearsal.settings.home / "prefect").glob("prefect.db*"):
        path.unlink()
    server.kill()
    waiting = rehearsal.videos.order(BRIEF)  # placed while Prefect is down
    rehearsal.kill_worker()
    videos = [rehearsal.ended(each, seconds=180) for each in (video_id, waiting.video_id)]
    assert [video.status for video in videos] == ["completed", "completed"]
    assert sorted(str(line["number"]) for line in rehearsal.paid()) == ["1", "1", "2", "2"]


def _final(client: SyncPrefectClient, run_id: object) -> str:
    state = client.read_flow_run(run_id).state  # type: ignore[arg-type]
    return str(state.name) if state is not None and state.is_final() else ""
