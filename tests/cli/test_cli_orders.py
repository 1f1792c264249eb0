"""Orders of images, carousels and packs from the command line: what is ordered, told, and left to the shell."""

import io
import json
import os
import re
import signal
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from maquette.brands import service as brands
from maquette.brands.service import NewBrand
from maquette.cli.output import ExitCode
from maquette.db.engine import Database
from maquette.errors import Filtered, MaquetteError
from maquette.intake.requests import MediaRequest
from maquette.intake.service import Intake
from maquette.orders.documents import OrderDocument, list_orders, order_document
from maquette.settings import Settings
from maquette.storage.port import Store
from tests.cli.conftest import Cli
from tests.cli.work import spend, work_pictures, worker

NO_JSON = str(Path(__file__).with_name("conftest.py"))
REFUSED = Filtered("a safety rule refused it")
PACK = """Voici : <alfie-pack>{"title": "Lancement", "summary": "Deux
lignes", "assets": [
  {"id": "a1", "brandId": "brand-123", "kind": "image", "count": 2, "prompt": "Une tasse de thé",},
  {"id": "a2", "kind": "carousel", "count": 3, "prompt": "Les bienfaits du thé"}]}"""


@pytest.fixture
def intake(database: Database, store: Store, settings: Settings) -> Intake:
    return Intake(database, store, settings)


def newest(database: Database) -> OrderDocument:
    with database.begin() as session:
        return order_document(session, list_orders(session, limit=1)[0].id)


def brand(database: Database, name: str, *, plan: str = "starter") -> UUID:
    with database.begin() as session:
        return brands.create(session, NewBrand(name=name, plan=plan)).id


def test_an_image_without_waiting_is_the_order(cli: Cli, database: Database) -> None:
    answer = cli("image", "create", "Un chat", "--count", "3", "--no-wait", "--json")
    assert answer.code == ExitCode.OK
    document = json.loads(answer.out)
    order = newest(database)
    assert (document["id"], document["status"], document["expected"]) == (str(order.id), "pending", 3)
    assert document["files"] == []
    assert document["reserved"] == {"images": 3, "reels": 0, "woofs": 0}
    assert document["charged"] == {"images": 0, "reels": 0, "woofs": 0}


def test_every_option_of_an_image_reaches_the_order(cli: Cli, database: Database) -> None:
    added = json.loads(cli("library", "add", str(picture(Path(os.environ["MAQUETTE_HOME"]))), "--json").out)
    cli(
        *("image", "create", "Un chat", "--count", "2", "--variants", "2", "--ratio", "4:5", "--platform", "tiktok"),
        *("--style", "minimal", "--category", "product", "--color-mode", "pastel", "--goal", "vente", "--tone", "doux"),
        *("--reference", added["id"], "--no-brand-kit", "--background-only", "--language", "en", "--seed", "7"),
        *("--no-wait", "--json"),
    )
    order = newest(database)
    assert len(order.items) == 4
    expected = {
        "ratio": "4:5", "platform": "tiktok", "visual_style": "minimal", "style_category": "product",
        "color_mode": "pastel", "goal": "vente", "tone": "doux", "references": [added["id"]], "use_brand_kit": False,
        "background_only": True, "language": "en", "seed": 7, "count": 2, "variants": 2,
    }  # fmt: skip
    assert {name: order.brief[name] for name in expected} == expected


def test_every_option_of_a_carousel_reaches_the_order(cli: Cli, database: Database, tmp_path: Path) -> None:
    slides = [{"title": f"Titre {number}"} for number in range(1, 5)]
    (tmp_path / "texts.json").write_text(json.dumps(slides))
    cli(
        *("carousel", "create", "Le thé", "--texts", str(tmp_path / "texts.json"), "--format", "png"),
        *("--type", "citation", "--platform", "instagram", "--no-wait", "--json"),
    )
    brief = newest(database).brief
    assert (brief["count"], brief["texts"], brief["ratio"]) == (4, slides, "4:5")
    assert (brief["slide_format"], brief["carousel_type"]) == ("png", "citation")


def picture(folder: Path) -> Path:
    from PIL import Image

    folder.mkdir(exist_ok=True)
    Image.new("RGB", (64, 64), "teal").save(folder / "picture.png")
    return folder / "picture.png"


def test_waiting_ends_with_the_paths(cli: Cli, database: Database, store: Store, settings: Settings) -> None:
    with worker(database, lambda: work_pictures(database, store)):
        answer = cli("image", "create", "Un chat", "--count", "2", "--json")
    assert answer.code == ExitCode.OK
    document = json.loads(answer.out)
    (job,) = document["jobs"]
    folder = settings.home.absolute() / "images" / job["subject"]
    assert [file["path"] for file in document["files"]] == [str(folder / f"image_{number}.jpg") for number in (1, 2)]
    assert all(Path(file["path"]).read_text().startswith(job["subject"]) for file in document["files"])
    assert document["charged"] == {"images": 2, "reels": 0, "woofs": 0}
    assert "images    image 2 done (2 of 2)" in answer.err
    assert "order     completed, 2 of 2" in answer.err


def test_what_failed_is_told_and_not_charged(cli: Cli, database: Database, store: Store) -> None:
    with worker(database, lambda: work_pictures(database, store, errors={2: REFUSED})):
        answer = cli("carousel", "create", "Le thé", "--slides", "3")
    assert answer.code == ExitCode.FAILED
    order = newest(database)
    lines = answer.out.splitlines()
    assert [line.split("/")[-1] for line in lines if ".jpg" in line] == ["slide_01.jpg", "slide_03.jpg"]
    told = {line.split("  ")[0]: line.split("  ")[-1].strip() for line in lines}
    assert told["status"] == "partial, 2 of 3"
    assert told["charged"] == "2 images"
    assert told["slide 2"] == "failed: a safety rule refused it (filtered)"
    assert told["carousel"] == order.jobs[0].subject
    assert told["retry"] == f"maquette orders retry {order.id}"


def test_an_order_that_is_cancelled_meanwhile_exits_1(cli: Cli, database: Database, intake: Intake) -> None:
    with worker(database, lambda: intake.cancel(newest(database).id)):
        answer = cli("image", "create", "Un chat", "--count", "5")
    assert answer.code == ExitCode.FAILED
    assert "5 images  cancelled: the order was cancelled (cancelled)" in answer.out


def test_ctrl_c_while_waiting_keeps_the_order(cli: Cli, database: Database) -> None:
    with worker(database, lambda: os.kill(os.getpid(), signal.SIGINT)):
        answer = cli("image", "create", "Un chat", "--json")
    order = newest(database)
    assert answer.code == ExitCode.INTERRUPTED
    assert f"`maquette orders show {order.id}`" in json.loads(answer.out)["error"]["message"]
    assert order.status == "pending"


def test_an_idempotency_key_orders_once(cli: Cli, database: Database) -> None:
    order = ("image", "create", "Un chat", "--idempotency-key", "k", "--no-wait", "--json")
    assert json.loads(cli(*order).out)["id"] == json.loads(cli(*order).out)["id"]
    other = cli("image", "create", "Un chien", "--idempotency-key", "k", "--no-wait", "--json")
    assert (other.code, json.loads(other.out)["error"]["code"]) == (ExitCode.CONFLICT, "idempotency_key")


def test_a_brand_goes_by_its_name_or_its_id(cli: Cli, database: Database) -> None:
    brand_id = brand(database, "Thé & Co")
    for given in ("thé & co ", str(brand_id)):
        cli("image", "create", "Un chat", "--brand", given, "--no-wait")
        assert newest(database).brand_id == brand_id
    cli("video", "create", "--theme", "Un chat", "--target-duration", "15", "--brand", "Thé & Co")
    assert (newest(database).kind, newest(database).brand_id) == ("video", brand_id)


def test_a_brand_that_is_not_there_or_not_alone_is_an_error(cli: Cli, database: Database) -> None:
    absent = cli("image", "create", "Un chat", "--brand", "Personne", "--no-wait", "--json")
    assert (absent.code, json.loads(absent.out)["error"]["code"]) == (ExitCode.NOT_FOUND, "brand_not_found")
    assert "'Default'" in absent.err
    assert cli("image", "create", "Un chat", "--brand", str(uuid4()), "--no-wait").code == ExitCode.NOT_FOUND
    ids = [brand(database, "Deux"), brand(database, "deux")]
    twice = cli("image", "create", "Un chat", "--brand", "Deux", "--no-wait")
    assert twice.code == ExitCode.USAGE
    assert all(str(each) in twice.err for each in ids)


def test_a_budget_that_is_used_up_is_a_conflict(cli: Cli, database: Database) -> None:
    spend(database, brand(database, "Petite"), 160)
    refused = cli("image", "create", "Un chat", "--count", "20", "--brand", "Petite", "--json")
    assert (refused.code, json.loads(refused.out)["error"]["code"]) == (ExitCode.CONFLICT, "budget_exceeded")
    long = cli("video", "create", "--theme", "Un chat", "--target-duration", "60", "--brand", "Petite", "--json")
    assert (long.code, json.loads(long.out)["error"]["code"]) == (ExitCode.CONFLICT, "duration_not_allowed")


def test_an_estimate_orders_nothing(cli: Cli, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    spend(database, brand(database, "Petite"), 155)
    monkeypatch.setenv("MAQUETTE_LOCAL_PRICE_MICROS_PER_IMAGE", "40000")
    answer = cli("carousel", "create", "Le thé", "--slides", "4", "--brand", "Petite", "--estimate", "--json")
    document = json.loads(answer.out)
    assert document["amounts"] == {"images": 4, "reels": 0, "woofs": 0}
    assert (document["cost_micros"], document["allowed"], document["plan"]) == (160_000, True, "starter")
    words = cli("image", "create", "Un chat", "--count", "20", "--brand", "Petite", "--estimate")
    assert words.code == ExitCode.OK
    assert "Petite, plan starter" in words.out
    assert "no: the plan starter gives 150 images a month" in words.out
    with database.begin() as session:
        assert list_orders(session, limit=1) == []


def test_a_broken_pack_is_mended_and_says_so(cli: Cli, database: Database, store: Store, tmp_path: Path) -> None:
    (tmp_path / "pack.txt").write_text(PACK)
    with worker(database, lambda: work_pictures(database, store)):
        answer = cli("pack", "order", str(tmp_path / "pack.txt"), "--json")
    assert answer.code == ExitCode.OK
    document = json.loads(answer.out)
    assert (document["kind"], document["campaign_name"], document["expected"]) == ("pack", "Lancement", 5)
    assert document["charged"] == {"images": 5, "reels": 0, "woofs": 12}
    assert [Path(file["path"]).name for file in document["files"]] == [
        *(f"slide_0{number}.jpg" for number in (1, 2, 3)), "image_1.jpg", "image_2.jpg",
    ]  # fmt: skip
    assert len(document["remarks"]) == 4
    assert all(f"note: {remark}" in answer.err for remark in document["remarks"])


def test_a_pack_may_come_through_a_pipe_and_be_priced(
    cli: Cli, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PACK.encode())))
    document = json.loads(cli("pack", "order", "-", "--estimate", "--json").out)
    assert document["amounts"] == {"images": 5, "reels": 0, "woofs": 12}
    assert len(document["remarks"]) == 4
    with database.begin() as session:
        assert list_orders(session, limit=1) == []


def test_an_order_is_shown_whole(cli: Cli, database: Database, store: Store, intake: Intake) -> None:
    order_id = str(intake.order(MediaRequest(format="carousel", topic="Le thé", count=3)).order_id)
    work_pictures(database, store, errors={1: REFUSED, 3: REFUSED})
    shown = cli("orders", "show", order_id)
    assert shown.code == ExitCode.OK
    assert "slides 1, 3  failed: a safety rule refused it (filtered)" in shown.out
    assert [line.split()[:3] for line in shown.out.splitlines()[-3:]] == [
        ["slide", "1", "failed"], ["slide", "2", "done"], ["slide", "3", "failed"],
    ]  # fmt: skip
    assert cli("orders", "show", order_id, "--wait").code == ExitCode.FAILED
    document = json.loads(cli("orders", "show", order_id, "--json").out)
    assert [item["status"] for item in document["items"]] == ["failed", "completed", "failed"]


def test_a_file_that_is_gone_has_no_path(cli: Cli, database: Database, store: Store, intake: Intake) -> None:
    order_id = str(intake.order(MediaRequest(topic="Un chat")).order_id)
    work_pictures(database, store)
    (file,) = json.loads(cli("orders", "show", order_id, "--json").out)["files"]
    Path(file["path"]).unlink()
    assert json.loads(cli("orders", "show", order_id, "--json").out)["files"] == [file]
    for key in store.keys_older_than(newest(database).created_at.replace(year=2999)):
        store.delete(key)
    assert json.loads(cli("orders", "show", order_id, "--json").out)["files"] == []


def test_orders_are_listed_by_brand_and_status(cli: Cli, database: Database, store: Store, intake: Intake) -> None:
    other = brand(database, "Autre")
    ids = [str(intake.order(MediaRequest(topic=topic, brand_id=whose)).order_id)
           for topic, whose in (("Un [b]chat", None), ("Un chien", other))]  # fmt: skip
    work_pictures(database, store)

    def listed(*options: str) -> list[str]:
        document = json.loads(cli("orders", "list", *options, "--json").out)
        assert document["count"] == len(document["orders"])
        return [order["id"] for order in document["orders"]]

    assert listed() == ids[::-1]
    assert listed("--limit", "1") == ids[1:]
    assert listed("--brand", "Autre") == ids[1:]
    assert listed("--status", "pending") == ids[:1]
    assert [line.split()[:4] for line in cli("orders", "list").out.splitlines()[1:]] == [
        [ids[1], "image", "completed", "1/1"], [ids[0], "image", "pending", "0/1"],
    ]  # fmt: skip
    assert "Un [b]chat" in cli("orders", "list").out


def test_cancelling_ends_an_order_once(cli: Cli, intake: Intake) -> None:
    order_id = str(intake.order(MediaRequest(topic="Un chat", count=2)).order_id)
    cancelled = cli("orders", "cancel", order_id, "--json")
    assert (cancelled.code, json.loads(cancelled.out)["status"]) == (ExitCode.OK, "cancelled")
    again = cli("orders", "cancel", order_id, "--json")
    assert (again.code, json.loads(again.out)["error"]["code"]) == (ExitCode.CONFLICT, "nothing_to_cancel")


def test_dead_letters_are_retried(cli: Cli, database: Database, store: Store, intake: Intake) -> None:
    order_id = str(intake.order(MediaRequest(topic="Un chat", count=2)).order_id)
    work_pictures(database, store, errors={2: MaquetteError("it broke off", code="attempts_exhausted")})
    (letter,) = json.loads(cli("orders", "dead-letters", "--json").out)["dead_letters"]
    assert (letter["job"]["order_id"], len(letter["items"])) == (order_id, 1)
    assert "it broke off" in cli("orders", "dead-letters").out
    with worker(database, lambda: work_pictures(database, store)):
        retried = cli("orders", "retry", order_id, "--json")
    document = json.loads(retried.out)
    assert (retried.code, document["retry_of"], document["status"]) == (ExitCode.OK, order_id, "completed")
    assert [Path(file["path"]).name for file in document["files"]] == ["image_2.jpg"]
    assert f"retried by  {document['id']}" in cli("orders", "show", order_id).out
    assert cli("orders", "dead-letters").out == "No dead letters.\n"
    assert cli("orders", "retry", order_id).code == ExitCode.CONFLICT


def test_the_queue_tells_what_waits(cli: Cli, intake: Intake) -> None:
    intake.order(MediaRequest(topic="Un chat"))
    document = json.loads(cli("orders", "queue", "--json").out)
    assert (document["counts"]["queued"], len(document["recent"])) == (1, 1)
    words = cli("orders", "queue").out
    assert re.match(r"1 queued \(the oldest for \d+ s\), 0 sent, 0 running", words)
    assert "queued       0/3" in words


ERRORS = [
    (("orders", "show", str(uuid4())), ExitCode.NOT_FOUND, "order_not_found"),
    (("orders", "cancel", str(uuid4())), ExitCode.NOT_FOUND, "order_not_found"),
    (("orders", "retry", str(uuid4()), "--no-wait"), ExitCode.NOT_FOUND, "order_not_found"),
    (("orders", "show", "x"), ExitCode.USAGE, "usage"),
    (("image", "create", " ", "--no-wait"), ExitCode.USAGE, "invalid_input"),
    (("image", "create", "a\x01b", "--no-wait"), ExitCode.USAGE, "control_character"),
    (("image", "create", "x" * 2001, "--no-wait"), ExitCode.USAGE, "invalid_input"),
    (("image", "create", "x", "--count", "21"), ExitCode.USAGE, "usage"),
    (("image", "create", "x", "--reference", str(uuid4()), "--no-wait"), ExitCode.NOT_FOUND, "asset_not_found"),
    (("carousel", "create", "x", "--texts", "nowhere.json"), ExitCode.USAGE, "usage"),
    (("carousel", "create", "x", "--texts", NO_JSON, "--no-wait"), ExitCode.USAGE, "invalid_input"),
    (("pack", "order", NO_JSON, "--no-wait"), ExitCode.USAGE, "invalid_input"),
    (("pack", "order", sys.executable, "--no-wait"), ExitCode.USAGE, "invalid_input"),
    (("pack", "order", "nowhere.json"), ExitCode.USAGE, "usage"),
]


def test_errors_are_a_line_and_a_document(cli: Cli) -> None:
    for arguments, code, error in ERRORS:
        answer = cli(*arguments, "--json")
        document = json.loads(answer.out)
        assert (answer.code, document["error"]["code"]) == (code, error), arguments
        assert answer.err == f"maquette: {document['error']['message']}\n"


def test_looking_at_an_empty_home_makes_nothing(bare_cli: Cli) -> None:
    home = Path(os.environ["MAQUETTE_HOME"])
    assert json.loads(bare_cli("orders", "list", "--json").out) == {"orders": [], "count": 0}
    assert json.loads(bare_cli("orders", "dead-letters", "--json").out) == {"dead_letters": [], "count": 0}
    assert json.loads(bare_cli("library", "list", "--json").out) == {"items": [], "next": None}
    assert json.loads(bare_cli("brands", "list", "--json").out) == {"brands": [], "count": 0}
    for command in (("orders", "queue"), ("quota",), ("costs",), ("carousel", "show", "carousel_x")):
        assert bare_cli(*command).code == ExitCode.NOT_FOUND
    assert not home.exists()
