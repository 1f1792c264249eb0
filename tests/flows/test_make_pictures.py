"""Images and carousels in a real Prefect engine, against a provider that fails, refuses and loses answers."""

import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from flows.carousel import make_carousel
from flows.image import make_images
from maquette.brands import service as brands
from maquette.carousels.briefs import SlideEdit
from maquette.carousels.rendering import render_file
from maquette.carousels.service import Carousels
from maquette.db.engine import Database
from maquette.errors import Conflict, InvalidInput, StorageError
from maquette.intake.requests import MediaRequest
from maquette.journal.costs import costs
from maquette.library import service as library
from maquette.orders import documents
from maquette.orders import service as orders
from maquette.quota import rules
from maquette.quota import service as quota
from maquette.settings import Settings
from maquette.videos.service import Videos
from tests.flows.orders import PRICE, QUICK, intake_of, order_of, run
from tests.rehearsing import Rehearse

# Prefect's engine and its test server leave sockets to the garbage collector.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


def paid(settings: Settings) -> list[tuple[int, str, int]]:
    """The provider's own log: item, outcome, price."""
    log = settings.home / "provider-local-images" / "submissions.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return sorted((line["number"], line["outcome"], line["cost_micros"]) for line in lines)


def assert_books_agree(database: Database, settings: Settings, document: documents.OrderDocument) -> None:
    """Assets are completed items are charged units; the provider's log is the journal; the ledger is the counters."""
    with database.begin() as session:
        assert costs(session, by="provider").cost_micros == sum(price for _, _, price in paid(settings))
        assert quota.audit(session) == []
        brand = brands.get(session, None)
        period = rules.period_of(document.created_at)
        state = quota.document(session, brand_id=brand.id, plan=rules.plan(brand.plan), period=period)
        delivered = library.delivered(session, [item.id for item in document.items])
    assert state.images.used == len(delivered) == document.completed
    assert state.images.reserved == sum(item.status in orders.OPEN for item in document.items)


def sizes(videos: Videos, ids: Sequence[UUID | None]) -> list[tuple[int, int]]:
    found = []
    with videos.database.begin() as session:
        for asset_id in filter(None, ids):
            with Image.open(videos.store.path(library.get(session, asset_id).key)) as picture:
                found.append(picture.size)
    return found


async def test_a_topic_becomes_pictures_in_variants(rehearse: Rehearse, settings: Settings, database: Database) -> None:
    videos = rehearse(**QUICK)
    request = MediaRequest(topic="un chat sur une plage", count=2, variants=2, ratio="4:5")
    document = await run(videos, intake_of(videos).order(request))
    assert (document.status, document.expected, document.completed, document.progress) == ("completed", 4, 4, 100)
    assert [outcome for _, outcome, _ in paid(settings)] == ["accepted"] * 4
    assert document.cost_micros == 4 * PRICE
    assert sizes(videos, [item.asset_id for item in document.items]) == [(1080, 1350)] * 4
    assert_books_agree(database, settings, document)
    with database.begin() as session:
        assets = library.delivered(session, [item.id for item in document.items])
    assert len({asset.sha256 for asset in assets}) == 4
    assert sorted(str(asset.provenance["variant"]) for asset in assets) == ["A", "A", "B", "B"]
    for asset in assets:
        stem = f"alfie/{document.brand_id}/{document.id}/image-"
        assert asset.public_id is not None
        assert asset.public_id.startswith(stem)
        assert asset.public_id.removeprefix(stem).isdecimal()
        wanted = [f"brand:{document.brand_id}", f"order:{document.id}", "type:image", "ratio:4:5"]
        assert asset.tags == wanted
    assert list((settings.home / "tmp").iterdir()) == []  # nothing half-made is left


async def test_an_equal_order_is_answered_from_the_cache(
    rehearse: Rehearse, settings: Settings, database: Database
) -> None:
    videos = rehearse(**QUICK)
    request = MediaRequest(topic="une vague", count=2)
    first = await run(videos, intake_of(videos).order(request))
    second = await run(videos, intake_of(videos).order(request))
    assert (second.status, second.cost_micros, second.saved_micros) == ("completed", 0, 2 * PRICE)
    assert len(paid(settings)) == 2
    with database.begin() as session:
        made = [[a.sha256 for a in library.delivered(session, [i.id for i in d.items])] for d in (first, second)]
        other = brands.create(session, brands.NewBrand(name="Other", plan="studio")).id
    assert sorted(made[0]) == sorted(made[1])
    third = await run(videos, intake_of(videos).order(request.model_copy(update={"brand_id": other})))
    assert (third.cost_micros, third.saved_micros) == (2 * PRICE, 0)  # never across brands
    with database.begin() as session:
        assert quota.audit(session) == []


async def test_two_versions_of_a_carousel_are_two_carousels_with_a_pdf_each(
    rehearse: Rehearse, settings: Settings, database: Database
) -> None:
    videos = rehearse(**QUICK)
    accepted = intake_of(videos).order(
        MediaRequest(format="carousel", topic="Le thé", count=3, variants=2, pdf=True, platform="instagram")
    )
    for job_id in accepted.jobs:
        await make_carousel(job_id=job_id)
    document = order_of(videos, accepted)
    assert (document.status, document.completed, document.expected) == ("completed", 6, 6)
    assert [(item.sequence_number, item.slide) for item in document.items] == list(
        zip(range(1, 7), [1, 2, 3, 1, 2, 3], strict=True)
    )
    assert sizes(videos, [item.asset_id for item in document.items]) == [(1080, 1350)] * 6
    assert len(paid(settings)) == 6
    for subject in accepted.subjects:
        names = {path.name for path in (settings.home / "carousels" / subject).iterdir()}
        assert names == {"slide_01.jpg", "slide_02.jpg", "slide_03.jpg", "carousel.pdf"}
    assert_books_agree(database, settings, document)


async def test_a_carousel_of_five_with_one_failed_slide_pays_four(
    rehearse: Rehearse, settings: Settings, database: Database
) -> None:
    videos = rehearse(**QUICK, local_image_faults={"3": ["refuse"] * 2})
    accepted = intake_of(videos).order(MediaRequest(format="carousel", topic="Les tendances marketing 2025"))
    document = await run(videos, accepted)
    assert (document.status, document.completed, document.failed) == ("partial", 4, 1)
    failed = document.items[2]
    assert (failed.status, failed.reservation) == ("failed", "refunded")
    assert failed.error_message
    assert_books_agree(database, settings, document)
    videos = rehearse(**QUICK, local_image_faults={})  # the provider takes it now
    again = intake_of(videos).retry(accepted.order_id)
    assert again.amounts.images == 1
    with pytest.raises(Conflict):
        intake_of(videos).retry(accepted.order_id)
    retried = await run(videos, again)
    assert (retried.status, [item.sequence_number for item in retried.items]) == ("completed", [3])
    whole = Carousels(database, videos.store, videos.settings).get(accepted.subjects[0])
    assert [slide.asset_id is not None for slide in whole.slides] == [True] * 5
    assert [outcome for number, outcome, _ in paid(settings) if number != 3] == ["accepted"] * 4


async def test_a_slide_that_fails_is_tried_again_alone_by_the_next_attempt(
    rehearse: Rehearse, settings: Settings, database: Database
) -> None:
    faults = {"1": ["fail"], "2": ["throttle"], "3": ["lose-answer"], "4": ["broken-clip"]}
    videos = rehearse(**QUICK, local_image_faults=faults)
    accepted = intake_of(videos).order(MediaRequest(format="carousel", topic="Le café", count=4))
    first = await run(videos, accepted)
    assert (first.status, first.completed, first.jobs[0].status) == ("processing", 2, "queued")
    assert_books_agree(database, settings, first)
    second = await run(videos, accepted)
    assert (second.status, second.completed) == ("completed", 4)
    tried = [number for number, _, _ in paid(settings)]
    assert {number: tried.count(number) for number in (1, 2, 3, 4)} == {1: 2, 2: 2, 3: 1, 4: 2}
    assert_books_agree(database, settings, second)


async def test_what_runs_or_could_not_be_kept_is_not_ordered_again(
    rehearse: Rehearse, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = rehearse(**QUICK, local_image_faults={"2": ["stall"]}, image_timeout_s=0.3, local_stall_s=3600)
    accepted = intake_of(videos).order(MediaRequest(topic="un moulin", count=2))
    real = os.link

    def broken(source: Path, target: Path) -> None:
        if "assets" in str(target):
            raise OSError(errno.EIO, "Input/output error")
        real(source, target)

    with monkeypatch.context() as disk:
        disk.setattr(os, "link", broken)
        first = await run(videos, accepted)
    assert (first.completed, first.jobs[0].status) == (0, "queued")
    videos = rehearse(**QUICK, local_image_faults={"2": ["stall"]}, local_stall_s=0)  # disk and provider recover
    second = await run(videos, accepted)
    assert (second.status, second.completed) == ("completed", 2)
    assert [(number, price) for number, _, price in paid(settings)] == [(1, PRICE), (2, PRICE)]
    assert_books_agree(database, settings, second)


async def test_a_run_that_delivers_nothing_has_failed(rehearse: Rehearse, settings: Settings) -> None:
    videos = rehearse(**QUICK, local_image_faults={"1": ["refuse"] * 2})
    accepted = intake_of(videos).order(MediaRequest(topic="une ombre"))
    state = await make_images(job_id=accepted.job_id, return_state=True)
    assert state.is_failed()
    document = order_of(videos, accepted)
    assert (document.status, document.items[0].error_code, document.items[0].reservation) == (
        "failed",
        "usage_guidelines",
        "refunded",
    )


async def test_three_attempts_then_the_reason_and_the_refund(
    rehearse: Rehearse, settings: Settings, database: Database
) -> None:
    videos = rehearse(**QUICK, local_image_faults={"2": ["fail"] * 3})
    accepted = intake_of(videos).order(MediaRequest(topic="un phare", count=2))
    for attempt in range(1, 4):
        with database.begin() as session:
            job = orders.lock_job(session, accepted.job_id)
            job.attempts = attempt  # what the dispatcher counts
        document = await run(videos, accepted)
    assert (document.status, document.completed, document.failed) == ("partial", 1, 1)
    assert document.items[1].reservation == "refunded"
    assert "Le fournisseur ne répond pas" in str(document.items[1].error_message)
    assert "rehearses a failed operation" in str(document.jobs[0].error)
    with database.begin() as session:
        (letter,) = documents.dead_letters(session, limit=10)
    assert (letter.job.id, [item.sequence_number for item in letter.items]) == (accepted.job_id, [2])
    assert_books_agree(database, settings, document)


async def test_a_slide_is_edited_from_its_kept_background(
    rehearse: Rehearse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = rehearse(**QUICK)
    accepted = intake_of(videos).order(MediaRequest(format="carousel", topic="Le sommeil", count=3))
    await run(videos, accepted)
    carousels = Carousels(videos.database, videos.store, videos.settings)
    before = carousels.get(accepted.subjects[0])
    after = carousels.edit_slide(before.carousel_id, 2, SlideEdit(title="Un autre titre", version=0))
    assert after.slides[1].text.title == "Un autre titre"
    assert after.slides[1].version == 1
    assert [a.sha256 == b.sha256 for a, b in zip(before.slides, after.slides, strict=True)] == [True, False, True]
    assert after.slides[1].asset_id == before.slides[1].asset_id
    assert len(paid(settings)) == 3  # nothing was asked of the provider
    with pytest.raises(Conflict):
        carousels.edit_slide(before.carousel_id, 2, SlideEdit(title="Trop tard", version=0))
    with pytest.raises(InvalidInput, match="title"):
        carousels.edit_slide(before.carousel_id, 2, SlideEdit(title="x" * 5000))
    assert carousels.get(before.carousel_id) == after
    place = "maquette.carousels.service.render_file"

    def meanwhile(*args: Any, **kwargs: Any) -> Path:
        monkeypatch.setattr(place, render_file)
        carousels.edit_slide(before.carousel_id, 3, SlideEdit(title="Une autre fin"))
        return render_file(*args, **kwargs)

    monkeypatch.setattr(place, meanwhile)
    carousels.edit_slide(before.carousel_id, 1, SlideEdit(title="Un autre début"))
    titles = [slide.text.title for slide in carousels.get(before.carousel_id).slides]
    assert titles == ["Un autre début", "Un autre titre", "Une autre fin"]  # neither edit lost the other
    pdf = carousels.pdf(before.carousel_id)
    assert pdf.read_bytes().count(b"/Type /Page\n") + pdf.read_bytes().count(b"/Type /Page ") == 3
    pdf.unlink()


async def test_a_run_without_a_job_takes_its_parameters_through_intake(
    rehearse: Rehearse, settings: Settings, database: Database
) -> None:
    rehearse(**QUICK)
    result = await make_images(topic="a lighthouse", count=2, language="en")
    carousel = await make_carousel(topic="Coffee in 1900", slides=3, language="en", slide_format="png")
    with database.begin() as session:
        listed = documents.list_orders(session, limit=10)
    assert [(order.kind, order.status) for order in listed] == [("carousel", "completed"), ("image", "completed")]
    assert (result.status, len(result.assets)) == ("completed", 2)  # type: ignore[union-attr]  # it completed
    assert (carousel.status, len(carousel.slides)) == ("completed", 3)  # type: ignore[union-attr]  # as above
    folder = settings.home / "carousels" / carousel.carousel_id  # type: ignore[union-attr]  # as above
    assert {path.name for path in folder.iterdir()} == {"slide_01.png", "slide_02.png", "slide_03.png"}
    assert [order.completed for order in listed] == [3, 2]


async def test_a_run_without_a_topic_says_so(rehearse: Rehearse) -> None:
    rehearse(**QUICK)
    for flow in (make_images, make_carousel):
        with pytest.raises(InvalidInput, match="topic is ''"):
            await flow()


async def test_a_page_or_a_pdf_that_fails_stops_nothing_that_is_settled(
    rehearse: Rehearse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise StorageError("no space left", code="storage_full")

    videos = rehearse(**QUICK)
    accepted = intake_of(videos).order(MediaRequest(format="carousel", topic="La pluie", count=3, pdf=True))
    monkeypatch.setattr(Carousels, "keep_pdf", full)
    monkeypatch.setattr("tasks.gallery.contact_sheet", full)
    state = await make_carousel(job_id=accepted.job_id, return_state=True)
    assert state.is_completed()
    assert order_of(videos, accepted).status == "completed"


async def test_a_cancelled_order_refuses_the_run_that_makes_it(
    rehearse: Rehearse, settings: Settings, database: Database
) -> None:
    videos = rehearse(**QUICK)
    accepted = intake_of(videos).order(MediaRequest(topic="une forêt", count=3))
    intake_of(videos).cancel(accepted.order_id)
    document = await run(videos, accepted)
    assert (document.status, document.completed) == ("cancelled", 0)
    assert {item.reservation for item in document.items} == {"refunded"}
    assert not (settings.home / "provider-local-images" / "submissions.jsonl").exists()
    with pytest.raises(Conflict):
        intake_of(videos).cancel(accepted.order_id)
    with database.begin() as session:
        assert quota.audit(session) == []
