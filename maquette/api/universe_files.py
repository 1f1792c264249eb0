"""Files of universes at the addresses that older viewers know."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse

from maquette.api.draft_examples import FILE
from maquette.api.errors import error_responses
from maquette.api.files import Download, StoredFileResponse, binary, get_and_head
from maquette.api.universe_shapes import TAG, TheUniverses, UniverseName

router = APIRouter(prefix="/storage/univers", tags=[TAG])


@get_and_head(
    router,
    "/{name}/{file}",
    summary="A file of a universe",
    responses=binary(
        "image/png",
        "video/webm",
        "video/mp4",
        "audio/mpeg",
        errors=error_responses(404, 416, missing="asset_not_found"),
    ),
)
def file(
    name: UniverseName,
    file: Annotated[str, Path(description="The file's name.", examples=[FILE])],
    universes: TheUniverses,
    download: Download = False,
) -> Response:
    """A picture, a loop or a song, with byte ranges; ``data.json``, ``prompts.json`` and ``words.json`` as well."""
    match file:
        case "data.json":
            return JSONResponse(universes.data(name))
        case "prompts.json":
            return JSONResponse(universes.prompts_of(name))
        case "words.json":
            return JSONResponse(universes.drafts.words(universes.find(name).draft_id))
    asset = universes.file(name, file)
    return StoredFileResponse(
        universes.drafts.store.path(asset.key),
        media_type=asset.media_type,
        sha256=asset.sha256,
        name=file,
        download=download,
    )
