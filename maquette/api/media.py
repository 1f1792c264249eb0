"""Calls that give a video's files, or say where they are."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlmodel import Session

from maquette.api import shapes
from maquette.api.errors import error_responses
from maquette.api.files import Download, StoredFileResponse, binary, file_name, get_and_head, prefers_video
from maquette.api.shapes import BlockNumber, DownloadLink, StreamLink, VideoId, example
from maquette.api.videos import TheVideos
from maquette.errors import NotFound
from maquette.library import service as library
from maquette.library.models import Asset
from maquette.videos import repository
from maquette.videos.models import Video
from maquette.videos.service import Videos

router = APIRouter(prefix="/videos/{video_id}", tags=["files"])

Raw = Annotated[bool, Query(description="1 gives the film itself, whatever the Accept header says.", examples=[True])]
Find = Callable[[Session, Video], Asset | None]

FILM_TYPE: Final = "video/mp4"


@router.get(
    "/download", summary="Where to download the film", responses=example(shapes.DOWNLOAD_EXAMPLE) | error_responses(404)
)
def download(request: Request, video_id: VideoId, videos: TheVideos) -> DownloadLink:
    """The address of the film as a file to keep."""
    _answer(videos, video_id, _film)
    return DownloadLink(video_id=video_id, download_url=f"{request.base_url}videos/{video_id}/film?download=1")


def _stream_responses() -> dict[int | str, dict[str, Any]]:
    documented = binary(FILM_TYPE)
    link = {"schema": StreamLink.model_json_schema(), "example": shapes.STREAM_EXAMPLE}
    documented[200] = {
        "description": "The film's address, or the film itself.",
        "content": {"application/json": link} | documented[200]["content"],
    }
    return documented


@get_and_head(router, "/stream", summary="Play the film", responses=_stream_responses())
def stream(request: Request, video_id: VideoId, videos: TheVideos, raw: Raw = False) -> Response:
    """The film itself for players: with a ``Range`` header, an ``Accept`` that likes video/mp4 better than
    application/json, or ``?raw=1``. For all others a JSON document with the film's address."""
    film = _answer(videos, video_id, _film)
    film.headers["vary"] = "Accept, Range"
    if raw or "range" in request.headers or prefers_video(request.headers.get("accept", "")):
        return film
    link = StreamLink(video_id=video_id, stream_url=f"{request.base_url}videos/{video_id}/film")
    return JSONResponse(link.model_dump(), headers={"Vary": "Accept, Range"})


@get_and_head(router, "/film", summary="The film", responses=binary(FILM_TYPE))
def film(video_id: VideoId, videos: TheVideos, download: Download = False) -> Response:
    """``final.mp4``, with byte ranges. While a block is made anew it is still the film from before."""
    return _answer(videos, video_id, _film, download=download)


@get_and_head(router, "/poster", summary="The poster", responses=binary("image/jpeg"))
def poster(video_id: VideoId, videos: TheVideos, download: Download = False) -> Response:
    """A still of the film."""
    return _answer(videos, video_id, _newest("poster"), label="poster", download=download)


@get_and_head(router, "/contact-sheet", summary="The contact sheet", responses=binary("image/png"))
def contact_sheet(video_id: VideoId, videos: TheVideos, download: Download = False) -> Response:
    """All blocks on one picture."""
    return _answer(videos, video_id, _newest("contact_sheet"), label="contact-sheet", download=download)


@get_and_head(router, "/preview", summary="The preview", responses=binary(FILM_TYPE))
def preview(video_id: VideoId, videos: TheVideos, download: Download = False) -> Response:
    """The film small, for lists."""
    return _answer(videos, video_id, _newest("preview"), label="preview", download=download)


@get_and_head(router, "/script", summary="The script", responses=binary("application/json"))
def script(video_id: VideoId, videos: TheVideos, download: Download = False) -> Response:
    """``script_v2.json`` as it was written."""
    return _answer(videos, video_id, _script, label="script", download=download)


@get_and_head(router, "/blocks/{number}/clip", summary="One block's clip", responses=binary(FILM_TYPE))
def clip(video_id: VideoId, number: BlockNumber, videos: TheVideos, download: Download = False) -> Response:
    """The block as it is in the film, captions and sound included."""
    return _answer(videos, video_id, _clip(number), label=f"block-{number}", download=download)


def _answer(
    videos: Videos, video_id: str, find: Find, *, label: str = "", download: bool = False
) -> StoredFileResponse:
    with videos.database.begin() as session:
        video = repository.get_video(session, video_id)
        asset = find(session, video)
    if asset is None:
        raise NotFound(f"{video_id} has no such file yet", code="video_not_ready")
    path = videos.store.path(asset.key)
    return StoredFileResponse(
        path,
        media_type=asset.media_type,
        sha256=asset.sha256,
        name=file_name(f"{video.theme[:60]} {label}", fallback=video_id, suffix=path.suffix),
        download=download,
    )


def _film(session: Session, video: Video) -> Asset | None:
    return library.get(session, video.film_asset_id) if video.film_asset_id else None


def _newest(kind: str) -> Find:
    return lambda session, video: library.newest(session, video.id, kind)


def _script(session: Session, video: Video) -> Asset | None:
    return library.newest(session, video.id, "script")


def _clip(number: int) -> Find:
    def find(session: Session, video: Video) -> Asset | None:
        block = next((each for each in repository.blocks_of(session, video.id) if each.number == number), None)
        if block is None:
            raise NotFound(f"{video.id} has no block {number}", code="block_not_found", number=number)
        return library.get(session, block.clip_asset_id) if block.clip_asset_id else None

    return find
