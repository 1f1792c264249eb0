"""A topic becomes a carousel: a plan, pictures, and words laid over them."""

from typing import Annotated, Literal
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Failed

from maquette.carousels.production import CarouselResult
from maquette.errors import LeaseHeld, StaleLease
from maquette.images.models import Language
from maquette.intake.requests import MediaRequest, checked
from maquette.intake.service import Intake
from maquette.providers.images.port import Ratio
from maquette.workshop import Workshop
from tasks import gallery
from tasks.attempt import attempt
from tasks.form import BrandField, JobField, form_field
from tasks.picture import carousel_result, deliver_slide, keep_pdf, make_all, write_plan


@flow(name="make-carousel", persist_result=True)
async def make_carousel(
    topic: Annotated[str, form_field("Topic", "What the carousel is about.", max_length=2000)] = "",
    slides: Annotated[int, form_field("Slides", "Cover and call to action included.", ge=3, le=10)] = 5,
    ratio: Annotated[Ratio, form_field("Ratio", "4:5 is 1080×1350.")] = "4:5",
    language: Annotated[Language, form_field("Language", "Of the texts.")] = "fr",
    slide_format: Annotated[Literal["jpeg", "png"], form_field("Format", "Of the slides' files.")] = "jpeg",
    pdf: Annotated[bool, form_field("PDF", "Keep a PDF of all slides beside them.")] = False,
    seed: Annotated[int, form_field("Seed", "Another seed makes another carousel.", ge=0, lt=2**31)] = 0,
    brand_id: BrandField = None,
    job_id: JobField = None,
) -> CarouselResult | State[None]:
    """Plan the slides, order every picture, compose each slide as its picture comes.

    Started by hand, the run takes its parameters through the same intake as every other order.
    """

    def intake(work: Workshop, key: str, run_id: UUID | None) -> UUID:
        request = checked(
            MediaRequest,
            {
                "format": "carousel",
                "topic": topic,
                "count": slides,
                "ratio": ratio,
                "language": language,
                "slide_format": slide_format,
                "pdf": pdf,
                "seed": seed,
                "brand_id": brand_id,
            },
        )
        return Intake(work.database, work.store, work.settings).order(request, key=key, flow_run_id=run_id).job_id

    try:
        async with attempt(job_id, intake) as lease, gallery.progress(lease):
            await write_plan(lease)
            await make_all(lease, deliver_slide)
            await keep_pdf(lease)
            await gallery.pictures(lease)
            result = await carousel_result(lease)
            if result.status == "failed":
                return Failed(message=f"{lease.subject}: see its items for the reasons")
            return result
    except (LeaseHeld, StaleLease) as error:
        return Cancelled(message=str(error))
