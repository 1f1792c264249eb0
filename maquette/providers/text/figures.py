"""Figures that a client's own text holds: what a slide of figures may show, and nothing else."""

import re
from dataclasses import dataclass
from typing import Final

from maquette.providers.text.port import LIMITS
from maquette.providers.text.wording import shorten, without_loose_end

MAX_FIGURES: Final = 3

_NUMBER: Final = r"\d{1,3}(?:[ \u00a0\u202f.,]\d{3})+|\d{1,6}(?:[.,]\d{1,2})?"
# Percent, points and factors are the units that the existing clients allow; a bare number is none.
_FIGURE: Final = re.compile(
    rf"(?<![\w.,])(?:(?P<sign>[+−-])\s?)?(?:(?P<number>{_NUMBER})\s?(?P<unit>%|pts?\b|points?\b|puntos?\b|[x×](?!\w))"
    rf"|[x×]\s?(?P<factor>{_NUMBER})(?!\w))",
    re.IGNORECASE,
)
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])\s+")
_LEAD: Final = re.compile(r"^(?:(?:de|des|du|of|in|del|en)\s+|d['’])(?=\S)", re.IGNORECASE)


@dataclass(frozen=True)
class Figure:
    """``delta`` such as ``+35 %``, of ``label``."""

    delta: str
    label: str


def figures_of(*texts: str) -> tuple[str, list[Figure]]:
    """The first sentence of ``texts`` that holds figures with a unit, and its figures, three at most.

    The label is what the sentence says after the figure, else before it; a figure without one is left out.
    """
    for text in texts:
        for sentence in _SENTENCE_END.split(" ".join(text.split())):
            matches = list(_FIGURE.finditer(sentence))
            figures = []
            for index, match in enumerate(matches[:MAX_FIGURES]):
                following = matches[index + 1].start() if index + 1 < len(matches) else len(sentence)
                preceding = matches[index - 1].end() if index else 0
                after = _label(sentence[match.end() : following])
                label = after or _label(sentence[preceding : match.start()])
                delta = _delta(match)
                if label and len(delta) <= LIMITS["delta"]:
                    figures.append(Figure(delta=delta, label=label))
            if figures:
                return sentence, figures
    return "", []


def _delta(match: re.Match[str]) -> str:
    if factor := match["factor"]:
        return f"×{factor}"
    unit = {"p": "pts", "x": "×", "×": "×"}.get(match["unit"][0].lower(), "%")
    number = f"{match['sign'] or ''}{match['number']}"
    return f"×{match['number']}" if unit == "×" else f"{number} {unit}"


def _label(text: str) -> str:
    """The words of a clause as a label; empty when they say nothing."""
    clause = re.split(r"[,;:.!?()]", text.strip(" ,;:."), maxsplit=1)[0]
    label = shorten(without_loose_end(_LEAD.sub("", clause.strip())), LIMITS["label"])
    return label[:1].upper() + label[1:] if sum(map(str.isalpha, label)) >= 3 else ""
