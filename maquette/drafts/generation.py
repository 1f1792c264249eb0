"""What is to be made of a draft, as one job of the road: an item for each picture, loop and song."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue
from sqlmodel import Session

from maquette.drafts import repository
from maquette.drafts.changes import keep_version, require_idle, touch
from maquette.drafts.documents import failed_parts, subject_of
from maquette.drafts.models import IMAGE, KIND, LOOP, PART_OF, SONG, Failure, Making, Regeneration
from maquette.drafts.prompts import require_known
from maquette.drafts.tables import Draft
from maquette.errors import InvalidInput, MaquetteError
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job, OrderItem
from maquette.orders.service import NewItem, NewJob
from maquette.quota.rules import Amounts, calculate_woofs_cost

# What loops and songs take of a brand's month; a picture takes one image.
LOOP_S = 5
_AMOUNTS = {IMAGE: Amounts(images=1), LOOP: Amounts(woofs=calculate_woofs_cost(LOOP_S)), SONG: Amounts(woofs=1)}


class Wanted(NamedTuple):
    """A part that is to be made: an asset's by its two digits, or a song by its language."""

    kind: str
    part: str
    number: int


def wanted_parts(session: Session, draft: Draft, making: Making) -> list[Wanted]:
    """What ``making`` comes to: what is missing or failed, or all of it anew."""
    assets = {asset.number: asset for asset in repository.assets_of(session, draft.id)}
    songs = {song.language: song for song in repository.songs_of(session, draft.id)}
    broken = {(failure.part, failure.asset) for failure in _failures(session, draft)}
    found = []
    for number in range(making.num_assets) if making.assets is None else sorted(making.assets):
        asset, part = assets.get(number), f"{number:02d}"
        for kind, is_there in ((IMAGE, asset and asset.image_id), (LOOP, asset and asset.video_id)):
            if making.force_regenerate or not is_there or (PART_OF[kind], part) in broken:
                found.append(Wanted(kind, part, number + 1))
    for index, language in enumerate(dict.fromkeys(making.languages)):
        song = songs.get(language)
        if making.force_regenerate or song is None or song.audio_id is None or ("music", language) in broken:
            found.append(Wanted(SONG, language, index + 1))
    return [each for each in found if PART_OF[each.kind] in making.parts]


def amounts_of(draft: Draft, kind: str) -> Amounts:
    """What a part takes of a brand's month; nothing where the draft belongs to none."""
    return _AMOUNTS[kind] if draft.brand_id is not None else Amounts()


def new_generation(session: Session, draft: Draft, making: Making) -> NewJob | None:
    """The job that makes what is missing of a draft that the caller has locked; ``None`` where nothing is.

    Raises ``Conflict`` (``busy``) while it is being made.
    """
    require_idle(session, draft)
    _consent(draft, _failures(session, draft))
    wanted = wanted_parts(session, draft, making)
    if making.force_regenerate:
        parts = {each.part for each in wanted}
        for asset in repository.assets_of(session, draft.id):
            if f"{asset.number:02d}" in parts:
                keep_version(session, asset)
                asset.takes += 1
        for song in repository.songs_of(session, draft.id):
            song.takes += song.language in parts
    return _job(draft, [_item(draft, each, {}) for each in wanted]) if wanted else None


def new_regeneration(session: Session, draft: Draft, number: int, wanted: Regeneration) -> NewJob:
    """The job that makes one asset anew; what it is now stays until then, and is kept as a version.

    Raises ``Conflict`` (``busy``), ``NotFound``, ``InvalidInput`` where nothing was asked for, or unknown variables.
    """
    require_idle(session, draft)
    asset = repository.get_asset(session, draft.id, number)
    if not (wanted.regenerate_image or wanted.regenerate_video):
        raise InvalidInput("nothing is to be made anew: leave regenerate_image or regenerate_video true")
    for template in filter(None, (wanted.new_image_prompt, wanted.new_video_prompt)):
        require_known(template)
    keep_version(session, asset)
    asset.takes += 1
    asked = ((IMAGE, wanted.regenerate_image, wanted.new_image_prompt),
             (LOOP, wanted.regenerate_video, wanted.new_video_prompt))  # fmt: skip
    return _job(
        draft,
        [
            _item(draft, Wanted(kind, f"{number:02d}", number + 1), {"new_prompt": prompt} if prompt else {})
            for kind, is_asked, prompt in asked
            if is_asked
        ],
    )


def again(session: Session, draft: Draft, items: Sequence[OrderItem]) -> NewJob | None:
    """The job that makes what earlier ``items`` did not deliver; ``None`` where all of it has come since."""
    latest, failures = orders.latest_items(session, subject_of(draft.id)), _failures(session, draft)
    _consent(draft, failures)
    broken = {(failure.part, failure.asset) for failure in failures}
    lacking = []
    for item in items:
        part = str(item.brief["part"])
        if (PART_OF[item.kind], part) in broken and latest[item.kind, part].id == item.id:
            brief = {key: value for key, value in item.brief.items() if key == "new_prompt"}
            lacking.append(_item(draft, Wanted(item.kind, part, item.sequence_number), brief))
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


def _failures(session: Session, draft: Draft) -> list[Failure]:
    items = orders.latest_items(session, subject_of(draft.id))
    return failed_parts(items, repository.assets_of(session, draft.id), repository.songs_of(session, draft.id))


def _item(draft: Draft, wanted: Wanted, brief: Mapping[str, JsonValue]) -> NewItem:
    return NewItem(
        kind=wanted.kind,
        brief={"part": wanted.part, **brief},
        amounts=amounts_of(draft, wanted.kind),
        sequence_number=wanted.number,
    )


def _job(draft: Draft, items: list[NewItem]) -> NewJob:
    return NewJob(kind=KIND, subject=subject_of(draft.id), items=items)
