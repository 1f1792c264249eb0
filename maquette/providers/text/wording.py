"""How a text is set, and becomes shorter without being cut within a word."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from maquette.providers.text.port import Language
from maquette.providers.text.theme import DANGLING, word_set

# No text ends well with one of these. Those of themes, and what else leads on to a word that is gone.
_LEADING_ON: Final = DANGLING | word_set(
    "mais donc car si comme quand lorsque parce puisque entre vers chez sous très plus moins si trop dès afin son "
    "sa ses leur leurs mon ma mes notre nos votre vos ce cet cette ces quel quelle est sont être avoir but so if "
    "as when while because than then into onto over under very more most less too is are be been has have their "
    "its his her our your my this these those not without between within about pero si como cuando porque entre "
    "hacia muy más menos es son ser un una unos unas su sus tu tus mi mis nuestro este esta estos estas ese esa "
    "sin sobre desde hasta al sea"
)
_SENTENCE: Final = re.compile(r"[.!?…。！？؟]+[»”\"')\]]*(?=\s|$)|[。！？]")
_CLAUSE: Final = re.compile(r"\s*[,;:–—،、，；：](?=\s|$)|[、，；：]")
_SUBORDINATE: Final = re.compile(
    r"\s(?:quand|lorsque?|parce|puisque?|afin|pour|qui|dont|avant|après|sans|when|while|because|that|which|who|before"
    r"|after|without|for|if|cuando|porque|para|quien|donde|antes|después|sin|mientras)\s",
    re.IGNORECASE,
)
_TRAILING: Final = " \t\n\u00a0\u202f,;:–—-−/&+·•|(«“[{¿¡،、，；：'’\"…"
_OPENERS: Final = {"(": ")", "[": "]", "{": "}", "«": "»", "“": "”", "„": "“", "¿": "?", "¡": "!"}
# Scripts that put no space between words: a line may break before any of their letters.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)


def shorten(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` characters, its words whole and without an ellipsis.

    A text that fits comes back as it is. Else it ends at the last sentence that keeps half of the limit, else at
    such a clause, else before a subordinate clause or at a word; words that lead on (articles, prepositions), open
    brackets and marks at the end go. Empty when not even the first word fits.
    """
    if len(text) <= limit:
        return text
    head = text[:limit]
    for boundary in (_SENTENCE, _CLAUSE):
        ends = [match for match in boundary.finditer(head) if match.end() < limit or text[limit].isspace()]
        if ends:
            last = ends[-1]
            kept = _closed(head[: last.end() if boundary is _SENTENCE else last.start()])
            if len(kept) * 2 >= limit:
                return kept
    kept = _closed(without_loose_end(head[: _last_break(text, limit)]))
    # Half of a subordinate clause says less than none of it.
    clause = _SUBORDINATE.search(kept, int(limit * 0.3))
    return _closed(without_loose_end(kept[: clause.start()])) if clause else kept


def without_loose_end(text: str) -> str:
    """``text`` without the words and marks at its end that lead on to others."""
    text = text.rstrip(_TRAILING)
    while " " in text:
        rest, _, word = text.rpartition(" ")
        if word.strip("«“\"'(").lower().replace("’", "'") not in _LEADING_ON:
            break
        text = rest.rstrip(_TRAILING)
    return text


def banned_in(text: str, banned: Iterable[str]) -> list[str]:
    """Which of the ``banned`` words and phrases stand in ``text``, whole and in any case."""
    folded = _folded(text)
    return [word for word in banned if word.strip() and re.search(rf"(?<!\w){re.escape(_folded(word))}(?!\w)", folded)]


def unspaced(text: str) -> bool:
    """Whether ``text`` holds letters of a script without spaces, which says more in fewer characters."""
    return _UNSPACED.search(text) is not None


def typeset(text: str, language: Language) -> str:
    """French puts a no-break space before high punctuation and inside its quotes."""
    if language != "fr":
        return text
    return re.sub(r" (?=[?!:;»])|(?<=«) ", "\N{NO-BREAK SPACE}", text)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _last_break(text: str, limit: int) -> int:
    """Where the last whole word within ``limit`` characters ends."""
    for at in range(limit, 0, -1):
        if text[at].isspace() or text[at - 1].isspace():
            return at
        joined = unicodedata.category(text[at])[0] == "M" or "\u200d" in text[at - 1 : at + 1]
        if not joined and (_UNSPACED.match(text, at) or _UNSPACED.match(text, at - 1)):
            return at
    return 0


def _closed(text: str) -> str:
    """``text`` without opening marks whose other half was left behind."""
    text = text.strip()
    for opener, closer in _OPENERS.items():
        while text.count(opener) > text.count(closer):
            at = text.rfind(opener)
            text = (text[:at] + text[at + 1 :].lstrip("\u00a0\u202f ")).strip()
    return text
