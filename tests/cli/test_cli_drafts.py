"""Drafts from the command line: made for real, looked at, changed, approved, published, moved in and out."""

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from maquette.brands import service as brands
from maquette.brands.service import NewBrand
from maquette.cli.output import ExitCode
from maquette.db.embedded import ensure_database
from maquette.db.engine import Database
from maquette.drafts.service import Drafts
from maquette.errors import Filtered, MaquetteError
from maquette.orders.documents import OrderDocument, list_orders, order_document
from maquette.settings import Settings
from maquette.storage.port import Store
from maquette.workshop import Workshop
from tests.cli.conftest import Cli
from tests.cli.work import make_draft, spend, worker

REFUSED = Filtered("a safety rule refused it")
UNKNOWN = "0123abcd"


@pytest.fixture
def workshop(settings: Settings, database: Database) -> Workshop:
    return Workshop(settings, database)


@pytest.fixture
def drafts(database: Database, store: Store, settings: Settings) -> Drafts:
    return Drafts(database, store, settings)


@pytest.fixture
def production_url(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database for readers, of the test's own and not prepared."""
    name = f"readers_{uuid4().hex}"
    admin = sa.make_url(postgres).set(database="postgres").render_as_string(hide_password=False)
    url = ensure_database(admin, name)
    monkeypatch.setenv("MAQUETTE_PRODUCTION_URL", url)
    yield url
    engine = sa.create_engine(
        sa.make_url(admin).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


def created(cli: Cli, *arguments: str) -> str:
    """The id of a new draft."""
    answer = cli("draft", "create", *arguments, "--json")
    assert answer.code == ExitCode.OK, answer.err
    draft_id: str = json.loads(answer.out)["draft_id"]
    return draft_id


def generated(cli: Cli, workshop: Workshop, draft_id: str, *arguments: str, **errors: MaquetteError) -> dict[str, Any]:
    """The report of a making; ``errors`` fail parts, such as ``image_01``."""
    failing = {name.replace("_", " "): error for name, error in errors.items()}
    with worker(workshop.database, lambda: make_draft(workshop, errors=failing)):
        answer = cli("draft", "generate", draft_id, *arguments, "--json")
    assert answer.code == (ExitCode.FAILED if errors else ExitCode.OK), answer.err
    document: dict[str, Any] = json.loads(answer.out)
    return document


def newest(database: Database) -> OrderDocument:
    with database.begin() as session:
        return order_document(session, list_orders(session, limit=1)[0].id)


def parts_of(cli: Cli, order: OrderDocument) -> list[tuple[str, str]]:
    named = json.loads(cli("orders", "show", str(order.id), "--json").out)["parts"]
    return [(item.kind, named[str(item.id)]) for item in order.items]


def orders_placed(database: Database) -> int:
    with database.begin() as session:
        return len(list_orders(session, limit=100))


def answering(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A person at the terminal who types ``text``."""
    stdin = io.StringIO(text)
    stdin.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", stdin)


def test_a_new_draft_says_where_it_is_and_how_to_go_on(cli: Cli, drafts: Drafts, settings: Settings) -> None:
    answer = cli("draft", "create", "ocean")
    assert answer.code == ExitCode.OK
    told = dict(line.split(maxsplit=1) for line in answer.out.splitlines())
    (draft,) = drafts.list()
    assert told == {
        "folder": str(settings.home.absolute() / "drafts" / f"ocean-{draft.draft_id}"),
        "draft": draft.draft_id,
        "status": "draft, no assets",
        "next": f"maquette draft generate {draft.draft_id}",
    }
    metadata = json.loads((Path(told["folder"]) / "metadata.json").read_text("utf-8"))
    assert (metadata["name"], metadata["theme"]) == ("ocean", "ocean")


def test_every_option_of_a_draft_reaches_it(cli: Cli, database: Database, drafts: Drafts) -> None:
    with database.begin() as session:
        brand = brands.create(session, NewBrand(name="Jouets", plan="starter")).id
    answer = cli(
        *("draft", "create", "jungle", "--name", "La jungle", "--image-prompt", "Un dessin : {concept}"),
        *("--video-prompt", "{concept} bouge", "--objects-prompt", "Des animaux", "--music-prompt", "Une berceuse"),
        *(
            "--description",
            "Une forêt",
            "--color",
            "#00Aa11",
            "--brand",
            "jouets",
            "--seed",
            "7",
            "--approval",
            "--json",
        ),
    )
    document = json.loads(answer.out)
    expected = {
        "name": "La jungle", "theme": "jungle", "slug": "la-jungle", "description": "Une forêt", "status": "draft",
        "background_color": "#00Aa11", "seed": 7, "require_approval": True, "approved": False, "brand_id": str(brand),
        "default_prompts": {"image": "Un dessin : {concept}", "video": "{concept} bouge"}, "num_assets": 0,
        "files": [], "run_url": None, "cost_micros": 0, "published_at": None,
    }  # fmt: skip
    assert {name: document[name] for name in expected} == expected
    assert document["generation"]["progress"] == 0
    with database.begin() as session:
        row = session.connection().exec_driver_sql("SELECT objects_prompt, music_prompt FROM drafts").one()
    assert tuple(row) == ("Des animaux", "Une berceuse")
    assert drafts.folder_of(document["draft_id"]) == Path(document["path"])


def test_an_estimate_of_a_draft_orders_nothing(
    cli: Cli, workshop: Workshop, database: Database, drafts: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.begin() as session:
        brand = brands.create(session, NewBrand(name="Jouets", plan="starter")).id
    spend(database, brand, 160)
    for kind, price in (("IMAGE", "3000"), ("LOOP", "5000"), ("SONG", "7000")):
        monkeypatch.setenv(f"MAQUETTE_LOCAL_PRICE_MICROS_PER_{kind}", price)
    draft_id = created(cli, "ocean", "--brand", "jouets")
    chosen = ("draft", "generate", draft_id, "--estimate", "--language", "fr")
    document = json.loads(cli(*chosen, "--assets", "2", "--json").out)
    assert document["amounts"] == {"images": 2, "reels": 0, "woofs": 3}
    assert (document["cost_micros"], document["allowed"]) == (2 * 3000 + 2 * 5000 + 7000, True)
    # As many as `generate` would make of a new draft: more than the month still has.
    words = cli(*chosen)
    assert words.code == ExitCode.OK
    told = dict(line.split(maxsplit=1) for line in words.out.splitlines() if line.strip())
    assert told["brand"] == "Jouets, plan starter"
    assert told["takes"] == "10 images, 11 woofs"
    assert told["allowed"].startswith("no: the plan starter gives 150 images a month")
    assert orders_placed(database) == 0
    assert drafts.get(draft_id).status == "draft"

    free = created(cli, "farm")
    generated(cli, workshop, free, "--assets", "1", "--only", "image")
    assert json.loads(cli("draft", "generate", free, "--estimate", "--only", "image", "--json").out)["cost_micros"] == 0
    missing = cli("draft", "generate", UNKNOWN, "--estimate", "--json")
    assert (missing.code, json.loads(missing.out)["error"]["code"]) == (ExitCode.NOT_FOUND, "draft_not_found")


def test_a_draft_is_made_followed_and_shown(cli: Cli, workshop: Workshop) -> None:
    draft_id = created(cli, "ocean")
    languages = ["fr", "it"]
    chosen = ("--assets", "1", "--language", "fr", "--language", "it")
    with worker(workshop.database, lambda: make_draft(workshop)):
        answer = cli("draft", "generate", draft_id, *chosen, "--json")
    assert answer.code == ExitCode.OK
    document = json.loads(answer.out)
    assets = Path(document["path"]) / "assets"
    assert (document["status"], document["num_assets"], document["cost_micros"]) == ("completed", 1, 0)
    assert document["generation"]["failures"] == []
    by_kind: dict[str, list[Path]] = {}
    for file in document["files"]:
        by_kind.setdefault(file["kind"], []).append(Path(file["path"]))
    shown = json.loads(cli("draft", "show", draft_id, "--json").out)
    (asset,) = shown["assets"]
    assert by_kind["draft_image"] == [assets / asset["image_file"]]
    assert by_kind["draft_video"] == [assets / asset["video_file"]]
    assert by_kind["draft_song"] == [assets / f"music_{language}.mp3" for language in languages]
    assert all(path.is_file() for paths in by_kind.values() for path in paths)
    assert [song["language"] for song in shown["songs"]] == languages

    for line in (
        "concepts  done",
        "image     done (1 of 1)",
        "video     done (1 of 1)",
        "music     song it done (2 of 2)",
    ):
        assert line in answer.err
    assert answer.err.endswith("order     completed, 4 of 4\n")
    words = cli("draft", "show", draft_id).out
    for told in (asset["image_file"], asset["image_sha256"][:12], asset["image_prompt"], asset["video_prompt"],
                 f"fr {asset['titles']['fr']}, en {asset['titles']['en']}", "1 image, 1 video, 2 songs"):  # fmt: skip
        assert told in words
    assert cli("draft", "list").out.splitlines()[1].split()[:3] == [draft_id, "completed", "1"]

    order = newest(workshop.database)
    assert cli("orders", "list").out.splitlines()[1].split()[:4] == [str(order.id), "draft", "completed", "4/4"]
    lines = cli("orders", "show", str(order.id)).out.splitlines()
    assert f"image     {assets / asset['image_file']}" in lines
    assert f"draft     {draft_id}" in lines
    parts = ["image 00", "video 00", *(f"song {language}" for language in languages)]
    assert [line.split() for line in lines[-4:]] == [[*part.split(), "done"] for part in parts]
    kept = json.loads(cli("library", "show", document["files"][0]["asset_id"], "--json").out)
    assert (kept["type"], kept["order_id"]) == ("draft_image", str(order.id))

    again = cli("draft", "generate", draft_id, *chosen[2:])
    assert (again.code, "Nothing is missing" in again.err) == (ExitCode.OK, True)
    assert orders_placed(workshop.database) == 1
    by_kind["draft_image"][0].unlink()
    assert json.loads(cli("draft", "status", draft_id, "--json").out)["files"] == document["files"]


def test_what_failed_is_told_and_only_that_is_made_again(cli: Cli, workshop: Workshop) -> None:
    draft_id = created(cli, "ocean")
    document = generated(
        cli, workshop, draft_id, "--assets", "2", "--only", "image", "--only", "video", image_01=REFUSED
    )
    assert (document["status"], document["generation"]["generated_assets"]) == ("failed", 1)
    failed = [(each["part"], each["asset"], each["code"]) for each in document["generation"]["failures"]]
    assert failed == [("image", "01", "filtered"), ("video", "01", "picture_missing")]
    words = cli("draft", "status", draft_id).out
    told = dict(line.split("  ", 1) for line in words.splitlines())
    assert told["image 01"].strip() == "failed: a safety rule refused it (filtered)"
    assert told["next"].strip() == f"maquette draft generate {draft_id}  (makes only what is missing)"
    assert "image 01             failed" in cli("orders", "show", document["generation"]["order_id"]).out

    # Without --assets as many as it has, not ten.
    mended = generated(cli, workshop, draft_id, "--only", "image", "--only", "video")
    assert parts_of(cli, newest(workshop.database)) == [("draft_image", "01"), ("draft_video", "01")]
    assert (mended["status"], mended["generation"]["failures"]) == ("completed", [])
    assert {Path(file["path"]).name[:3] for file in mended["files"]} == {"01_"}
    assert f"maquette draft publish {draft_id}" in cli("draft", "status", draft_id).out


def test_an_asset_is_made_anew_and_brought_back(cli: Cli, workshop: Workshop) -> None:
    draft_id = created(cli, "ocean")
    generated(cli, workshop, draft_id, "--assets", "2", "--only", "image")
    before = json.loads(cli("draft", "show", draft_id, "--json").out)["assets"]
    with worker(workshop.database, lambda: make_draft(workshop)):
        answer = cli(
            "draft", "regenerate", draft_id, "01", "--image-prompt", "Un {concept} bleu", "--no-video", "--json"
        )
    assert answer.code == ExitCode.OK
    (file,) = json.loads(answer.out)["files"]
    after = json.loads(cli("draft", "show", draft_id, "--json").out)["assets"]
    assert after[0] == before[0]
    assert (after[1]["version"], after[1]["image_prompt"]) == (2, f"Un {before[1]['titles']['en']} bleu")
    assert after[1]["image_sha256"] != before[1]["image_sha256"]
    assert file["path"].endswith(after[1]["image_file"])

    versions = json.loads(cli("draft", "versions", draft_id, "1", "--json").out)
    assert (versions["draft_id"], versions["id"], versions["version"]) == (draft_id, "01", 2)
    assert [(each["version"], each["image_sha256"]) for each in versions["versions"]] == [
        (1, before[1]["image_sha256"])
    ]
    words = cli("draft", "versions", draft_id, "1").out.splitlines()
    assert [line.split()[1] for line in words if line.startswith("version")] == ["2", "1"]
    assert words[-1].endswith(f"maquette draft restore {draft_id} 01 1")

    restored = json.loads(cli("draft", "restore", draft_id, "1", "1", "--json").out)
    assert (restored["image_sha256"], restored["version"]) == (before[1]["image_sha256"], 3)
    assert "(version 4)" in cli("draft", "restore", draft_id, "1", "2").out
    assert cli("draft", "restore", draft_id, "1", "9").code == ExitCode.NOT_FOUND


def test_what_is_to_be_made_reaches_the_order(cli: Cli, database: Database) -> None:
    draft_id = created(cli, "ocean")
    arguments = ("draft", "generate", draft_id, "--assets", "3", "--only", "video", "--only", "music",
                 "--language", "de", "--language", "fr", "--idempotency-key", "k", "--no-wait", "--json")  # fmt: skip
    answer = cli(*arguments)
    assert answer.code == ExitCode.OK
    document = json.loads(answer.out)
    assert (document["status"], document["generation"]["progress"]) == ("generating", 2)
    order = newest(database)
    assert parts_of(cli, order) == [
        ("draft_song", "de"), ("draft_song", "fr"), *(("draft_video", f"0{number}") for number in range(3)),
    ]  # fmt: skip
    assert json.loads(cli(*arguments).out)["generation"]["order_id"] == str(order.id)
    busy = cli("draft", "regenerate", draft_id, "0", "--no-wait", "--json")
    assert (busy.code, json.loads(busy.out)["error"]["code"]) == (ExitCode.CONFLICT, "busy")
    assert (cli("draft", "delete", draft_id, "--yes").code, orders_placed(database)) == (ExitCode.CONFLICT, 1)
    status = cli("draft", "status", draft_id).out
    assert "step    concepts (2 %)" in status
    assert "next" not in status


def test_a_draft_that_cannot_be_ordered_is_not_kept(cli: Cli, database: Database) -> None:
    with database.begin() as session:
        brand = brands.create(session, NewBrand(name="Petite", plan="starter")).id
    spend(database, brand, 160)
    answer = cli("draft", "create", "ocean", "--brand", "Petite", "--generate", "10", "--json")
    assert (answer.code, json.loads(answer.out)["error"]["code"]) == (ExitCode.CONFLICT, "budget_exceeded")
    assert json.loads(cli("draft", "list", "--json").out) == {"drafts": [], "count": 0}
    kept = json.loads(cli("draft", "create", "ocean", "--generate", "10", "--no-wait", "--json").out)
    assert (kept["status"], kept["generation"]["total_assets"], kept["brand_id"]) == ("generating", 10, None)


def test_an_approval_is_bound_to_what_was_seen(
    cli: Cli, workshop: Workshop, monkeypatch: pytest.MonkeyPatch, drafts: Drafts
) -> None:
    draft_id = created(cli, "ocean", "--approval")
    generated(cli, workshop, draft_id, "--assets", "1", "--only", "image")
    assert "approval  not given yet" in cli("draft", "status", draft_id).out
    waits = cli("draft", "publish", draft_id, "--json")
    assert (waits.code, json.loads(waits.out)["error"]["code"]) == (ExitCode.CONFLICT, "approval_required")
    seen = drafts.get(draft_id).content_hash

    answering(monkeypatch, "n\n")
    refused = cli("draft", "approve", draft_id)
    assert refused.code == ExitCode.INTERRUPTED
    cover = drafts.assets(draft_id)[0].image_file
    for told in (seen, "1 image, 0 videos, 0 songs", f"/assets/{cover}"):
        assert told in refused.out
    assert not drafts.get(draft_id).approved
    answering(monkeypatch, "y\n")
    agreed = cli("draft", "approve", draft_id, "--json")
    document = json.loads(agreed.out)
    assert (agreed.code, document["approved"], document["content_hash"]) == (ExitCode.OK, True, seen)
    assert seen in agreed.err

    assert not json.loads(cli("draft", "approve", draft_id, "--hash", seen, "--reject", "--json").out)["approved"]
    assert json.loads(cli("draft", "approve", draft_id, "--hash", seen[:12], "--note", "bien", "--json").out)[
        "approved"
    ]
    for wrong in (seen[:11], "f" * 64):
        stale = cli("draft", "approve", draft_id, "--hash", wrong, "--json")
        assert (stale.code, json.loads(stale.out)["error"]["code"]) == (ExitCode.CONFLICT, "approval_stale")
    assert f"approval  given for {seen[:12]}" in cli("draft", "status", draft_id).out


def test_a_draft_is_published_once_and_says_what_changed(cli: Cli, workshop: Workshop, production_url: str) -> None:
    draft_id = created(cli, "ocean")
    incomplete = cli("draft", "publish", draft_id, "--json")
    assert (incomplete.code, json.loads(incomplete.out)["error"]["code"]) == (ExitCode.CONFLICT, "draft_incomplete")
    document = generated(cli, workshop, draft_id, "--assets", "1", "--only", "image")
    unprepared = cli("draft", "publish", draft_id)
    assert (unprepared.code, "maquette draft production" in unprepared.err) == (ExitCode.CONFLICT, True)

    planned = json.loads(cli("draft", "production", "--dry-run", "--json").out)
    assert (planned["dry_run"], planned["count"]) == (True, len(planned["statements"]))
    made = cli("draft", "production")
    assert made.out.splitlines() == [f"{statement};" for statement in planned["statements"]]
    assert made.err == f"{planned['count']} statements were run.\n"
    assert cli("draft", "production").out == "Nothing is missing.\n"

    dry = json.loads(cli("draft", "publish", draft_id, "--dry-run", "--json").out)
    assert (dry["dry_run"], dry["univers_id"], dry["count"]) == (True, None, len(dry["changes"]))
    assert {"kind": "insert", "where": "univers_assets"}.items() <= next(
        change for change in dry["changes"] if change["where"] == "univers_assets"
    ).items()
    shown = cli("draft", "publish", draft_id, "--dry-run").out
    assert shown.splitlines()[0].split() == ["change", "where", "which", "what"]
    assert shown.rstrip().endswith("nothing was changed.")

    published = json.loads(cli("draft", "publish", draft_id, "--json").out)
    assert (published["draft_id"], published["slug"], published["assets_count"]) == (draft_id, "ocean", 1)
    assert published["files_uploaded"] == 1
    assert len(published["changes"]) == published["count"] == dry["count"]
    again = cli("draft", "publish", draft_id)
    assert "none: it was there already" in again.out
    assert cli("draft", "publish", draft_id, "--dry-run").out == "Nothing differs.\n"
    status = json.loads(cli("draft", "status", draft_id, "--json").out)
    assert (status["status"], status["univers_id"]) == ("published", published["univers_id"])
    assert status["content_hash"] == document["content_hash"]


def test_a_draft_goes_out_and_comes_back(cli: Cli, workshop: Workshop, tmp_path: Path) -> None:
    draft_id = created(cli, "ocean", "--name", "L'océan")
    generated(cli, workshop, draft_id, "--assets", "1", "--only", "image")
    target = tmp_path / "export"
    assert json.loads(cli("draft", "export", draft_id, str(target), "--json").out) == {
        "draft_id": draft_id, "path": str(target),
    }  # fmt: skip
    assert cli("draft", "export", draft_id, str(target)).code == ExitCode.CONFLICT
    assert cli("draft", "export", draft_id, str(target), "--overwrite").out == f"{target}\n"

    before = json.loads(cli("draft", "show", draft_id, "--json").out)
    assert json.loads(cli("draft", "delete", draft_id, "--yes", "--json").out) == {
        "draft_id": draft_id,
        "deleted": True,
    }
    assert cli("draft", "show", draft_id).code == ExitCode.NOT_FOUND
    dry = json.loads(cli("draft", "import", str(target), "--dry-run", "--json").out)
    assert (dry["count"], dry["imports"][0]["state"]) == (1, "created")
    assert "would be created" in cli("draft", "import", str(target), "--dry-run").out
    assert json.loads(cli("draft", "list", "--json").out)["count"] == 0
    (report,) = json.loads(cli("draft", "import", str(target), "--json").out)["imports"]
    after = json.loads(cli("draft", "show", report["draft_id"], "--json").out)
    assert (after["name"], after["assets"][0]["image_sha256"]) == ("L'océan", before["assets"][0]["image_sha256"])
    both = cli("draft", "import", str(target), str(tmp_path / "nowhere"))
    assert both.code == ExitCode.FAILED
    assert [line.split()[0] for line in both.out.splitlines() if not line.startswith(" ")] == [
        "unchanged", "failed", "2",
    ]  # fmt: skip
    assert cli("draft", "import", str(tmp_path / "nowhere")).code == ExitCode.USAGE


def test_old_universes_become_drafts(cli: Cli, tmp_path: Path) -> None:
    from PIL import Image

    root = tmp_path / "univers"
    good, broken = root / "la_ferme", root / "cassé"
    for folder in (good, broken):
        folder.mkdir(parents=True)
    Image.new("RGB", (16, 16), "teal").save(good / "00_cow.png")
    items = [{"title": "cow", "image": "00_cow.png", "video": None, "title_translations": {"fr": "vache"}}]
    (good / "data.json").write_text(json.dumps({"items": items}), "utf-8")
    (broken / "data.json").write_text("{", "utf-8")
    dry = cli("draft", "migrate-legacy", str(root), "--dry-run", "--json")
    assert (dry.code, json.loads(dry.out)["counts"]["created"]) == (ExitCode.FAILED, 1)
    assert json.loads(cli("draft", "list", "--json").out)["count"] == 0

    answer = cli("draft", "migrate-legacy", str(root))
    assert answer.code == ExitCode.FAILED
    assert {line.split()[0] for line in answer.err.splitlines() if not line.startswith(" ")} == {"created", "failed"}
    lines = answer.out.splitlines()
    assert lines[0].split()[:4] == ["universe", "became", "draft", "items"]
    assert "1 failed" in lines[-1]
    (listed,) = json.loads(cli("draft", "list", "--json").out)["drafts"]
    assert (listed["name"], listed["status"], listed["num_assets"]) == ("La Ferme", "completed", 1)
    (broken / "data.json").unlink()
    broken.rmdir()
    again = json.loads(cli("draft", "migrate-legacy", str(root), "--json").out)
    assert [each["state"] for each in again["universes"]] == ["unchanged"]


ERRORS = [
    *(
        (("draft", name, UNKNOWN, *more), ExitCode.NOT_FOUND, "draft_not_found")
        for name, *more in (
            ("status",), ("show",), ("versions", "0"), ("restore", "0", "1"), ("publish",), ("publish", "--dry-run"),
            ("generate", "--no-wait"), ("regenerate", "0", "--no-wait"), ("approve", "--hash", "f" * 64),
            ("delete", "--yes"), ("export", "nowhere"),
        )
    ),
    (("draft", "create"), ExitCode.USAGE, "usage"),
    (("draft", "create", " "), ExitCode.USAGE, "invalid_input"),
    (("draft", "create", "x" * 121), ExitCode.USAGE, "invalid_input"),
    (("draft", "create", "a\x01b"), ExitCode.USAGE, "control_character"),
    (("draft", "create", "x", "--color", "red"), ExitCode.USAGE, "invalid_input"),
    (("draft", "create", "x", "--image-prompt", "{objekt}"), ExitCode.USAGE, "unknown_variable"),
    (("draft", "create", "x", "--brand", "Personne"), ExitCode.NOT_FOUND, "brand_not_found"),
    (("draft", "create", "x", "--generate", "51"), ExitCode.USAGE, "usage"),
    (("draft", "generate", UNKNOWN, "--assets", "0"), ExitCode.USAGE, "usage"),
    (("draft", "generate", UNKNOWN, "--only", "words"), ExitCode.USAGE, "usage"),
    (("draft", "generate", UNKNOWN, "--language", "pt"), ExitCode.USAGE, "usage"),
    (("draft", "regenerate", UNKNOWN, "0", "--no-image", "--no-video"), ExitCode.USAGE, "invalid_input"),
    (("draft", "regenerate", UNKNOWN, "0", "--no-video", "--video-prompt", "x"), ExitCode.USAGE, "invalid_input"),
    (("draft", "regenerate", UNKNOWN, "0", "--image-prompt", " "), ExitCode.USAGE, "invalid_input"),
    (("draft", "regenerate", UNKNOWN, "x"), ExitCode.USAGE, "usage"),
    (("draft", "migrate-legacy", "nowhere"), ExitCode.USAGE, "invalid_input"),
]  # fmt: skip


def test_errors_are_a_line_and_a_document(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, code, error in ERRORS:
        answer = cli(*arguments, "--json")
        document = json.loads(answer.out)
        assert (answer.code, document["error"]["code"]) == (code, error), arguments
        assert answer.err == f"maquette: {document['error']['message']}\n"
    wrong = cli("draft", "create", "x", "--color", "red").err
    assert wrong == "maquette: --color: write it as #rrggbb\n"
    # Where nobody can answer, nothing is asked and nothing is done.
    draft_id = created(cli, "ocean")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    for command, option in (("delete", "--yes"), ("approve", "--hash")):
        answer = cli("draft", command, draft_id)
        assert answer.code == ExitCode.USAGE
        assert f"give {option}" in answer.err
    assert json.loads(cli("draft", "status", draft_id, "--json").out)["approved"] is False


def test_a_person_is_asked_before_a_draft_is_deleted(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    draft_id = created(cli, "ocean")
    answering(monkeypatch, "n\n")
    kept = cli("draft", "delete", draft_id)
    assert (kept.code, "Delete ocean (0 images, 0 videos, 0 songs)?" in kept.err) == (ExitCode.INTERRUPTED, True)
    assert cli("draft", "status", draft_id).code == ExitCode.OK
    answering(monkeypatch, "y\n")
    assert cli("draft", "delete", draft_id).out == f"Draft {draft_id} is deleted.\n"
    assert cli("draft", "status", draft_id).code == ExitCode.NOT_FOUND


def test_looking_at_an_empty_home_makes_nothing(bare_cli: Cli) -> None:
    home = Path(os.environ["MAQUETTE_HOME"])
    assert json.loads(bare_cli("draft", "list", "--json").out) == {"drafts": [], "count": 0}
    assert "maquette draft create THEME" in bare_cli("draft", "list").out
    for command in (("status", UNKNOWN), ("show", UNKNOWN), ("publish", UNKNOWN), ("export", UNKNOWN, "nowhere")):
        assert bare_cli("draft", *command).code == ExitCode.NOT_FOUND
    assert not home.exists()
