"""The commands: what they print, what they leave, and what the shell is told."""

import json
import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maquette import errors
from maquette.cli.output import ExitCode, exit_code_of
from maquette.cli.video_reports import FILES
from maquette.db.engine import Database
from maquette.errors import MaquetteError, Transient
from maquette.settings import Settings
from maquette.storage.port import Store
from maquette.videos import repository
from maquette.videos.film import NAMES
from maquette.videos.service import Videos
from tests.cli.conftest import Cli
from tests.cli.work import work_video, worker


def test_create_without_waiting_prints_the_order(cli: Cli, videos: Videos) -> None:
    answer = cli("video", "create", "--theme", "Les chats", "--target-duration", "15", "--json")
    assert answer.code == ExitCode.OK
    document = json.loads(answer.out)
    assert document["video_id"] == videos.list()[0].video_id
    expected: dict[str, Any] = {
        "status": "queued",
        "final_path": None,
        "duration_s": 15.0,
        "cost_micros": 0,
        "blocks": [],
    }
    assert {key: document[key] for key in expected} == expected


def test_create_takes_every_option_of_the_brief(cli: Cli, videos: Videos) -> None:
    answer = cli(
        *("video", "create", "--theme", "Why cats purr", "--target-duration", "8", "--style", "dramatic"),
        *("--language", "en", "--aspect-ratio", "1:1", "--crossfade", "0.5", "--seed", "7", "--json"),
    )
    with videos.database.begin() as session:
        video = repository.get_video(session, json.loads(answer.out)["video_id"])
    assert (video.style, video.language, video.aspect_ratio) == ("dramatic", "en", "1:1")
    assert (video.target_duration, video.crossfade_s, video.seed) == (8, 0.5, 7)


def test_an_idempotency_key_orders_once(cli: Cli, videos: Videos) -> None:
    order = ("video", "create", "--theme", "Chats", "--idempotency-key", "k", "--json")
    assert json.loads(cli(*order).out)["video_id"] == json.loads(cli(*order).out)["video_id"]
    assert len(videos.list()) == 1
    other = cli("video", "create", "--theme", "Chiens", "--idempotency-key", "k", "--json")
    assert (other.code, json.loads(other.out)["error"]["code"]) == (ExitCode.CONFLICT, "idempotency_key")


def test_waiting_ends_with_the_film(cli: Cli, videos: Videos, settings: Settings) -> None:
    with worker(videos.database, lambda: work_video(videos)):
        answer = cli("video", "create", "--theme", "Les chats", "--target-duration", "15", "--wait", "--json")
    assert answer.code == ExitCode.OK
    document = json.loads(answer.out)
    film = Path(document["final_path"])
    assert film == settings.home.absolute() / "videos" / document["video_id"] / "final.mp4"
    assert film.read_text().startswith("film of ")
    assert Path(document["contact_sheet_path"]).name == "contact_sheet.png"
    assert (document["duration_s"], document["size_bytes"]) == (15.02, 1_234_567)
    assert [block["bloc"] for block in document["blocks"]] == [1, 2]
    assert "assembly  done" in answer.err
    assert "\r" not in answer.err


def test_the_summary_names_what_was_made(cli: Cli, videos: Videos) -> None:
    with worker(videos.database, lambda: work_video(videos)):
        answer = cli("video", "create", "--theme", "Les chats", "--wait")
    lines = {line.split("  ")[0].strip(): line for line in answer.out.splitlines()}
    assert lines["film"].endswith("/final.mp4")
    assert lines["contact sheet"].endswith("/contact_sheet.png")
    assert "15.0 s" in lines["duration"]
    assert "1.2 MB" in lines["size"]
    assert "-14.1 LUFS, true peak -1.6 dBTP" in lines["loudness"]
    assert "$0.00" in lines["cost"]


def test_a_failed_video_exits_1_and_still_reports(cli: Cli, videos: Videos) -> None:
    with worker(videos.database, lambda: work_video(videos, error=Transient("gone"))):
        answer = cli("video", "create", "--theme", "Les chats", "--language", "en", "--wait", "--json")
    assert answer.code == ExitCode.FAILED
    document = json.loads(answer.out)
    assert (document["status"], document["error_code"]) == ("failed", "provider_unavailable")
    assert document["error_message"] == "The provider does not answer. Try again in a few minutes."
    shown = cli("video", "status", document["video_id"])
    assert f"maquette video retry {document['video_id']} --wait" in shown.out


def test_ctrl_c_while_waiting_keeps_the_order(cli: Cli, videos: Videos) -> None:
    def interrupt() -> None:
        while not videos.list():
            pass
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    answer = cli("video", "create", "--theme", "Les chats", "--wait", "--json")
    thread.join()
    assert answer.code == ExitCode.INTERRUPTED
    error = json.loads(answer.out)["error"]
    video_id = videos.list()[0].video_id
    assert error["code"] == "interrupted"
    assert f"maquette video status {video_id}" in error["message"]
    assert videos.get(video_id).status == "queued"


def test_status_and_list_in_words(cli: Cli, videos: Videos) -> None:
    cli("video", "create", "--theme", "Un thème [bold]entre crochets[/bold]")
    video_id = work_video(videos)
    shown = cli("video", "status", video_id)
    assert shown.code == ExitCode.OK
    assert [line for line in shown.out.splitlines() if "D5" in line] == ["  5  done      D5"]
    listed = cli("video", "list")
    assert listed.out.splitlines()[1].split()[:5] == [video_id, "completed", "100", "%", "5/5"]
    assert "Un thème [bold]entre crochets[/bold]" in listed.out


def test_list_holds_to_its_limit(cli: Cli) -> None:
    for theme in ("a", "b", "c"):
        cli("video", "create", "--theme", theme)
    document = json.loads(cli("video", "list", "--limit", "2", "--json").out)
    assert document["count"] == 2
    assert [video["theme"] for video in document["videos"]] == ["c", "b"]


def test_retry_and_edit_place_orders(cli: Cli, videos: Videos) -> None:
    cli("video", "create", "--theme", "Les chats")
    video_id = work_video(videos, error=Transient("gone"))
    retried = json.loads(cli("video", "retry", video_id, "--json").out)
    assert (retried["video_id"], retried["status"]) == (video_id, "generating_parallel")
    work_video(videos)
    edited = cli("video", "edit", video_id, "2", "--dialogue", "Autre chose", "--regenerate", "--json")
    assert edited.code == ExitCode.OK
    block = json.loads(edited.out)["blocks"][1]
    assert (block["dialogue"], block["status"]) == ("Autre chose", "pending")
    with videos.database.begin() as session:
        assert [b.takes for b in repository.blocks_of(session, video_id)] == [0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("video", "status", "video_x"), ExitCode.NOT_FOUND, "video_not_found"),
        (("video", "retry", "video_x"), ExitCode.NOT_FOUND, "video_not_found"),
        (("video", "edit", "video_x", "1", "--regenerate"), ExitCode.NOT_FOUND, "video_not_found"),
        (("video", "edit", "video_x", "1"), ExitCode.USAGE, "invalid_input"),
        (("video", "create", "--theme", " "), ExitCode.USAGE, "theme_empty"),
        (("video", "create", "--theme", "é" * 501), ExitCode.USAGE, "theme_too_long"),
        (("video", "create", "--theme", "a\x01b"), ExitCode.USAGE, "control_character"),
        (("video", "create", "--theme", "a", "--target-duration", "7"), ExitCode.USAGE, "usage"),
        (("video", "create", "--theme", "a", "--target-duration", "79"), ExitCode.USAGE, "usage"),
        (("video", "create", "--theme", "a", "--style", "sad"), ExitCode.USAGE, "usage"),
        (("video", "create"), ExitCode.USAGE, "usage"),
        (("video", "edit", "video_x", "1", "--dialogue", "x" * 501), ExitCode.USAGE, "invalid_input"),
        (("nothing",), ExitCode.USAGE, "usage"),
        (("video",), ExitCode.USAGE, "usage"),
    ],
)
def test_errors_are_a_line_and_a_document(cli: Cli, arguments: tuple[str, ...], code: ExitCode, error: str) -> None:
    answer = cli(*arguments, "--json")
    assert answer.code == code
    document = json.loads(answer.out)
    assert document.keys() == {"error"}
    assert document["error"].keys() == {"code", "message", "detail"}
    assert document["error"]["code"] == error
    assert answer.err == f"maquette: {document['error']['message']}\n"
    assert cli(*arguments).out == ""


def test_busy_and_finished_videos_are_conflicts(cli: Cli, videos: Videos) -> None:
    video_id = json.loads(cli("video", "create", "--theme", "Les chats", "--json").out)["video_id"]
    busy = cli("video", "retry", video_id, "--json")
    assert (busy.code, json.loads(busy.out)["error"]["code"]) == (ExitCode.CONFLICT, "video_busy")
    work_video(videos)
    done = cli("video", "retry", video_id, "--json")
    assert (done.code, json.loads(done.out)["error"]["code"]) == (ExitCode.CONFLICT, "nothing_to_retry")


def test_looking_at_an_empty_home_makes_nothing(bare_cli: Cli) -> None:
    home = Path(os.environ["MAQUETTE_HOME"])
    assert json.loads(bare_cli("video", "list", "--json").out) == {"videos": [], "count": 0}
    assert "maquette demo" in bare_cli("video", "list").out
    assert bare_cli("video", "status", "video_x").code == ExitCode.NOT_FOUND
    assert not home.exists()


def test_an_order_without_a_stack_waits_in_the_embedded_database(bare_cli: Cli) -> None:
    ordered = bare_cli("video", "create", "--theme", "Les chats", "--json")
    assert ordered.code == ExitCode.OK
    assert "next `maquette up`" in ordered.err
    listed = json.loads(bare_cli("video", "list", "--json").out)
    assert [video["video_id"] for video in listed["videos"]] == [json.loads(ordered.out)["video_id"]]


def test_secrets_stay_out_of_messages(bare_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAQUETTE_DATABASE_URL", "postgresql://maquette:hunter2@127.0.0.1:1/maquette")
    answer = bare_cli("video", "list", "--json")
    assert answer.code == ExitCode.STACK
    assert "MAQUETTE_DATABASE_URL" in json.loads(answer.out)["error"]["message"]
    assert "hunter2" not in answer.out + answer.err
    monkeypatch.setenv("MAQUETTE_ACCESS_CODE", "hunter2")
    wrong = bare_cli("video", "list", "--json")
    assert (wrong.code, json.loads(wrong.out)["error"]["code"]) == (ExitCode.STACK, "configuration")
    assert "MAQUETTE_ACCESS_CODE" in json.loads(wrong.out)["error"]["message"]
    assert "hunter2" not in wrong.out + wrong.err


def test_a_database_without_tables_says_so(cli: Cli, database: Database) -> None:
    with database.begin() as session:
        session.connection().exec_driver_sql("DROP TABLE video_blocks CASCADE")
        session.connection().exec_driver_sql("DROP TABLE videos CASCADE")
    answer = cli("video", "list", "--json")
    assert answer.code == ExitCode.STACK
    assert "`maquette up` makes them" in json.loads(answer.out)["error"]["message"]


def test_dispatch_says_what_it_lacks(bare_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "MAQUETTE_DATABASE_URL" in bare_cli("dispatch").err
    monkeypatch.setenv("MAQUETTE_DATABASE_URL", "postgresql://maquette@127.0.0.1:1/maquette")
    answer = bare_cli("dispatch", "--json")
    assert answer.code == ExitCode.STACK
    assert "MAQUETTE_PREFECT_API_URL" in json.loads(answer.out)["error"]["message"]


class Stopper(logging.Handler):
    """Ctrl-C at the first line of the log."""

    def emit(self, record: logging.LogRecord) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_a_dispatcher_alone_keeps_what_it_cannot_send(cli: Cli, videos: Videos) -> None:
    video_id = json.loads(cli("video", "create", "--theme", "Les chats", "--json").out)["video_id"]
    log, stopper = logging.getLogger("maquette.launch.dispatcher"), Stopper()
    log.addHandler(stopper)
    try:
        answer = cli("dispatch", "--json")
    finally:
        log.removeHandler(stopper)
    assert answer.code == ExitCode.OK
    assert json.loads(answer.out)["prefect_api_url"] == "http://127.0.0.1:9/api"
    assert videos.status(video_id).status == "queued"


def test_up_off_loopback_needs_a_token(bare_cli: Cli) -> None:
    answer = bare_cli("up", "--host", "0.0.0.0", "--json")
    assert (answer.code, json.loads(answer.out)["error"]["code"]) == (ExitCode.STACK, "configuration")
    assert "MAQUETTE_API_TOKEN" in answer.err


def test_names_of_the_readable_files_are_those_of_the_film(store: Store) -> None:
    assert FILES.items() <= NAMES.items()


def subclasses(kind: type[MaquetteError]) -> Iterator[type[MaquetteError]]:
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
            yield from subclasses(each)


@pytest.mark.parametrize("kind", list(subclasses(MaquetteError)))
def test_every_error_has_an_exit_code(kind: type[MaquetteError]) -> None:
    code = exit_code_of(kind("why"))
    assert code not in (ExitCode.OK, ExitCode.INTERRUPTED)
    of_the_stack = {"AccessDenied", "ConfigurationError", "StackError", "StorageError"}
    assert (code is ExitCode.STACK) == (kind.__name__ in of_the_stack)
