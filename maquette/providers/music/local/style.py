"""The style of a song, from the words of its prompt in five languages. Data in ``styles.yaml``."""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

_SCALES: Final = {"major": (0, 2, 4, 5, 7, 9, 11), "dorian": (0, 2, 3, 5, 7, 9, 10)}
_PACE: Final = (0.85, 1.2)  # how far words may change the length of a bar


class Comping(BaseModel):
    """Who plays the chords, and how: ``x`` strums the chord, a digit plays that tone of it, ``.`` is a rest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    voice: str
    verse: str
    chorus: str


class Style(BaseModel):
    """How a song is played. Patterns have one character for each eighth of a bar."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    words: str = Field("", description="Beginnings of words that ask for this style; see ``styles.yaml``.")
    weight: float = Field(1, description="What one of its words counts.")
    bar_s: float = Field(gt=0, description="Length of a bar in seconds.")
    slots: Literal[6, 8] = Field(8, description="Eighths of a bar: 4/4 or 6/8.")
    swing: float = Field(0, ge=0, le=0.35, description="Delay of every second eighth, as a share of an eighth.")
    mode: Literal["major", "dorian"] = "major"
    roots: list[int] = Field(description="MIDI notes of the keys to choose among.")
    leads: list[str] = Field(description="Instruments for the tune of the verses, to choose among.")
    second: str = Field(description="Joins the tune in the chorus, and has the bridge to itself.")
    comp: Comping
    bass: str = Field(description="``r`` root, ``f`` fifth, ``o`` octave.")
    pad: bool = False
    drums_verse: dict[str, str] = {}
    drums_chorus: dict[str, str] = {}
    room: float = Field(0.25, ge=0, le=1, description="How much of the room is heard.")
    sea: bool = Field(False, description="Waves come and go beneath.")

    def pitch(self, degree: int, *, root: int) -> int:
        """MIDI note of a step of the scale, 0 being the root."""
        octave, step = divmod(degree, 7)
        return root + 12 * octave + _SCALES[self.mode][step]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid")

    styles: list[Style]
    instruments: dict[str, str]
    paces: dict[float, str]


@lru_cache
def _data() -> _Data:
    return _Data.model_validate(yaml.safe_load(Path(__file__).with_name("styles.yaml").read_text("utf-8")))


def styles() -> list[Style]:
    """All styles, the first being the one for a prompt that says nothing."""
    return _data().styles


def _said(beginnings: str, text: str) -> int:
    """How many of ``beginnings`` some word of ``text`` starts with."""
    return sum(1 for one in beginnings.split() if re.search(_pattern(one), text))


def _pattern(beginning: str) -> str:
    whole = beginning.endswith("=")
    return rf"\b{re.escape(beginning.rstrip('=').replace('_', ' '))}" + (r"\b" if whole else "")


def style_of(prompt: str, *, dice: Random) -> Style:
    """The style that ``prompt`` asks for, with one of its leads and the pace and instruments that the words name."""
    decomposed = unicodedata.normalize("NFKD", prompt.casefold())
    text = "".join(c for c in decomposed if not unicodedata.combining(c)).replace("œ", "oe")
    chosen = max(styles(), key=lambda style: style.weight * _said(style.words, text))
    pace = 1.0
    for factor, words in _data().paces.items():
        pace *= factor ** min(2, _said(words, text))
    named = [name for name, words in _data().instruments.items() if _said(words, text)]
    lead = dice.choice(chosen.leads)
    if named:
        lead = named[0]
    changes: dict[str, object] = {"leads": [lead], "bar_s": chosen.bar_s * min(_PACE[1], max(_PACE[0], pace))}
    if len(named) > 1:
        changes["second"] = named[1]
    elif chosen.second == lead:
        changes["second"] = next(one for one in ("glockenspiel", "recorder") if one != lead)
    return chosen.model_copy(update=changes)
