"""Texts and music of drafts: what a writer is asked for at once, and a song that is waited for."""

from functools import partial
from typing import Annotated, Final
from uuid import UUID

import anyio
import anyio.to_thread
from fastapi import APIRouter, Body, Header, Query, Request, Response

from maquette.api import draft_examples as examples
from maquette.api.bodies import IdempotencyKey
from maquette.api.draft_shapes import (
    DefaultPrompt,
    DraftId,
    Lyrics,
    MadeMusic,
    Prompts,
    SongLanguage,
    Translate,
    Translated,
    WaitS,
    WriteLyrics,
)
from maquette.api.drafts import PREFIX, Paying, TheDrafts, TheWriting
from maquette.api.errors import api_errors
from maquette.api.orders import TheIntake, stored_key
from maquette.api.shapes import example
from maquette.api.stream import Streams, streams_of
from maquette.db.engine import Database
from maquette.drafts.documents import subject_of
from maquette.drafts.models import Making
from maquette.drafts.service import Drafts
from maquette.errors import Conflict, ProviderError
from maquette.orders import service as orders
from maquette.orders.models import JobStatus

router = APIRouter(prefix=f"{PREFIX}/{{draft_id}}", tags=["drafts"])

_ORDERED: Final = example(examples.MUSIC_ORDERED, status=202)[202]
_DEFAULT_PROMPT = Body(examples=[examples.DEFAULT_PROMPT])


@router.post(
    "/translations/generate",
    summary="Translate a draft's words",
    dependencies=[Paying],
    responses=example(examples.TRANSLATED) | api_errors(400, 404, 409, 502, missing="words_not_found"),
)
def translate(
    draft_id: DraftId,
    writing: TheWriting,
    body: Annotated[Translate | None, Body(examples=[examples.TRANSLATE])] = None,
) -> Translated:
    """Write the assets' titles in five languages. The same names are translated, and paid, once."""
    return Translated(translations=writing.translate(draft_id, source=(body or Translate()).source))


@router.post(
    "/images/prompts/generate",
    summary="Write all image prompts",
    responses=example(examples.PROMPTS) | api_errors(400, 404, 409, missing="draft_not_found"),
)
def image_prompts(
    draft_id: DraftId, writing: TheWriting, body: Annotated[DefaultPrompt | None, _DEFAULT_PROMPT] = None
) -> Prompts:
    """Fill the template for every asset, and keep both; pictures that are there stay. 400 without assets."""
    return Prompts(prompts=writing.fill_prompts(draft_id, "image", (body or DefaultPrompt()).defaultPrompt))


@router.post(
    "/videos/prompts/generate",
    summary="Write all video prompts",
    responses=example(examples.PROMPTS) | api_errors(400, 404, 409, missing="draft_not_found"),
)
def video_prompts(
    draft_id: DraftId, writing: TheWriting, body: Annotated[DefaultPrompt | None, _DEFAULT_PROMPT] = None
) -> Prompts:
    """The same of the loops."""
    return Prompts(prompts=writing.fill_prompts(draft_id, "video", (body or DefaultPrompt()).defaultPrompt))


@router.post(
    "/lyrics/generate",
    summary="Write a song's words",
    dependencies=[Paying],
    responses=example(examples.LYRICS) | api_errors(400, 404, 409, 502, missing="draft_not_found"),
)
def lyrics(
    draft_id: DraftId,
    writing: TheWriting,
    body: Annotated[WriteLyrics | None, Body(examples=[examples.WRITE_LYRICS])] = None,
) -> Lyrics:
    """Write the words, and keep them as the draft's song; its sound stays until it is made anew.

    The same wishes are answered with the same words; another seed asks for others.
    """
    wanted = body or WriteLyrics()
    return Lyrics(lyrics=writing.write_lyrics(draft_id, wanted), language=wanted.language)


@router.post(
    "/music/{language}",
    summary="Make a song",
    dependencies=[Paying],
    responses=example(examples.MUSIC)
    | {202: {"model": MadeMusic, "description": "It is still being made."} | _ORDERED}
    | api_errors(400, 403, 404, 409, 502, missing="draft_not_found"),
)
async def make_music(
    request: Request,
    response: Response,
    draft_id: DraftId,
    language: SongLanguage,
    drafts: TheDrafts,
    intake: TheIntake,
    wait: WaitS = 120,
    force_regenerate: Annotated[
        bool, Query(description="Make it anew where it is there already.", examples=[True])
    ] = False,
    prefer: Annotated[
        str | None, Header(description="respond-async is the same as wait=0.", examples=["respond-async"])
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> MadeMusic:
    """Order the song of one language, its words too where there are none, and wait for it.

    A song that is there is answered at once. 202 while it is still being made when the wait is over.
    """
    making = Making(parts=frozenset({"music"}), languages=(language,), force_regenerate=force_regenerate)
    place = partial(intake.generate_draft, draft_id, making, key=stored_key(idempotency_key))
    accepted = await anyio.to_thread.run_sync(place)
    status = None
    if accepted.job_id is not None:
        if "respond-async" in [each.strip().lower() for each in (prefer or "").split(",")]:
            wait = 0
        status = await _ended(streams_of(request), drafts.database, draft_id, accepted.job_id, wait_s=wait)
    is_there = status in (None, JobStatus.COMPLETED)
    if not is_there:
        response.status_code = 202
    return MadeMusic(
        message=f"Music generated for {language}" if is_there else f"Music for {language} is being made",
        path=await anyio.to_thread.run_sync(_path, drafts, draft_id, language) if is_there else None,
        language=language,
        status=status,
        order_id=accepted.order_id,
        job_id=accepted.job_id,
    )


async def _ended(streams: Streams, database: Database, draft_id: str, job_id: UUID, *, wait_s: float) -> JobStatus:
    """The job's status when it has ended, or when the wait is over. Raises what it failed with."""

    def look() -> JobStatus:
        with database.begin() as session:
            job = orders.get_job(session, job_id)
            if job.status == JobStatus.CANCELLED:
                raise Conflict(f"the order of draft {draft_id} was cancelled: order it again", code="cancelled")
            if job.status == JobStatus.FAILED:
                raise ProviderError(job.last_error or "the song was not made", code=job.error_code)
            return JobStatus(job.status)

    with streams.wakeups.watching(subject_of(draft_id)) as woken, anyio.move_on_after(wait_s):
        while await streams.read(look) != JobStatus.COMPLETED:
            await woken.wait()
            woken.clear()
    return await streams.read(look)


def _path(drafts: Drafts, draft_id: str, language: str) -> str | None:
    return next((song.audio_path for song in drafts.songs(draft_id) if song.language == language), None)
