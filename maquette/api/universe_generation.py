"""What older clients have made of universes: orders of the road, which they wait for, or follow as jobs."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

import anyio
import anyio.to_thread
from fastapi import APIRouter, Body, Depends, Request, Response

from maquette.api import universe_examples as examples
from maquette.api.drafts import Paying
from maquette.api.orders import TheIntake
from maquette.api.shapes import example
from maquette.api.stream import streams_of
from maquette.api.universe_shapes import (
    TAG,
    EnglishRoute,
    Index,
    Language,
    Made,
    PromptedWork,
    Started,
    TheUniverses,
    UniverseName,
    Work,
    refusals,
)
from maquette.drafts.documents import subject_of
from maquette.drafts.models import Making, Part, Regeneration
from maquette.drafts.universe_jobs import OlderJob, ended_job, short
from maquette.drafts.universes import FoundUniverse
from maquette.errors import InvalidInput, MaquetteError
from maquette.intake.service import AcceptedDraft
from maquette.providers.text.port import UNIVERSE_LANGUAGES, UniverseLanguage

WAIT_S: Final = 600

router = APIRouter(prefix="/api", tags=[TAG], route_class=EnglishRoute, dependencies=[Paying])

_STILL: Final = {"model": Started, "description": "It is still being made.", **example(examples.STARTED)[200]}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = example(examples.MADE) | {202: _STILL} | refusals(400, 403, 404, 409)
_WORK: Final = Body(examples=[examples.WORK])
_PROMPTED: Final = Body(examples=[examples.PROMPTED])
_EVERYTHING: Final[tuple[Part, ...]] = ("image", "video", "music")


class Maker:
    """Places an order of a universe, and answers as its client asked for: at once, or when it has ended.

    Who waits is woken by the event log, holds no thread meanwhile, and is told of the job after ``WAIT_S`` seconds.
    """

    def __init__(self, request: Request, response: Response, universes: TheUniverses, intake: TheIntake) -> None:
        self._request = request
        self._response = response
        self._universes = universes
        self._intake = intake

    async def parts(
        self,
        name: str,
        work: Work | None,
        *parts: Part,
        what: str,
        languages: tuple[UniverseLanguage, ...] = UNIVERSE_LANGUAGES,
        whom: str | None = None,
    ) -> Made | Started:
        """Make what is missing of these parts, or all of it anew."""
        wanted = work or Work()

        def order(universe: FoundUniverse) -> AcceptedDraft:
            making = Making(
                num_assets=wanted.count,
                assets=frozenset(universe.numbers) or None,
                parts=frozenset(parts),
                languages=languages,
                force_regenerate=wanted.regenerate,
            )
            return self._intake.generate_draft(universe.draft_id, making)

        show = partial(self._show, parts=parts, languages=languages)
        return await self._made(name, order, show, what=what, whom=whom, in_background=wanted.in_background)

    async def item(self, name: str, index: int, wanted: Regeneration, *, in_background: bool) -> Made | Started:
        """Make the picture or the loop of one item anew."""
        part: Part = "image" if wanted.regenerate_image else "video"

        def order(universe: FoundUniverse) -> AcceptedDraft:
            return self._intake.regenerate_draft_asset(universe.draft_id, universe.number(index), wanted)

        show = partial(self._show, parts=(part,), index=index)
        return await self._made(name, order, show, what=part, whom=f"item {index}", in_background=in_background)

    async def _made(
        self,
        name: str,
        order: Callable[[FoundUniverse], AcceptedDraft],
        show: Callable[..., Made],
        *,
        what: str,
        whom: str | None,
        in_background: bool,
    ) -> Made | Started:
        universe = await anyio.to_thread.run_sync(self._universes.find, name)
        accepted = await anyio.to_thread.run_sync(order, universe)
        job_id, whom = accepted.job_id, whom or universe.name
        if in_background:
            # Where nothing was missing there is no job: the draft's own id reads as one that has ended.
            followed = short(job_id) if job_id else universe.draft_id
            return Started(message=f"Generating {what} for {whom}", job_id=followed)
        if job_id is not None:
            ended = await self._ended(universe, job_id)
            if ended is None:
                self._response.status_code = 202
                return Started(message=f"Still generating {what} for {whom}", job_id=short(job_id))
            if ended.status == "failed":
                raise MaquetteError(str(ended.error), code="generation_failed", what=what, reason=ended.error)
        made = partial(show, universe, job_id, message=f"{what.capitalize()} generated for {whom}")
        return await anyio.to_thread.run_sync(made)

    async def _ended(self, universe: FoundUniverse, job_id: UUID) -> OlderJob | None:
        streams = streams_of(self._request)

        def look() -> OlderJob | None:
            with self._universes.database.begin() as session:
                return ended_job(session, job_id)

        with streams.wakeups.watching(subject_of(universe.draft_id)) as woken, anyio.move_on_after(WAIT_S):
            while (ended := await streams.read(look)) is None:
                await woken.wait()
                woken.clear()
            return ended
        return await streams.read(look)

    def _show(
        self,
        universe: FoundUniverse,
        job_id: UUID | None,
        *,
        message: str,
        parts: Collection[Part],
        languages: Collection[str] = (),
        index: int | None = None,
    ) -> Made:
        drafts, draft_id = self._universes.drafts, universe.draft_id
        only = None if index is None else universe.number(index)
        files: list[str | None] = []
        for asset in drafts.assets(draft_id):
            if only in (None, asset.sort_order):
                files += [asset.image_file if asset.image_sha256 and "image" in parts else None]
                files += [asset.video_file if asset.video_sha256 and "video" in parts else None]
        if "music" in parts:
            songs = [song for song in drafts.songs(draft_id) if song.language in languages]
            files += [song.audio_file if song.audio_sha256 else None for song in songs]
        paths = [path for file in files if (path := universe.path(file))]
        failures = drafts.status(draft_id).failures
        of_it = (lambda asset: True) if only is None else (lambda asset: asset == f"{only:02d}")
        return Made(
            message=message,
            job_id=short(job_id) if job_id else None,
            files=paths,
            path=paths[0] if len(paths) == 1 else None,
            failed=[each for each in failures if each.part in parts and of_it(each.asset)],
        )


TheMaker = Annotated[Maker, Depends()]


@router.post("/generate/{name}/images", summary="Make a universe's pictures", responses=_ANSWERS)
async def images(name: UniverseName, maker: TheMaker, body: Annotated[Work | None, _WORK] = None) -> Made | Started:
    """Those that are missing, and the concepts of a universe that has none."""
    return await maker.parts(name, body, "image", what="images")


@router.post("/generate/{name}/videos", summary="Make a universe's loops", responses=_ANSWERS)
async def videos(name: UniverseName, maker: TheMaker, body: Annotated[Work | None, _WORK] = None) -> Made | Started:
    """Those that are missing, of the pictures that are there."""
    return await maker.parts(name, body, "video", what="videos")


@router.post("/generate/{name}/music-all", summary="Make a universe's songs", responses=_ANSWERS)
async def all_music(name: UniverseName, maker: TheMaker, body: Annotated[Work | None, _WORK] = None) -> Made | Started:
    """One in each language that has none, with its words."""
    return await maker.parts(name, body, "music", what="music")


@router.post("/generate/{name}/music/{language}", summary="Make a universe's song", responses=_ANSWERS)
async def music(
    name: UniverseName, language: Language, maker: TheMaker, body: Annotated[Work | None, _WORK] = None
) -> Made | Started:
    """The song of one language, its words too where there are none."""
    return await maker.parts(name, body, "music", what="music", languages=(language,), whom=language)


@router.post("/generate/{name}/all", summary="Make all of a universe", responses=_ANSWERS)
async def everything(name: UniverseName, maker: TheMaker, body: Annotated[Work | None, _WORK] = None) -> Made | Started:
    """Concepts, pictures, loops and songs: all that is missing."""
    return await maker.parts(name, body, *_EVERYTHING, what="everything")


@router.post("/generate/{name}/item/{index}/video", summary="Make an item's loop", responses=_ANSWERS)
async def item_video(
    name: UniverseName, index: Index, maker: TheMaker, body: Annotated[PromptedWork | None, _PROMPTED] = None
) -> Made | Started:
    """Another take of it, of a new prompt where one is given."""
    work = body or PromptedWork()
    wanted = Regeneration(regenerate_image=False, new_video_prompt=work.prompt or None)
    return await maker.item(name, index, wanted, in_background=work.in_background)


@router.post("/universes/{name}/images/{index}/regenerate", summary="Make an item's picture anew", responses=_ANSWERS)
async def regenerate_image(
    name: UniverseName, index: Index, maker: TheMaker, body: Annotated[PromptedWork | None, _PROMPTED] = None
) -> Made | Started:
    """Of a new prompt; its loop stays. What it was is kept as a version."""
    wanted = Regeneration(regenerate_video=False, new_image_prompt=_prompt(body))
    return await maker.item(name, index, wanted, in_background=body is not None and body.in_background)


@router.post("/universes/{name}/videos/{index}/regenerate", summary="Make an item's loop anew", responses=_ANSWERS)
async def regenerate_video(
    name: UniverseName, index: Index, maker: TheMaker, body: Annotated[PromptedWork | None, _PROMPTED] = None
) -> Made | Started:
    """Of a new prompt; its picture stays. What it was is kept as a version."""
    wanted = Regeneration(regenerate_image=False, new_video_prompt=_prompt(body))
    return await maker.item(name, index, wanted, in_background=body is not None and body.in_background)


def _prompt(body: PromptedWork | None) -> str:
    """Raises ``InvalidInput`` (``prompt_required``)."""
    if body is None or not body.prompt:
        raise InvalidInput("say what is to be drawn or how it is to move", code="prompt_required")
    return body.prompt
