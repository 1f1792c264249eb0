"""A tolerant reader of the JSON that models write. Total: it gives what can be made out, or ``None``."""

import json
import re
from itertools import islice
from typing import Any, Final

MAX_CHARACTERS: Final = 200_000
MAX_DEPTH: Final = 24
MAX_STARTS: Final = 16

_SKIPPED: Final = re.compile(r"(?:[\s,;\ufeff]|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)*+")
_CLOSERS: Final = {'"': '"', "'": "'", "“": '”“"', "”": '”"', "„": '“”"', "‘": "’", "«": "»"}
# A quote ends its string where JSON goes on after it; any other belongs to the string.
_GOES_ON: Final = re.compile(
    r"\s++[\"'“„«]\S|\s*+(?:[:}\]]|$|//|/\*|,\s*+(?:$|[\"'“”„‘«{}\[\]/\d-]|(?:true|false|null|None|True|False)\b|\w{1,40}\s*+:))"
)
_BARE: Final = re.compile(r"-?\d[\d.eE+-]*(?=[\s,}\]]|$)|[^,:\[\]{}\n]*")
_WORDS: Final[dict[str, object]] = {"true": True, "false": False, "null": None, "none": None, "undefined": None}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": " ", "f": " "}


def read_json(text: str) -> Any:
    """The outermost object, or list of objects, that ``text`` holds among prose and fences; else ``None``.

    Understands trailing and missing commas, single and typographic quotes, quotes that were not escaped, raw line
    breaks, comments, bare keys and Python's words. What breaks off is closed; the string being written then is
    left out. Reads 200,000 characters, 24 levels deep.
    """
    text = text[:MAX_CHARACTERS]
    strict = json.JSONDecoder(strict=False)
    for match in islice(re.finditer(r"[{\[]", text), MAX_STARTS):
        try:
            value, _ = strict.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            value = _Reader(text, match.start()).value()
        if (isinstance(value, dict) and value) or (
            isinstance(value, list) and any(isinstance(item, dict) and item for item in value)
        ):
            return value
    return None


class _Reader:
    """One pass over the text; every step moves on."""

    def __init__(self, text: str, position: int) -> None:
        self._text = text
        self._at = position
        self._depth = 0

    def value(self) -> object:
        match self._next():
            case "{":
                return self._within(self._object)
            case "[":
                return self._within(self._list)
            case quote if quote in _CLOSERS:
                return self._string()
            case _:
                return self._bare()

    def _next(self) -> str:
        """The character ahead, past space, commas and comments; empty at the end."""
        skipped = _SKIPPED.match(self._text, self._at)
        self._at = skipped.end() if skipped else self._at
        return self._text[self._at : self._at + 1]

    def _within(self, read: Any) -> object:
        self._at += 1
        if self._depth == MAX_DEPTH:
            return None
        self._depth += 1
        value = read()
        self._depth -= 1
        return value

    def _object(self) -> dict[str, object]:
        pairs: dict[str, object] = {}
        while (ahead := self._next()) not in ("", "}", "]"):
            if ahead in "{[:":  # a value without its key
                self._at += ahead == ":"
                self.value()
                continue
            key = self._string() if ahead in _CLOSERS else self._bare()
            if self._next() != ":":
                continue
            self._at += 1
            # "key": , or "key": } has no value.
            value = None if re.match(r"\s*[,}]", self._text[self._at : self._at + 20]) else self.value()
            if value is not None:
                pairs[str(key)] = value
        self._at += 1 if self._next() == "}" else 0
        return pairs

    def _list(self) -> list[object]:
        items: list[object] = []
        while (ahead := self._next()) not in ("", "]", "}"):
            if ahead == ":":
                self._at += 1
            elif (item := self.value()) is not None:
                items.append(item)
        self._at += 1 if self._next() == "]" else 0
        return items

    def _string(self) -> str | None:
        closers = _CLOSERS[self._text[self._at]]
        self._at += 1
        parts: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 1
            if character == "\\":
                parts.append(self._escape())
            elif character in closers and _GOES_ON.match(self._text, self._at):
                # Halves of pairs of surrogates come from escapes; a half alone is no character.
                return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            else:
                parts.append(character)
        return None

    def _escape(self) -> str:
        escaped = self._text[self._at : self._at + 1]
        self._at += 1
        if escaped == "u" and (digits := re.match(r"[0-9a-fA-F]{4}", self._text[self._at : self._at + 4])):
            self._at += 4
            return chr(int(digits[0], 16))
        return _ESCAPES.get(escaped, escaped)

    def _bare(self) -> object:
        bare = _BARE.match(self._text, self._at)
        self._at = bare.end() if bare and bare.end() > self._at else self._at + 1
        word = bare[0].strip() if bare else ""
        if word.lower() in _WORDS:
            return _WORDS[word.lower()]
        return word or None
