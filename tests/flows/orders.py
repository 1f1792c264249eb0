"""Orders of pictures, and runs of the flow that makes them."""

from flows.carousel import make_carousel
from flows.image import make_images
from maquette.intake.service import Accepted, Intake
from maquette.orders import documents
from maquette.orders import service as orders
from maquette.videos.service import Videos

PRICE = 3000
QUICK = {"retry_base_s": 0, "breaker_base_s": 0, "image_poll_s": 0.01, "local_price_micros_per_image": PRICE}


def intake_of(videos: Videos) -> Intake:
    return Intake(videos.database, videos.store, videos.settings)


async def run(videos: Videos, accepted: Accepted) -> documents.OrderDocument:
    """The order after one run of its flow."""
    with videos.database.begin() as session:
        kind = orders.get_job(session, accepted.job_id).kind
    flow = make_images if kind == "image" else make_carousel
    await flow(job_id=accepted.job_id, return_state=True)
    return order_of(videos, accepted)


def order_of(videos: Videos, accepted: Accepted) -> documents.OrderDocument:
    with videos.database.begin() as session:
        return documents.order_document(session, accepted.order_id)
