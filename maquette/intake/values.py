"""Readers of the single values of a request, as pydantic validators.

A reader raises ``ValueError`` where the field's own description says enough, else a problem with advice. Those of
fields whose range hangs on the format find it in ``info.data``, so the format comes before them in a shape.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BeforeValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from maquette.errors import InvalidInput
from maquette.images import rules as images
from maquette.intake.words import names_of, ratio_named, value_named
from maquette.providers.images.port import Ratio
from maquette.videos.rules import MAX_TARGET_S, MAX_THEME_CHARACTERS, MIN_TARGET_S, clean_text

Format = Literal["image", "carousel", "video"]

COUNTS: Final[dict[Format, tuple[int, int]]] = {"image": (1, 20), "carousel": (3, 10), "video": (1, 4)}
VIDEO_RATIOS: Final[tuple[Ratio, ...]] = ("9:16", "1:1", "16:9", "4:5")
DEFAULT_SLIDES: Final = 5
MAX_TOPIC_CHARACTERS: Final = 2000
MAX_TEXTS_CHARACTERS: Final = 50_000

_WHOLE: Final = re.compile(r"\+?(\d{1,10})(?:[.,]0+)?", re.ASCII)
_SECONDS: Final = re.compile(rf"{_WHOLE.pattern}\s*(?:s|secs?|seconds?|secondes?|segundos?)?", re.ASCII)
_ADDRESS: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:|//|www\.)", re.IGNORECASE)


def problem(advice: str, *, code: str = "advice", **values: object) -> PydanticCustomError:
    """A refusal that says what to do."""
    return PydanticCustomError(code, "{advice}", {"advice": advice, **values})


def word(table: str) -> BeforeValidator:
    """Any spelling of a value of ``table`` in ``requests.yaml``; an empty text stays."""

    def read(value: object) -> str:
        found = value if value == "" else value_named(table, value)
        if not isinstance(found, str):
            raise ValueError
        return found

    return BeforeValidator(read)


def language(value: object) -> str:
    """``fr``, ``fr-CA``, ``français`` ..."""
    found = value_named("language", re.split(r"[-_]", value.strip())[0] if isinstance(value, str) else value)
    if found is None:
        raise ValueError
    return found


def flag(value: object) -> bool:
    """True or false, as such, as 1 and 0, or as words."""
    found = value_named("flag", str(value) if isinstance(value, bool | int) else value)
    if found is None:
        raise ValueError
    return found == "true"


def whole(value: object, pattern: re.Pattern[str] = _WHOLE) -> int:
    """A whole number, also as text and as ``5.0``."""
    if isinstance(value, str):
        match = pattern.fullmatch(value.strip().lower())
        if match is None:
            raise ValueError
        return int(match[1])
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise ValueError


def line(value: object, info: ValidationInfo) -> str:
    """A text as ``clean_text`` gives it, on one line and without control characters."""
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, str):
        raise ValueError
    try:
        return clean_text(value, what=names_of(info.field_name or "")[0])
    except InvalidInput as error:
        raise problem(str(error), code=error.code, character=error.values.get("character")) from None


def topic(value: object, info: ValidationInfo) -> str:
    """A text in which something can be seen; for a video no longer than a theme."""
    text = line(value, info)
    longest = MAX_THEME_CHARACTERS if info.data.get("format") == "video" else MAX_TOPIC_CHARACTERS
    if len(text) > longest or all(unicodedata.category(character)[0] in "CZ" for character in text):
        raise ValueError
    return text


def count(value: object, info: ValidationInfo) -> int:
    """How many, within the format's range."""
    number, kind = whole(value), info.data.get("format")
    if kind is None:  # the format's own problem is said
        return number
    least, most = COUNTS[kind]
    if not least <= number <= most:
        things = {"image": "images", "carousel": "slides of a carousel", "video": "videos"}[kind]
        raise problem(f"it may be {least} to {most} {things}")
    return number


def ratio(value: object, info: ValidationInfo) -> Ratio:
    """Any spelling of a ratio that the format can have."""
    for_video = info.data.get("format") == "video"
    found = ratio_named(value, for_video=for_video)
    if for_video and found not in VIDEO_RATIOS:
        raise problem(f"it may be {', '.join(VIDEO_RATIOS)} for a video")
    if found is None:
        raise ValueError
    return found


def duration_s(value: object, info: ValidationInfo) -> int | None:
    """Seconds of a video as a number, ``15`` or ``15s``; none for what does not last."""
    if info.data.get("format") != "video":
        return None
    seconds = whole(value, _SECONDS)
    if not MIN_TARGET_S <= seconds <= MAX_TARGET_S:
        raise ValueError
    return seconds


def references(value: object) -> list[UUID]:
    """Ids of assets, each once. Addresses are refused: what is fetched for a client must be the client's own."""
    found: dict[UUID, None] = {}
    for each in value if isinstance(value, list) else [value]:
        try:
            found[UUID(str(each))] = None
        except ValueError:
            if isinstance(each, str) and _ADDRESS.match(each.strip()):
                raise problem("addresses are not followed: upload the picture and give its asset's id") from None
            raise
    return list(found)


def texts(value: object, info: ValidationInfo) -> object:
    """The client's words in their own shape, if a database can keep them."""
    if value is None:
        return None
    if isinstance(value, str):
        value = parsed(value)
    if not isinstance(value, dict | list):
        raise ValueError
    try:
        size = len(json.dumps(value, allow_nan=False, ensure_ascii=False))
    except (RecursionError, TypeError):
        raise ValueError from None
    if size > MAX_TEXTS_CHARACTERS:
        raise problem(f"it may have {MAX_TEXTS_CHARACTERS} characters in all")
    left: list[object] = [value]
    while left:
        each = left.pop()
        if isinstance(each, str):
            line(each, info)
        elif isinstance(each, dict):
            left += [*each, *each.values()]
        elif isinstance(each, list):
            left += each
    return value


def default_count(data: Mapping[str, Any]) -> int:
    """One; for a carousel five slides, or as many as there are texts for."""
    if data["format"] != "carousel":
        return 1
    slides = data["texts"].get("slides") if isinstance(data["texts"], dict) else data["texts"]
    least, most = COUNTS["carousel"]
    return len(slides) if isinstance(slides, list) and least <= len(slides) <= most else DEFAULT_SLIDES


def default_ratio(data: Mapping[str, Any]) -> Ratio:
    """The platform's; 9:16 for a video, but 16:9 on YouTube."""
    if data["format"] == "video":
        return "16:9" if data["platform"] == "youtube" else "9:16"
    return images.default_ratio(data["platform"], data["format"])


def parsed(text: str) -> object:
    """The JSON value of ``text``; ``None`` when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
