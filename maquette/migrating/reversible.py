"""Migrations of one document column that can always go back: the bookkeeping that the laws need, written once."""

import hashlib
import inspect
from abc import abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Final

import orjson
from pydantic import BaseModel

from maquette.migrating.definition import DocumentMigration, Row

Document = dict[str, Any]
ASIDE: Final = "maquette_document"
"""Key of an old document under which the new one travels that it was made from."""


class ReversibleMigration(DocumentMigration):
    """One JSON column, whose new documents tell how they were made.

    What ``build`` makes of an old value gets two marks in ``metadata``: ``legacy``, which holds what the old document
    held and the new one does not say, and ``migration`` with the keys that stayed as they were (``kept``) and the
    parts that only moved (``moved``: from where to where, as JSON pointers). From both the old value is put together
    again. By construction, for every JSON value:

    - a document that satisfies ``document`` stays as it is, so ``transform`` is idempotent;
    - ``inverse(transform(old)) == old`` unless ``old`` bears the marks already, which no other program writes;
    - ``transform(inverse(new)) == new`` for every new document, edited or not: the old shape of an edited one is
      ``as_old(new)`` and carries ``new`` itself under ``maquette_document``. An old program that then edits its own
      part gets that part built anew, the rest taken from there.

    A document without marks was never old: it inverts to itself.
    """

    document: ClassVar[type[BaseModel]]
    """What a new document is. It must refuse the key ``maquette_document``, and all that only old documents have."""
    made_with: ClassVar[tuple[ModuleType, ...]] = ()
    """Further modules that decide what comes out: an approval is for their text as well."""

    @abstractmethod
    def build(self, old: Any, row: Row) -> tuple[Document, Mapping[str, str]]:
        """A new document from any JSON value that is none yet, and what only moved, by pointer: new to old.

        The document must hold an object ``metadata`` and satisfy ``document``. Parts may be shared with ``old``,
        which must not be changed. A pointer has one or two keys; the old one may be empty, for the whole value.
        """

    @abstractmethod
    def as_old(self, new: Document) -> Document:
        """What programs that know the old shape should see of an edited new document."""

    # The last row that was built: its way back is asked for next, and what has just been made was not edited since.
    _made: Row | None = None

    def transform(self, row: Row) -> Row:
        (column,) = self.columns
        return {column: self._new(row[column], row)}

    def inverse(self, row: Row) -> Row:
        (column,) = self.columns
        made, self._made = self._made, None
        is_own = made is not None and made[column] is row[column] and made == row
        return {column: self._old(row[column], row, is_own=is_own)}

    def is_new(self, value: Any) -> bool:
        """Whether ``value`` has the new shape."""
        return isinstance(value, dict) and self.document.__pydantic_validator__.isinstance_python(value)

    def is_marked(self, value: Any) -> bool:
        """Whether ``value`` tells how this migration made it."""
        metadata = value.get("metadata") if isinstance(value, dict) else None
        if not isinstance(metadata, dict) or "legacy" not in metadata:
            return False
        mark = metadata.get("migration")
        return isinstance(mark, dict) and mark.get("name") == self.name and mark.keys() == {"name", "kept", "moved"}

    @classmethod
    def digest(cls) -> str:
        files = [inspect.getfile(cls), __file__, *(inspect.getfile(module) for module in cls.made_with)]
        return hashlib.sha256(b"\0".join(Path(file).read_bytes() for file in files)).hexdigest()

    def _new(self, old: Any, row: Row) -> Any:
        if self.is_new(old):
            return old
        if isinstance(old, dict) and self.is_new(old.get(ASIDE)) and same(self._old(old[ASIDE], row), old):
            return old[ASIDE]
        new, moved = self.build(old, row)
        kept: list[str] = []
        legacy = old
        if isinstance(old, dict):
            kept = sorted(
                key for key, value in old.items() if key != "metadata" and key in new and same(new[key], value)
            )
            moved = {to: origin for to, origin in moved.items() if origin.split("/")[1] not in kept}
            legacy = {key: value for key, value in old.items() if key not in kept}
        for origin in moved.values():
            legacy = _without(legacy, origin.split("/")[1:])
        mark = {"name": self.name, "kept": kept, "moved": dict(moved)}
        made = {**new, "metadata": {**new["metadata"], "legacy": legacy, "migration": mark}}
        self._made = {**row, self.columns[0]: made}
        return made

    def _old(self, new: Any, row: Row, *, is_own: bool = False) -> Any:
        if not self.is_marked(new):
            return new
        try:
            original = _original(new)
        except (AttributeError, LookupError, TypeError, ValueError):
            pass  # somebody has been at the marks
        else:
            if is_own or same(self._new(original, row), new):
                return original
        return {**self.as_old(new), ASIDE: new}


def _original(new: Document) -> Any:
    legacy, mark = new["metadata"]["legacy"], new["metadata"]["migration"]
    old = {**legacy, **{key: new[key] for key in mark["kept"]}} if isinstance(legacy, dict) else legacy
    for to, origin in mark["moved"].items():
        value = new
        for key in to.split("/")[1:]:
            value = value[key]
        old = _with(old, origin.split("/")[1:], value)
    return old


def _with(old: Any, path: list[str], value: Any) -> Any:
    return {**old, path[0]: _with(old.get(path[0]), path[1:], value)} if path else value


def _without(old: Any, path: list[str]) -> Any:
    if not path:
        return None
    rest = {key: value for key, value in old.items() if key != path[0]}
    return {**rest, path[0]: _without(old[path[0]], path[1:])} if len(path) > 1 else rest


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are written alike: ``1``, ``1.0`` and ``true`` differ, the order of keys does not."""
    if one is other:
        return True
    try:
        return _text(one) == _text(other)
    except orjson.JSONEncodeError:
        return _same_parts(one, other)


def _text(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=_tagged)


def _tagged(value: Decimal) -> dict[str, str]:
    return {"\0decimal": str(value)}  # no text of a database holds U+0000


def _same_parts(one: Any, other: Any) -> bool:
    """As ``same``, for integers of more than 64 bits and any depth, some ten times as slow."""
    pairs = [(one, other)]
    while pairs:
        left, right = pairs.pop()
        if left is right:
            continue
        if type(left) is not type(right):
            return False
        if isinstance(left, dict):
            if left.keys() != right.keys():
                return False
            pairs.extend((value, right[key]) for key, value in left.items())
        elif isinstance(left, list):
            if len(left) != len(right):
                return False
            pairs.extend(zip(left, right, strict=True))
        elif (str(left) != str(right)) if isinstance(left, (Decimal, float)) else left != right:
            return False
    return True
