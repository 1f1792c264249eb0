"""What somebody has written into a document, whichever shape it has: the old one and what plain SQL made of it."""

from collections.abc import Iterator
from typing import Any, Final


def chapters_at(document: Any) -> str | None:
    """JSON pointer of the chapters: at the top, as the script, in the script, the whole value, or nowhere.

    Of several lists the first that holds something.
    """
    if isinstance(document, list):
        return ""
    if not isinstance(document, dict):
        return None
    script, empty = document.get("script"), None
    for pointer, value in (
        ("/chapters", document.get("chapters")),
        ("/script", script),
        ("/script/chapters", script.get("chapters") if isinstance(script, dict) else None),
    ):
        if isinstance(value, list):
            if value:
                return pointer
            empty = empty or pointer
    return empty


def at(document: Any, pointer: str | None) -> list[Any] | None:
    """The list that ``chapters_at`` found there."""
    if pointer is None:
        return None
    for key in pointer.split("/")[1:]:
        document = document[key]
    found: list[Any] = document
    return found


def contents(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Kind, name and own content of all that somebody has written into a document of any shape."""
    origin = chapters_at(document)
    given: dict[str, Any] = document if isinstance(document, dict) else {}
    script = given.get("script")
    text = script.get("content") if isinstance(script, dict) else script
    if isinstance(text, str) and text.strip():
        yield "script text", "", text
    yield from _parts("chapter", at(document, origin))
    for kind, section in (("character", "characters"), ("background", "backgrounds"), ("scene", "scenes"),
                          ("decor", "decors"), ("page", "assembly")):  # fmt: skip
        held = given.get(section)
        items = held.get("pages" if section == "assembly" else section) if isinstance(held, dict) else held
        yield from ((kind, _name(item), item) for item in (items if isinstance(items, list) else ()))


_BELOW: Final = {"chapter": ("scenes", "scene"), "scene": ("panels", "panel"), "panel": ("", "")}


def _parts(kind: str, items: Any) -> Iterator[tuple[str, str, Any]]:
    below, next_kind = _BELOW[kind]
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield kind, _name(item), {key: value for key, value in item.items() if key != below}
            if below:
                yield from _parts(next_kind, item.get(below))
        else:
            yield kind, "", item


def _name(item: Any) -> str:
    """Its id, or else what people call it."""
    if not isinstance(item, dict):
        return ""
    named = next((item[key] for key in ("id", "name", "title", "number") if isinstance(item.get(key), str | int)), "")
    return str(named)[:60]
