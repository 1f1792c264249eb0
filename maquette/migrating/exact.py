"""JSON that comes back as it was: numbers keep every digit and their scale."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import orjson
import simplejson

# A fraction, or more digits than 64 bits surely hold, would come back changed from a float. Where a text within the
# document looks like one, it only takes the slower way. With every digit a 0 both begin with a fixed text, found in a
# tenth of the time of a search for digits. The milliseconds of a time are no fraction: every new document has some.
_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_FRACTION: Final = re.compile(rb"0\.0+(?![0Z])")
_LONG: Final = b"0" * 18

# What orjson would make of dates, data classes and the like is not what a document holds.
_AS_IT_IS: Final = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


@dataclass(frozen=True)
class Unreadable:
    """What stands in a row for a document that cannot be read: its batch goes on, the row is set aside."""

    reason: str


def loads(text: str | bytes) -> Any:
    """The value of jsonb's text. Numbers are ``int``, or ``Decimal`` where they have a fraction.

    Raises ``ValueError``, and ``RecursionError`` for what is nested too deep.
    """
    raw = text.encode() if isinstance(text, str) else bytes(text)
    shown = raw.translate(_ZEROS)
    if _LONG not in shown and not _FRACTION.search(shown):
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            pass  # half of a surrogate pair, or deeper than orjson goes
    return simplejson.loads(raw.decode(), use_decimal=True)


def loads_json(text: str | bytes) -> Any:
    """As ``loads``, for the type json, whose text is as it was written.

    Raises ``ValueError`` also where a key is there twice: no document can hold both.
    """
    return simplejson.loads(
        text if isinstance(text, str) else bytes(text).decode(), use_decimal=True, object_pairs_hook=_once
    )


def read(text: str | bytes) -> Any:
    """As ``loads``, with ``Unreadable`` in place of an error."""
    return _readable(loads, text)


def read_json(text: str | bytes) -> Any:
    """As ``loads_json``, with ``Unreadable`` in place of an error."""
    return _readable(loads_json, text)


def dumps(value: Any) -> str:
    """The text of ``value``, keys sorted: the same for equal values, and ``1``, ``1.0`` and ``true`` differ.

    No reading makes a float; one that a migration makes is written at its shortest, NaN and infinity as ``null``.
    Raises ``TypeError`` for what JSON does not know, and for what is nested too deep.
    """
    try:
        return orjson.dumps(value, option=_AS_IT_IS, default=_refuse).decode()
    except (_Decimals, orjson.JSONEncodeError):
        pass
    try:
        text = _dump(value, ensure_ascii=False)
        # Half of a surrogate pair has no UTF-8: such a text is escaped throughout.
        return text if text.isascii() or _is_whole(text) else _dump(value, ensure_ascii=True)
    except RecursionError:
        raise TypeError("not JSON: nested too deep") from None
    except ValueError as error:
        raise TypeError(f"not JSON: {error}") from error


def _dump(value: Any, *, ensure_ascii: bool) -> str:
    return str(
        simplejson.dumps(
            value, use_decimal=True, allow_nan=False, sort_keys=True, ensure_ascii=ensure_ascii, separators=(",", ":")
        )
    )


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _readable(loads: Callable[[str | bytes], Any], text: str | bytes) -> Any:
    try:
        return loads(text)
    except RecursionError:
        return Unreadable("nested too deep to be read")
    except ValueError as error:
        return Unreadable(f"cannot be read: {error}")


class _Decimals(Exception):
    """There is a number that orjson does not write."""


def _refuse(value: object) -> None:
    raise _Decimals if isinstance(value, Decimal) else TypeError(f"not JSON: {type(value).__name__}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is there twice")
    return found
