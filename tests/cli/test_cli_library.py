"""Carousels that are there, and the library, from the command line: made for real, then read, changed and saved."""

import json
from pathlib import Path

import pytest
from PIL import Image

from maquette.cli.output import ExitCode
from maquette.db.engine import Database
from maquette.intake.requests import MediaRequest
from maquette.intake.service import Intake
from maquette.library import expiry
from maquette.settings import Settings
from maquette.storage.port import Store
from maquette.workshop import Workshop
from tests.cli.conftest import Cli
from tests.cli.work import make_pictures


@pytest.fixture
def workshop(settings: Settings, database: Database) -> Workshop:
    return Workshop(settings, database)


@pytest.fixture
def intake(database: Database, store: Store, settings: Settings) -> Intake:
    return Intake(database, store, settings)


def test_a_carousel_is_shown_changed_and_saved(cli: Cli, intake: Intake, workshop: Workshop, tmp_path: Path) -> None:
    texts = [{"title": f"Titre {number}", "bullets": ["Un", "Deux", "Trois"]} for number in (1, 2, 3)]
    accepted = intake.order(MediaRequest(format="carousel", topic="Le thé vert", count=3, texts=texts))
    make_pictures(workshop)
    (carousel_id,) = accepted.subjects
    folder = workshop.settings.home.absolute() / "carousels" / carousel_id

    shown = json.loads(cli("carousel", "show", carousel_id, "--json").out)
    assert [slide["text"]["title"] for slide in shown["slides"]] == ["Titre 1", "Titre 2", "Titre 3"]
    assert [file["path"] for file in shown["files"]] == [str(folder / f"slide_0{number}.jpg") for number in (1, 2, 3)]
    order = json.loads(cli("orders", "show", str(accepted.order_id), "--json").out)
    assert [file["path"] for file in order["files"]] == [file["path"] for file in shown["files"]]
    assert sorted(path.name for path in folder.iterdir()) == ["slide_01.jpg", "slide_02.jpg", "slide_03.jpg"]
    words = cli("carousel", "show", carousel_id).out
    assert " 2  " in words
    assert "• Trois" in words
    assert str(folder / "slide_03.jpg") in words

    before = (folder / "slide_02.jpg").read_bytes()
    edited = cli("carousel", "edit", carousel_id, "2", "--title", "Autre titre", "--bullet", "Seul", "--json")
    slide = json.loads(edited.out)["slides"][1]
    assert (slide["text"]["title"], slide["text"]["bullets"], slide["version"]) == ("Autre titre", ["Seul"], 1)
    assert (folder / "slide_02.jpg").read_bytes() != before
    told = cli("carousel", "edit", carousel_id, "2", "--bullet", "", "--version", "1").out
    assert "Autre titre  (version 2)" in told
    assert "•" not in told
    assert "Titre 1" not in told
    assert cli("carousel", "edit", carousel_id, "2", "--title", "Trop tard", "--version", "1").code == ExitCode.CONFLICT
    assert cli("carousel", "edit", carousel_id, "9", "--title", "Rien").code == ExitCode.NOT_FOUND
    assert cli("carousel", "edit", carousel_id, "2", "--title", "x" * 2000).code == ExitCode.USAGE
    assert cli("carousel", "edit", carousel_id, "2").code == ExitCode.USAGE

    saved = json.loads(cli("carousel", "pdf", carousel_id, "--output", str(tmp_path), "--json").out)["path"]
    assert saved == str(tmp_path / f"{carousel_id}.pdf")
    assert Path(saved).read_bytes().startswith(b"%PDF")
    nowhere = cli("carousel", "pdf", carousel_id, "--output", str(tmp_path / "no" / "where.pdf"), "--json")
    assert (nowhere.code, json.loads(nowhere.out)["error"]["code"]) == (ExitCode.STACK, "storage")
    assert list((workshop.settings.home / "tmp").iterdir()) == []

    (entry,) = json.loads(cli("library", "list", "--json").out)["items"]
    assert (entry["type"], entry["title"], len(entry["slides"])) == ("carousel", "Le thé vert", 3)
    out = tmp_path / "slides"
    paths = json.loads(cli("library", "save", entry["id"], "--output", str(out), "--json").out)["paths"]
    assert paths == [str(out / f"slide_0{number}.jpg") for number in (1, 2, 3)]
    assert (out / "slide_02.jpg").read_bytes() == (folder / "slide_02.jpg").read_bytes()
    assert cli("library", "save", entry["id"], "--output", paths[0]).code == ExitCode.STACK


def test_pictures_are_listed_page_by_page_and_shown(
    cli: Cli, intake: Intake, workshop: Workshop, tmp_path: Path
) -> None:
    accepted = intake.order(MediaRequest(topic="Un chat roux", count=2))
    make_pictures(workshop)
    order = ("--order", str(accepted.order_id))
    first = json.loads(cli("library", "list", *order, "--limit", "1", "--json").out)
    second = json.loads(cli("library", "list", *order, "--cursor", first["next"], "--json").out)
    ids = [page["items"][0]["id"] for page in (first, second)]
    assert (len(set(ids)), second["next"]) == (2, None)
    assert f"more: --cursor {first['next']}" in cli("library", "list", "--limit", "1").out
    assert ids[0] in cli("library", "list", "--search", '"chat roux"', "--type", "image", "--brand", "Default").out
    assert cli("library", "list", "--search", "chien").out == "Nothing of that kind.\n"
    assert cli("library", "list", "--cursor", "x").code == ExitCode.USAGE

    shown = json.loads(cli("library", "show", ids[0], "--json").out)
    assert Path(shown["path"]).stat().st_size == shown["size_bytes"]
    assert shown["prompt"].startswith("Un chat roux")
    words = cli("library", "show", ids[0]).out
    for told in (shown["path"], str(accepted.order_id), "1024×1024", "$0.00"):
        assert told in words
    saved = Path(cli("library", "save", ids[0], "--output", str(tmp_path / "chat.png")).out.strip())
    assert saved.read_bytes() == Path(shown["path"]).read_bytes()
    (into,) = json.loads(cli("library", "save", ids[0], "--output", str(tmp_path), "--json").out)["paths"]
    assert into == str(tmp_path / f"image-{ids[0][:8]}.png")
    with workshop.database.begin() as session:
        expiry.expire(session, accepted.subjects[0])
    assert cli("library", "save", ids[0], "--output", str(tmp_path)).code == ExitCode.NOT_FOUND
    assert "not there any more" in cli("library", "show", ids[0]).out
    assert json.loads(cli("orders", "show", str(accepted.order_id), "--json").out)["files"] == []


def test_a_picture_of_ones_own_is_kept(cli: Cli, tmp_path: Path) -> None:
    Image.new("RGBA", (40, 30), "red").save(tmp_path / "logo.png")
    added = json.loads(cli("library", "add", str(tmp_path / "logo.png"), "--json").out)
    assert (added["type"], added["title"], added["width"]) == ("reference", "logo.png", 40)
    assert Path(added["path"]).read_bytes() == (tmp_path / "logo.png").read_bytes()
    assert "40×30" in cli("library", "add", str(tmp_path / "logo.png"), "--title", "Mon logo").out
    listed = json.loads(cli("library", "list", "--type", "reference", "--json").out)["items"]
    assert [entry["title"] for entry in listed] == ["Mon logo", "logo.png"]
    (tmp_path / "text.png").write_text("no picture")
    refused = cli("library", "add", str(tmp_path / "text.png"), "--json")
    assert (refused.code, json.loads(refused.out)["error"]["code"]) == (ExitCode.USAGE, "invalid_input")
