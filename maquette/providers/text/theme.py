"""How a theme is said inside a sentence: what kind of phrase it is, its short form, its contractions."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from maquette.providers.text.port import Language

ThemeKind = Literal["np", "indirect", "question", "bare"]

MAX_WORDS: Final = 7
MAX_CHARACTERS: Final = 44


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Definite ones: "un", "des", "a" do not go with "everything about …", so those themes stand apart.
_ARTICLES: Final[dict[Language, frozenset[str]]] = {
    "fr": word_set("le la les mon ma mes notre nos votre vos leur leurs ce cet cette ces son sa ses"),
    "en": word_set("the my your our his her their this these those some"),
    "es": word_set("el la los las mi mis tu tus su sus nuestro nuestra este esta estos estas"),
}
_ASKING: Final[dict[Language, frozenset[str]]] = {
    "fr": word_set("pourquoi comment quand où combien qui quel quelle quels quelles que qu'est-ce est-ce"),
    "en": word_set("why how what when where who which is are do does did can could should will would has have"),
    "es": word_set("por cómo cuándo dónde cuánto cuánta cuántos cuántas quién quiénes qué cuál cuáles"),
}
# After these an English question keeps its verb behind the subject, unless an auxiliary follows.
_ASKING_EN: Final = word_set("why how what when where who which")
_AUXILIARIES_EN: Final = word_set(
    "is are was were am do does did can could should would will shall may might must has have had isn't aren't"
)
_VERBS: Final[dict[Language, frozenset[str]]] = {
    "fr": word_set(
        "est sont était étaient sera seront a ont avait peut peuvent doit doivent fait font va vont "
        "devient deviennent rend rendent c'est n'est"
    ),
    "en": word_set("is are was were be has have had can could will would should must do does did makes make"),
    "es": word_set("es son está están era eran fue fueron será tiene tienen puede pueden debe deben hay hace"),
}
_RELATIVES: Final = word_set("qui que qu' dont où who that which whose quien cuyo")
_LINKS_EN: Final = word_set("of in for at on about from with without between during against under over and")
DANGLING: Final = word_set(
    "le la les l' un une des du de d' à au aux et ou en dans sur pour par avec sans qui que ce se "
    "the a an of in for at on to and or with by from that which el los las y o por para con del al "
    "no ne pas"
)
_NOT_SPOKEN: Final = re.compile(r'["«»“”„*`_#<>{}\[\]\\|]+')


@dataclass(frozen=True)
class SpokenTheme:
    """The theme's forms: ``inside`` a sentence, at its ``start``, after "de" and after "à"/"a"."""

    kind: ThemeKind
    inside: str
    start: str
    de: str
    a: str

    def fill(self, sentence: str) -> str:
        """``sentence`` with its slots {t}, {T}, {de}, {a} filled."""
        slots = {"{t}": self.inside, "{T}": self.start, "{de}": self.de, "{a}": self.a}
        return re.sub(r"\{(?:t|T|de|a)\}", lambda slot: slots[slot[0]], sentence)


def spoken_theme(theme: str, *, language: Language, subject: str, common: frozenset[str]) -> SpokenTheme:
    """The forms of any theme. ``subject`` stands in when nothing of it can be said; ``common`` are known nouns.

    A theme of more than 7 words or 44 characters is cut at a word, and then quoted, as is any theme that
    reads as a sentence of its own.
    """
    asked = theme.rstrip(" .!…").endswith(("?", "؟", "？"))
    text = _plain(theme) or subject
    words = text.split()
    cut = _cut(words)
    if len(cut) < len(text):
        return _bare(_quoted(f"{cut}…", language))
    first = _key(words[0])
    lowered = text[0].lower() + text[1:]
    if asked or (first in _ASKING[language] and not (language == "es" and first == "por" and len(words) < 3)):
        return _question(lowered, language=language, asked=asked)
    if re.search(r"[.!?;]\s", text) or _has_verb(words, language):
        return _bare(_quoted(text, language))
    elided = language == "fr" and first.startswith("l'")
    if elided or (first in _ARTICLES[language] and len(words) > 1):
        return SpokenTheme("np", lowered, _capital(text), _de(lowered, language), _a(lowered, language))
    if language == "en" and (len(words) == 1 or any(word.lower() in _LINKS_EN for word in words[1:-1])):
        titled = any(word[0].isupper() for word in words[1:])
        inside = lowered if first in common and not titled else text
        return SpokenTheme("np", inside, _capital(text), f"of {inside}", f"to {inside}")
    return _bare(_capital(text))


def _question(lowered: str, *, language: Language, asked: bool) -> SpokenTheme:
    words = lowered.split()
    first, second = _key(words[0]), _key(words[1]) if len(words) > 1 else ""
    direct = {
        "fr": first in ("que", "qu'est-ce", "est-ce")
        or "est-ce" in lowered
        or bool(re.search(r"-(?:t-)?(?:il|ils|elle|elles|on|je|tu|nous|vous|ce)\b", lowered)),
        "en": first not in _ASKING_EN or second in _AUXILIARIES_EN,
        "es": False,
    }[language]
    known = first in _ASKING[language] and len(words) > 1
    if known and not direct:
        return SpokenTheme("indirect", lowered, _capital(lowered), lowered, lowered)
    if language == "es":
        return SpokenTheme("question", f"¿{lowered}?", f"¿{_capital(lowered)}?", "", "")
    mark = " ?" if language == "fr" else "?"
    return SpokenTheme("question", lowered + mark, _capital(lowered) + mark, "", "")


def _bare(text: str) -> SpokenTheme:
    return SpokenTheme("bare", text, text, text, text)


def _plain(theme: str) -> str:
    # A colon inside would meet the colons of the sentences; the marks of the script's format are not for speech.
    text = re.sub(r"\s*[:：]\s*", " – ", _NOT_SPOKEN.sub(" ", theme))
    return " ".join(text.split()).strip(" .,;!?¡¿؟？…–-")


def _cut(words: list[str]) -> str:
    kept: list[str] = []
    for word in words[:MAX_WORDS]:
        if kept and len(" ".join([*kept, word])) > MAX_CHARACTERS:
            break
        kept.append(word)
    whole = len(kept) == len(words)
    while not whole and len(kept) > 1 and (_key(kept[-1]) in DANGLING or kept[-1] == "–"):
        kept.pop()
    return " ".join(kept)[:MAX_CHARACTERS].rstrip(" ,;–")


def _has_verb(words: list[str], language: Language) -> bool:
    keys = [_key(word) for word in words]
    for index, key in enumerate(keys[1:], start=1):
        if key in _RELATIVES:
            return False
        if key in _VERBS[language] or (language == "fr" and re.match(r"(?:c'est|n'est|s'est)$", key)):
            return True
        # French: a singular -ent after a plural noun is a verb ("les chats ronronnent").
        if language == "fr" and index > 1 and key.endswith("ent") and keys[index - 1].endswith(("s", "x")):
            return True
    return False


def _key(word: str) -> str:
    return word.lower().replace("’", "'").strip(".,;:!?¿¡«»“”()")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _quoted(text: str, language: Language) -> str:
    return {"fr": f"« {text} »", "en": f"“{text}”", "es": f"«{text}»"}[language]


def _de(inside: str, language: Language) -> str:
    first, _, rest = inside.partition(" ")
    match language, first:
        case "fr", "le":
            return f"du {rest}"
        case "fr", "les":
            return f"des {rest}"
        case "es", "el":
            return f"del {rest}"
        case "en", _:
            return f"of {inside}"
        case _:
            return f"de {inside}"


def _a(inside: str, language: Language) -> str:
    first, _, rest = inside.partition(" ")
    match language, first:
        case "fr", "le":
            return f"au {rest}"
        case "fr", "les":
            return f"aux {rest}"
        case "fr", _:
            return f"à {inside}"
        case "es", "el":
            return f"al {rest}"
        case "en", _:
            return f"to {inside}"
        case _:
            return f"a {inside}"
