"""A topic becomes pictures, in versions to choose from."""

from typing import Annotated
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Failed

from maquette.errors import LeaseHeld, StaleLease
from maquette.images.models import ImagesResult, Language
from maquette.intake.requests import MediaRequest, checked
from maquette.intake.service import Intake
from maquette.providers.images.port import Ratio
from maquette.workshop import Workshop
from tasks import gallery
from tasks.attempt import attempt
from tasks.form import BrandField, JobField, form_field
from tasks.picture import deliver_image, images_result, make_all


@flow(name="make-images", persist_result=True)
async def make_images(
    topic: Annotated[str, form_field("Topic", "What the pictures show.", max_length=2000)] = "",
    count: Annotated[int, form_field("Count", "How many pictures.", ge=1, le=20)] = 1,
    variants: Annotated[int, form_field("Variants", "Versions of each picture to choose from.", ge=1, le=4)] = 1,
    ratio: Annotated[Ratio, form_field("Ratio", "1:1 is 1024×1024, 4:5 is 1080×1350.")] = "1:1",
    language: Annotated[Language, form_field("Language", "Of the topic.")] = "fr",
    seed: Annotated[int, form_field("Seed", "Another seed makes other pictures.", ge=0, lt=2**31)] = 0,
    brand_id: BrandField = None,
    job_id: JobField = None,
) -> ImagesResult | State[None]:
    """Order every picture, deliver each as it comes.

    Started by hand, the run takes its parameters through the same intake as every other order.
    """

    def intake(work: Workshop, key: str, run_id: UUID | None) -> UUID:
        request = checked(
            MediaRequest,
            {
                "format": "image",
                "topic": topic,
                "count": count,
                "variants": variants,
                "ratio": ratio,
                "language": language,
                "seed": seed,
                "brand_id": brand_id,
            },
        )
        return Intake(work.database, work.store, work.settings).order(request, key=key, flow_run_id=run_id).job_id

    try:
        async with attempt(job_id, intake) as lease, gallery.progress(lease):
            await make_all(lease, deliver_image)
            await gallery.pictures(lease)
            result = await images_result(lease)
            if result.status == "failed":
                return Failed(message=f"{lease.subject}: see its items for the reasons")
            return result
    except (LeaseHeld, StaleLease) as error:
        return Cancelled(message=str(error))
