"""Prompts with gaps: ``{object}`` and the like. Filled by rule, never by ``str.format``, which can do more. Pure."""

import re
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from maquette.errors import InvalidInput

# {object} and {theme_description} are today's; {word}, {words} and {theme_name} are of the first files, {concept} of
# the last ones.
VARIABLES: Final = ("object", "theme", "theme_description", "word", "words", "concept", "theme_name")
# What a theme's own description may hold: it is a value of the others.
THEME_VARIABLES: Final = ("theme", "theme_name")

_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def fill(template: str, *, concept: str, theme: str, description: str, words: Sequence[str] = ()) -> str:
    """The prompt: ``{object}``, ``{word}`` and ``{concept}`` are the concept, ``{words}`` all words, else the concept.

    A doubled brace is a brace. The values lose theirs, so that what was filled can be filled again, and a theme's
    ``_`` reads as a space.

    Raises ``InvalidInput``: ``unknown_variable``, ``loose_brace``.
    """
    require_known(template)
    named = theme.replace("_", " ")
    values = {
        "object": concept,
        "word": concept,
        "concept": concept,
        "words": ", ".join(words) or concept,
        "theme": named,
        "theme_name": named,
        "theme_description": description,
    }

    def piece(match: re.Match[str]) -> str:
        return re.sub("[{}]", "", values[match[1]]) if match[1] is not None else match[0][0]

    return _PIECE.sub(piece, template)


def require_known(template: str) -> None:
    """Raises ``InvalidInput`` for a template that cannot be filled: ``unknown_variable``, ``loose_brace``."""
    for fault in faults_in(template):
        raise fault


def faults_in(template: str, *, known: Collection[str] = VARIABLES) -> Iterator[InvalidInput]:
    """All that keeps ``template`` from being filled, as errors that say what to change."""
    for match in _PIECE.finditer(template):
        name = match[1]
        if name is not None and name not in known:
            names = ", ".join(f"{{{each}}}" for each in known)
            close = get_close_matches(name.strip().lower(), known, n=1)
            hint = f"did you mean {{{close[0]}}}? " if close else ""
            yield InvalidInput(
                f"unknown variable {{{name}}}: {hint}Known are {names}; double braces that are to be seen",
                code="unknown_variable",
                variable=f"{{{name}}}",
                known=names,
            )
        elif match[0] in ("{", "}"):
            around = template[max(0, match.start() - 12) : match.start() + 13]
            yield InvalidInput(
                f"a brace has no other half in “{around}”: write {{object}}, or double a brace that is to be seen",
                code="loose_brace",
                around=around,
            )
