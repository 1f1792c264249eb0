"""A tolerant reader of the JSON that chat models write. It leaves out, and says so; it never makes up a value.

General repair libraries guess what a broken text meant (an empty string for a missing value, a set for a word in
braces) and close what was cut as if it were whole. What is read here is ordered and paid, so only mistakes with
one possible meaning are mended, and what was being written when the text ended is dropped.
"""

import json
import math
import re
from typing import Final, NamedTuple

from maquette.errors import InvalidInput

MAX_CHARACTERS: Final = 200_000
MAX_DEPTH: Final = 64

_OPEN_TAG: Final = re.compile(r"<\s*alfie-pack\b[^<>]{0,200}>", re.IGNORECASE)
_CLOSE_TAG: Final = re.compile(r"<\s*/\s*alfie-pack\s*>", re.IGNORECASE)
# An object with a quoted key (or a comment before it) or a list of objects: words in braces are prose.
_START: Final = re.compile(r"\{\s*(?:[\"'“”„]|//|/\*|\})|\[\s*(?:\{|//|/\*)")
_SPACE: Final = re.compile(r"[\s\ufeff]*")
_COMMENT: Final = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])", re.ASCII)
_WORD: Final = re.compile(r"-?[A-Za-z]+")
_PLAIN: Final = re.compile(r"[^\"'“”\\]+")
_UNICODE: Final = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")
_ASTRAY: Final = re.compile(r"[\"'“”]\s*:|,\s*\n\s*[\"'“„]")
_ENDS_OF: Final = {'"': '"', "'": "'", "“": '”“"', "”": '”"', "„": '“”"'}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/", "'": "'"}
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_OTHER_WORDS: Final[dict[str, bool | None]] = {"True": True, "False": False, "None": None}
_NO_VALUES: Final = ("NaN", "Infinity", "-Infinity", "undefined")

CUT: Final = "the text ends before its JSON does: the part that was being written is left out"
_COMMAS: Final = "commas were missing or too many"
_QUOTES: Final = "other quotation marks were used than JSON's"
_INNER_QUOTES: Final = "a text held quotation marks that were not escaped"
_LINES: Final = "a text ran over several lines"
_ESCAPED: Final = "a text held an escape that JSON does not know; it is kept as written"
_COMMENTS: Final = "comments were left out"
_PYTHON: Final = "Python's True, False or None were read as JSON's"
_NO_VALUE: Final = "NaN, undefined or a number without end was read as no value"
_TAG: Final = "a tag of the pack was missing"
_SEVERAL: Final = "the text holds more than one JSON document: the first is read"


class Repaired(NamedTuple):
    """What a text said, and what had to be mended or left out to read it."""

    value: object
    remarks: list[str]


class _Ended(Exception):
    """The text ended within a value."""


class _Broken(Exception):
    """Not JSON, and no single meaning."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position


def loads_tolerant(text: str) -> Repaired:
    """The first JSON document in ``text``, with remarks; none for sound JSON.

    Understood: words and Markdown fences around it, ``<alfie-pack>`` tags (one may be missing), a byte order mark,
    line breaks within strings, trailing and missing commas, single or typographic quotation marks as delimiters,
    unescaped ones inside, comments, Python's and JavaScript's literals. Where the text ends too early, the element
    of the outermost list that was being written is dropped, outside a list the member; what was complete stays.

    Raises ``InvalidInput`` when there is no JSON, when a mistake has more than one meaning, above 200 000
    characters and 64 levels.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidInput(f"the pack has {len(text)} characters: send {MAX_CHARACTERS} at most")
    try:
        return Repaired(json.loads(text.strip("\ufeff"), parse_constant=_finite, parse_float=_finite), [])
    except (ValueError, RecursionError):
        pass
    segment, remarks = _segment(text)
    start = _START.search(segment)
    while start is not None:
        reader = _Reader(segment, start.start())
        try:
            value = reader.document()
        except _Broken as error:
            if reader.named:  # else these were words in braces
                line, column = _place(segment, error.position)
                raise InvalidInput(f"the pack's JSON breaks off at line {line}, column {column}: {error}") from None
            start = _START.search(segment, max(error.position, start.start() + 1))
            continue
        if not reader.ended and _START.search(segment, reader.at):
            reader.remarks[_SEVERAL] = None
        return Repaired(value, [*remarks, *reader.remarks])
    raise InvalidInput("the text holds no JSON: send the pack as a JSON object with its list of assets")


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value


def _place(text: str, position: int) -> tuple[int, int]:
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _segment(text: str) -> tuple[str, list[str]]:
    """The part of ``text`` between the first pair of tags, or all of it."""
    opened = _OPEN_TAG.search(text)
    closed = _CLOSE_TAG.search(text, opened.end() if opened else 0)
    remarks = [_TAG] if (opened is None) != (closed is None) else []
    if closed and _OPEN_TAG.search(text, closed.end()):
        remarks.append(_SEVERAL)
    return text[opened.end() if opened else 0 : closed.start() if closed else len(text)], remarks


class _Reader:
    """One pass over ``text`` from ``at``, in linear time; remarks in the order of their first cause."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.remarks: dict[str, None] = {}
        self.ended = False
        self.named = False
        self._depth = 0
        self._lists = 0

    def document(self) -> object:
        """The value; what the text's end cut off is left out. Raises ``_Broken``."""
        return self._value()

    def _peek(self) -> str:
        """The next structural character. Raises ``_Ended`` at the end, and at a closing fence."""
        while True:
            space = _SPACE.match(self.text, self.at)
            self.at = space.end() if space else self.at
            if self.at >= len(self.text) or self.text.startswith("```", self.at):
                raise _Ended
            if self.text[self.at] != "/":
                return self.text[self.at]
            comment = _COMMENT.match(self.text, self.at)
            if comment is None:
                if self.text[self.at :] == "/" or self.text.startswith("/*", self.at):
                    raise _Ended
                raise _Broken(self.at, "a slash stands outside a text")
            self.remarks[_COMMENTS] = None
            self.at = comment.end()

    def _value(self) -> object:
        first = self._peek()
        if first in _ENDS_OF:
            return self._string(key=False)
        if first not in "{[":
            return self._literal()
        if self._depth >= MAX_DEPTH:
            raise _Broken(self.at, f"it is nested deeper than {MAX_DEPTH} levels")
        self._depth += 1
        self.at += 1
        try:
            return self._object() if first == "{" else self._list()
        finally:
            self._depth -= 1

    def _object(self) -> dict[str, object]:
        members: dict[str, object] = {}
        try:
            while not self._closed("}", first=not members):
                if self._peek() not in _ENDS_OF:
                    raise _Broken(self.at, "a name in quotation marks belongs here")
                name = self._string(key=True)
                if self._peek() != ":":
                    raise _Broken(self.at, "a colon belongs here")
                self.named = True
                self.at += 1
                members[name] = self._value()
                if self.ended:
                    break
        except _Ended:
            if self._lists:
                raise
            self._cut()
        return members

    def _list(self) -> list[object]:
        elements: list[object] = []
        self._lists += 1
        try:
            while not self._closed("]", first=not elements):
                elements.append(self._value())
        except _Ended:
            if self._lists > 1:
                raise
            self._cut()
        finally:
            self._lists -= 1
        return elements

    def _cut(self) -> None:
        self.ended = True
        self.remarks[CUT] = None

    def _closed(self, bracket: str, *, first: bool) -> bool:
        """Step over commas; whether the object or list ends here."""
        commas = 0
        while self._peek() == ",":
            self.at += 1
            commas += 1
        closes = self._peek() == bracket
        if commas != (0 if first or closes else 1):
            self.remarks[_COMMAS] = None
        if closes:
            self.at += 1
        elif commas > 1 or (first and commas):
            raise _Broken(self.at, "a value is missing between two commas")
        return closes

    def _literal(self) -> object:
        number = _NUMBER.match(self.text, self.at)
        if number is None:
            word = _WORD.match(self.text, self.at)
            name = word[0] if word else ""
            if word and word.end() == len(self.text):
                raise _Ended
            if name in _OTHER_WORDS:
                self.remarks[_PYTHON] = None
            elif name in _NO_VALUES:
                self.remarks[_NO_VALUE] = None
            elif name not in _WORDS:
                if self.text[self.at :] == "-":
                    raise _Ended
                raise _Broken(self.at, "a value belongs here: a text in quotation marks, a number, true, false or null")
            self.at += len(name)
            return (_WORDS | _OTHER_WORDS).get(name)
        if number.end() == len(self.text):  # more digits may have been meant
            raise _Ended
        try:
            value = json.loads(number[0])
        except ValueError:
            raise _Broken(self.at, "the number is too long") from None
        self.at = number.end()
        if not math.isfinite(value):
            self.remarks[_NO_VALUE] = None
            return None
        return value

    def _string(self, *, key: bool) -> str:
        opening = self.text[self.at]
        closing = _ENDS_OF[opening]
        if opening != '"':
            self.remarks[_QUOTES] = None
        start = self.at
        self.at += 1
        parts: list[str] = []
        inner = 0
        while True:
            plain = _PLAIN.match(self.text, self.at)
            if plain:
                parts.append(plain[0])
                self.at = plain.end()
            if self.at >= len(self.text):
                raise _Ended
            character = self.text[self.at]
            if character == "\\":
                parts.append(self._escape())
                continue
            self.at += 1
            if character in closing:
                if key or self._ends_string():
                    break
                inner += character == '"'
            parts.append(character)
        text = "".join(parts)
        if inner:
            # Quotations come in pairs; an odd one, a name with its colon or a new line's text is JSON gone astray.
            if inner % 2 or _ASTRAY.search(self.text, start + 1, self.at - 1):
                raise _Broken(start, "the text that starts here is not closed")
            self.remarks[_INNER_QUOTES] = None
        if "\n" in self.text[start : self.at] or "\t" in self.text[start : self.at]:
            self.remarks[_LINES] = None
        return text

    def _ends_string(self) -> bool:
        """Whether the quotation mark just read ends its value: what follows decides."""
        space = _SPACE.match(self.text, self.at)
        after = space.end() if space else self.at
        following = self.text[after : after + 1]
        if following == ",":
            then = _SPACE.match(self.text, after + 1)
            at = then.end() if then else after + 1
            value = self.text[at : at + 1]
            return not value or value in "\"'“”„{}[]/-" or bool(_NUMBER.match(self.text, at) or self._named(at))
        if following in "}]" or self.text.startswith(("//", "/*", "```"), after):
            return True
        return following in "\"'“„{" and "\n" in self.text[self.at : after]

    def _named(self, at: int) -> bool:
        word = _WORD.match(self.text, at)
        return word is not None and (word[0] in _WORDS or word[0] in _OTHER_WORDS or word[0] in _NO_VALUES)

    def _escape(self) -> str:
        """The character behind a backslash; two halves of a surrogate pair become one."""
        following = self.text[self.at + 1 : self.at + 2]
        if following == "u":
            match = _UNICODE.match(self.text, self.at)
            if match is not None:
                self.at = match.end()
                return str(json.loads(f'"{match[0]}"'))
            if len(self.text) < self.at + 6:
                raise _Ended
        if not following:
            raise _Ended
        if following not in _ESCAPES:
            self.remarks[_ESCAPED] = None
            self.at += 1
            return "\\"
        self.at += 2
        return _ESCAPES[following]
