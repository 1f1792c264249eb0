"""What OpenAPI shows of the calls about drafts: the bodies to send, and the answers."""

from typing import Any, Final

from maquette.api.examples import BRAND_ID, JOB_ID, ORDER_ID, SHA256

DRAFT_ID: Final = "5f3a9c1e"
FOLDER: Final = f"la-jungle-{DRAFT_ID}"
FILE: Final = "00_monkey.png"
# The existing clients write moments without a zone.
_AT: Final = "2026-01-31T12:00:00"
_LATER: Final = "2026-01-31T12:00:09"
_FILES: Final = f"/storage/drafts/{FOLDER}"
_IMAGE_PROMPT: Final = "A cute monkey in a magic jungle, children's book illustration"
_VIDEO_PROMPT: Final = "The monkey waves gently, seamless loop"
_TITLES: Final = {"fr": "singe", "en": "monkey", "es": "mono", "it": "scimmia", "de": "Affe"}
_LYRICS: Final = "[verse]\nDans la jungle, un singe danse\n[chorus]\nOh la jungle, quelle chance"

CREATE: Final = {
    "name": "La jungle",
    "theme": "jungle",
    "custom_prompts": {"image": "A cute {concept} in a magic jungle, children's book illustration"},
}
CHANGE: Final = {"background_color": "#2e7d32", "titles": {"fr": "La jungle", "de": "Der Dschungel"}}
ASSET_CHANGE: Final = {"display_name": "ape", "titles": {"fr": "grand singe"}}
SONG_CHANGE: Final = {"lyrics": _LYRICS, "prompt": "cheerful ukulele, children's choir"}
GENERATE: Final = {"num_assets": 3, "force_regenerate": False}
ESTIMATE: Final = {
    "ok": True,
    "brand_id": BRAND_ID,
    "plan": "pro",
    "amounts": {"images": 3, "reels": 0, "woofs": 8},
    "cost_micros": 987000,
    "allowed": True,
    "reason": None,
    "code": None,
}
REGENERATE: Final = {"new_image_prompt": "A {concept} with a red hat", "regenerate_video": True}
TRANSLATE: Final = {"source": "en"}
DEFAULT_PROMPT: Final = {"defaultPrompt": "A cute {concept} in a magic jungle, children's book illustration"}
WRITE_LYRICS: Final = {"theme": "la jungle", "words": ["singe", "arbre"], "language": "fr"}
APPROVAL: Final = {"content_hash": SHA256, "approved": True, "note": "Beau travail"}

_LISTED: Final[dict[str, Any]] = {
    "draft_id": DRAFT_ID,
    "folder": FOLDER,
    "name": "La jungle",
    "theme": "jungle",
    "slug": "la-jungle",
    "status": "completed",
    "created_at": _AT,
    "updated_at": _LATER,
    "num_assets": 3,
}
LIST: Final = [_LISTED | {"thumbnail_path": f"{_FILES}/assets/{FILE}"}]
DRAFT: Final = _LISTED | {
    "background_color": "#2e7d32",
    "thumbnail_url": f"{_FILES}/assets/{FILE}",
    "default_prompts": {"image": DEFAULT_PROMPT["defaultPrompt"], "video": "The {concept} moves gently, seamless loop"},
    "music_lyrics": {"fr": _LYRICS},
    "brand_id": BRAND_ID,
    "description": None,
    "titles": {"fr": "La jungle", "en": "The jungle", "es": "La selva", "it": "La giungla", "de": "Der Dschungel"},
    "seed": 0,
    "require_approval": False,
    "approved": False,
    "content_hash": SHA256,
    "published_at": None,
    "univers_id": None,
    "changed_since_publication": False,
}
ASSET: Final[dict[str, Any]] = {
    "id": "00",
    "display_name": "monkey",
    "sort_order": 0,
    "image_prompt": _IMAGE_PROMPT,
    "video_prompt": _VIDEO_PROMPT,
    "generated_at": _LATER,
    "image_file": FILE,
    "video_file": "00_monkey_silent.webm",
    "titles": _TITLES,
    "version": 1,
    "generation_count": 1,
    "image_sha256": SHA256,
    "video_sha256": SHA256,
    "thumbnail_path": f"{_FILES}/thumbnails/00_monkey.jpg",
}
ASSETS: Final = [ASSET]
ORDERED: Final = {"order_id": ORDER_ID, "job_id": JOB_ID}
REGENERATED: Final = ASSET | ORDERED | {"image_prompt": "A monkey with a red hat", "version": 2, "status": "generating"}
VERSIONS: Final = [
    {
        "version": 1,
        "display_name": "monkey",
        "image_prompt": _IMAGE_PROMPT,
        "video_prompt": _VIDEO_PROMPT,
        "image_file": FILE,
        "video_file": "00_monkey_silent.webm",
        "image_sha256": SHA256,
        "video_sha256": SHA256,
        "created_at": _LATER,
    }
]
PROGRESS: Final = ORDERED | {
    "folder": DRAFT_ID,
    "status": "generating",
    "current_step": "images 2/3, videos 1/3, music 0/5",
    "progress": 28,
    "total_assets": 3,
    "generated_assets": 1,
    "failed_assets": 1,
    "message": "image 02: refused by a safety rule",
    "failures": [{"asset": "02", "part": "image", "code": "filtered", "message": "refused by a safety rule"}],
}
WORDS: Final = {
    "theme": "jungle",
    "words": ["monkey"],
    "translations": {language: [title] for language, title in _TITLES.items()},
}
TRANSLATED: Final = {"message": "Translations generated", "translations": WORDS["translations"]}
PROMPTS: Final = {"prompts": [_IMAGE_PROMPT]}
LYRICS: Final = {"lyrics": _LYRICS, "language": "fr"}
SONG: Final = {
    "language": "fr",
    "prompt": "cheerful ukulele, children's choir",
    "lyrics": _LYRICS,
    "audio_file": "music_fr.mp3",
    "audio_path": f"{_FILES}/assets/music_fr.mp3",
    "audio_sha256": SHA256,
    "generated_at": _LATER,
}
SONGS: Final = [SONG]
MUSIC: Final = ORDERED | {
    "message": "Music generated for fr",
    "path": f"{_FILES}/assets/music_fr.mp3",
    "language": "fr",
    "status": "completed",
}
MUSIC_ORDERED: Final = MUSIC | {"message": "Music for fr is being made", "path": None, "status": "queued"}
PLAN: Final = {
    "draft_id": DRAFT_ID,
    "slug": "la-jungle",
    "count": 1,
    "changes": [
        {
            "kind": "replace",
            "where": "files",
            "key": FILE,
            "before": {"sha256": SHA256.replace("9f", "0e")},
            "after": {"sha256": SHA256},
        }
    ],
}
PUBLISHED: Final = {
    "univers_id": 7,
    "slug": "la-jungle",
    "published_at": _LATER,
    "assets_count": 3,
    "storage_url": "http://127.0.0.1:8000/storage/buckets/univers/la-jungle",
    "files_uploaded": 14,
    "changes": 52,
}
