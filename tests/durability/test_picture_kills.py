"""Carousels and images under SIGKILL and SIGSTOP: all is delivered, and each picture is paid once."""

import os
import signal
import subprocess
from functools import partial

import psutil
import pytest

from maquette.intake.requests import MediaRequest
from maquette.launch.processes import end_tree
from maquette.launch.stack import worker_command
from tests.rehearsing import Rehearsal, until

pytestmark = pytest.mark.slow
POINTS = ["after-intent", "after-submit", "while-waiting", "after-fetch", "during-rendering", "before-settle"]


def test_a_carousel_survives_a_kill_at_every_named_point(rehearsal: Rehearsal) -> None:
    rehearsal.kill_worker(then_crash_at=POINTS[0])
    order_id = rehearsal.intake.order(MediaRequest(format="carousel", topic="Les tendances 2025", count=4)).order_id
    for point, following in zip(POINTS, [*POINTS[1:], None], strict=True):
        until(partial(rehearsal.reached, point), what=point)
        rehearsal.kill_worker(then_crash_at=following)
    order = rehearsal.ended_order(order_id)
    rehearsal.require_delivered_and_paid_once(order)
    assert order.jobs[0].dispatches >= len(POINTS) + 1
    folder = rehearsal.settings.home / "carousels" / order.jobs[0].subject
    assert {path.name for path in folder.iterdir()} == {f"slide_0{number}.jpg" for number in range(1, 5)}


def test_a_run_that_was_stopped_past_its_lease_settles_nothing(rehearsal: Rehearsal) -> None:
    rehearsal.kill_worker(then_crash_at="before-settle")
    order_id = rehearsal.intake.order(MediaRequest(topic="un phare dans la brume", count=2)).order_id
    until(partial(rehearsal.reached, "before-settle"))
    stopped = rehearsal.workers()
    for process in stopped:
        os.kill(process.pid, signal.SIGSTOP)
    environment = {k: v for k, v in rehearsal.stack.environment.items() if k != "MAQUETTE_CRASH_AT"}
    other = subprocess.Popen(
        worker_command(rehearsal.settings), env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        order = rehearsal.ended_order(order_id)
        rehearsal.require_delivered_and_paid_once(order)
    finally:
        end_tree(other.pid)
        other.wait()
        # The stopped run stands at its crash point, which lets it go on when the marker is taken away.
        (rehearsal.markers / "before-settle").unlink()
        for process in stopped:
            os.kill(process.pid, signal.SIGCONT)
    # Woken up, the stale run is refused, and so is its settlement.
    until(partial(rehearsal.let_go, "before-settle"), what="the end of the stale run's process")
    assert rehearsal.order(order_id) == order
    rehearsal.require_delivered_and_paid_once(order)
    rehearsal.kill_worker()  # its crash point dies with it


def test_orders_are_made_while_prefect_is_killed_and_wiped(rehearsal: Rehearsal) -> None:
    accepted = [
        rehearsal.intake.order(MediaRequest(topic="une vague", count=2)),
        rehearsal.intake.order(MediaRequest(format="carousel", topic="Le sommeil", count=3)),
    ]
    server = psutil.Process(rehearsal.stack.state.children["prefect-server"])
    for path in (rehearsal.settings.home / "prefect").glob("prefect.db*"):
        path.unlink()
    server.kill()
    accepted.append(rehearsal.intake.order(MediaRequest(topic="un pont", count=1)))  # while Prefect is down
    rehearsal.kill_worker()
    orders = [rehearsal.ended_order(each.order_id, seconds=180) for each in accepted]
    assert [(order.status, order.completed) for order in orders] == [
        ("completed", 2),
        ("completed", 3),
        ("completed", 1),
    ]
    submitted = [line["operation_id"] for line in rehearsal.paid("-images")]
    assert len(submitted) == len(set(submitted)) == 6
