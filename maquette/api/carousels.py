"""Carousels that are there: read them, change a slide's words, have them as a PDF."""

from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Body, Depends, Path, Response
from pydantic import AfterValidator
from starlette.requests import HTTPConnection

from maquette.api import examples
from maquette.api.bodies import CleanBody
from maquette.api.errors import api_errors
from maquette.api.shapes import example, plausible
from maquette.carousels.briefs import SlideEdit
from maquette.carousels.service import CarouselDocument, Carousels
from maquette.errors import NotFound

router = APIRouter(prefix="/api/carousels/{carousel_id}", tags=["carousels"])


def _use_cases(connection: HTTPConnection) -> Carousels:
    return cast(Carousels, connection.app.state.carousels)


def _plausible(carousel_id: str) -> str:
    try:
        return plausible(carousel_id)
    except NotFound as error:
        raise NotFound(str(error), code="carousel_not_found") from None


TheCarousels = Annotated[Carousels, Depends(_use_cases)]
CarouselId = Annotated[
    str, Path(description="The carousel's id.", examples=[examples.CAROUSEL_ID]), AfterValidator(_plausible)
]
SlideNumber = Annotated[int, Path(description="The slide's number, from 1.", examples=[3])]

_PDF: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A page for each slide that is there.",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get(
    "",
    summary="Read a carousel",
    responses=example(examples.CAROUSEL) | api_errors(404, missing="carousel_not_found"),
)
def read(carousel_id: CarouselId, carousels: TheCarousels) -> CarouselDocument:
    """The carousel with the words of its slides and what the linter remarked."""
    return carousels.get(carousel_id)


@router.patch(
    "/slides/{number}",
    summary="Change a slide's words",
    dependencies=[CleanBody],
    responses=example(examples.CAROUSEL) | api_errors(400, 404, 409, missing="slide_not_found"),
)
def edit(
    carousel_id: CarouselId,
    number: SlideNumber,
    change: Annotated[SlideEdit, Body(examples=[examples.SLIDE_EDIT])],
    carousels: TheCarousels,
) -> CarouselDocument:
    """Write new words over the slide's kept picture, at once. It costs nothing; nothing else changes."""
    return carousels.edit_slide(carousel_id, number, change)


@router.get(
    "/pdf",
    summary="A carousel as a PDF",
    response_class=Response,
    responses=api_errors(404, missing="carousel_not_found") | _PDF,
)
def pdf(carousel_id: CarouselId, carousels: TheCarousels) -> Response:
    """All slides that are there, a page each."""
    made = carousels.pdf(carousel_id)
    try:
        content = made.read_bytes()
    finally:
        made.unlink()
    disposition = {"Content-Disposition": f'attachment; filename="{carousel_id}.pdf"'}
    return Response(content, media_type="application/pdf", headers=disposition)
