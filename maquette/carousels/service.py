"""What can be ordered of a carousel, read of it, and changed in it."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session, select

from maquette.brands.models import Brand, BrandKit
from maquette.carousels.briefs import KIND, SLIDE, CarouselBrief, SlideEdit
from maquette.carousels.models import CarouselPlan, SlideText
from maquette.carousels.rendering import content_of, drawn, look_of, render_file, style_of, style_of_kit
from maquette.carousels.rules import given_texts, lint, require_limits
from maquette.carousels.tables import Carousel
from maquette.db.engine import Database
from maquette.errors import Conflict, InvalidInput, MaquetteError, NotFound
from maquette.images.rules import SIZES
from maquette.images.service import new_subject, require_references
from maquette.library import service as library
from maquette.library.models import Asset
from maquette.library.service import Shown
from maquette.media.fonts import require_drawable
from maquette.media.slides import require_fits, save_pdf
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job
from maquette.orders.service import NewItem, NewJob
from maquette.quota.rules import Amounts
from maquette.settings import Settings
from maquette.storage.port import Store

PDF = "pdf"


class SlideDocument(BaseModel):
    """One slide as it stands. ``asset_id`` is absent until it is there."""

    number: int
    text: SlideText
    visual: str
    version: int
    asset_id: UUID | None = None
    sha256: str | None = None


class CarouselDocument(BaseModel):
    """A carousel whole."""

    carousel_id: str
    brand_id: UUID
    topic: str
    ratio: str
    language: str
    slides_ordered: int
    slides: list[SlideDocument]
    warnings: list[str]
    created_at: datetime
    updated_at: datetime


class Carousels:
    """The use cases of carousels that are there, on one database and one store. Each call is one transaction."""

    def __init__(self, database: Database, store: Store, settings: Settings) -> None:
        self.database = database
        self.store = store
        self.settings = settings

    def get(self, carousel_id: str) -> CarouselDocument:
        """The carousel. Raises ``NotFound`` (``carousel_not_found``)."""
        with self.database.begin() as session:
            carousel = get_carousel(session, carousel_id)
            return _document(carousel, slides_of(session, carousel_id))

    def edit_slide(self, carousel_id: str, number: int, change: SlideEdit) -> CarouselDocument:
        """Write new words over the slide's kept background; nothing else changes, nothing is asked of a provider.

        Raises ``NotFound`` (``carousel_not_found``, ``slide_not_found``), ``InvalidInput`` for words that do not fit
        or that no font can show, ``Conflict`` while the carousel is being made or when another edit was faster.
        """
        with self.database.begin() as session:
            carousel = get_carousel(session, carousel_id)
            slide = _slide(carousel, slides_of(session, carousel_id), number)
            background = library.get(session, UUID(str(slide.provenance["background"])))
            brand_look = library.get(session, UUID(logo)) if (logo := slide.provenance.get("logo")) else None
            version = carousel.versions.get(str(number), 0)
        if change.version not in (None, version):
            raise Conflict(f"slide {number} was changed meanwhile (it is at version {version}): read it again")
        old = CarouselPlan.model_validate(carousel.plan).slides[number - 1].text
        text = old.model_copy(update=change.model_dump(exclude_none=True, exclude={"version"}))
        require_limits(text, number=number)
        require_drawable(drawn(text))
        made = render_file(
            self.store,
            self.store.path(background.key),
            text,
            brief=CarouselBrief.model_validate(carousel.brief),
            style=style_of(slide.provenance["style"]),
            number=number,
            logo=self.store.path(brand_look.key) if brand_look else None,
        )
        file = self.store.put(made)
        with self.database.begin() as session:
            job = orders.latest_job(session, carousel_id)
            if job is not None and job.status in orders.OPEN_JOBS:
                raise Conflict(f"{carousel_id} is being made: wait until it has ended", code="busy")
            carousel = get_carousel(session, carousel_id, lock=True)
            if carousel.versions.get(str(number), 0) != version:
                raise Conflict(f"slide {number} was changed meanwhile: read it again")
            plan = CarouselPlan.model_validate(carousel.plan)  # as it is now: other slides may have changed
            plan.slides[number - 1].text = text
            plan.warnings = lint(plan, banned_words=plan.meta.get("banned_words", []), language=_language(carousel))
            carousel.plan = plan.model_dump(mode="json")
            carousel.versions = carousel.versions | {str(number): version + 1}
            slides = slides_of(session, carousel_id)
            slide = _slide(carousel, slides, number)
            library.replace(session, slide, file, text=text.model_dump(mode="json") | {"text_version": version + 1})
            self.store.publish(file.key, f"{carousel_id}/slide_{number:02d}{Path(file.key).suffix}")
            cover = library.newest(session, carousel_id, KIND)
            if cover is not None and cover.provenance.get("cover") == number:
                library.replace(session, cover, file, text={"alt": text.alt})
            orders.announce(
                session,
                slide_order(slide),
                "slide",
                {"carousel_id": carousel_id, "number": number, "version": version + 1},
            )
            session.flush()
            has_pdf = library.newest(session, carousel_id, PDF) is not None
            document = _document(carousel, slides)
        if has_pdf:
            self.keep_pdf(carousel_id)
        return document

    def keep_pdf(self, carousel_id: str) -> None:
        """Keep a PDF of the slides as they are now, in place of an older one. Raises as ``pdf`` does."""
        file = self.store.put(self.pdf(carousel_id))
        with self.database.begin() as session:
            carousel = get_carousel(session, carousel_id, lock=True)
            kept = library.newest(session, carousel_id, PDF)
            if kept is not None:
                library.replace(session, kept, file, text=None)
            else:
                slides = slides_of(session, carousel_id)
                shown = Shown(
                    brand_id=carousel.brand_id,
                    order_id=slides[0].order_id,
                    title=carousel.topic,
                    expires_at=slides[0].expires_at,
                )
                library.add(session, file, subject=carousel_id, kind=PDF, shown=shown)
            self.store.publish(file.key, f"{carousel_id}/carousel.pdf")

    def pdf(self, carousel_id: str) -> Path:
        """A PDF of the slides that are there, one page each: a temporary file, the caller's to remove.

        Raises ``NotFound`` (``carousel_not_found``, ``slide_not_found`` while there is none).
        """
        with self.database.begin() as session:
            carousel = get_carousel(session, carousel_id)
            slides = slides_of(session, carousel_id)
        if not slides:
            raise NotFound(f"{carousel_id} has no slide yet", code="slide_not_found", number=1)
        made = self.store.temporary(".pdf")
        save_pdf([self.store.path(slide.key) for slide in slides], made, title=carousel.topic)
        return made


def new_carousel(session: Session, brief: CarouselBrief, *, brand: Brand, woofs: Sequence[int] | None = None) -> NewJob:
    """Write the carousel's row; the job that makes it, an item a slide. ``woofs`` by slide are a pack's.

    Raises ``InvalidInput`` for given texts that are too long or that no font can show, ``NotFound`` for references.
    """
    require_references(session, brief.references, brand_id=brand.id)
    require_given(brief, brand.look())
    carousel = Carousel(
        id=new_subject(KIND),
        brand_id=brand.id,
        topic=brief.topic,
        slides=brief.slides,
        brief=brief.model_dump(mode="json"),
    )
    session.add(carousel)
    session.flush()
    items = [
        NewItem(kind=SLIDE, brief={"slide": number}, amounts=Amounts(images=1, woofs=woofs[number - 1] if woofs else 0))
        for number in range(1, brief.slides + 1)
    ]
    return NewJob(kind=KIND, subject=carousel.id, items=items)


def require_given(brief: CarouselBrief, kit: BrandKit) -> None:
    """The client's own words must fit and be drawable; those of a writer are judged when they are there."""
    style = style_of_kit(look_of(kit, brief))
    for number, text in enumerate(given_texts(brief.texts, slides=brief.slides), start=1):
        require_limits(text, number=number)
        require_drawable(drawn(text))
        require_fits(content_of(text), style=style, size=SIZES[brief.ratio], total=brief.slides)


def get_carousel(session: Session, carousel_id: str, *, lock: bool = False) -> Carousel:
    """The carousel. Raises ``NotFound`` (``carousel_not_found``)."""
    found = select(Carousel).where(Carousel.id == carousel_id)
    carousel = session.exec(found.with_for_update() if lock else found).first()
    if carousel is None:
        raise NotFound(f"there is no carousel {carousel_id!r}", code="carousel_not_found")
    return carousel


def slides_of(session: Session, carousel_id: str) -> Sequence[Asset]:
    """The slides that are there, in order."""
    return library.of_kind(session, carousel_id, SLIDE)


def slide_order(slide: Asset) -> UUID:
    """The order that a slide was made for."""
    if slide.order_id is None:
        raise InvalidInput(f"the slide {slide.id} belongs to no order")
    return slide.order_id


def end_job(session: Session, job: Job, status: ItemStatus, error: MaquetteError) -> None:
    """End a carousel's job that the caller has locked, other than well; slides that are there stay."""
    if error.code == "outcome_unknown":
        # The next order is the person's consent: the plan is then asked for anew.
        get_carousel(session, job.subject, lock=True).asks += 1
    orders.end_open(session, job, status, error=error)


def prepare_again(session: Session, job: Job) -> None:
    """Nothing is to be forgotten before another attempt: slides that failed for good have ended."""


def _slide(carousel: Carousel, slides: Sequence[Asset], number: int) -> Asset:
    found = next((slide for slide in slides if slide.slide_index == number - 1), None)
    if found is None or carousel.plan is None:
        raise NotFound(f"{carousel.id} has no slide {number}", code="slide_not_found", number=number)
    return found


def _language(carousel: Carousel) -> str:
    return str(carousel.brief["language"])


def _document(carousel: Carousel, slides: Sequence[Asset]) -> CarouselDocument:
    plan = CarouselPlan.model_validate(carousel.plan or {"slides": []})
    there = {(slide.slide_index or 0) + 1: slide for slide in slides}
    return CarouselDocument(
        carousel_id=carousel.id,
        brand_id=carousel.brand_id,
        topic=carousel.topic,
        ratio=str(carousel.brief["ratio"]),
        language=_language(carousel),
        slides_ordered=carousel.slides,
        slides=[
            SlideDocument(
                number=slide.number,
                text=slide.text,
                visual=slide.visual,
                version=carousel.versions.get(str(slide.number), 0),
                asset_id=there[slide.number].id if slide.number in there else None,
                sha256=there[slide.number].sha256 if slide.number in there else None,
            )
            for slide in plan.slides
        ],
        warnings=plan.warnings,
        created_at=carousel.created_at,
        updated_at=carousel.updated_at,
    )
