"""Calls about videos: order, look, change, delete. All work goes through the queue; nothing is made here."""

from typing import Annotated, cast

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from starlette.requests import HTTPConnection

from maquette.api import shapes
from maquette.api.bodies import IdempotencyKey
from maquette.api.errors import error_responses, language
from maquette.api.security import require_access_code
from maquette.api.shapes import BlockNumber, CreateVideo, Unknown, VideoId, VideoList, VideoResponse, absolute, example
from maquette.api.texts import say
from maquette.errors import NotFound
from maquette.videos.documents import StatusDocument, VideoDocument
from maquette.videos.models import BlockEdit
from maquette.videos.rules import VideoStatus, block_durations
from maquette.videos.service import Placed, Videos

router = APIRouter(prefix="/videos", tags=["videos"])


def use_cases(connection: HTTPConnection) -> Videos:
    """The use cases that ``create_app`` was given."""
    return cast(Videos, connection.app.state.videos)


TheVideos = Annotated[Videos, Depends(use_cases)]
Language = Annotated[str, Depends(language)]


@router.post(
    "/create", summary="Order a video", responses=example(shapes.PLACED_EXAMPLE) | error_responses(400, 403, 404, 409)
)
def create(
    body: Annotated[CreateVideo, Body(examples=[shapes.CREATE_EXAMPLE])],
    videos: TheVideos,
    lang: Language,
    idempotency_key: IdempotencyKey = None,
) -> VideoResponse:
    """Accept a brief. The video is made by a worker: follow ``/videos/{id}/status`` or ``/ws/video/{id}``."""
    require_access_code(body.access_code, videos.settings.access_code)
    brief = body.brief()
    key = None if idempotency_key is None else f"api:{idempotency_key}"
    placed = videos.order(brief, brand_id=body.brand_id, idempotency_key=key)
    durations = block_durations(brief.target_duration)
    return VideoResponse(
        **placed.model_dump(),
        status=VideoStatus.QUEUED,
        message=say("accepted", lang),
        theme=brief.theme,
        total_blocks=len(durations),
        duration=sum(durations),
    )


@router.get("", summary="List videos", responses=example(shapes.LIST_EXAMPLE))
def list_videos(
    request: Request,
    videos: TheVideos,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.", examples=[100])] = 100,
) -> VideoList:
    """The newest videos first."""
    found = videos.list(limit=limit)
    for video in found:
        video.video_url = absolute(request, video.video_url)
        video.stream_url = absolute(request, video.stream_url)
        video.thumbnail_url = absolute(request, video.thumbnail_url)
    return VideoList(videos=found, count=len(found))


@router.get("/{video_id}", summary="Read a video", responses=example(shapes.VIDEO_EXAMPLE) | error_responses(404))
def read(request: Request, video_id: VideoId, videos: TheVideos) -> VideoDocument:
    """The video with its blocks, its cost in micro-dollars and the facts of its film."""
    document = videos.get(video_id)
    document.final_url = absolute(request, document.final_url)
    return document


@router.delete("/{video_id}", status_code=204, summary="Delete a video", responses=error_responses(404, 409))
def delete(video_id: VideoId, videos: TheVideos) -> Response:
    """Remove the video and its files; its costs stay in the books. Not while it is being made."""
    videos.delete(video_id)
    return Response(status_code=204)


@router.get(
    "/{video_id}/status",
    summary="Where a video stands",
    responses={
        200: {
            "content": {
                "application/json": {
                    "examples": {
                        "under way": {"value": shapes.STATUS_EXAMPLE},
                        "unknown": {"value": shapes.UNKNOWN_EXAMPLE},
                    }
                }
            }
        }
    },
)
def status(
    request: Request,
    video_id: Annotated[str, shapes.ID_PATH],
    videos: TheVideos,
    lang: Language,
) -> StatusDocument | Unknown:
    """Always the truth, for clients that poll. An unknown video is a 200 with status ``not_found``."""
    try:
        document = videos.status(shapes.plausible(video_id))
    except NotFound as error:
        return Unknown(video_id=video_id, status="not_found", error=error.text(lang))
    document.final_url = absolute(request, document.final_url)
    return document


@router.post(
    "/{video_id}/retry",
    summary="Retry a failed video",
    responses=example(shapes.PLACED_EXAMPLE | {"status": "generating_parallel"}) | error_responses(403, 404, 409),
)
def retry(video_id: VideoId, videos: TheVideos, lang: Language) -> VideoResponse:
    """Order what a failed video still lacks; finished clips are kept and not paid again."""
    return _reopened(videos, videos.retry(video_id), lang)


@router.patch(
    "/{video_id}/blocks/{number}",
    summary="Change one block",
    responses=example(shapes.PLACED_EXAMPLE | {"status": "generating_parallel"}) | error_responses(400, 403, 404, 409),
)
def edit(
    video_id: VideoId,
    number: BlockNumber,
    change: Annotated[BlockEdit, Body(examples=[shapes.EDIT_EXAMPLE])],
    videos: TheVideos,
    lang: Language,
) -> VideoResponse:
    """Order one block anew: it costs that block and the assembly. The old film stays until the new one is ready."""
    return _reopened(videos, videos.edit(video_id, number, change), lang)


def _reopened(videos: Videos, placed: Placed, lang: str) -> VideoResponse:
    document = videos.get(placed.video_id)
    return VideoResponse(
        **placed.model_dump(),
        status=document.status,
        message=say("accepted", lang),
        theme=document.theme,
        total_blocks=document.total_blocks,
        duration=document.actual_duration,
    )
