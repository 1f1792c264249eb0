"""Where each character of a line stands: the Unicode Bidirectional Algorithm (UAX #9) without explicit embeddings.

Pillow orders what one font draws in one go; a line in several fonts needs its order before it is drawn. Rules W1 to
W7, N0 to N2, I1, I2 and L2 are followed; embedding and override characters count as if they were not there.
"""

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from maquette.media.lettering import Direction

_STRONG: Final = {"L": "L", "R": "R", "EN": "R", "AN": "R"}  # as rules N0 to N2 see them
_PAIRS: Final = {"(": ")", "[": "]", "{": "}"}
_IGNORED: Final = {"BN", "LRE", "RLE", "LRO", "RLO", "PDF", "NSM"}
_NUMBER_PARTS: Final = {"ES", "ET", "CS"}


def levels(text: str, *, base: Direction) -> list[int]:
    """The embedding level of each character of ``text``, a line whose paragraph runs in direction ``base``."""
    edge, level = ("L", 0) if base == "ltr" else ("R", 1)
    kinds = _resolved(_weak([_kind(char) for char in text], edge), text, edge)
    odd = {"L": 1, "EN": 1, "AN": 1}
    even = {"R": 1, "EN": 2, "AN": 2}
    return [level + (odd if level % 2 else even).get(kind, 0) for kind in kinds]


def visual_order(of: Sequence[int]) -> list[int]:
    """Indices of pieces with the levels ``of``, from left to right (rule L2)."""
    order = list(range(len(of)))
    for level in range(max(of, default=0), 0, -1):
        start = 0
        while start < len(of):
            end = start
            while end < len(of) and of[order[end]] >= level:
                end += 1
            order[start:end] = order[start:end][::-1]
            start = end + 1
    return order


def _kind(char: str) -> str:
    # Pictograms stand in for emoji, which have no direction.
    return "ON" if unicodedata.category(char) == "Co" else unicodedata.bidirectional(char) or "L"


def _weak(kinds: list[str], edge: str) -> list[str]:
    """Rules W1 to W7."""
    previous = strong = edge
    for index, kind in enumerate(kinds):
        if kind in _IGNORED:
            kinds[index] = previous
        elif kind in {"L", "R", "AL"}:
            strong = kind
        elif kind == "EN" and strong == "AL":
            kinds[index] = "AN"
        previous = kinds[index]
    kinds = ["R" if kind == "AL" else kind for kind in kinds]
    for index in range(1, len(kinds) - 1):
        before, kind, after = kinds[index - 1 : index + 2]
        if before == after and ((kind == "CS" and after in {"EN", "AN"}) or (kind == "ES" and after == "EN")):
            kinds[index] = after
    for steps in (range(1, len(kinds)), range(len(kinds) - 2, -1, -1)):
        for index in steps:
            if kinds[index] == "ET" and kinds[index - steps.step] == "EN":
                kinds[index] = "EN"
    kinds = ["ON" if kind in _NUMBER_PARTS else kind for kind in kinds]
    strong = edge
    for index, kind in enumerate(kinds):
        if kind in {"L", "R"}:
            strong = kind
        elif kind == "EN" and strong == "L":
            kinds[index] = "L"
    return kinds


def _resolved(kinds: list[str], text: str, edge: str) -> list[str]:
    """Rules N0 to N2."""
    for start, end in sorted(_brackets(text)):
        inside = {_STRONG.get(kind) for kind in kinds[start + 1 : end]}
        other = "R" if edge == "L" else "L"
        if edge in inside:
            kinds[start] = kinds[end] = edge
        elif other in inside:
            before = next((_STRONG[kind] for kind in reversed(kinds[:start]) if kind in _STRONG), edge)
            kinds[start] = kinds[end] = before
    known = [-1, *(index for index, kind in enumerate(kinds) if kind in _STRONG), len(kinds)]
    sides = [edge, *(_STRONG[kinds[index]] for index in known[1:-1]), edge]
    for (start, end), (left, right) in zip(pairwise(known), pairwise(sides), strict=True):
        kinds[start + 1 : end] = [left if left == right else edge] * (end - start - 1)
    return kinds


def _brackets(text: str) -> list[tuple[int, int]]:
    found, opened = [], []
    for index, char in enumerate(text):
        if char in _PAIRS:
            opened.append((_PAIRS[char], index))
        elif any(char == closing for closing, _ in opened):
            while True:
                closing, start = opened.pop()
                if closing == char:
                    found.append((start, index))
                    break
    return found
