"""What OpenAPI shows of the calls about projects: the bodies to send, and the answers."""

from typing import Any, Final

PROJECT_ID: Final = "0b6f2f4e-7c1d-4b8a-9e55-3a1c2d4e6f70"
_SCRIPT_ID: Final = "4c7d9e21-5a3b-4f60-8d12-7e9f0a1b2c3d"
_USER_ID: Final = "00000000-0000-0000-0000-000000000000"
_AT: Final = "2026-01-31T12:00:00.000Z"
_LATER: Final = "2026-01-31T12:00:09.000Z"
_TEXT: Final = "PAGE 1:\n\nPANEL 1:\n[AKIRA]: Il est encore temps.\n"
_DIALOGUE: Final = {
    "id": "dialogue-1",
    "type": "dialogue",
    "title": "AKIRA",
    "content": "[AKIRA]: Il est encore temps.",
    "children": [],
    "expanded": True,
    "lineNumber": 4,
}
_PANEL: Final = {
    "id": "panel-1",
    "type": "panel",
    "title": "Panel 1",
    "content": "PANEL 1:",
    "children": [_DIALOGUE],
    "expanded": True,
    "lineNumber": 3,
}
_PAGE: Final = {
    "id": "page-1",
    "type": "page",
    "title": "Page 1",
    "content": "PAGE 1:",
    "children": [_PANEL],
    "expanded": True,
    "lineNumber": 1,
}
_STATS: Final = {"pages": 1, "panels": 1, "chapters": 0, "words": 9, "characters": 48, "dialogues": 1}
_CHARACTER: Final = {"id": "ch-1", "name": "AKIRA", "description": "Étudiant", "traits": ["calme"]}

SAVE: Final[dict[str, Any]] = {
    "scriptData": {"content": _TEXT, "title": "Tokyo Rain"},
    "charactersData": [_CHARACTER],
    "metadata": {"version": 2},
}
SAVE_OF: Final[dict[str, Any]] = {"projectId": PROJECT_ID, **SAVE}
DOCUMENT: Final[dict[str, Any]] = {
    "script": {
        "content": _TEXT,
        "title": "Tokyo Rain",
        "stats": _STATS,
        "fileTree": [_PAGE],
        "lastModified": _LATER,
    },
    "characters": {"characters": [_CHARACTER], "lastModified": _LATER},
    "backgrounds": {"backgrounds": []},
    "decors": {"decors": []},
    "scenes": {"scenes": []},
    "assembly": {"pages": [], "currentPage": 1, "totalPages": 0},
    "metadata": {"version": 3, "createdAt": _AT, "savedAt": _LATER, "savedBy": _USER_ID},
}
SAVED: Final[dict[str, Any]] = {
    "success": True,
    "data": {
        "id": _SCRIPT_ID,
        "project_id": PROJECT_ID,
        "user_id": _USER_ID,
        "title": "Tokyo Rain",
        "description": "",
        "script_data": DOCUMENT,
        "version": 3,
        "created_at": _AT,
        "updated_at": _LATER,
    },
    "savedAt": _LATER,
    "message": "Sauvegarde réussie",
    "changed": ["script", "characters"],
    "merged": [],
}
LOADED: Final[dict[str, Any]] = {"success": True, "data": DOCUMENT, "updatedAt": _LATER, "isNew": False}
LIST: Final[dict[str, Any]] = {
    "items": [{"projectId": PROJECT_ID, "title": "Tokyo Rain", "version": 3, "createdAt": _AT, "updatedAt": _LATER}],
    "next": None,
}
_VERSION: Final[dict[str, Any]] = {
    "version": 3,
    "title": "Tokyo Rain",
    "changed": ["script", "characters"],
    "restoredFrom": None,
    "savedBy": _USER_ID,
    "savedAt": _LATER,
}
VERSIONS: Final[dict[str, Any]] = {"items": [_VERSION], "next": None}
VERSION: Final[dict[str, Any]] = {**_VERSION, "data": DOCUMENT}
DIFF: Final[dict[str, Any]] = {
    "from": 2,
    "to": 3,
    "sections": [
        {
            "section": "characters",
            "added": ["/characters/characters/0"],
            "removed": [],
            "changed": [],
            "patch": [{"op": "add", "path": "/characters/characters/0", "value": _CHARACTER}],
        }
    ],
}
