"""The way from one JSON value to another as operations of a JSON Patch (RFC 6902). Pure functions."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from maquette.projects.reading import dump, escape

Operation = dict[str, Any]


def operations(before: Any, after: Any, place: str = "") -> list[Operation]:
    """What makes ``after`` of ``before``, in the order in which it is to be applied; nothing where they are equal.

    Each has ``op`` (``add``, ``remove``, ``replace``), ``path`` and, but for ``remove``, ``value``. Of lists the equal
    beginnings and ends are left alone, so that what is put in or taken out is told as that.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        found = [_remove(f"{place}/{escape(name)}") for name in before if name not in after]
        for name, value in after.items():
            path = f"{place}/{escape(name)}"
            found += operations(before[name], value, path) if name in before else [_add(path, value)]
        return found
    if isinstance(before, list) and isinstance(after, list):
        return _of_lists(before, after, place)
    return [] if same(before, after) else [{"op": "replace", "path": place, "value": after}]


def same(before: Any, after: Any) -> bool:
    """Are they the same JSON? Python takes true for 1."""
    return type(before) is type(after) and dump(before) == dump(after)


def _of_lists(before: Sequence[Any], after: Sequence[Any], place: str) -> list[Operation]:
    start = _equal(before, after)
    end = min(_equal(before[::-1], after[::-1]), len(before) - start, len(after) - start)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    both = min(len(old), len(new))
    found: list[Operation] = []
    for index in range(both):
        found += operations(old[index], new[index], f"{place}/{start + index}")
    # From behind, for what is removed moves what follows.
    found += [_remove(f"{place}/{start + index}") for index in reversed(range(both, len(old)))]
    found += [_add(f"{place}/{start + index}", new[index]) for index in range(both, len(new))]
    return found


def _equal(before: Sequence[Any], after: Sequence[Any]) -> int:
    return sum(1 for _ in takewhile(lambda pair: same(*pair), zip(before, after, strict=False)))


def _add(path: str, value: Any) -> Operation:
    return {"op": "add", "path": path, "value": value}


def _remove(path: str) -> Operation:
    return {"op": "remove", "path": path}
