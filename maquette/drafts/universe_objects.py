"""The things of a universe, named by a writer outside of a run: proposed for a theme, or kept as a draft's assets."""

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Final

from sqlmodel import Session

from maquette.brands import service as brands
from maquette.db.turns import Turn, turn
from maquette.drafts import repository
from maquette.drafts.changes import require_idle
from maquette.drafts.concepts import Concept, ConceptList, fallback_concepts, parse_concepts
from maquette.drafts.documents import subject_of, whole
from maquette.drafts.prompts import fill
from maquette.drafts.service import Drafts, prompts_of
from maquette.drafts.tables import Draft, DraftAsset
from maquette.drafts.universe_data import add_assets, next_number
from maquette.drafts.writing import TURN_SEED
from maquette.errors import Conflict, Filtered, Invalid, OutcomeUnknown
from maquette.journal import service as journal
from maquette.providers.text.port import UNIVERSE_LANGUAGES, ConceptsRequest, Written
from maquette.workshop import Workshop

# Proposals that belong to no draft are booked under this name.
SUBJECT: Final = "universe_objects"


class Objects:
    """Names of things. A writer is asked through the journal: an equal question is paid once."""

    def __init__(self, drafts: Drafts, workshop: Workshop) -> None:
        self.drafts = drafts
        self.workshop = workshop

    def propose(
        self, theme: str, *, count: int = 10, template: str | None = None, seed: int = 0, draft_id: str | None = None
    ) -> ConceptList:
        """Exactly ``count`` things of a theme, none that the draft has already; nothing is kept.

        ``template`` says what kind of things instead of the theme's own. Another ``seed`` asks for others. Raises
        ``NotFound``, ``InvalidInput`` (``unknown_variable``), ``Conflict`` (``busy``), ``ProviderError``.
        """
        draft, assets = self._read(draft_id)
        request = self._request(draft, assets, theme, count=count, template=template, seed=seed)
        key = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
        with self._alone(f"{SUBJECT}_{key}" if draft is None else subject_of(draft.id)):
            return self._listed(request, draft)

    def fill_up(self, draft_id: str, *, count: int = 10, template: str | None = None) -> list[DraftAsset]:
        """Write as many things as the draft lacks to have ``count``, and keep them as assets; all that it has then.

        Raises as ``propose``.
        """
        with self._alone(subject_of(draft_id)):
            draft, assets = self._read(draft_id)
            assert draft is not None
            if len(assets) < count:
                request = self._request(
                    draft, assets, draft.theme, count=count - len(assets), template=template, seed=draft.seed
                )
                found = self._listed(request, draft)
                self._keep(draft_id, found.concepts, names=found.theme, there=assets)
        with self.drafts.database.begin() as session:
            return list(repository.assets_of(session, draft_id))

    def apply(self, draft_id: str, concepts: Sequence[Concept]) -> list[DraftAsset]:
        """Keep proposed things as assets, after those that are there. Raises ``Conflict``, ``InvalidInput``."""
        _, there = self._read(draft_id)
        self._keep(draft_id, concepts, names={}, there=there)
        with self.drafts.database.begin() as session:
            return list(repository.assets_of(session, draft_id))

    def _read(self, draft_id: str | None) -> tuple[Draft | None, Sequence[DraftAsset]]:
        if draft_id is None:
            return None, ()
        with self.drafts.database.begin() as session:
            draft = repository.get_draft(session, draft_id)
            require_idle(session, draft)
            return draft, whole(session, draft).assets

    def _request(
        self,
        draft: Draft | None,
        assets: Sequence[DraftAsset],
        theme: str,
        *,
        count: int,
        template: str | None,
        seed: int,
    ) -> ConceptsRequest:
        prompts = prompts_of(self.drafts.settings)
        description = (draft.description if draft else None) or prompts.description(theme)
        wanted = template or (draft.objects_prompt if draft else None) or prompts.objects(theme)
        return ConceptsRequest(
            theme=theme,
            description=description,
            instructions=fill(wanted, concept="", theme=theme, description=description),
            count=count,
            taken=tuple(name for asset in assets for name in (asset.titles.get("en"), asset.display_name) if name),
            seed=seed,
        )

    def _keep(
        self, draft_id: str, concepts: Sequence[Concept], *, names: dict[str, str], there: Sequence[DraftAsset]
    ) -> None:
        with self.drafts.changing(draft_id) as (session, draft):
            assets = repository.assets_of(session, draft_id)
            if [asset.number for asset in assets] != [asset.number for asset in there]:
                raise Conflict(f"the items of draft {draft_id} were changed meanwhile: ask again")
            new = [(concept.names["en"], concept.names) for concept in concepts]
            add_assets(session, draft, new, start=next_number(assets))
            draft.titles = {**names, **draft.titles}

    def _listed(self, request: ConceptsRequest, draft: Draft | None) -> ConceptList:
        """What the writer lists, asked once more where it is too little; what still lacks is from the list at hand."""
        found = self._asked(request, draft)
        if found.missing:
            warning = f"Your last answer had {len(found.concepts)} usable things. Name exactly {request.count}."
            again = self._asked(request.model_copy(update={"warning": warning}), draft)
            found = again if len(again.concepts) > len(found.concepts) else found
        named = [*request.taken, *(name for concept in found.concepts for name in concept.names.values())]
        rest = fallback_concepts(found.missing, taken=named) if found.missing else []
        return found.model_copy(update={"concepts": [*found.concepts, *rest], "missing": 0})

    def _asked(self, request: ConceptsRequest, draft: Draft | None) -> ConceptList:
        writer, database = self.workshop.writer, self.drafts.database
        subject, asks = (subject_of(draft.id), draft.asks) if draft else (SUBJECT, 0)
        with database.begin() as session:
            payer = brands.get(session, draft.brand_id if draft else None)
        key = journal.CallKey(
            account=subject,
            brand_id=payer.id,
            subject=subject,
            step="concepts",
            provider=writer.profile.provider,
            model=writer.profile.model,
            request=request.model_dump(mode="json") | {"asks": asks},
        )
        try:
            written = journal.answer_once(
                database,
                key,
                lambda: writer.list_concepts(request),
                kind=Written,
                cost_micros=lambda answer: answer.cost_micros,
                free=writer.profile.local,
                guard=_nothing,
                breaker_base_s=self.workshop.settings.breaker_base_s,
            )
        except (Filtered, Invalid):  # the list that is always there does instead
            return parse_concepts("", count=request.count, taken=request.taken)
        except OutcomeUnknown:
            if draft is not None:  # the next call is the person's consent to ask again, which may be charged
                with database.begin() as session:
                    repository.get_draft(session, draft.id, lock=True).asks += 1
            raise
        return parse_concepts(written.text, count=request.count, taken=request.taken)

    def _alone(self, subject: str) -> AbstractContextManager[Turn]:
        """One question at a time: a second one would take the first one's answer for lost. Raises ``Conflict``."""
        busy = "these words are being written: wait until that has ended"
        return turn(self.drafts.database, subject, seed=TURN_SEED, busy=busy)


def translations_of(concepts: Sequence[Concept]) -> dict[str, list[str]]:
    """The names by language, in their order."""
    return {language: [concept.names[language] for concept in concepts] for language in UNIVERSE_LANGUAGES}


def _nothing(session: Session) -> None:
    """Nobody else can have taken the work over."""
