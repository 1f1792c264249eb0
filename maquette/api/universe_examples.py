"""What OpenAPI shows of the older calls of universes: the bodies to send, and the answers."""

from typing import Any, Final

from maquette.api.draft_examples import ASSET, DRAFT_ID, FILE, LYRICS, PROGRESS, PROMPTS

_FOLDER: Final = "la_jungle"
_JOB: Final = "b0a7d9b4"
_AT: Final = "2026-01-31T12:00:00"
_COLOR: Final = "#2e7d32"
_PATH: Final = f"/storage/univers/{_FOLDER}"
_TITLES: Final[dict[str, str]] = ASSET["titles"]
_TRANSLATIONS: Final = {language: [title] for language, title in _TITLES.items()}
_IMAGE: Final = "A cute monkey in a magic jungle"
_STYLE: Final = "cheerful ukulele, children's choir"
_TEMPLATE: Final = "A cute {object} in a magic world of {theme}"

LIST: Final = [{"name": "La jungle", "folder": _FOLDER}]
CREATE: Final = {"name": "La jungle", "theme": "jungle"}
CREATED: Final = {"message": "Univers 'La jungle' créé"}
DELETED: Final = {"message": "Univers 'La jungle' supprimé"}
PROMPTS_DOCUMENT: Final[dict[str, Any]] = {
    "theme": "jungle",
    "description": "a deep green jungle",
    "words": ["monkey"],
    "images": [_IMAGE],
    "videos": ["The monkey waves gently"],
    "music": _STYLE,
    "lyrics": LYRICS["lyrics"],
}
PROMPTS_CHANGE: Final = {"words": ["monkey"], "images": [_IMAGE], "music": _STYLE}
PROMPTS_SAVED: Final = {"message": "Prompts saved", "prompts": PROMPTS_DOCUMENT}
PROMPTS_REGENERATED: Final = PROMPTS_SAVED | {"message": "Prompts regenerated"}
COLOR: Final = {"color": _COLOR, "background_color": _COLOR}
COLOR_SAVED: Final = COLOR | {"message": "Color updated"}
DATA: Final[dict[str, Any]] = {
    "items": [
        {"title": "monkey", "image": FILE, "video": "00_monkey_silent.webm", "title_translations": _TITLES},
    ],
    "translations": _TRANSLATIONS,
    "background_color": _COLOR,
    "description": "a deep green jungle",
    "thumbnail": FILE,
    "theme": "jungle",
    "theme_translations": {"fr": "La jungle", "en": "The jungle"},
    "music_translations": {"fr": {"lyrics": LYRICS["lyrics"], "prompt": _STYLE}},
}
DATA_CHANGE: Final = {"background_color": _COLOR, "theme_translations": {"de": "Der Dschungel"}}
DATA_SAVED: Final = {"message": "Data updated", "data": DATA}
PUBLISHED: Final = {
    "message": "Universe 'La jungle' published successfully",
    "files_uploaded": 14,
    "assets_created": 3,
    "public_url": "http://127.0.0.1:8000/storage/buckets/univers/la-jungle",
}
WORK: Final = {"async": True}
PROMPTED: Final = {"prompt": "A monkey with a red hat", "async": False}
MADE: Final = {
    "message": "Images generated for La jungle",
    "job_id": _JOB,
    "files": [f"{_PATH}/{FILE}"],
    "path": f"{_PATH}/{FILE}",
    "failed": PROGRESS["failures"],
}
STARTED: Final = {"message": "Generating images for La jungle", "job_id": _JOB}
RENAME: Final = {"index": 0, "new_name": "ape"}
RENAMED: Final = {"message": "Media renamed", "renamed": [{"old": FILE, "new": "00_ape.png"}]}
OBJECTS: Final = {"theme": "jungle", "count": 1}
NAMED: Final = {
    "objects": ["monkey"],
    "translations": _TRANSLATIONS,
    "theme_translations": {"fr": "jungle", "en": "jungle"},
}
KEPT: Final = NAMED | {"message": "Objects generated for La jungle"}
WANTED_PROMPTS: Final = {"theme": "jungle", "objects": ["monkey"], "defaultPrompt": _TEMPLATE}
WANTED_MUSIC_PROMPT: Final = {"theme": "jungle", "lyrics": LYRICS["lyrics"]}
ONE_PROMPT: Final = {"prompt": _STYLE}
PROMPTS_LIST: Final = PROMPTS
CONCEPTS: Final = {"theme": "jungle", "count": 1, "language": "fr"}
PROPOSED: Final = {"concepts": ["singe"], "translations": _TRANSLATIONS}
APPLIED: Final = {"concepts": ["monkey"], "translations": {"fr": ["singe"]}}
MUSIC_PROMPTS: Final = {"message": "Music prompts generated for La jungle", "prompts": {"fr": _STYLE}}
SUNG: Final = LYRICS | {"message": "Lyrics generated for fr", "job_id": DRAFT_ID}
THUMBNAIL: Final = {"message": "Thumbnail ready", "thumbnail": f"{_PATH}/{FILE}"}
TEMPLATES: Final = {
    "objects": "Things of {theme} that a child knows",
    "images": _TEMPLATE,
    "videos": "{object} moves gently",
    "music": "Joyful children's song about {theme}",
}
TEMPLATES_SAVED: Final = TEMPLATES | {"message": "Default prompts saved"}
JOB: Final[dict[str, Any]] = {
    "id": _JOB,
    "type": "images",
    "universe": _FOLDER,
    "description": f"{_FOLDER}: images",
    "status": "completed",
    "progress": 100,
    "result": {"generated": 2, "failed": 1, "errors": ["02: refused by a safety rule"]},
    "error": None,
    "created_at": _AT,
    "completed_at": "2026-01-31T12:00:09",
}
JOBS: Final = {"jobs": [JOB], "total": 1, "active": 0}
TASK: Final = {"status": "completed", "task_id": _JOB}
ASSETS: Final = [
    {
        "id": 0,
        "sort_order": 0,
        "image_name": FILE,
        "display_name": "monkey",
        "translations": _TITLES,
        "image_url": f"{_PATH}/{FILE}",
        "video_url": f"{_PATH}/00_monkey_silent.webm",
        "custom_image_prompt": _IMAGE,
        "custom_video_prompt": None,
    }
]
MUSIC_PROMPT: Final = {
    "language": "fr",
    "prompt": _STYLE,
    "lyrics": LYRICS["lyrics"],
    "audio_url": f"{_PATH}/music_fr.mp3",
}
SYNCED: Final = {"success": True, "message": "La jungle is published", "synced_items": 52, "errors": []}
NOT_PULLED: Final = {
    "success": False,
    "message": "Publishing is one way: nothing is read back from production",
    "synced_items": 0,
    "errors": ["Publishing is one way: nothing is read back from production"],
}
