"""What can be ordered of images, and how their jobs end."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlmodel import Session

from maquette.brands.models import Brand, BrandKit
from maquette.errors import InvalidInput, MaquetteError
from maquette.images.models import KIND, ImageOrder, PictureBrief
from maquette.images.prompts import image_prompt
from maquette.images.rules import SIZES, item_seed
from maquette.library import service as library
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job
from maquette.orders.service import NewItem, NewJob
from maquette.quota.rules import Amounts

LETTERS = "ABCD"
# What is asked for once where a safety rule refused the prompt: the topic alone, harmless.
REWORDED = {
    "fr": "Une illustration calme et familiale, sans personne réelle ni marque, sur le sujet : {topic}",
    "en": "A calm, family-friendly illustration without real people or brands, on the subject: {topic}",
    "es": "Una ilustración tranquila y familiar, sin personas reales ni marcas, sobre el tema: {topic}",
}


def new_images(session: Session, order: ImageOrder, *, brand: Brand, woofs: Sequence[int] | None = None) -> NewJob:
    """The job that makes the pictures, an item each. ``woofs`` by item are a pack's; images alone cost none.

    Raises ``InvalidInput``, ``NotFound`` for references.
    """
    require_references(session, order.references, brand_id=brand.id)
    kit = brand.look()
    items = []
    for index in range(order.count * order.variants):
        variant = LETTERS[index % order.variants] if order.variants > 1 else None
        brief = picture_brief(order, kit, number=index + 1, variant=variant)
        amounts = Amounts(images=1, woofs=woofs[index] if woofs else 0)
        items.append(NewItem(kind=KIND, brief=brief.model_dump(mode="json"), amounts=amounts))
    return NewJob(kind=KIND, subject=new_subject("image"), items=items)


def picture_brief(order: ImageOrder, kit: BrandKit, *, number: int, variant: str | None = None) -> PictureBrief:
    """The snapshot that a picture is made from."""
    prompt = image_prompt(
        order.topic,
        kit,
        style=order.visual_style,
        category=order.style_category,
        color_mode=order.color_mode,
        use_brand_kit=order.use_brand_kit,
        background_only=order.background_only,
        goal=order.goal,
        tone=order.tone,
        language=order.language,
    )
    width, height = SIZES[order.ratio]
    return PictureBrief(
        topic=order.topic,
        prompt=prompt.text,
        fallback_prompt=REWORDED[order.language].format(topic=order.topic),
        avoid=prompt.avoid,
        palette=prompt.palette,
        ratio=order.ratio,
        width=width,
        height=height,
        seed=item_seed(order.seed, order.topic, number),
        language=order.language,
        references=order.references,
        variant=variant,
    )


def require_references(session: Session, references: tuple[UUID, ...], *, brand_id: UUID) -> None:
    """Raises ``NotFound`` for an asset that is not there or is another brand's, ``InvalidInput`` for no picture."""
    for asset_id in references:
        asset = library.get_of_brand(session, asset_id, brand_id=brand_id)
        if not asset.media_type.startswith("image/"):
            raise InvalidInput(f"the reference {asset_id} is {asset.media_type}: give the id of a picture")


def new_subject(kind: str) -> str:
    """A new name of a thing that is made, such as ``image_20260131_120000_5f3a9c0d12e4``."""
    return f"{kind}_{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(6)}"


def end_job(session: Session, job: Job, status: ItemStatus, error: MaquetteError) -> None:
    """End a job of images that the caller has locked, other than well."""
    orders.end_open(session, job, status, error=error)


def prepare_again(session: Session, job: Job) -> None:
    """Nothing is to be forgotten before another attempt: items that failed for good have ended."""
