"""Universes for clients of the time before drafts: list, create, read, change, publish and delete them.

The same drafts as below ``/api/drafts``, in the documents that those clients know.
"""

from typing import Annotated, NoReturn

from fastapi import APIRouter, Body, Query, Request
from pydantic import JsonValue

from maquette.api import universe_examples as examples
from maquette.api.bodies import CleanBody
from maquette.api.drafts import Paying
from maquette.api.errors import ApiErrorBody
from maquette.api.shapes import absolute, example
from maquette.api.universe_shapes import (
    TAG,
    EnglishRoute,
    Language,
    MusicPrompt,
    NewUniverse,
    PublishedUniverse,
    Rename,
    Renamed,
    Said,
    SavedColor,
    SavedData,
    SavedPrompts,
    TheUniverses,
    UniverseAsset,
    UniverseColor,
    UniverseName,
    refusals,
)
from maquette.drafts import publication
from maquette.drafts.universe_data import DataChange
from maquette.drafts.universe_prompts import PromptsChange
from maquette.drafts.universes import ListedUniverse
from maquette.errors import ConfigurationError, Conflict

router = APIRouter(prefix="/api/universes", tags=[TAG], route_class=EnglishRoute)

_PROMPTS = Body(examples=[examples.PROMPTS_CHANGE])


@router.get("", summary="List universes", responses=example(examples.LIST))
def list_all(universes: TheUniverses) -> list[ListedUniverse]:
    """Every draft, those changed last first, with the folder that names it in the other calls."""
    return universes.list()


@router.post(
    "", summary="Create a universe", dependencies=[Paying], responses=example(examples.CREATED) | refusals(400)
)
def create(body: Annotated[NewUniverse, Body(examples=[examples.CREATE])], universes: TheUniverses) -> Said:
    """A draft without items yet. 400 where the name means a universe that is there."""
    universes.create(body.name, body.theme)
    return Said(message=f"Univers '{body.name}' créé")


@router.delete("/{name}", summary="Delete a universe", responses=example(examples.DELETED) | refusals(404, 409))
def delete(name: UniverseName, universes: TheUniverses) -> Said:
    """The draft and its files go; what was published stays published."""
    universe = universes.find(name)
    universes.drafts.delete(universe.draft_id)
    return Said(message=f"Univers '{universe.name}' supprimé")


@router.get(
    "/{name}/prompts",
    summary="Read a universe's prompts",
    responses=example(examples.PROMPTS_DOCUMENT) | refusals(404, missing="prompts_not_found"),
)
def prompts(name: UniverseName, universes: TheUniverses) -> dict[str, JsonValue]:
    """``prompts.json``, by position: filled in as pictures and loops would be made from them."""
    return universes.prompts_of(name)


@router.patch(
    "/{name}/prompts",
    summary="Change some of a universe's prompts",
    dependencies=[CleanBody],
    responses=example(examples.PROMPTS_SAVED) | refusals(400, 404, 409, missing="prompts_not_found"),
)
def change_prompts(
    name: UniverseName, body: Annotated[PromptsChange, _PROMPTS], universes: TheUniverses
) -> SavedPrompts:
    """Absent keys stay; words beyond the items add items."""
    return SavedPrompts(message="Prompts updated", prompts=universes.change_prompts(name, body, replace=False))


@router.post(
    "/{name}/prompts",
    summary="Save a universe's prompts",
    dependencies=[CleanBody],
    responses=example(examples.PROMPTS_SAVED) | refusals(400, 404, 409, missing="prompts_not_found"),
)
def save_prompts(name: UniverseName, body: Annotated[PromptsChange, _PROMPTS], universes: TheUniverses) -> SavedPrompts:
    """The same, but that unknown keys from before go."""
    return SavedPrompts(message="Prompts saved", prompts=universes.change_prompts(name, body, replace=True))


@router.put(
    "/{name}/color",
    summary="Set a universe's color",
    responses=example(examples.COLOR_SAVED) | refusals(400, 404, 409),
)
def set_color(
    name: UniverseName,
    universes: TheUniverses,
    color: Annotated[str, Query(description="The background; # is %23 in an address.", examples=["#2e7d32"])],
) -> SavedColor:
    """The background, # and six hexadecimal digits."""
    saved = universes.set_color(name, color)
    return SavedColor(message="Color updated", color=saved, background_color=saved)


@router.get("/{name}/color", summary="Read a universe's color", responses=example(examples.COLOR) | refusals(404))
def color(name: UniverseName, universes: TheUniverses) -> UniverseColor:
    """The background."""
    there = universes.color(name)
    return UniverseColor(color=there, background_color=there)


@router.get(
    "/{name}/data",
    summary="Read a universe's data",
    responses=example(examples.DATA) | refusals(404, missing="data_not_found"),
)
def data(name: UniverseName, universes: TheUniverses) -> dict[str, JsonValue]:
    """``data.json``, as the viewers read it."""
    return universes.data(name)


@router.patch(
    "/{name}/data",
    summary="Change a universe's data",
    dependencies=[CleanBody],
    responses=example(examples.DATA_SAVED) | refusals(400, 404, 409, missing="data_not_found"),
)
def change_data(
    name: UniverseName, body: Annotated[DataChange, Body(examples=[examples.DATA_CHANGE])], universes: TheUniverses
) -> SavedData:
    """Objects are merged one level deep, all else is replaced; unknown keys are kept.

    Items can be changed and added at the end, not left out.
    """
    return SavedData(message="Data updated", data=universes.change_data(name, body))


@router.post(
    "/{name}/rename-media",
    summary="Name a universe's files anew",
    responses=example(examples.RENAMED) | refusals(400, 404, 409),
)
def rename_media(
    name: UniverseName,
    universes: TheUniverses,
    body: Annotated[Rename | None, Body(examples=[examples.RENAME])] = None,
) -> Renamed:
    """By their items' English names: those of one item, which may get another name with it, or of all."""
    wanted = body or Rename()
    renamed = universes.rename_media(name, index=wanted.index, title=wanted.new_name)
    return Renamed(message="Media renamed", renamed=list(renamed))


@router.post(
    "/{name}/publish",
    summary="Publish a universe",
    responses=example(examples.PUBLISHED) | refusals(404, 409),
)
def publish(request: Request, name: UniverseName, universes: TheUniverses) -> PublishedUniverse:
    """Bring the universe to production, whole or not at all; the same again changes nothing."""
    universe = universes.find(name)
    try:
        published = publication.publish(universes.drafts, universe.draft_id)
    except ConfigurationError as error:
        raise ConfigurationError(str(error), code="bucket_not_configured") from error
    url = published.storage_url
    return PublishedUniverse(
        message=f"Universe '{universe.name}' published successfully",
        files_uploaded=published.files_uploaded,
        assets_created=published.assets_count,
        public_url=str(absolute(request, url)) if url.startswith("/") else url,
    )


@router.post(
    "/{name}/sync-from-db",
    status_code=409,
    summary="Read a universe back",
    response_model=ApiErrorBody,
    responses=refusals(404, 409),
)
def sync_from_db(name: UniverseName, universes: TheUniverses) -> NoReturn:
    """Always 409: publishing goes one way, so there is nothing to be read back."""
    raise Conflict(f"draft {universes.find(name).draft_id} is not read back from production", code="one_way")


@router.get("/{name}/assets", summary="List a universe's items", responses=example(examples.ASSETS) | refusals(404))
def assets(name: UniverseName, universes: TheUniverses) -> list[UniverseAsset]:
    """As production's readers will see them; files that are not there yet have no address."""
    universe = universes.find(name)
    return [
        UniverseAsset(
            id=asset.sort_order,
            sort_order=asset.sort_order,
            image_name=asset.image_file,
            display_name=asset.display_name,
            translations=asset.titles,
            image_url=universe.path(asset.image_file if asset.image_sha256 else None),
            video_url=universe.path(asset.video_file if asset.video_sha256 else None),
            custom_image_prompt=asset.image_prompt,
            custom_video_prompt=asset.video_prompt,
        )
        for asset in universes.drafts.assets(universe.draft_id)
    ]


@router.get(
    "/{name}/music-prompts/{language}",
    summary="Read a song's texts",
    responses=example(examples.MUSIC_PROMPT) | refusals(404),
)
def music_prompt(name: UniverseName, language: Language, universes: TheUniverses) -> MusicPrompt:
    """Style and words of the song in a language, empty while there are none."""
    universe = universes.find(name)
    song = next((each for each in universes.drafts.songs(universe.draft_id) if each.language == language), None)
    return MusicPrompt(
        language=language,
        prompt=song.prompt if song else "",
        lyrics=song.lyrics if song else "",
        audio_url=universe.path(song.audio_file) if song and song.audio_sha256 else None,
    )
