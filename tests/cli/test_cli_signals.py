"""Ctrl-C: once ends in order, twice kills at once, and either way nothing stays behind."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest

from maquette.cli.opening import Opened, with_free_port
from maquette.db.engine import Database
from maquette.errors import StackError
from maquette.launch.processes import require_free_port, stop_on_signals
from maquette.launch.stack import running
from maquette.launch.state import StackState
from maquette.settings import Settings
from maquette.storage.port import Store


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_and_the_second_kills(number: signal.Signals) -> None:
    killed: list[bool] = []
    before = signal.getsignal(number)
    with stop_on_signals(at_once=lambda: killed.append(True)) as stop:
        os.kill(os.getpid(), number)
        assert stop.is_set()
        assert killed == []
        os.kill(os.getpid(), number)
        assert killed == [True]
    assert signal.getsignal(number) is before


def test_a_start_that_was_called_off_starts_nothing(settings: Settings) -> None:
    stop = threading.Event()
    stop.set()
    steps: list[str] = []
    free = with_free_port(settings)
    with pytest.raises(KeyboardInterrupt), running(free, with_api=False, on_step=steps.append, stop=stop):
        raise AssertionError("it runs")
    assert steps == []
    assert not (settings.home / "stack.json").exists()


def test_killing_at_once_takes_the_children_along(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import subprocess, sys
        from pathlib import Path
        from maquette.launch.stack import kill_at_once
        from maquette.settings import Settings
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        print(child.pid, flush=True)
        kill_at_once(Settings(home=Path(sys.argv[1])))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True, check=False, timeout=30
    )
    assert done.returncode == 130
    pid = int(done.stdout)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_taken_prefect_port_gives_way_to_a_free_one(settings: Settings) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = settings.model_copy(update={"prefect_port": server.getsockname()[1]})
        chosen = with_free_port(taken)
        assert chosen.prefect_port != taken.prefect_port
        require_free_port("127.0.0.1", chosen.prefect_port, option="--prefect-port")
    assert with_free_port(taken) == taken


def test_waiting_on_a_stack_that_has_gone_ends(settings: Settings, database: Database, store: Store) -> None:
    state = StackState(pid=2**22 + 1, api_url="http://a", prefect_url="http://p", database_url="postgresql:///m")
    with pytest.raises(StackError, match="maquette up"):
        Opened(database, store, settings, state).require_stack()
    Opened(database, store, settings, state, is_ours=True).require_stack()


def test_the_run_page_is_where_prefect_runs(settings: Settings, database: Database, store: Store) -> None:
    state = StackState(pid=1, api_url="http://a", prefect_url="http://p:4999", database_url="postgresql:///m")
    running = Opened(database, store, settings, state)
    assert running.run_url("x") == "http://p:4999/runs/flow-run/x"
    assert running.run_note == ""
    for gone in (running._replace(is_ours=True), running._replace(stack=None)):
        assert gone.run_url("x") == "http://127.0.0.1:4200/runs/flow-run/x"
        assert "make up" in gone.run_note
    elsewhere = running._replace(stack=None, settings=settings.model_copy(update={"prefect_api_url": "http://q/api"}))
    assert elsewhere.run_url("x") == "http://q/runs/flow-run/x"
    assert elsewhere.run_note == ""
    assert running.run_url(None) is None
