"""What OpenAPI shows of the calls below ``/api/``: the bodies to send, and the answers."""

from typing import Any, Final

from maquette.errors import text_of

ORDER_ID: Final = "6f1c5e0e-0f6e-4a3c-9a53-0f9a7f1f2a10"
JOB_ID: Final = "b0a7d9b4-2f3e-4a0d-8a5e-6f2b1c9d7e30"
ITEM_ID: Final = "c2b6a4f8-53d4-4a55-8f8b-3f0b8d1d7e21"
BRAND_ID: Final = "3d6a9f52-1c1b-4b7e-9d2e-0e8c7a5b4f11"
ASSET_ID: Final = "9a1f0c3e-7b2d-4e6f-8c5a-1d3b5f7a9c02"
CALL_ID: Final = "e4c2a0b8-6d5f-4b3a-9c1e-7f8d2b4a6c13"
CAROUSEL_ID: Final = "carousel_20260131_120000_5f3a9c"
SHA256: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CURSOR: Final = "WyIyMDI2LTAxLTMxVDEyOjAwOjA5KzAwOjAwIiwiOWExZjBjM2UtN2IyZC00ZTZmLThjNWEtMWQzYjVmN2E5YzAyIiwtMV0"
_AT: Final = "2026-01-31T12:00:00Z"
_LATER: Final = "2026-01-31T12:00:09Z"
_KEPT_UNTIL: Final = "2026-03-02T12:00:09Z"
_FILE_URL: Final = f"http://127.0.0.1:8000/api/library/{ASSET_ID}/file"

MEDIA: Final[dict[str, object]] = {
    "images": {"format": "image", "count": 2, "topic": "un chat sur une plage", "brandId": BRAND_ID, "ratio": "1:1"},
    "carousel": {"format": "carousel", "count": 5, "topic": "Les tendances marketing 2025", "ratio": "4:5"},
    "video": {"format": "video", "topic": "une vague qui déferle", "ratio": "9:16", "duration": 15},
    "older client": {
        "userId": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "intent": {"brandId": BRAND_ID, "format": "image", "count": 1, "topic": "un chat sur une plage"},
    },
}
GENERATED: Final = {"ok": True, "orderId": ORDER_ID, "jobId": JOB_ID}
REORDERED: Final = GENERATED | {"jobIds": [JOB_ID]}

_PACK: Final = {
    "title": "Lancement",
    "summary": "1 image et 1 carrousel",
    "assets": [
        {
            "id": "a1",
            "kind": "image",
            "count": 1,
            "platform": "instagram",
            "ratio": "1:1",
            "prompt": "Un café au soleil",
        },
        {"id": "a2", "kind": "carousel", "count": 5, "ratio": "4:5", "prompt": "5 conseils pour entrepreneurs"},
    ],
}
PACK: Final[dict[str, object]] = {
    "the pack": _PACK,
    "for a brand": {"brandId": BRAND_ID, "pack": _PACK},
    "a chat's reply": {
        "reply": 'Voici ! <alfie-pack>{"title": "Café", "assets": [{"kind": "image", "prompt": "Un café"}]}'
    },
}
PACKED: Final = REORDERED | {
    "jobIds": [JOB_ID, "5b7f2c1d-9e3a-4c6b-8d0f-2a4e6c8b0d14"],
    "woofs": 11,
    "remarks": ["a tag of the pack was missing"],
}
ESTIMATE: Final = {
    "ok": True,
    "brand_id": BRAND_ID,
    "plan": "pro",
    "amounts": {"images": 5, "reels": 0, "woofs": 0},
    "cost_micros": 195000,
    "allowed": True,
    "reason": None,
    "code": None,
}

MESSAGE: Final = {"user_message": "Fais-moi un carrousel de 5 slides en 4:5 sur le café"}
INTENT: Final = {
    "intent": "carousel",
    "confidence": 0.9,
    "params": {
        "aspect_ratio": "4:5",
        "slides": 5,
        "carousels_count": 1,
        "is_approval": False,
        "language": "fr",
        "matched": ["carrousel"],
        "keywords": ["café"],
    },
}

_LISTED_ORDER: Final[dict[str, Any]] = {
    "id": ORDER_ID,
    "kind": "image",
    "status": "completed",
    "brand_id": BRAND_ID,
    "campaign_name": "un chat sur une plage",
    "expected": 1,
    "completed": 1,
    "failed": 0,
    "progress": 100,
    "retry_of": None,
    "created_at": _AT,
    "finished_at": _LATER,
}
ORDERS: Final = {"items": [_LISTED_ORDER], "next": CURSOR}
JOB: Final = {
    "id": JOB_ID,
    "order_id": ORDER_ID,
    "brand_id": BRAND_ID,
    "kind": "image",
    "subject": "image_20260131_120000_5f3a9c",
    "status": "completed",
    "attempts": 1,
    "max_attempts": 3,
    "dispatches": 1,
    "queue": "premium",
    "available_at": _AT,
    "flow_run_id": "0b0f5f3c-8a51-4d0e-9a52-0a3f9d6f2c11",
    "error_code": None,
    "error": None,
    "created_at": _AT,
    "started_at": _AT,
    "finished_at": _LATER,
    "updated_at": _LATER,
}
_ITEM: Final = {
    "id": ITEM_ID,
    "job_id": JOB_ID,
    "kind": "image",
    "sequence_number": 1,
    "slide": None,
    "status": "completed",
    "text": None,
    "error_code": None,
    "error_message": None,
    "reason": None,
    "reservation": "settled",
    "images": 1,
    "reels": 0,
    "woofs": 0,
    "asset_id": ASSET_ID,
}
ORDER: Final = _LISTED_ORDER | {
    "brief": {"format": "image", "topic": "un chat sur une plage", "count": 1, "ratio": "1:1"},
    "items": [_ITEM],
    "jobs": [JOB],
    "cost_micros": 39000,
    "saved_micros": 0,
    "retried_by": None,
    "seq": 4,
}
QUEUE: Final = {
    "ok": True,
    "now": _LATER,
    "counts": {
        "queued": 2,
        "processing": 1,
        "running": 1,
        "completed": 40,
        "failed": 1,
        "cancelled": 0,
        "completed_24h": 12,
    },
    "backlogSeconds": 7,
    "stuck": {"runningStuckCount": 0, "thresholdSec": 300},
    "recent": [
        {
            "id": JOB_ID,
            "type": "image",
            "status": "completed",
            "error": None,
            "retry": "1/3",
            "updated_at": _LATER,
        }
    ],
    "scope": "all",
    "breakers": [{"provider": "replicate", "failures": 3, "open_until": _LATER, "reason": "429"}],
}
_FAILED: Final = {
    "status": "failed",
    "error_code": "filtered",
    "error_message": text_of("filtered"),
    "reason": "refused by a safety rule",
}
DEAD_LETTERS: Final = {
    "items": [
        {
            "job": JOB | {"status": "failed", "error_code": "filtered", "error": "refused by a safety rule"},
            "campaign_name": "un chat sur une plage",
            "items": [_ITEM | _FAILED | {"reservation": "refunded", "asset_id": None}],
        }
    ]
}

BRAND_BODY: Final = {
    "name": "Café Lumière",
    "plan": "pro",
    "kit": {"palette": ["#6f4e37", "#f5e6d3"], "fonts": {"primary": "Roboto"}, "voice": "chaleureuse", "niche": "café"},
}
BRAND_CHANGE: Final = {"plan": "studio"}
BRAND: Final = {
    "id": BRAND_ID,
    "name": "Café Lumière",
    "plan": "pro",
    "is_default": False,
    "kit": {
        "palette": ["#6f4e37", "#f5e6d3"],
        "fonts": {"primary": "Roboto"},
        "text_color": None,
        "logo_asset_id": None,
        "voice": "chaleureuse",
        "niche": "café",
        "pitch": "",
        "tagline": "",
        "adjectives": [],
        "visual_types": [],
        "visual_mood": [],
        "avoid_in_visuals": [],
        "banned_words": [],
    },
    "created_at": _AT,
    "updated_at": _AT,
}
BRANDS: Final = {"items": [BRAND]}

_LISTED_ASSET: Final[dict[str, Any]] = {
    "id": ASSET_ID,
    "type": "image",
    "subject": "image_20260131_120000_5f3a9c",
    "brand_id": BRAND_ID,
    "order_id": ORDER_ID,
    "item_id": ITEM_ID,
    "title": "un chat sur une plage",
    "ratio": "1:1",
    "width": 1024,
    "height": 1024,
    "slide_index": None,
    "text": {"alt": "un chat sur une plage"},
    "tags": [f"brand:{BRAND_ID}", f"order:{ORDER_ID}", "type:image", "ratio:1:1"],
    "public_id": f"alfie/{BRAND_ID}/{ORDER_ID}/image-1769860809000",
    "media_type": "image/png",
    "size_bytes": 812345,
    "sha256": SHA256,
    "file_url": _FILE_URL,
    "created_at": _LATER,
    "expires_at": _KEPT_UNTIL,
    "thumbnail_url": _FILE_URL,
    "slides": None,
}
LIBRARY: Final = {"items": [_LISTED_ASSET], "next": CURSOR}
ASSET: Final = _LISTED_ASSET | {
    "listed": True,
    "expired_at": None,
    "prompt": "un chat sur une plage. High quality, professional.",
    "provider": "replicate",
    "model": "google/nano-banana",
    "seed": 1203994,
    "attempt": 1,
    "parents": [{"sha256": SHA256, "asset_id": "2c4e6a8b-0d1f-4a3c-8e5b-7d9f1a3c5e15", "type": "raw_image"}],
    "call": {
        "id": CALL_ID,
        "step": "image-0",
        "provider": "replicate",
        "model": "google/nano-banana",
        "state": "succeeded",
        "operation_id": "gm3qorzdhgbfurvjtvhg6dckhu",
        "cost_micros": 39000,
        "saved_micros": 0,
        "cached_from": None,
        "submitted_at": _AT,
        "finished_at": _LATER,
    },
    "cost_micros": 39000,
    "saved_micros": 0,
    "provenance": {"prompt": "un chat sur une plage. High quality, professional.", "seed": 1203994, "attempt": 1},
}

_UNITS: Final = {"limit": 450, "used": 12, "reserved": 5, "remaining": 433, "threshold_80": False, "hard_stop": 495}
QUOTA: Final = {
    "woofs_quota": 450,
    "woofs_used": 12,
    "woofs_remaining": 433,
    "threshold_80": False,
    "brand_id": BRAND_ID,
    "plan": "pro",
    "period_yyyymm": 202601,
    "images": _UNITS,
    "reels": _UNITS | {"limit": 45, "remaining": 28, "hard_stop": 49},
    "woofs": _UNITS,
    "durations_s": [8, 15, 30],
    "is_admin": False,
    "reset_date": "2026-02-01T00:00:00Z",
}
COSTS: Final = {
    "by": "provider",
    "lines": [{"key": "replicate/google/nano-banana", "calls": 40, "cost_micros": 1560000, "saved_micros": 78000}],
    "calls": 40,
    "cost_micros": 1560000,
    "saved_micros": 78000,
}
PLANS: Final = {
    "items": [
        {
            "name": "pro",
            "images": 450,
            "reels": 45,
            "woofs": 450,
            "durations_s": [8, 15, 30],
            "price_eur": 99,
            "priority": "premium",
        }
    ]
}

SLIDE_EDIT: Final = {"title": "Le café, autrement", "cta": "Découvrir"}
CAROUSEL: Final = {
    "carousel_id": CAROUSEL_ID,
    "brand_id": BRAND_ID,
    "topic": "5 conseils pour entrepreneurs",
    "ratio": "4:5",
    "language": "fr",
    "slides_ordered": 5,
    "slides": [
        {
            "number": 1,
            "text": {
                "type": "hero",
                "title": "Le café, autrement",
                "subtitle": "Cinq conseils",
                "body": "",
                "bullets": [],
                "cta": "Découvrir",
                "badge": "",
                "note": "",
                "author": "",
                "kpis": [],
                "alt": "Une tasse de café au soleil",
                "caption": "",
            },
            "visual": "Une tasse de café au soleil",
            "version": 1,
            "asset_id": ASSET_ID,
            "sha256": SHA256,
        }
    ],
    "warnings": [],
    "created_at": _AT,
    "updated_at": _LATER,
}
