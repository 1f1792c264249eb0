"""Sections of a document: what clients of every age send for them, their identity, and the document that they make."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from maquette.errors import InvalidInput
from maquette.projects.chapters import render
from maquette.projects.grammar import parse
from maquette.projects.reading import dump

UNTITLED: Final = "Script Sans Titre"
NEW_TITLE: Final = "Untitled Script"
SCRIPT: Final = "script"
METADATA: Final = "metadata"
MAX_SECTIONS: Final = 32

# What a document shows of sections that were never saved. The editor reads these fields without looking.
EMPTY: Final[dict[str, dict[str, Any]]] = {
    SCRIPT: {"content": "", "title": NEW_TITLE},
    "characters": {"characters": []},
    "backgrounds": {"backgrounds": []},
    "decors": {"decors": []},
    "scenes": {"scenes": []},
    "assembly": {"pages": [], "currentPage": 1, "totalPages": 0},
}
# Where the list goes of a section that comes as a list. A script that is one has the shape before sections.
_LIST_OF: Final = {SCRIPT: "chapters", "assembly": "pages"}
EMPTY_STATS: Final = parse("").stats
# What the store itself says of a document; all else in its metadata is the client's.
_OURS: Final = frozenset({"version", "savedAt", "savedBy", "createdAt", "lastModified"})
_FIELD: Final = re.compile(r"([a-z][A-Za-z0-9]{0,40})Data")


@dataclass(frozen=True, slots=True)
class Section:
    """A section's content as JSON of an object without ``lastModified``, which is no part of its identity.

    ``sha256`` is of the canonical JSON; ``last_modified`` is the client's own, or None where it named none.
    """

    content: bytes
    sha256: str
    last_modified: str | float | None = None


def section(content: Mapping[str, Any]) -> Section:
    """The section of that content. Raises ``InvalidInput`` for what is nested too deep."""
    canonical = dump({key: each for key, each in content.items() if key != "lastModified"})
    stamp = content.get("lastModified")
    named = stamp if isinstance(stamp, str | int | float) else None
    return Section(canonical, hashlib.sha256(canonical).hexdigest(), named)


EMPTY_SECTIONS: Final = {name: section(content) for name, content in EMPTY.items()}


def sections_of(body: Mapping[str, Any]) -> dict[str, Section]:
    """The sections that ``body`` brings, by name: ``charactersData`` or ``characters``, as list or as object.

    A field ``somethingData`` that is not known becomes a section of its own, so that nothing is lost; null is as if it
    were absent. Raises ``InvalidInput``.
    """
    sent: dict[str, Any] = {SCRIPT: {"chapters": body["chapters"]}} if body.get("chapters") is not None else {}
    sent |= {name: body[name] for name in (*EMPTY, METADATA) if body.get(name) is not None}
    for field, value in body.items():
        if value is not None and (named := _FIELD.fullmatch(field)):
            sent[named[1]] = value
    if len(sent) > MAX_SECTIONS:
        raise InvalidInput(f"the document has {len(sent)} sections: {MAX_SECTIONS} are the most")
    found = {}
    for name, value in sent.items():
        if isinstance(value, list):
            value = {_LIST_OF.get(name, name): value}
        if not isinstance(value, dict):
            raise InvalidInput(f"/{name}Data must be an object or a list")
        if name == METADATA:
            value = {key: each for key, each in value.items() if key not in _OURS}
            if not value:
                continue
        elif name == SCRIPT:
            value = _without_tree(value)
        found[name] = section(value)
    return found


def title_of(body: Mapping[str, Any]) -> str:
    """The title that a save of the script gives its project."""
    script = body.get("scriptData") or body.get(SCRIPT)
    title = script.get("title") if isinstance(script, dict) else None
    return title if isinstance(title, str) and title else UNTITLED


def document(sections: Mapping[str, Section], *, facts: Mapping[str, Any]) -> bytes:
    """The whole document as JSON: all sections, those that were never saved empty. ``facts`` go to its metadata."""
    kept = sections.get(METADATA)
    metadata = {**(orjson.loads(kept.content) if kept else {}), **facts}
    shown = EMPTY_SECTIONS | {name: sections[name] for name in sorted(sections) if name != METADATA}
    return orjson.dumps({**{name: fragment(name, each) for name, each in shown.items()}, METADATA: metadata})


def fragment(name: str, section: Section) -> orjson.Fragment:
    """The section as clients read it, with its ``lastModified``, as part of a larger JSON."""
    content = _with_tree(section.content) if name == SCRIPT else section.content
    if section.last_modified is None:
        return orjson.Fragment(content)
    comma = b"" if content == b"{}" else b","
    stamp = orjson.dumps(section.last_modified)
    return orjson.Fragment(content[:-1] + comma + b'"lastModified":' + stamp + b"}")


def iso(moment: datetime) -> str:
    """A moment as browsers write it: ``2025-01-21T14:32:15.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _without_tree(script: dict[str, Any]) -> dict[str, Any]:
    """The script as it is kept: without what its text says anyhow.

    Of the stats stays what the grammar does not count, of the tree which nodes the client shows folded.
    """
    if not isinstance(script.get("content"), str):
        return script
    kept = {key: value for key, value in script.items() if key not in ("stats", "fileTree")}
    stats, folded = script.get("stats"), _folded(script.get("fileTree"))
    if isinstance(stats, dict) and (others := {key: stats[key] for key in stats if key not in EMPTY_STATS}):
        kept["stats"] = others
    return kept | {"fileTree": {"folded": sorted(folded)}} if folded else kept


def _with_tree(kept: bytes) -> bytes:
    """The script with the stats and the tree of its text. Chapters of the shape before that are told as a text."""
    script = orjson.loads(kept)
    content, folded = script.get("content"), set()
    if isinstance(content, str):
        folded = {tuple(each) for each in script.get("fileTree", {}).get("folded", ())}
    elif isinstance(script.get("chapters"), list):
        content = render(script["chapters"])
    else:
        return kept
    parsed = parse(content)
    left = list(parsed.file_tree) if folded else []
    while left:
        node = left.pop()
        node["expanded"] = (node["lineNumber"], node["type"]) not in folded
        left += node["children"]
    theirs = script.get("stats")
    stats = {**theirs, **parsed.stats} if isinstance(theirs, dict) else parsed.stats
    return orjson.dumps({**script, "content": content, "stats": stats, "fileTree": parsed.file_tree})


def _folded(tree: object) -> set[tuple[int, str]]:
    """Line and kind of the nodes that are not expanded, in a tree of any client: ids were numbered otherwise once."""
    found: set[tuple[int, str]] = set()
    left: list[Any] = [tree]
    while left:
        each = left.pop()
        if isinstance(each, list):
            left += each
        elif isinstance(each, dict):
            left.append(each.get("children"))
            kind, line = each.get("type"), each.get("lineNumber")
            if each.get("expanded") is False and isinstance(kind, str) and isinstance(line, int):
                found.add((line, kind))
    return found


def names_in_order(names: Iterable[str]) -> list[str]:
    """Names of sections in the document's order, for people."""
    known = list(EMPTY)
    return sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name))
