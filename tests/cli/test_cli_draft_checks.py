"""Drafts in the doctor's findings, in the bars, and in the choices of options."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from uuid import UUID, uuid4, uuid5

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from maquette.cli import doctor, options
from maquette.cli.main import app
from maquette.cli.order_progress import DRAFT_NAMES, Standing, failures, news, parts, view
from maquette.cli.output import ExitCode
from maquette.db.embedded import ensure_database
from maquette.drafts import models
from maquette.orders.documents import ItemDocument, JobDocument, OrderDocument
from maquette.providers.text.port import UNIVERSE_LANGUAGES
from tests.cli.conftest import Cli

MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROOT = UUID(int=8)
WORDS = {"w": "pending", "m": "processing", "d": "completed", "f": "failed", "c": "cancelled"}


def standing(
    job_status: str, *, images: str = "", videos: str = "", songs: str = "", unwritten: bool = False,
    brief: str = "num_assets", order_status: str = "processing", error: str | None = None,
) -> Standing:  # fmt: skip
    """One draft's order; a letter for each part: waiting, making, done, failed, cancelled."""
    job = JobDocument.model_validate(
        {
            "id": ROOT, "order_id": ROOT, "brand_id": ROOT, "kind": "draft", "subject": "draft_0123abcd",
            "status": job_status, "attempts": 1, "max_attempts": 3, "dispatches": 1, "queue": "free",
            "available_at": MOMENT, "flow_run_id": None, "error_code": None, "error": error, "created_at": MOMENT,
            "started_at": None, "finished_at": None, "updated_at": MOMENT,
        }
    )  # fmt: skip
    # By kind and number, as the document has them.
    states = [("draft_image", images), ("draft_song", songs), ("draft_video", videos)]
    items, named = [], {}
    for kind, letters in states:
        for number, letter in enumerate(letters, start=1):
            reason = {"f": "refused", "c": "the order was cancelled"}.get(letter)
            item = ItemDocument(
                id=uuid5(ROOT, f"{kind}{number}"), job_id=ROOT, kind=kind, sequence_number=number, text=None,
                status=WORDS[letter], error_code="filtered" if reason else None, error_message=reason, reason=reason,
                reservation=None,
            )  # fmt: skip
            items.append(item)
            named[item.id] = UNIVERSE_LANGUAGES[number - 1] if kind == "draft_song" else f"{number - 1:02d}"
    done = sum(item.status == "completed" for item in items)
    order = OrderDocument(
        id=ROOT, kind="draft", status=order_status, brand_id=ROOT, campaign_name="ocean", expected=len(items),
        completed=done, failed=0, progress=0, retry_of=None, created_at=MOMENT, finished_at=None, brief={brief: 3},
        items=items, jobs=[job], cost_micros=0, saved_micros=0, retried_by=None, seq=1,
    )  # fmt: skip
    return Standing(order, {}, {"draft_0123abcd"} if unwritten else set(), named)


RUN = [
    standing("queued", images="www", videos="www", songs="ww", unwritten=True, order_status="pending"),
    standing("sent", images="www", videos="www", songs="ww", unwritten=True, order_status="pending"),
    standing("running", images="mmm", videos="mmm", songs="mm", unwritten=True),
    standing("running", images="mmm", videos="mmm", songs="mm"),
    standing("running", images="dfm", videos="mmm", songs="dm"),
    standing("running", images="dfd", videos="dfm", songs="dd"),
    standing("completed", images="dfd", videos="dfd", songs="dd", order_status="partial"),
]


def test_a_draft_has_a_bar_for_each_kind_of_part_and_a_cell_for_each_asset() -> None:
    shown = [view(each) for each in RUN]
    assert all(tuple(phase.name for phase in each.phases) == DRAFT_NAMES for each in shown)
    assert [[phase.state for phase in each.phases] for each in shown] == [
        ["waiting"] * 4,
        ["active", "waiting", "waiting", "waiting"],
        ["active", "waiting", "waiting", "waiting"],
        ["done", "active", "active", "active"],
        ["done", "active", "active", "active"],
        ["done", "failed", "active", "done"],
        ["done", "failed", "failed", "done"],
    ]
    assert [phase.note for phase in shown[5].phases[1:]] == ["2 of 3", "1 of 3", "2 of 2"]
    assert [[(cell.number, cell.word) for cell in each.cells] for each in (shown[0], shown[4], shown[6])] == [
        [(0, "waiting"), (1, "waiting"), (2, "waiting")],
        [(0, "video"), (1, "failed"), (2, "image")],
        [(0, "done"), (1, "failed"), (2, "done")],
    ]
    assert shown[6].troubles == ("image 01 failed: refused (filtered)", "video 01 failed: refused (filtered)")
    assert shown[0].facts == f"order {ROOT}  (3 images, 3 videos, 2 songs)"


@given(st.sets(st.integers(1, len(RUN) - 1)))
def test_lines_tell_each_thing_once_however_often_one_looks(looks: set[int]) -> None:
    lines: list[str] = []
    before = None
    for index in sorted(looks | {0, len(RUN) - 1}):
        lines += news(before, RUN[index])
        before = RUN[index]
    told = [line.partition(" (")[0] for line in lines]
    ends = [
        "concepts  done", "images    image 00 done", "images    image 01 failed", "images    failed",
        "music     song en done", "music     done", "videos    video 02 done", "videos    failed",
    ]  # fmt: skip
    assert [told.count(end) for end in ends] == [1] * len(ends)
    assert len(told) == len(set(told))
    assert lines[-1] == "order     partial, 6 of 8"


def test_only_what_is_ordered_has_a_bar() -> None:
    regenerated = standing("running", images="m", brief="asset")
    assert [phase.name for phase in view(regenerated).phases] == ["image"]
    assert view(regenerated).cells == ()
    songs = standing("running", songs="md", unwritten=True)
    assert [phase.name for phase in view(songs).phases] == ["music"]
    # More cells than a screen holds are none.
    assert view(standing("running", images="m" * 21)).cells == ()


def test_parts_that_wait_or_end_together_are_told_in_one_line() -> None:
    waiting = standing("queued", images="dm", videos="dm", songs="m", error="the provider does not answer")
    assert view(waiting).troubles == ("draft is tried again: the provider does not answer",)
    again = [line for line in news(RUN[3], waiting) if "again at" in line]
    assert len(again) == 1 and again[0].startswith("draft ")
    cancelled = standing("cancelled", images="cccccd", songs="cc", order_status="partial", unwritten=True)
    assert [(name, word) for part in parts(cancelled.order, cancelled.named) for name, word, _ in failures(part)] == [
        ("5 images", "cancelled"), ("songs fr, en", "cancelled"),
    ]  # fmt: skip
    assert view(cancelled).phases[0].state == "failed"


def test_choices_and_limits_are_those_of_drafts() -> None:
    assert {part.value for part in options.DraftPartName} == set(get_args(models.Part))
    assert tuple(language.value for language in options.SongLanguageName) == UNIVERSE_LANGUAGES
    draft = get_command(app).commands["draft"].commands  # type: ignore[attr-defined]
    limits = models.Making.model_json_schema()["properties"]["num_assets"]
    seeds = models.NewDraft.model_json_schema()["properties"]["seed"]
    for command, name, schema in (
        ("generate", "assets", limits),
        ("create", "generate", limits),
        ("create", "seed", seeds),
    ):
        (param,) = [param for param in draft[command].params if param.name == name]
        assert (param.min, param.max) == (schema["minimum"], schema["maximum"])


def findings(cli: Cli, *names: str) -> list[dict[str, str]]:
    checks = {check["name"]: check for check in json.loads(cli("doctor", "--json").out)["checks"]}
    return [checks[name] for name in names]


def states(cli: Cli, *names: str) -> Sequence[str]:
    return [check["state"] for check in findings(cli, *names)]


def test_a_good_machine_can_make_and_publish_drafts(bare_cli: Cli) -> None:
    names = ("encoders", "loops", "music", "prompts", "bucket", "production")
    assert states(bare_cli, *names) == ["ok"] * len(names)


def test_every_lack_says_how_to_get_it(bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prompts.yaml").write_text("generic:\n  images: '{objekt}'\n", "utf-8")
    for name, value in {
        "LOOP_PROVIDER": "replicate", "MUSIC_PROVIDER": "nobody", "PROMPTS_FILE": str(tmp_path / "prompts.yaml"),
        "BUCKET": "supabase", "PRODUCTION_URL": "postgresql://maquette:hunter2@127.0.0.1:1/readers",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"MAQUETTE_{name}", value)
    monkeypatch.setattr(doctor, "LOOP_ENCODERS", ("libvpx-vp10",))
    monkeypatch.setattr(doctor, "SONG_ENCODERS", ("libmp4lame",))
    found = findings(bare_cli, "encoders", "loops", "music", "prompts", "bucket", "production")
    assert [check["state"] for check in found] == ["missing"] * 6
    words = ("libvpx-vp10 of ffmpeg, libmp4lame of av", "MAQUETTE_REPLICATE_API_TOKEN", "local", "{object}",
             "MAQUETTE_SUPABASE_URL", "MAQUETTE_PRODUCTION_URL")  # fmt: skip
    for check, word in zip(found, words, strict=True):
        assert word in check["message"] + check["fix"], check
    assert "hunter2" not in json.dumps(found)
    assert bare_cli("doctor").code == ExitCode.FAILED


def test_production_that_is_not_prepared_is_a_warning(
    bare_cli: Cli, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = sa.make_url(postgres).set(database="postgres").render_as_string(hide_password=False)
    monkeypatch.setenv("MAQUETTE_PRODUCTION_URL", ensure_database(admin, f"readers_{uuid4().hex}"))
    (unprepared,) = findings(bare_cli, "production")
    assert unprepared["state"] == "warning"
    assert "maquette draft production" in unprepared["fix"]
    monkeypatch.setenv("MAQUETTE_DATABASE_URL", postgres)  # nothing is written into it
    assert bare_cli("draft", "production").code == ExitCode.OK
    assert states(bare_cli, "production") == ["ok"]
