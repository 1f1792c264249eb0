"""The words of a draft, written once through the journal: concepts, songs, translations."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Final

from maquette.drafts import repository
from maquette.drafts.changes import names_changed, touch
from maquette.drafts.concepts import Concept, ConceptList, fallback_concepts, file_stem, parse_concepts
from maquette.drafts.documents import subject_of, whole
from maquette.drafts.prompts import fill, prompts_of
from maquette.drafts.tables import Draft, DraftAsset, DraftSong
from maquette.drafts.wording import style_of as style_of
from maquette.errors import Filtered, Invalid
from maquette.orders import service as orders
from maquette.orders.models import Lease
from maquette.orders.paid import written_once
from maquette.providers.text.port import (
    MAX_LYRICS,
    UNIVERSE_LANGUAGES,
    ConceptsRequest,
    LyricsRequest,
    TranslationRequest,
    UniverseLanguage,
)
from maquette.providers.text.reading import read_json
from maquette.workshop import Workshop

# A song that is shorter has lost its text (rule of the existing clients).
MIN_LYRICS: Final = 100
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def write_concepts(workshop: Workshop, lease: Lease) -> int:
    """Write and keep the concepts that the job's assets still lack; the number of the draft's assets.

    Exactly as many as are missing, each distinct from all others. Asks once more where an answer has too few, and
    then takes the rest from the list that is always there. Raises ``ProviderError``.
    """
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        draft = repository.get_draft(session, draft_id_of(lease))
        there = repository.assets_of(session, draft.id)
        items = orders.items_of(session, lease.job_id)
        numbers = {int(item.brief["part"]) for item in items if item.brief["part"].isdigit()}
    missing = sorted(numbers - {asset.number for asset in there})
    if not missing:
        return len(there)
    taken = [name for asset in there for name in (asset.titles.get("en"), asset.display_name) if name]
    found = _concepts(workshop, lease, draft, count=len(missing), taken=taken)
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        draft = repository.get_draft(session, draft.id, lock=True)
        for number, concept in zip(missing, found.concepts, strict=True):
            stem = file_stem(number, concept.names["en"])
            session.add(
                DraftAsset(
                    draft_id=draft.id,
                    number=number,
                    display_name=concept.names["en"],
                    titles=dict(concept.names),
                    image_file=f"{stem}.png",
                    video_file=f"{stem}_silent.webm",
                )
            )
        draft.titles = {**found.theme, **draft.titles}
        names_changed(draft)
        touch(session, draft)
        return len(whole(session, draft).assets)


def write_song(workshop: Workshop, lease: Lease, language: UniverseLanguage) -> DraftSong:
    """The song's text and style, written unless they are there. Raises ``ProviderError``."""
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        draft = repository.get_draft(session, draft_id_of(lease))
        found = whole(session, draft)
        song = repository.get_song(session, draft.id, language)
    words = tuple(asset.titles.get(language, asset.display_name) for asset in found.assets)
    style = style_of(draft, prompts_of(workshop.settings), words, own=song.prompt if song is not None else "")
    if song is not None and song.lyrics and song.prompt == style:
        return song
    lyrics = song.lyrics if song is not None and song.lyrics else ""
    if not lyrics:
        request = LyricsRequest(
            theme=draft.titles.get(language, draft.theme), words=words, language=language, style=style, seed=draft.seed
        )
        lyrics = _lyrics(workshop, lease, draft, request)
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        draft = repository.get_draft(session, draft.id, lock=True)
        kept = repository.get_song(session, draft.id, language) or DraftSong(draft_id=draft.id, language=language)
        kept.lyrics, kept.prompt = kept.lyrics or lyrics, style
        session.add(kept)
        touch(session, draft)
        return kept


def translation_request(names: Sequence[str], *, source: UniverseLanguage = "en") -> TranslationRequest:
    """The names out of ``source`` into the four other languages."""
    targets = tuple(language for language in UNIVERSE_LANGUAGES if language != source)
    return TranslationRequest(texts=tuple(names), source=source, targets=targets)


def read_translations(text: str, request: TranslationRequest) -> dict[str, list[str]]:
    """What a writer answered to ``request``: ``[language][number]``, in all five languages.

    A name that it did not tell stays as it is. Reads any text, raises never.
    """
    answered, names = read_json(text), request.texts
    found: dict[str, list[str]] = {request.source: list(names)}
    for language in request.targets:
        texts = answered.get(language) if isinstance(answered, dict) else None
        if not isinstance(texts, list) or len(texts) != len(names):
            texts = names
        found[language] = [_name(text) or name for text, name in zip(texts, names, strict=True)]
    return found


def draft_id_of(lease: Lease) -> str:
    """The draft that the lease's job makes."""
    return lease.subject.removeprefix("draft_")


def _concepts(workshop: Workshop, lease: Lease, draft: Draft, *, count: int, taken: Sequence[str]) -> ConceptList:
    prompts = prompts_of(workshop.settings)
    description = draft.description or prompts.description(draft.theme)
    request = ConceptsRequest(
        theme=draft.theme,
        description=description,
        instructions=fill(
            draft.objects_prompt or prompts.objects(draft.theme), concept="", theme=draft.theme, description=description
        ),
        count=count,
        taken=tuple(taken),
        seed=draft.seed,
    )
    found = _ask(workshop, lease, draft, request, taken)
    if found.missing:
        warning = f"Your last answer had {len(found.concepts)} usable things. Name exactly {count}."
        again = _ask(workshop, lease, draft, request.model_copy(update={"warning": warning}), taken)
        found = again if len(again.concepts) > len(found.concepts) else found
    rest: list[Concept] = []
    if found.missing:
        named = [*taken, *(concept.names["en"] for concept in found.concepts)]
        rest = list(fallback_concepts(found.missing, taken=named))
    return found.model_copy(update={"concepts": [*found.concepts, *rest], "missing": 0})


def _ask(workshop: Workshop, lease: Lease, draft: Draft, request: ConceptsRequest, taken: Sequence[str]) -> ConceptList:
    try:
        written = written_once(
            workshop, lease, request, partial(workshop.writer.list_concepts, request),
            subject=subject_of(draft.id), step="concepts", asks=draft.asks,
        )  # fmt: skip
    except (Filtered, Invalid):  # the list that is always there does instead
        return parse_concepts("", count=request.count, taken=taken)
    return parse_concepts(written.text, count=request.count, taken=taken)


def _lyrics(workshop: Workshop, lease: Lease, draft: Draft, request: LyricsRequest) -> str:
    written = written_once(
        workshop, lease, request, partial(workshop.writer.write_lyrics, request),
        subject=subject_of(draft.id), step=f"lyrics-{request.language}", asks=draft.asks,
    )  # fmt: skip
    return singable(written.text, request)


def singable(text: str, request: LyricsRequest) -> str:
    """What a writer answered, as a song is sung: without control characters, and neither too short nor too long."""
    text = _CONTROL.sub("", text).strip()
    if len(text) < MIN_LYRICS:
        from maquette.providers.text.local import LocalWriter  # a song that is always there

        text = LocalWriter().write_lyrics(request).text
    return clipped(text)


def clipped(lyrics: str) -> str:
    """The lyrics within what a song may have, cut at the end of a line."""
    if len(lyrics) <= MAX_LYRICS:
        return lyrics
    cut = lyrics[: MAX_LYRICS + 1]
    return (cut.rpartition("\n")[0] or cut[:MAX_LYRICS]).strip()


def _name(text: object) -> str:
    return " ".join(_CONTROL.sub(" ", text).split()) if isinstance(text, str) else ""
