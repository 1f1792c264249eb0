"""What production has of a universe, in the shape in which it would be published."""

from urllib.parse import unquote

from sqlalchemy.engine import Connection

from maquette.providers.text.port import UNIVERSE_LANGUAGES, UniverseLanguage
from maquette.publishing import rows as universe_rows
from maquette.publishing.models import PublishedAsset, PublishedSong, Universe


def read_universe(connection: Connection, slug: str) -> Universe | None:
    """What production has under ``slug``, as it would be published; ``None`` where it is not there."""
    stored = universe_rows.read(connection, slug)
    if stored.univers_id is None:
        return None
    rows = stored.rows
    row = rows["univers"][()]
    url = row["thumbnail_url"]
    prompts = rows["univers_prompts"].get((), {})
    names: dict[int, dict[UniverseLanguage, str]] = {}
    for (place, language), name in rows["univers_assets_translations"].items():
        names.setdefault(int(place), {})[language] = name["display_name"]  # type: ignore[index]
    assets = []
    for (place,), asset in sorted(rows["univers_assets"].items()):
        made = rows["univers_assets_prompts"].get((place,), {})
        assets.append(
            PublishedAsset(
                sort_order=int(place),
                image_name=asset["image_name"],
                display_name=asset["display_name"],
                names=names.get(int(place), {}),
                image_prompt=made.get("custom_image_prompt"),
                video_prompt=made.get("custom_video_prompt"),
                generation_count=made.get("generation_count") or 1,
                last_generated_at=made.get("last_generated_at"),
            )
        )
    songs = [
        PublishedSong.model_validate({"language": language, **song})
        for language in UNIVERSE_LANGUAGES
        if (song := rows["univers_music_prompts"].get((language,)))
    ]
    return Universe.model_validate(
        {
            **{name: row[name] for name in ("name", "slug", "is_public", "background_music", "owner_id")},
            "background_color": row["background_color"] or "#ffffff",
            "thumbnail_name": unquote(url.rpartition("/")[2]) if url else None,
            "names": {language: name["name"] for (language,), name in rows["univers_translations"].items()},
            **prompts,
            "assets": assets,
            "songs": songs,
        }
    )
