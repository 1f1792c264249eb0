"""Folders that come from elsewhere, read with care: nothing in them is followed, trusted or changed."""

import hashlib
import json
import math
import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NoReturn, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from maquette.errors import InvalidInput

MAX_DOCUMENT_BYTES: Final = 20 * 2**20
_MAX_DEPTH: Final = 60
# Of the 255 that disks allow: thumbnails and other forms of a file have longer suffixes.
_MAX_NAME_BYTES: Final = 240
IMAGES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif"})
LOOPS: Final = frozenset({".mp4", ".webm", ".mov", ".m4v"})
SONGS: Final = frozenset({".mp3", ".wav", ".m4a", ".ogg"})
_DOCUMENTS: Final = frozenset({".json", ".yaml", ".yml"})
# Characters that are drawn like "/" or "\" and that compatibility forms (NFKC) do not bring back to them.
_SLASHES: Final = frozenset("/\\\u2044\u2215\u2216\u29f5\u29f8\u29f9\u2571\u2572\u27cb\u27cd")

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True)
class SourceFile:
    """A media file. ``place`` is its path within the folder: ``00_monkey.png`` or ``assets/00_monkey.png``."""

    name: str
    place: str
    path: Path
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """A folder as it was read: JSON documents and texts by name, media by name, and a hash over all of them."""

    folder: Path
    documents: Mapping[str, JsonValue]
    texts: Mapping[str, str]
    files: Mapping[str, SourceFile]
    hash: str
    remarks: tuple[str, ...]

    def find(self, name: str) -> SourceFile | None:
        """The file that a document calls ``name``: exactly so, else the only one that differs by Unicode form or case.

        Raises ``InvalidInput`` where several differ only so.
        """
        if name in self.files:
            return self.files[name]
        alike = [file for other, file in self.files.items() if folded(other) == folded(name)]
        if len(alike) > 1:
            raise InvalidInput(
                f"{name!r} may be any of {', '.join(file.place for file in alike)}: rename the file that is meant"
            )
        return alike[0] if alike else None


def read_source(folder: Path) -> Source:
    """Read the documents of ``folder``, and the names and hashes of the media in it and in its ``assets/``.

    ``thumbnails/`` is derived and passed over, as are hidden files. Raises ``InvalidInput`` for what is no folder, for
    links anywhere in it, for what cannot be read, and for documents that are broken or over 20 MB.
    """
    require_folder(folder)
    documents: dict[str, JsonValue] = {}
    texts: dict[str, str] = {}
    files: dict[str, SourceFile] = {}
    lines: list[str] = []
    remarks: list[str] = []
    for path, facts in _entries(folder, remarks):
        place = path.relative_to(folder).as_posix()
        suffix = path.suffix.lower()
        if (reason := name_problem(path.name)) is not None:
            remarks.append(f"{place!r} is left where it is: its name {reason}")
        elif place == path.name and suffix in _DOCUMENTS:
            content = _document_bytes(path, place, facts.st_size)
            lines.append(f"{hashlib.sha256(content).hexdigest()} {place}")
            if suffix == ".json":
                documents[path.name] = parse_document(content, path.name)
            else:
                texts[path.name] = _storable_text(content, path.name)
        elif suffix in IMAGES | LOOPS | SONGS:
            file = SourceFile(path.name, place, path, facts.st_size, sha256_of(path))
            lines.append(f"{file.sha256} {place}")
            other = files.setdefault(file.name, file)
            if other.sha256 != file.sha256:
                remarks.append(f"{place} is left where it is: {other.place} has its name and other contents")
        else:
            remarks.append(f"{place} is left where it is: it is no document and no media file of a universe")
    digest = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
    return Source(folder, documents, texts, files, digest, tuple(remarks))


def require_folder(folder: Path) -> None:
    """Raises ``InvalidInput`` unless ``folder`` is a folder itself, not a link to one."""
    try:
        mode = folder.lstat().st_mode
    except OSError as error:
        _unreadable(folder.name or str(folder), error)
    if stat.S_ISLNK(mode):
        raise InvalidInput(f"{folder.name} is a symbolic link: name the folder that it leads to, or copy it here")
    if not stat.S_ISDIR(mode):
        raise InvalidInput(f"{folder.name} is a file where a folder is expected: move it away")


def name_problem(name: str) -> str | None:
    """Why ``name`` cannot be the name of a file of ours, said after "its name"; ``None`` where it can."""
    if not name or name.startswith("."):
        return "is empty or begins with a dot"
    for character in name:
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            return f"holds the invisible character U+{ord(character):04X}: rename it"
        if character in _SLASHES:
            return f"holds U+{ord(character):04X}, which separates folders or looks so: use a plain name"
    if _SLASHES & set(compatible := unicodedata.normalize("NFKC", name)):
        return f"reads as the path {compatible!r}: use a plain name"
    if len(name.encode()) > _MAX_NAME_BYTES:
        return f"has more than {_MAX_NAME_BYTES} bytes: shorten it"
    return None


def require_names(names: Iterable[tuple[str, str]]) -> None:
    """Check the names of files that a document says, each with where it says so.

    Raises ``InvalidInput`` for what is no plain name, and for two names that differ only by case or Unicode form: one
    would take the other's place on many disks.
    """
    seen: dict[str, str] = {}
    for where, name in names:
        if (reason := name_problem(name)) is not None:
            raise InvalidInput(f"{where}: the file {name!r} is refused, its name {reason}")
        if (other := seen.setdefault(folded(name), name)) != name:
            raise InvalidInput(
                f"{where}: {name!r} and {other!r} differ only by case or Unicode form: rename one of them"
            )


def folded(name: str) -> str:
    """What two names share that many disks take for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def parse_document(content: bytes, name: str) -> JsonValue:
    """The JSON document. Nothing in it may get lost on the way to a database.

    Raises ``InvalidInput`` with line and column of a fault, and for keys that come twice, numbers without bounds, and
    texts with characters that cannot be stored.
    """
    text = _decoded(content, name)
    try:
        document: JsonValue = json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, name))
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"{name}: line {error.lineno}, column {error.colno}: {error.msg}; correct the file, then run again"
        ) from error
    except RecursionError as error:
        raise InvalidInput(f"{name} is nested too deeply to be a document of a universe") from error
    except ValueError as error:  # a number with thousands of digits
        raise InvalidInput(f"{name}: {error}") from error
    _require_storable(document, name)
    return document


def shaped(shape: type[Shape], document: JsonValue, name: str) -> Shape:
    """The document in its shape. Raises ``InvalidInput`` that names each place with a wrong type."""
    try:
        return shape.model_validate(document, strict=True)
    except ValidationError as error:
        faults = [f"{_place(fault['loc'])}: {fault['msg'].lower()}" for fault in error.errors()[:5]]
        more = f"; and {error.error_count() - 5} more" if error.error_count() > 5 else ""
        raise InvalidInput(f"{name}: {'; '.join(faults)}{more}; correct the file, then run again") from error


def open_regular(path: Path) -> BinaryIO:
    """The file for reading, links not followed. Raises ``OSError``."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def sha256_of(path: Path) -> str:
    """Hash of a regular file, links not followed. Raises ``InvalidInput``."""
    digest = hashlib.sha256()
    try:
        with open_regular(path) as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        _unreadable(path.name, error)
    return digest.hexdigest()


def _entries(folder: Path, remarks: list[str]) -> Iterator[tuple[Path, os.stat_result]]:
    # ``assets/`` comes first: where a name lies in both places, the newer layout counts.
    for path, facts in sorted(_listed(folder), key=lambda entry: (entry[0].name != "assets", entry[0].name)):
        if not stat.S_ISDIR(facts.st_mode):
            yield path, facts
        elif path.name == "assets":
            for inner, inner_facts in sorted(_listed(path)):
                if stat.S_ISDIR(inner_facts.st_mode):
                    remarks.append(f"the folder assets/{inner.name} is left where it is: files lie directly in assets/")
                else:
                    yield inner, inner_facts
        elif path.name != "thumbnails":
            remarks.append(f"the folder {path.name} is left where it is: only assets/ is read")


def _listed(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    try:
        for path in folder.iterdir():
            if path.name.startswith("."):
                continue
            facts = path.lstat()
            if stat.S_ISLNK(facts.st_mode):
                raise InvalidInput(f"{folder.name}/{path.name} is a symbolic link: put the file itself in its place")
            if not (stat.S_ISDIR(facts.st_mode) or stat.S_ISREG(facts.st_mode)):
                raise InvalidInput(f"{folder.name}/{path.name} is neither a file nor a folder: remove it")
            yield path, facts
    except OSError as error:
        _unreadable(folder.name, error)


def _document_bytes(path: Path, place: str, size_bytes: int) -> bytes:
    if size_bytes > MAX_DOCUMENT_BYTES:
        raise InvalidInput(
            f"{place} has {size_bytes / 2**20:.0f} MB, a document of a universe has 20 MB at most: is it another file?"
        )
    try:
        with open_regular(path) as file:
            return file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        _unreadable(place, error)


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInput(f"{name}: line {line} is not UTF-8: save the file as UTF-8, then run again") from error


def _storable_text(content: bytes, name: str) -> str:
    _require_storable(text := _decoded(content, name), name)
    return text


def _object(pairs: list[tuple[str, JsonValue]], name: str) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise InvalidInput(f"{name}: the key {twice!r} comes twice in one object: remove one, or its value is lost")
    return found


def _require_storable(document: JsonValue, name: str) -> None:
    for where, value in leaves(document):
        if len(where) > _MAX_DEPTH:
            raise InvalidInput(f"{name} is nested too deeply to be a document of a universe")
        for text in (*where, value):
            if isinstance(text, str) and (bad := _UNSTORABLE.search(text)):
                raise InvalidInput(
                    f"{name}: {_place(where)} holds U+{ord(bad[0]):04X}, which no database stores: remove it"
                )
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidInput(f"{name}: {_place(where)} is a number without bounds: correct it, then run again")


def leaves(document: JsonValue) -> Iterator[tuple[tuple[str | int, ...], JsonValue]]:
    """Each value that is no object and no list, and each empty one, with the keys that lead to it."""
    pending: list[tuple[tuple[str | int, ...], JsonValue]] = [((), document)]
    while pending:
        where, value = pending.pop()
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        below = [((*where, key), each) for key, each in inner]
        if below:
            pending.extend(reversed(below))
        else:
            yield where, value


def _place(where: Iterable[str | int]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in where).lstrip(".") or "the whole"


def _unreadable(name: str, error: OSError) -> NoReturn:
    raise InvalidInput(f"{name} cannot be read ({error.strerror}): make it readable, then run again") from error
