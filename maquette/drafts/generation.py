"""What is to be made of a draft, as one job of the road: an item for each picture, loop and song."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue
from sqlmodel import Session

from maquette.drafts import repository
from maquette.drafts.changes import keep_version, require_idle, touch
from maquette.drafts.documents import failed_parts, subject_of
from maquette.drafts.models import IMAGE, KIND, LOOP, PART_OF, SONG, Failure, Making, Regeneration
from maquette.drafts.tables import Draft, DraftAsset, DraftSong
from maquette.errors import InvalidInput, MaquetteError
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job, OrderItem
from maquette.orders.service import NewItem, NewJob
from maquette.quota.rules import Amounts, calculate_woofs_cost

# What loops and songs take of a brand's month; a picture takes one image.
LOOP_S = 5
_AMOUNTS = {IMAGE: Amounts(images=1), LOOP: Amounts(woofs=calculate_woofs_cost(LOOP_S)), SONG: Amounts(woofs=1)}


def new_generation(session: Session, draft: Draft, making: Making) -> NewJob | None:
    """The job that makes what is missing of a draft that the caller has locked; ``None`` where nothing is.

    Raises ``Conflict`` (``busy``) while it is being made.
    """
    require_idle(session, draft)
    assets = {asset.number: asset for asset in repository.assets_of(session, draft.id)}
    songs = {song.language: song for song in repository.songs_of(session, draft.id)}
    failures = failed_parts(
        orders.latest_items(session, subject_of(draft.id)), list(assets.values()), list(songs.values())
    )
    _consent(draft, failures)
    broken: set[tuple[str, str]] = {(failure.part, failure.asset) for failure in failures}
    items = [*_assets(session, draft, making, assets, broken), *_songs(draft, making, songs, broken)]
    return _job(draft, items) if items else None


def new_regeneration(session: Session, draft: Draft, number: int, wanted: Regeneration) -> NewJob:
    """The job that makes one asset anew; what it is now stays until then, and is kept as a version.

    Raises ``Conflict`` (``busy``), ``NotFound``, ``InvalidInput`` where nothing was asked for.
    """
    require_idle(session, draft)
    asset = repository.get_asset(session, draft.id, number)
    if not (wanted.regenerate_image or wanted.regenerate_video):
        raise InvalidInput("nothing is to be made anew: leave regenerate_image or regenerate_video true")
    keep_version(session, asset)
    asset.takes += 1
    asked = ((IMAGE, wanted.regenerate_image, wanted.new_image_prompt),
             (LOOP, wanted.regenerate_video, wanted.new_video_prompt))  # fmt: skip
    return _job(
        draft,
        [
            _item(draft, kind, f"{number:02d}", number + 1, {"new_prompt": prompt} if prompt else {})
            for kind, is_asked, prompt in asked
            if is_asked
        ],
    )


def again(session: Session, draft: Draft, items: Sequence[OrderItem]) -> NewJob | None:
    """The job that makes what earlier ``items`` did not deliver; ``None`` where all of it has come since."""
    latest = orders.latest_items(session, subject_of(draft.id))
    failures = failed_parts(latest, repository.assets_of(session, draft.id), repository.songs_of(session, draft.id))
    _consent(draft, failures)
    broken = {(failure.part, failure.asset) for failure in failures}
    lacking = [
        _item(draft, item.kind, part, item.sequence_number, {k: v for k, v in item.brief.items() if k == "new_prompt"})
        for item in items
        if (PART_OF[item.kind], part := str(item.brief["part"])) in broken and latest[item.kind, part].id == item.id
    ]
    return _job(draft, lacking) if lacking else None


def end_job(session: Session, job: Job, status: ItemStatus, error: MaquetteError) -> None:
    """End a draft's job that the caller has locked, other than well; what is there stays."""
    draft = repository.get_draft(session, job.subject.removeprefix("draft_"), lock=True)
    orders.end_open(session, job, status, error=error)
    touch(session, draft)


def prepare_again(session: Session, job: Job) -> None:
    """Nothing is to be forgotten before another attempt: parts that failed for good have ended."""


def _consent(draft: Draft, failures: Sequence[Failure]) -> None:
    """Another order is the person's consent to ask once more for a text whose answer was lost, which may be charged."""
    draft.asks += any(failure.code == "outcome_unknown" for failure in failures)


def _assets(
    session: Session, draft: Draft, making: Making, assets: dict[int, DraftAsset], broken: set[tuple[str, str]]
) -> Iterator[NewItem]:
    numbers = range(making.num_assets) if making.assets is None else sorted(making.assets)
    for number in numbers:
        asset, part = assets.get(number), f"{number:02d}"
        image = asset is None or asset.image_id is None or making.force_regenerate or ("image", part) in broken
        loop = asset is None or asset.video_id is None or making.force_regenerate or ("video", part) in broken
        wants_image, wants_loop = image and "image" in making.parts, loop and "video" in making.parts
        if asset is not None and making.force_regenerate and (wants_image or wants_loop):
            keep_version(session, asset)
            asset.takes += 1
        if wants_image:
            yield _item(draft, IMAGE, part, number + 1, {})
        if wants_loop:
            yield _item(draft, LOOP, part, number + 1, {})


def _songs(
    draft: Draft, making: Making, songs: dict[str, DraftSong], broken: set[tuple[str, str]]
) -> Iterator[NewItem]:
    if "music" not in making.parts:
        return
    for index, language in enumerate(dict.fromkeys(making.languages)):
        song = songs.get(language)
        if song is not None and making.force_regenerate:
            song.takes += 1
        if song is None or song.audio_id is None or making.force_regenerate or ("music", language) in broken:
            yield _item(draft, SONG, language, index + 1, {})


def _item(draft: Draft, kind: str, part: str, number: int, brief: Mapping[str, JsonValue]) -> NewItem:
    amounts = _AMOUNTS[kind] if draft.brand_id is not None else Amounts()
    return NewItem(kind=kind, brief={"part": part, **brief}, amounts=amounts, sequence_number=number)


def _job(draft: Draft, items: list[NewItem]) -> NewJob:
    return NewJob(kind=KIND, subject=subject_of(draft.id), items=items)
