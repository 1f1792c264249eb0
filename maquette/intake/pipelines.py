"""The pipelines there are: what the keepers of the road need to know of each kind of job."""

from collections.abc import Callable
from typing import Final, NamedTuple

from sqlmodel import Session

from maquette.carousels import service as carousels
from maquette.drafts import generation as drafts
from maquette.errors import MaquetteError
from maquette.images import service as images
from maquette.orders.models import ItemStatus, Job
from maquette.settings import Settings
from maquette.videos import service as videos


class Pipeline(NamedTuple):
    """One kind of job. The calls work on a job that the caller has locked, in its transaction."""

    deployment: str
    deadline_s: Callable[[Settings], float]
    end: Callable[[Session, Job, ItemStatus, MaquetteError], None]
    prepare_again: Callable[[Session, Job], None]


PIPELINES: Final[dict[str, Pipeline]] = {
    "image": Pipeline(
        "make-images/make-images", lambda settings: settings.picture_deadline_s, images.end_job, images.prepare_again
    ),
    "carousel": Pipeline(
        "make-carousel/make-carousel",
        lambda settings: settings.picture_deadline_s,
        carousels.end_job,
        carousels.prepare_again,
    ),
    "draft": Pipeline(
        "generate-draft/generate-draft",
        lambda settings: settings.draft_deadline_s,
        drafts.end_job,
        drafts.prepare_again,
    ),
    "video": Pipeline(
        "make-video/make-video", lambda settings: settings.video_deadline_s, videos.end_job, videos.prepare_again
    ),
}
