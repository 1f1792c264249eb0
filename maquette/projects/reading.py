"""The body of a save, as bytes of any client: its JSON, or a text that says where it cannot be kept. Pure functions."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from maquette.errors import InvalidInput

# orjson writes no deeper nesting: 254 levels, counted from the section.
MAX_DEPTH: Final = 254

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_VERSION: Final = re.compile(r'(?:W/)?"?([0-9]{1,10})"?')


def read(content: bytes) -> dict[str, Any]:
    """The body's object. Of a key that comes twice the last one counts, as in a browser.

    Numbers are those of a browser too: whole ones beyond 64 bits become the nearest double.
    Raises ``InvalidInput``: ``invalid_json`` for what is no JSON object in UTF-8, ``unstorable_character`` with the
    JSON pointer of a text that PostgreSQL cannot keep (U+0000, half of a surrogate pair), and of a number too large.
    """
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise _reason(content, error) from None
    if not isinstance(found, dict):
        raise InvalidInput("send an object with the sections to save", code="invalid_json")
    if b"\\u0000" in content:
        _require_storable(found)
    return found


def dump(value: object) -> bytes:
    """Canonical JSON: keys sorted, no spaces. Raises ``InvalidInput`` for what is nested too deep."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise InvalidInput(f"the document is nested more than {MAX_DEPTH} levels deep: flatten it") from error


def _reason(content: bytes, error: orjson.JSONDecodeError) -> InvalidInput:
    """Why ``content`` is refused. The standard library reads half pairs and infinite numbers, and so finds them."""
    try:
        found = json.loads(content)
        _require_storable(found)
    except InvalidInput as reason:
        return reason
    except RecursionError:
        return InvalidInput(f"the document is nested more than {MAX_DEPTH} levels deep: flatten it")
    except ValueError:
        pass
    return InvalidInput(str(error), code="invalid_json")


def _require_storable(document: object) -> None:
    for place, value in _leaves(document):
        if isinstance(value, str) and (wrong := "\x00" if "\x00" in value else _surrogate(value)):
            shown = f"U+{ord(wrong):04X}"
            raise InvalidInput(
                f"{place} holds {shown} at character {value.index(wrong)}: remove it, no database keeps it",
                code="unstorable_character",
                pointer=place,
                character=shown,
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidInput(f"{place} is no number that can be kept: send one below 1.8e308")


def _surrogate(value: str) -> str | None:
    found = _SURROGATE.search(value)
    return found[0] if found else None


def _leaves(document: object) -> Iterator[tuple[str, object]]:
    """All texts, with names of fields, and all numbers by their JSON pointers, in the order of the document."""
    left: list[tuple[str, object]] = [("", document)]
    while left:
        place, value = left.pop()
        if isinstance(value, dict):
            # A name that is wrong is told by the pointer of its object, which can be shown.
            yield from ((place or "/", name) for name in value)
            left += [(f"{place}/{escape(name)}", value[name]) for name in reversed(value)]
        elif isinstance(value, list):
            left += [(f"{place}/{index}", value[index]) for index in reversed(range(len(value)))]
        else:
            yield place, value


def escape(name: str) -> str:
    """A field's name as part of a JSON pointer (RFC 6901, 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def version_named(body: Mapping[str, Any], if_match: str | None) -> int | None:
    """The version that a save was made on: of ``If-Match``, else ``metadata.version``, else ``version`` in the body.

    None where none is named, or ``*``: then the last save wins. 0 stands for a project that was not there.
    Raises ``InvalidInput``.
    """
    metadata = body.get("metadata")
    within = metadata.get("version") if isinstance(metadata, dict) else None
    named = next((each for each in (if_match, within, body.get("version")) if each is not None), None)
    if named is None or named == "*":
        return None
    digits = _VERSION.fullmatch(named.strip()) if isinstance(named, str) else None
    number = int(digits[1]) if digits else named
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**31:
        raise InvalidInput('a version is a whole number: send the ETag of the last answer, such as "3"')
    return number
