"""Bringing universes to production for the clients that called it syncing. It goes one way."""

from fastapi import APIRouter

from maquette.api import universe_examples as examples
from maquette.api.shapes import example
from maquette.api.universe_shapes import TAG, EnglishRoute, Synced, TheUniverses, UniverseName, refusals
from maquette.drafts import publication
from maquette.drafts.tables import DraftStatus
from maquette.errors import MaquetteError, text_of
from maquette.publishing.service import publisher_from_settings

router = APIRouter(prefix="/api/sync", tags=[TAG], route_class=EnglishRoute)


@router.get("/status", summary="How many universes are published", responses=example(examples.SYNCED))
def status(universes: TheUniverses) -> Synced:
    """Those that production shows just as they are now."""
    drafts = universes.drafts.list()
    published = sum(draft.status == DraftStatus.PUBLISHED for draft in drafts)
    return Synced(
        success=True,
        message=f"{published} of {len(drafts)} universes are published as they are now",
        synced_items=published,
    )


@router.post("/init", summary="Is production ready?", responses=example(examples.SYNCED))
def init(universes: TheUniverses) -> Synced:
    """Prepare a production of our own; of another's, see that it has its tables."""
    try:
        publisher = publisher_from_settings(universes.drafts.settings, universes.database)
        try:
            publisher.production.make_ready()
        finally:
            publisher.close()
    except MaquetteError as error:
        return _refused(str(error))
    return Synced(success=True, message="Production is ready")


@router.post("/push/{name}", summary="Publish a universe", responses=example(examples.SYNCED) | refusals(404))
def push(name: UniverseName, universes: TheUniverses) -> Synced:
    """The same as publishing it; ``synced_items`` counts rows and files that changed."""
    universe = universes.find(name)
    try:
        published = publication.publish(universes.drafts, universe.draft_id)
    except MaquetteError as error:
        return _refused(error.text("en"))
    return Synced(success=True, message=f"{universe.name} is published", synced_items=len(published.changes))


@router.post("/pull/{name}", summary="Read a universe back", responses=example(examples.NOT_PULLED) | refusals(404))
def pull(name: UniverseName, universes: TheUniverses) -> Synced:
    """Never: publishing goes one way."""
    universes.find(name)
    return _refused(text_of("one_way", "en"))


@router.post("/pull-all", summary="Read all universes back", responses=example(examples.NOT_PULLED))
def pull_all() -> Synced:
    """Never: publishing goes one way."""
    return _refused(text_of("one_way", "en"))


def _refused(reason: str) -> Synced:
    return Synced(success=False, message=reason, errors=[reason])
