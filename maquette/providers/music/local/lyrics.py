"""From lyrics to sections: tags to kinds, lines to phrases, words to syllables."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from maquette.providers.text.port import UniverseLanguage

Kind = Literal["intro", "verse", "chorus", "bridge", "outro", "interlude"]

# The names that people and models write in the five languages, without accents.
_KINDS: Final[tuple[tuple[Kind, str], ...]] = (
    ("intro", "intro introduction introduccion introduzione einleitung"),
    ("verse", "verse vers couplet strophe estrofa strofa"),
    ("chorus", "chorus refrain estribillo ritornello coro hook"),
    ("bridge", "bridge pont puente ponte brucke"),
    ("outro", "outro coda final finale fin fine end ende schluss"),
    ("interlude", "interlude instrumental inst solo break"),
)
_NAMES: Final = {name: kind for kind, names in _KINDS for name in names.split()}
_TAG: Final = re.compile(r"\s*\[([^\]\n]{0,40})\]")
# Without brackets a tag stands alone on its line: "Verse 1:", "(Refrain)", "**Couplet 2**".
_BARE_TAG: Final = re.compile(r"\s*(?:[(*]+\s*([^\W\d]+)\s*\d*\s*:?\s*[)*]+|([^\W\d]+)\s*\d*\s*:)\s*$")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_VOWELS: Final = {
    "fr": re.compile(r"[aeiouyœæàâäéèêëîïôöùûüÿ]+"),
    "en": re.compile(r"[aeiouyéèïö]+"),
    "de": re.compile(r"[aeiouyäöüéè]+"),
    # Two strong vowels are two syllables, and so is an accented weak one beside another.
    "es": re.compile(r"[iuüy]*[aeoáéó][iuy]*|[íú]|[iuy]+"),
    "it": re.compile(r"[iu]*[aeoàèéòó][iu]*|[ìíùú]|[iuy]+"),
}
_MUTE_END: Final = {
    "fr": re.compile(r"(?<=[^aeiouyéèêëîïôûù])e(?:s|nt)?$"),
    "en": re.compile(r"(?<![aeiouyl])e(?:s|d)?$|(?<=[aeiou]l)e$"),
}
_HUMMED: Final = 7  # syllables of a line that has no words


class Phrase(NamedTuple):
    """What is sung in one breath."""

    text: str
    syllables: int


class Section(NamedTuple):
    """One part of a song; without words where ``phrases`` is empty."""

    kind: Kind
    phrases: tuple[Phrase, ...]


def syllables(text: str, *, language: UniverseLanguage) -> int:
    """About how many syllables are sung in ``text``; each word has at least one."""
    count = 0
    for word in _WORD.findall(unicodedata.normalize("NFC", text).lower()):
        found = _VOWELS[language].findall(word)
        mute = len(found) > 1 and language in _MUTE_END and _MUTE_END[language].search(word) is not None
        count += max(1, len(found) - mute)
    return count


def sections(lyrics: str, *, language: UniverseLanguage, most: int) -> list[Section]:
    """The sections of ``lyrics`` in their order, in phrases of at most ``most`` syllables.

    Without tags the paragraphs take turns as verse and chorus, and one that comes back is the chorus. A tag without
    words repeats its kind's last words. Empty lyrics give a verse and a chorus to be hummed.
    """
    parts = list(_tagged(lyrics)) or _untagged(lyrics)
    found: list[Section] = []
    for kind, lines in parts:
        phrases = tuple(phrase for line in lines for phrase in _phrases(line, language=language, most=most))
        earlier = next((part.phrases for part in reversed(found) if part.kind == kind), ())
        if not phrases and kind in ("verse", "chorus", "bridge"):
            phrases = earlier or (Phrase("", _HUMMED),) * 2
        found.append(Section(kind, phrases))
    return found


def _tagged(lyrics: str) -> Iterator[tuple[Kind, list[str]]]:
    """Kinds and their lines; nothing at all where there is no tag."""
    kind: Kind | None = None
    lines: list[str] = []
    for line in lyrics.splitlines():
        tags, rest = _tags(line)
        for tag in tags:
            if kind is not None:
                yield kind, lines
            elif any(_WORD.search(before) for before in lines):
                yield "verse", lines  # words before the first tag
            kind, lines = tag, []
        lines.append(rest)
    if kind is not None:
        yield kind, lines


def _tags(line: str) -> tuple[list[Kind], str]:
    """The tags that ``line`` begins with, and what follows them."""
    tags: list[Kind] = []
    while match := _TAG.match(line):
        tags.append(_kind(match.group(1)))
        line = line[match.end() :]
    bare = _BARE_TAG.match(line)
    if bare and (name := _plain(bare.group(1) or bare.group(2))) in _NAMES:
        return [*tags, _NAMES[name]], ""
    return tags, line


def _kind(tag: str) -> Kind:
    words = _WORD.findall(_plain(tag))
    if "pre" in words or "".join(words).startswith("pre"):
        return "verse"  # what leads up to a chorus is none
    return next((_NAMES[word] for word in words if word in _NAMES), "verse")


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))


def _untagged(lyrics: str) -> list[tuple[Kind, list[str]]]:
    stanzas = [stanza.splitlines() for stanza in re.split(r"\n\s*\n", lyrics) if _WORD.search(stanza)]
    if len(stanzas) == 1 and len(stanzas[0]) > 5:
        stanzas = [stanzas[0][i : i + 4] for i in range(0, len(stanzas[0]), 4)]
    if len(stanzas) <= 1:
        lines = stanzas[0] if stanzas else []
        return [("verse", lines), ("chorus", lines)]
    times = Counter(map(tuple, stanzas))
    kinds: list[Kind] = ["chorus" if i % 2 else "verse" for i in range(len(stanzas))]
    if max(times.values()) > 1:
        kinds = ["chorus" if times[tuple(stanza)] > 1 else "verse" for stanza in stanzas]
    return list(zip(kinds, stanzas, strict=True))


def _phrases(line: str, *, language: UniverseLanguage, most: int) -> Iterator[Phrase]:
    """A line as one phrase, or as several of about the same length, parted at a comma where one is near."""
    whole = syllables(line, language=language)
    if not whole:
        return
    words = [(word, syllables(word, language=language)) for word in line.split()]
    parts = -(-whole // most)
    begun: list[str] = []
    held = 0
    for word, count in words:
        fair = whole / parts
        early = held >= 0.6 * fair and begun and begun[-1][-1] in ",;:.!?…" and parts > 1
        if begun and (held + count > most or early or (parts > 1 and held + count / 2 > fair)):
            yield Phrase(" ".join(begun), held)
            whole, parts, begun, held = whole - held, max(1, parts - 1, -(-(whole - held) // most)), [], 0
        begun.append(word)
        held += count
    if held:
        yield Phrase(" ".join(begun), held)
