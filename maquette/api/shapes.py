"""Bodies of requests and answers, with the examples that OpenAPI shows."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Request
from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field

from maquette.errors import NotFound
from maquette.videos.documents import ListedVideo
from maquette.videos.models import VideoBrief

EXAMPLE_ID: Final = "video_20260131_120000_5f3a9c"
_BASE: Final = f"http://127.0.0.1:8000/videos/{EXAMPLE_ID}"
_ID_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def plausible(video_id: str) -> str:
    """``video_id`` unless it cannot be one, which is simply not there: raises ``NotFound``."""
    if not 0 < len(video_id) <= 100 or not _ID_CHARACTERS.issuperset(video_id):
        raise NotFound("an id has only letters, digits, dash and underscore", code="video_not_found")
    return video_id


ID_PATH: Final = Path(description="The video's id.", examples=[EXAMPLE_ID])
VideoId = Annotated[str, ID_PATH, AfterValidator(plausible)]
BlockNumber = Annotated[int, Path(description="The block's number, from 1.", examples=[3])]


class CreateVideo(VideoBrief):
    """A brief as clients send it. Unknown fields are passed over: older clients may send more."""

    model_config = ConfigDict(extra="ignore")

    # Judged after the access code, so that its errors answer only those who have it.
    theme: str = Field(
        title="Theme", description="What the film is about, 1 to 500 characters.", examples=["Les risques du sucre"]
    )
    access_code: str | None = Field(None, description="The access code, where the service asks for one.")
    brand_id: UUID | None = Field(
        None,
        validation_alias=AliasChoices("brand_id", "brandId"),
        description="The brand that pays; else the default one.",
    )

    def brief(self) -> VideoBrief:
        """The order's part. Raises ``InvalidInput`` for the theme."""
        return VideoBrief.model_validate(self.model_dump(exclude={"access_code", "brand_id"}))


class VideoResponse(BaseModel):
    """An accepted order. ``duration`` is the film's length in seconds."""

    video_id: str
    status: str
    message: str
    theme: str
    order_id: UUID
    job_id: UUID
    item_id: UUID
    total_blocks: int
    duration: int


class VideoList(BaseModel):
    """The newest videos first."""

    videos: list[ListedVideo]
    count: int


class Unknown(BaseModel):
    """What ``/status`` says of a video that is not there."""

    video_id: str
    status: str
    error: str


class DownloadLink(BaseModel):
    """Where the film can be had as a file."""

    video_id: str
    download_url: str


class StreamLink(BaseModel):
    """Where the film can be played from; byte ranges are served there."""

    video_id: str
    stream_url: str


class Health(BaseModel):
    """That the service lives, and whether its database does."""

    status: str
    service: str
    database: str


class Unhealthy(Health):
    """The same while the database does not answer, with what every error has."""

    detail: str
    code: str


def absolute(request: Request, path: str | None) -> str | None:
    """The address of ``path`` as this client reaches it."""
    return None if path is None else str(request.base_url).rstrip("/") + path


def example(content: object, *, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """An answer's example for OpenAPI."""
    return {status: {"content": {"application/json": {"example": content}}}}


CREATE_EXAMPLE: Final = {
    "theme": "Les risques du sucre",
    "target_duration": 36,
    "style": "informative",
    "language": "fr",
    "aspect_ratio": "9:16",
}
EDIT_EXAMPLE: Final = {"dialogue": "Le sucre se cache partout.", "visual": "Un bol de sucre sur une table claire"}
PLACED_EXAMPLE: Final = {
    "video_id": EXAMPLE_ID,
    "status": "queued",
    "message": "Commande acceptée : la vidéo est en file d'attente",
    "theme": "Les risques du sucre",
    "order_id": "6f1c5e0e-0f6e-4a3c-9a53-0f9a7f1f2a10",
    "job_id": "b0a7d9b4-2f3e-4a0d-8a5e-6f2b1c9d7e30",
    "item_id": "c2b6a4f8-53d4-4a55-8f8b-3f0b8d1d7e21",
    "total_blocks": 5,
    "duration": 36,
}
STATUS_EXAMPLE: Final = {
    "video_id": EXAMPLE_ID,
    "status": "generating_parallel",
    "current_step": "Génération vidéos (2/5 blocs)",
    "progress": 42,
    "error_code": None,
    "error_message": None,
    "total_blocks": 5,
    "completed_blocks": 2,
    "blocks_completed": 2,
    "final_url": None,
    "created_at": "2026-01-31T12:00:00Z",
    "updated_at": "2026-01-31T12:00:09Z",
    "seq": 17,
}
VIDEO_EXAMPLE: Final = STATUS_EXAMPLE | {
    "theme": "Les risques du sucre",
    "target_duration": 36,
    "actual_duration": 36,
    "style": "informative",
    "language": "fr",
    "aspect_ratio": "9:16",
    "blocks": [
        {
            "bloc": 1,
            "dialogue": "Le sucre se cache partout.",
            "visuel": "Un bol de sucre sur une table claire",
            "duration": 8,
            "status": "completed",
            "progress": 1,
            "tries": 0,
            "reworded": False,
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "error_code": None,
            "error_message": None,
        }
    ],
    "cost_micros": 3200000,
    "facts": None,
    "flow_run_id": "0b0f5f3c-8a51-4d0e-9a52-0a3f9d6f2c11",
    "completed_at": None,
}
LIST_EXAMPLE: Final = {
    "videos": [
        {
            "id": EXAMPLE_ID,
            "video_id": EXAMPLE_ID,
            "theme": "Les risques du sucre",
            "status": "completed",
            "current_step": "Vidéo terminée !",
            "progress": 100,
            "created_at": "2026-01-31T12:00:00Z",
            "video_url": f"{_BASE}/film",
            "stream_url": f"{_BASE}/film",
            "thumbnail_url": f"{_BASE}/poster",
            "duration": 36,
            "blocks_count": 5,
            "completed_blocks": 5,
        }
    ],
    "count": 1,
}
UNKNOWN_EXAMPLE: Final = {"video_id": "video_x", "status": "not_found", "error": "Vidéo non trouvée"}
DOWNLOAD_EXAMPLE: Final = {"video_id": EXAMPLE_ID, "download_url": f"{_BASE}/film?download=1"}
STREAM_EXAMPLE: Final = {"video_id": EXAMPLE_ID, "stream_url": f"{_BASE}/film"}
HEALTH_EXAMPLE: Final = {"status": "healthy", "service": "pipeline-video-ia-api", "database": "ok"}
