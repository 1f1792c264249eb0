"""Does the service live, and its database too?"""

import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from maquette.api.errors import DATABASE_OUTAGES
from maquette.api.shapes import HEALTH_EXAMPLE, Health, Unhealthy, example
from maquette.api.texts import say
from maquette.api.videos import Language, TheVideos

router = APIRouter(tags=["service"])

SERVICE = "pipeline-video-ia-api"  # the name that existing clients look for


def unhealthy(language: str) -> Unhealthy:
    """What is said while the database does not answer."""
    return Unhealthy(
        status="unhealthy", service=SERVICE, database="unreachable", detail=say("stack", language), code="stack"
    )


_RESPONSES = example(HEALTH_EXAMPLE) | {
    503: {
        "model": Unhealthy,
        "description": "The database does not answer.",
        "content": {"application/json": {"example": unhealthy("fr").model_dump()}},
    }
}


@router.get("/", summary="Health", response_model=Health, responses=_RESPONSES)
@router.get("/health", summary="Health", response_model=Health, responses=_RESPONSES)
def health(videos: TheVideos, lang: Language) -> Health | JSONResponse:
    """200 while orders can be taken; 503 while the database does not answer. Needs no token."""
    try:
        with videos.database.begin() as session:
            session.execute(sa.select(1))
    except DATABASE_OUTAGES:
        return JSONResponse(unhealthy(lang).model_dump(), status_code=503)
    return Health(status="healthy", service=SERVICE, database="ok")
