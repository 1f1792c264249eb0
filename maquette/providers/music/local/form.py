"""The form of a song: its sections fitted to the phrases that its length has room for."""

from collections.abc import Sequence
from itertools import cycle
from typing import Final

from maquette.providers.music.local.lyrics import Phrase, Section

# Who gives up a phrase first where room is short, and who the last.
_YIELDS: Final = {"interlude": 5, "intro": 4, "outro": 3, "verse": 2, "bridge": 1, "chorus": 0}


def fitted(sections: Sequence[Section], *, phrases: int) -> list[Section]:
    """The sections of a song of exactly ``phrases`` phrases, each with at least one.

    What has no words quotes the chorus. A song that is too long loses phrases from its longest sections and then
    whole sections; one that is too short goes round again before its outro.
    """
    refrain = _refrain(sections)
    whole = [part if part.phrases else Section(part.kind, refrain[:2]) for part in sections]
    if whole[0].kind != "intro" and _length(whole) < phrases:
        whole.insert(0, Section("intro", refrain[: min(2, phrases - _length(whole))]))
    while _length(whole) > phrases:
        _shorten(whole)
    if (room := phrases - _length(whole)) > 0:
        end = len(whole) - (whole[-1].kind == "outro")
        whole[end:end] = _again(whole, refrain, room)
    return whole


def _length(sections: Sequence[Section]) -> int:
    return sum(len(part.phrases) for part in sections)


def _refrain(sections: Sequence[Section]) -> tuple[Phrase, ...]:
    """The phrases of the first chorus, or of the first section that has words."""
    worded = [part for part in sections if part.phrases]
    refrains = [part for part in worded if part.kind == "chorus"] or worded
    return refrains[0].phrases if refrains else (Phrase("", 7), Phrase("", 7))


def _shorten(whole: list[Section]) -> None:
    """Take away one phrase, or a section where all have but one."""
    longest = max(len(part.phrases) for part in whole)
    if longest > 1:
        at = max((i for i, part in enumerate(whole) if len(part.phrases) == longest), key=lambda i: _rank(whole, i))
        whole[at] = Section(whole[at].kind, whole[at].phrases[:-1])
    else:
        del whole[max(range(len(whole)), key=lambda i: _rank(whole, i))]


def _rank(whole: list[Section], at: int) -> tuple[int, int]:
    return _YIELDS[whole[at].kind], at


def _again(whole: Sequence[Section], refrain: tuple[Phrase, ...], room: int) -> list[Section]:
    """Further sections of exactly ``room`` phrases: the verses anew, an interlude before, the chorus after each."""
    verses = cycle([part.phrases for part in whole if part.kind == "verse"] or [refrain])
    added: list[Section] = []
    while left := room - _length(added):
        verse, before = next(verses), left - len(refrain)
        if before == 1 or before >= 2 + len(verse):
            added.append(Section("interlude", (refrain * 2)[: min(2, before)]))
            before -= min(2, before)
        if before > 0:
            added.append(Section("verse", verse[:before]))
        added.append(Section("chorus", refrain[:left]))
    return added
