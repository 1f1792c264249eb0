"""What the documents of an imported universe say and no column holds: kept whole, by document."""

from collections.abc import Mapping

from pydantic import JsonValue

from maquette.drafts.documents import Whole, asset_metadata, data_document, metadata
from maquette.drafts.legacy_reading import KNOWN, LegacyUniverse


def rest_of(universe: LegacyUniverse, found: Whole, index: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """``Draft.extra`` for rows that were made of the universe.

    Under ``metadata``, ``data``, ``prompts`` and ``index`` are those entries of the documents that the draft's own
    documents do not say in the same way; under ``assets`` the same for each asset by its id; under ``documents`` and
    ``texts`` whole files that are no part of a universe, such as ``prompts.yaml``.
    """
    kept = universe.own.extra.model_dump() if universe.own else {}
    entries = universe.document("assets_metadata.json")
    assets = dict(kept.get("assets", {}))
    for asset, entry in zip(found.assets, entries if isinstance(entries, list) else (), strict=False):
        key = f"{asset.number:02d}"
        if rest := _rest(asset_metadata(asset).model_dump(mode="json"), entry):
            assets[key] = {**assets.get(key, {}), **rest}
    said = metadata(found).model_dump(mode="json") if universe.metadata else {}
    named: dict[str, JsonValue] = {"name": found.draft.name, "folder": found.draft.theme}
    documents: dict[str, JsonValue] = {
        "metadata": {**kept.get("metadata", {}), **_rest(said, universe.document("metadata.json"))},
        "data": {**kept.get("data", {}), **_rest(data_document(found), universe.document("data.json"))},
        "prompts": {**kept.get("prompts", {}), **_rest(_prompts(found), universe.document("prompts.json"))},
        "assets": assets,
        "index": {**kept.get("index", {}), **_rest(named, dict(index))},
        "documents": {name: value for name, value in universe.source.documents.items() if name not in KNOWN},
        "texts": dict(universe.source.texts),
    }
    return {name: document for name, document in documents.items() if document}


def covers(own: JsonValue, source: JsonValue) -> bool:
    """Whether ``own`` says all that ``source`` says; it may say more."""
    if isinstance(source, dict):
        return isinstance(own, dict) and all(key in own and covers(own[key], source[key]) for key in source)
    if isinstance(source, list):
        return isinstance(own, list) and len(own) == len(source) and all(map(covers, own, source))
    return isinstance(own, bool) == isinstance(source, bool) and own == source


def _rest(own: Mapping[str, JsonValue], source: JsonValue) -> dict[str, JsonValue]:
    said = source if isinstance(source, dict) else {}
    return {key: value for key, value in said.items() if key not in own or not covers(own[key], value)}


def _prompts(found: Whole) -> dict[str, JsonValue]:
    """``prompts.json`` as the rows would say it."""
    return {
        "theme": found.draft.theme,
        "description": found.draft.description,
        "words": [asset.display_name for asset in found.assets],
        "images": [asset.image_prompt for asset in found.assets],
        "videos": [asset.video_prompt for asset in found.assets],
        "music": found.draft.music_prompt,
        "lyrics": next((song.lyrics for song in found.songs if song.language == "fr"), None),
    }
