"""Writing on a draft outside of a run: names in five languages, prompts for all assets, the words of a song.

A writer is asked through the journal, as runs ask it: an equal question is paid once and booked as a cost of the draft.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from maquette.brands import service as brands
from maquette.db.turns import turn
from maquette.drafts import repository
from maquette.drafts.changes import require_idle
from maquette.drafts.documents import Whole, subject_of, whole
from maquette.drafts.models import Name, Regeneration, SongChange
from maquette.drafts.prompts import require_known
from maquette.drafts.service import Drafts, prompts_of
from maquette.drafts.tables import Draft, DraftAsset
from maquette.drafts.texts import read_translations, singable, style_of, translation_request
from maquette.drafts.wording import image_prompt, video_prompt
from maquette.errors import Conflict, InvalidInput, NotFound, OutcomeUnknown
from maquette.journal import service as journal
from maquette.providers.text.port import UNIVERSE_LANGUAGES, LyricsRequest, UniverseLanguage, Written
from maquette.workshop import Workshop

# Of all turns of writing, the things of universes included.
TURN_SEED: Final = 17

Request = TypeVar("Request", bound=BaseModel)


class WantedLyrics(BaseModel):
    """What a song is to be about; what is absent is the draft's own."""

    model_config = ConfigDict(frozen=True)

    theme: Name | None = None
    words: Annotated[tuple[Name, ...], Field(max_length=50)] | None = None
    language: UniverseLanguage = "fr"
    seed: int | None = Field(None, ge=0, le=2**31 - 1, description="Another seed asks for another text.")


class Writing:
    """What is written on drafts while nothing is made of them. ``workshop`` has the writer."""

    def __init__(self, drafts: Drafts, workshop: Workshop) -> None:
        self.drafts = drafts
        self.workshop = workshop

    def translate(self, draft_id: str, *, source: UniverseLanguage = "en") -> dict[str, list[str]]:
        """Write the assets' titles: their names, which are in ``source``, in five languages; by language, in order.

        What the writer cannot tell keeps the title that it had. Raises ``NotFound`` (``words_not_found`` without
        names), ``Conflict`` (``busy``), ``ProviderError``.
        """
        with self._alone(draft_id) as found:
            names = [asset.display_name for asset in found.assets] or _words(found.draft)
            if not names:
                raise NotFound(f"draft {draft_id} has no words yet: generate it first", code="words_not_found")
            request = translation_request(names, source=source)
            written = self._written(found.draft, request, self.workshop.writer.translate, step="translations")
            told = read_translations(written.text, request)
            with self.drafts.changing(draft_id) as (session, draft):
                assets = repository.assets_of(session, draft_id)
                if assets and [asset.display_name for asset in assets] != names:
                    raise Conflict(f"the names of draft {draft_id} were changed meanwhile: translate them again")
                for index, asset in enumerate(assets):
                    asset.titles = _titles(asset, {lang: texts[index] for lang, texts in told.items()}, source)
                if assets:
                    told = {lang: [asset.titles[lang] for asset in assets] for lang in UNIVERSE_LANGUAGES}
                if draft.words is not None:  # as it was imported: older files have another name for the same
                    kept = {name: value for name, value in draft.words.items() if name != "words_translations"}
                    draft.words = kept | {"translations": told}
        return {lang: told[lang] for lang in UNIVERSE_LANGUAGES}

    def fill_prompts(self, draft_id: str, part: Literal["image", "video"], template: str | None) -> list[str]:
        """Give every asset its whole prompt, of ``template``, which becomes the draft's own, or of that one.

        Raises ``InvalidInput`` (``no_objects``, ``unknown_variable``), ``NotFound``, ``Conflict`` (``busy``).
        """
        prompts = prompts_of(self.drafts.settings)
        with self.drafts.changing(draft_id) as (session, draft):
            assets = repository.assets_of(session, draft_id)
            if not assets:
                raise InvalidInput(f"draft {draft_id} has no assets yet: generate it first", code="no_objects")
            default, own = f"default_{part}_prompt", f"{part}_prompt"
            if template is not None:
                require_known(template)
                setattr(draft, default, template)
            of_theme = prompts.image if part == "image" else prompts.video
            chosen = getattr(draft, default) or of_theme(draft.theme)
            fill = image_prompt if part == "image" else video_prompt
            filled = [fill(draft, asset, prompts, template=chosen) for asset in assets]
            for asset, text in zip(assets, filled, strict=True):
                setattr(asset, own, text)
        return filled

    def write_lyrics(self, draft_id: str, wanted: WantedLyrics) -> str:
        """Write the words of the draft's song in a language; its sound stays until it is made anew.

        Raises ``NotFound``, ``Conflict`` (``busy``), ``ProviderError``.
        """
        language = wanted.language
        with self._alone(draft_id) as found:
            draft = found.draft
            song = next((song for song in found.songs if song.language == language), None)
            words = wanted.words or tuple(asset.titles.get(language, asset.display_name) for asset in found.assets)
            style = song.prompt if song and song.prompt else style_of(draft, prompts_of(self.drafts.settings), words)
            request = LyricsRequest(
                theme=wanted.theme or draft.titles.get(language, draft.theme),
                words=words,
                language=language,
                style=style,
                seed=draft.seed if wanted.seed is None else wanted.seed,
            )
            written = self._written(draft, request, self.workshop.writer.write_lyrics, step=f"lyrics-{language}")
            change = SongChange(lyrics=singable(written.text, request))
            return self.drafts.change_song(draft_id, language, change).lyrics

    def prompts_for(self, draft_id: str, number: int, wanted: Regeneration) -> dict[str, str]:
        """The whole prompts that ``wanted`` would be made from, as ``image_prompt`` and ``video_prompt``.

        Raises ``NotFound``, ``InvalidInput`` (``unknown_variable``).
        """
        prompts = prompts_of(self.drafts.settings)
        with self.drafts.database.begin() as session:
            draft = repository.get_draft(session, draft_id)
            asset = repository.get_asset(session, draft_id, number)
        made = {}
        if wanted.regenerate_image:
            made["image_prompt"] = image_prompt(draft, asset, prompts, template=wanted.new_image_prompt)
        if wanted.regenerate_video:
            made["video_prompt"] = video_prompt(draft, asset, prompts, template=wanted.new_video_prompt)
        return made

    @contextmanager
    def _alone(self, draft_id: str) -> Iterator[Whole]:
        """The idle draft, for one writing at a time: a second one would take the first one's answer for lost.

        Raises ``NotFound``, ``Conflict`` (``busy``).
        """
        database = self.drafts.database
        busy = f"a text of draft {draft_id} is being written: wait until it has ended"
        with turn(database, subject_of(draft_id), seed=TURN_SEED, busy=busy):
            with database.begin() as session:
                draft = repository.get_draft(session, draft_id)
                require_idle(session, draft)
                found = whole(session, draft)
            yield found

    def _written(self, draft: Draft, request: Request, write: Callable[[Request], Written], *, step: str) -> Written:
        profile, database = self.workshop.writer.profile, self.drafts.database
        with database.begin() as session:
            payer = brands.get(session, draft.brand_id)
        key = journal.CallKey(
            account=subject_of(draft.id),
            brand_id=payer.id,
            subject=subject_of(draft.id),
            step=step,
            provider=profile.provider,
            model=profile.model,
            request=request.model_dump(mode="json") | {"asks": draft.asks},
        )
        try:
            return journal.answer_once(
                database,
                key,
                lambda: write(request),
                kind=Written,
                cost_micros=lambda answer: answer.cost_micros,
                free=profile.local,
                guard=lambda session: None,
                breaker_base_s=self.workshop.settings.breaker_base_s,
            )
        except OutcomeUnknown:
            # The next call is the person's consent to ask again, which may be charged.
            with database.begin() as session:
                repository.get_draft(session, draft.id, lock=True).asks += 1
            raise


def _words(draft: Draft) -> list[str]:
    words = (draft.words or {}).get("words")
    return [word for word in words if isinstance(word, str) and word.strip()][:100] if isinstance(words, list) else []


def _titles(asset: DraftAsset, told: dict[str, str], source: str) -> dict[str, str]:
    is_same = asset.titles.get(source) == asset.display_name
    return {
        language: asset.titles.get(language, text) if is_same and text == asset.display_name else text
        for language, text in told.items()
    }
