"""Brands, budgets and costs from the command line."""

import json
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image

from maquette.brands import service as brands
from maquette.brands.service import NewBrand
from maquette.cli.output import ExitCode
from maquette.db.engine import Database
from maquette.intake.requests import MediaRequest
from maquette.intake.service import Intake
from maquette.settings import Settings
from maquette.storage.port import Store
from maquette.workshop import Workshop
from tests.cli.conftest import Cli
from tests.cli.work import make_pictures, spend


def test_a_brand_is_made_and_changed(cli: Cli, database: Database, tmp_path: Path) -> None:
    made = json.loads(cli("brands", "create", "Thé & Co", "--palette", "#0A7", "--niche", "thé", "--json").out)
    assert (made["name"], made["plan"], made["kit"]["palette"], made["kit"]["niche"]) == (
        "Thé & Co", "starter", ["#00aa77"], "thé",
    )  # fmt: skip
    Image.new("RGB", (40, 40)).save(tmp_path / "logo.png")
    logo = json.loads(cli("library", "add", str(tmp_path / "logo.png"), "--brand", "thé & co", "--json").out)
    assert logo["brand_id"] == made["id"]
    change = ("--name", "Thé", "--plan", "pro", "--logo", logo["id"], "--title-font", "Roboto", "--voice", "calme")
    changed = json.loads(cli("brands", "change", "Thé & Co", *change, "--json").out)
    assert (changed["name"], changed["plan"]) == ("Thé", "pro")
    kit = changed["kit"]
    assert (kit["logo_asset_id"], kit["fonts"], kit["palette"]) == (logo["id"], {"primary": "Roboto"}, ["#00aa77"])
    (tmp_path / "kit.json").write_text('{"tagline": "Bien infusé", "fonts": {"heading": "Lora"}}')
    whole = ("--kit", str(tmp_path / "kit.json"), "--text-font", "Roboto")
    kit = json.loads(cli("brands", "change", made["id"], *whole, "--json").out)["kit"]
    assert (kit["tagline"], kit["fonts"], kit["palette"], kit["logo_asset_id"]) == (
        "Bien infusé", {"primary": "Lora", "secondary": "Roboto"}, [], None,
    )  # fmt: skip
    assert "Bien infusé" in cli("brands", "change", "Thé", "--niche", "boissons").out
    with database.begin() as session:
        assert brands.get(session, UUID(made["id"])).look().niche == "boissons"
    listed = json.loads(cli("brands", "list", "--json").out)
    assert ([brand["name"] for brand in listed["brands"]], listed["count"]) == (["Default", "Thé"], 2)
    assert cli("brands", "list").out.splitlines()[2].split() == [made["id"], "pro", "Thé"]


def test_what_is_wrong_of_a_brand_is_said(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "kit.json").write_text("[1]")
    for arguments, code, word in (
        (("create", "A", "--palette", "vert"), ExitCode.USAGE, "--palette: 'vert' is no colour"),
        (("create", "A", "--plan", "gold"), ExitCode.USAGE, "starter, pro, studio, admin"),
        (("create", " "), ExitCode.USAGE, "--name"),
        (("create", "A", "--kit", __file__), ExitCode.USAGE, "no sound JSON"),
        (("create", "A", "--kit", str(tmp_path / "kit.json")), ExitCode.USAGE, "no JSON object"),
        (("change", "Personne", "--plan", "pro"), ExitCode.NOT_FOUND, "'Default'"),
    ):
        answer = cli("brands", *arguments)
        assert answer.code == code
        assert word in answer.err
    assert json.loads(cli("brands", "list", "--json").out)["count"] == 1


def test_the_quota_says_what_is_left(cli: Cli, database: Database) -> None:
    with database.begin() as session:
        brand_id = brands.create(session, NewBrand(name="Petite")).id
    spend(database, brand_id, images=20)
    cli("carousel", "create", "Le thé", "--slides", "10", "--brand", "Petite", "--no-wait")
    images = json.loads(cli("quota", "--brand", "Petite", "--json").out)["images"]
    assert (images["used"], images["reserved"], images["limit"], images["remaining"]) == (20, 10, 150, 120)

    def line() -> str:
        return " ".join(cli("quota", "--brand", "Petite").out.splitlines()[2].split())

    assert line() == "images 20 10 150 120"
    spend(database, brand_id, images=110)
    assert line() == "images 110 10 150 30 80 % reached"
    spend(database, brand_id, images=155)
    assert line() == "images 155 10 150 0 used up (stops at 165)"
    whole = cli("quota").out
    assert "Default, plan admin" in whole
    assert whole.splitlines()[2].split() == ["images", "0", "0", "none"]


def test_costs_are_grouped_and_filtered(
    cli: Cli, database: Database, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    priced = settings.model_copy(update={"local_price_micros_per_image": 40_000})
    intake = Intake(database, store, priced)
    order_id = intake.order(MediaRequest(topic="Un chat", count=2)).order_id
    make_pictures(Workshop(priced, database))
    document = json.loads(cli("costs", "--json").out)
    assert (document["by"], document["cost_micros"], document["calls"]) == ("provider", 80_000, 2)
    assert cli("costs", "--by", "brand").out.splitlines()[1].split() == ["$0.08", "$0.00", "2", "Default"]
    by_order = json.loads(cli("costs", "--by", "order", "--order", str(order_id), "--json").out)
    assert [(line["key"], line["cost_micros"]) for line in by_order["lines"]] == [(str(order_id), 80_000)]
    month = json.loads(cli("costs", "--by", "month", "--provider", "local", "--json").out)["lines"][0]["key"]
    assert json.loads(cli("costs", "--month", month, "--brand", "Default", "--json").out)["calls"] == 2
    assert json.loads(cli("costs", "--month", "200001", "--json").out)["lines"] == []
    assert cli("costs", "--provider", "veo").out.splitlines()[1].split() == ["$0.00", "$0.00", "0", "in", "all"]
    assert "202613 is no month" in cli("costs", "--month", "202613").err
