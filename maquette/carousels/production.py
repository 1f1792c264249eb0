"""Making a carousel, step by step: the plan, then each slide from its picture and its words."""

import json
from functools import partial
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session

from maquette.brands import service as brands
from maquette.brands.models import BrandKit
from maquette.carousels.briefs import KIND, SLIDE, CarouselBrief
from maquette.carousels.models import CarouselPlan
from maquette.carousels.rendering import drawn, look_of, made_to_fit, render_file, style_of_kit
from maquette.carousels.rules import given_texts, lint, merge_texts, parse_plan, require_limits
from maquette.carousels.service import Carousels, get_carousel, slides_of
from maquette.db.types import now
from maquette.images import production as pictures
from maquette.images.models import ImageOrder
from maquette.images.rules import SIZES, slide_public_id, tags_of
from maquette.images.service import picture_brief
from maquette.journal import operations
from maquette.journal import service as journal
from maquette.library import service as library
from maquette.library.models import Asset
from maquette.library.service import Shown
from maquette.media.fonts import require_drawable
from maquette.media.slides import fit_background, save_image
from maquette.orders import service as orders
from maquette.orders.models import Lease
from maquette.orders.paid import written_once
from maquette.providers.text.port import CarouselRequest, WriterBrand, Written
from maquette.rehearsal import crash_point
from maquette.storage.port import StoredFile
from maquette.workshop import Workshop

LEFT_OUT = {
    "fr": "Slide {number} : {field} laissé de côté en tout ou partie, faute de place",
    "en": "Slide {number}: {field} left out in whole or in part, for want of room",
    "es": "Diapositiva {number}: {field} omitido en todo o en parte, por falta de espacio",
}


class CarouselResult(BaseModel):
    """What a finished run returns."""

    order_id: UUID
    carousel_id: str
    status: str
    slides: list[UUID]
    warnings: list[str]
    cost_micros: int


def write_plan(workshop: Workshop, lease: Lease) -> int:
    """Write and keep the plan unless it is there, and give each open item its words and its picture; how many.

    Raises ``ProviderError``, ``InvalidInput`` for words that no font can show.
    """
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        carousel = get_carousel(session, lease.subject)
        kit = brands.get(session, lease.brand_id).look()
        asks = carousel.asks
    brief = CarouselBrief.model_validate(carousel.brief)
    look = look_of(kit, brief)
    plan = CarouselPlan.model_validate(carousel.plan) if carousel.plan else _planned(workshop, lease, brief, kit, asks)
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        carousel = get_carousel(session, lease.subject, lock=True)
        if carousel.plan is None:
            carousel.plan = plan.model_dump(mode="json")
        items = orders.items_of(session, lease.job_id, only_open=True)
        for item in items:
            if "prompt" not in item.brief:  # a snapshot, made once: what is paid for does not change any more
                number = int(item.brief["slide"])
                slide = plan.slides[number - 1]
                picture = picture_brief(_picture_order(brief, slide.visual), look, number=number)
                item.brief = picture.model_dump(mode="json") | {"slide": number}
                item.text = slide.text.model_dump(mode="json")
        orders.announce(session, lease.order_id, "plan", {"carousel_id": lease.subject, "slides": len(plan.slides)})
        return len(items)


def deliver_slide(workshop: Workshop, lease: Lease, item_id: UUID, call_id: UUID) -> UUID:
    """Keep the picture as the slide's background, lay the words over it, and end the item well; the asset's id.

    Raises ``MediaError``, ``StorageError``, ``InvalidInput`` for words that cannot be laid out, ``StaleLease``.
    """
    call = operations.call_of(workshop.database, call_id)
    raw = pictures.fetch_picture(workshop, lease, call_id)
    with workshop.database.begin() as session:
        carousel = get_carousel(session, lease.subject)
        number = int(orders.get_item(session, item_id).brief["slide"])
        kit = brands.get(session, lease.brand_id).look()
        logo = _logo(session, kit)
    brief = CarouselBrief.model_validate(carousel.brief)
    slide = CarouselPlan.model_validate(carousel.plan).slides[number - 1]
    style = style_of_kit(look_of(kit, brief))
    width, height = SIZES[brief.ratio]
    background = _background(workshop, raw, width, height)
    logo_path = workshop.store.path(logo.key) if logo and brief.use_brand_kit else None
    made = render_file(
        workshop.store,
        workshop.store.path(background.key),
        slide.text,
        brief=brief,
        style=style,
        number=number,
        logo=logo_path,
    )
    file = workshop.store.put(made)
    crash_point("before-settle")
    with workshop.database.begin() as session:
        orders.guard(session, lease, settle=True)
        moment = now(session)
        whose = Shown(
            brand_id=lease.brand_id, order_id=lease.order_id, expires_at=library.expiry(moment, workshop.settings)
        )
        kept = library.add(
            session, background, subject=lease.subject, kind="background",
            provenance={"parents": [raw.sha256], "slide": number}, shown=whose,
        )  # fmt: skip
        shown = Shown(
            brand_id=lease.brand_id,
            order_id=lease.order_id,
            item_id=item_id,
            title=slide.text.title or brief.topic,
            ratio=brief.ratio,
            width=width,
            height=height,
            slide_index=number - 1,
            public_id=slide_public_id(lease.brand_id, lease.order_id, index=number - 1),
            tags=tags_of(brand_id=lease.brand_id, order_id=lease.order_id, kind=SLIDE, ratio=brief.ratio),
            text=slide.text.model_dump(mode="json") | {"text_version": 0, "carousel_mode": _mode(brief)},
            expires_at=whose.expires_at,
        )
        asset = library.add(
            session,
            file,
            subject=lease.subject,
            kind=SLIDE,
            provenance=pictures.provenance_of(call, lease)
            | {
                "parents": [background.sha256],
                "background": str(kept.id),
                "style": style.model_dump(mode="json"),
                "logo": str(logo.id) if logo_path and logo else None,
            },
            shown=shown,
        )
        workshop.store.publish(file.key, f"{lease.subject}/slide_{number:02d}{Path(file.key).suffix}")
        _show(session, lease, brief, file, number=number, shown=shown)
        orders.complete_item(session, lease, item_id)
    return asset.id


def keep_pdf(workshop: Workshop, lease: Lease) -> None:
    """Keep a PDF of the slides beside them, where it was ordered. It costs nothing and settles nothing.

    Raises ``StorageError``.
    """
    with workshop.database.begin() as session:
        carousel, slides = get_carousel(session, lease.subject), slides_of(session, lease.subject)
    if slides and CarouselBrief.model_validate(carousel.brief).pdf:
        Carousels(workshop.database, workshop.store, workshop.settings).keep_pdf(lease.subject)


def result_of(workshop: Workshop, lease: Lease) -> CarouselResult:
    """What the run made."""
    with workshop.database.begin() as session:
        job = orders.get_job(session, lease.job_id)
        carousel = get_carousel(session, lease.subject)
        items = [item.id for item in orders.items_of(session, lease.job_id)]
        return CarouselResult(
            order_id=lease.order_id,
            carousel_id=lease.subject,
            status=str(job.status),
            slides=[asset.id for asset in library.delivered(session, items)],
            warnings=CarouselPlan.model_validate(carousel.plan or {"slides": []}).warnings,
            cost_micros=journal.total_micros(session, lease.subject),
        )


def _planned(workshop: Workshop, lease: Lease, brief: CarouselBrief, kit: BrandKit, asks: int) -> CarouselPlan:
    voice = kit if brief.use_brand_kit else BrandKit()
    request = CarouselRequest(
        topic=brief.topic,
        slides=brief.slides,
        language=brief.language,
        seed=brief.seed,
        goal=brief.goal,
        tone=brief.tone,
        platform=brief.platform,
        carousel_type=brief.carousel_type,
        brand=WriterBrand.model_validate(voice.model_dump(include=set(WriterBrand.model_fields))),
        given=json.dumps(brief.texts, ensure_ascii=False, sort_keys=True) if brief.texts else "",
    )
    written = _ask(workshop, lease, request, asks)
    plan = _parsed(written, brief)
    if plan.meta["found"] < brief.slides:
        warning = f"Your last answer had {plan.meta['found']} slides. Write exactly {brief.slides}."
        again = _ask(workshop, lease, request.model_copy(update={"warning": warning}), asks)
        if _parsed(again, brief).meta["found"] > plan.meta["found"]:
            written, plan = again, _parsed(again, brief)
    plan = merge_texts(plan, brief.texts)
    given = given_texts(brief.texts, slides=brief.slides)
    style = style_of_kit(look_of(kit, brief))
    remarks = []
    for index, slide in enumerate(plan.slides):
        require_limits(slide.text, number=slide.number)
        require_drawable(drawn(slide.text))
        fixed = given[index].model_fields_set if index < len(given) else set()
        text, left_out = made_to_fit(slide.text, given=fixed, style=style, brief=brief)
        plan.slides[index] = slide.model_copy(update={"text": text})
        remarks += [LEFT_OUT[brief.language].format(number=slide.number, field=field) for field in left_out]
    warnings = [*lint(plan, banned_words=voice.banned_words, language=brief.language), *remarks]
    meta = {"model": written.model, "banned_words": voice.banned_words}
    return plan.model_copy(update={"warnings": warnings, "meta": meta})


def _ask(workshop: Workshop, lease: Lease, request: CarouselRequest, asks: int) -> Written:
    write = partial(workshop.writer.plan_carousel, request)
    return written_once(workshop, lease, request, write, subject=f"carousel:{lease.subject}", step="plan", asks=asks)


def _parsed(written: Written, brief: CarouselBrief) -> CarouselPlan:
    return parse_plan(written.text, slides=brief.slides, language=brief.language, carousel_type=brief.carousel_type)


def _picture_order(brief: CarouselBrief, visual: str) -> ImageOrder:
    return ImageOrder(
        topic=visual,
        ratio=brief.ratio,
        visual_style=brief.visual_style,
        style_category=brief.style_category,
        color_mode=brief.color_mode,
        background_only=True,
        goal=brief.goal,
        tone=brief.tone,
        language=brief.language,
        seed=brief.seed,
        references=brief.references,
    )


def _background(workshop: Workshop, raw: StoredFile, width: int, height: int) -> StoredFile:
    made = workshop.store.temporary(".jpg")
    save_image(fit_background(workshop.store.path(raw.key), width, height), made, quality=95)
    return workshop.store.put(made)


def _logo(session: Session, kit: BrandKit) -> Asset | None:
    return library.get(session, kit.logo_asset_id) if kit.logo_asset_id else None


def _mode(brief: CarouselBrief) -> str:
    return "background_only" if brief.background_only else "standard"


def _show(session: Session, lease: Lease, brief: CarouselBrief, file: StoredFile, *, number: int, shown: Shown) -> None:
    """Show the carousel in the library from its first slide on; the foremost slide is its cover."""
    cover = library.newest(session, lease.subject, KIND)
    if cover is None:
        library.add(
            session,
            file,
            subject=lease.subject,
            kind=KIND,
            provenance={"cover": number},
            shown=Shown(
                brand_id=lease.brand_id,
                order_id=lease.order_id,
                listed=True,
                title=brief.topic,
                ratio=shown.ratio,
                width=shown.width,
                height=shown.height,
                tags=tags_of(brand_id=lease.brand_id, order_id=lease.order_id, kind=KIND, ratio=brief.ratio),
                text={"alt": shown.text["alt"]} if shown.text else None,
                expires_at=shown.expires_at,
            ),
        )
    elif number < int(str(cover.provenance["cover"])):
        library.replace(session, cover, file, text={"alt": shown.text["alt"]} if shown.text else None)
        cover.provenance = cover.provenance | {"cover": number}
