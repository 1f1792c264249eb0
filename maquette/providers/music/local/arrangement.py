"""The arranger: from a request to every note that is played. Pure; randomness from the request."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from maquette.providers.music.local.form import fitted
from maquette.providers.music.local.lyrics import Kind, Section, sections
from maquette.providers.music.local.melody import Tone, chords, most_syllables, tune
from maquette.providers.music.local.style import Style, style_of
from maquette.providers.music.port import MusicRequest

_DENSEST: Final = 1.06  # how much faster than its style a song with many words may go
_BASS: Final = 36  # the octave of the bass begins here
_PHRASE_BARS: Final = 2
_HIGH: Final = frozenset({"glockenspiel", "xylophone", "music_box", "recorder", "bell"})  # sound an octave higher


class Event(NamedTuple):
    """A note of an instrument, or a stroke of a drum where ``pitch`` is ``None``. ``pan`` 0 is left, 1 right."""

    at_s: float
    voice: str
    pitch: int | None
    length_s: float
    gain: float
    pan: float


class Span(NamedTuple):
    """Where a section is heard."""

    kind: Kind
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Arrangement:
    """A song on paper. ``tune`` holds the notes of the lead alone, which are among ``events`` as well."""

    style: Style
    root: int
    bar_s: float
    spans: tuple[Span, ...]
    tune: tuple[Event, ...]
    events: tuple[Event, ...]


def arrange(request: MusicRequest) -> Arrangement:
    """The song of a request, in whole bars that fill its seconds; equal requests give equal songs."""
    told = f"{request.seed}|{request.language}|{request.lyrics}"
    seed = hashlib.sha256(told.encode()).hexdigest()
    dice = Random(seed)
    style = style_of(request.prompt, dice=dice)
    root = dice.choice(style.roots)
    parts = sections(request.lyrics, language=request.language, most=most_syllables(style.slots))
    at_ease = request.seconds / style.bar_s
    wanted = _PHRASE_BARS * sum(max(1, len(part.phrases)) for part in parts) + 1
    bars = max(2, round(at_ease), min(wanted, int(at_ease * _DENSEST)))
    ending = 1 if bars % 2 else 2 if bars >= 12 else 0
    form = fitted(parts, phrases=(bars - ending) // _PHRASE_BARS)
    band = _Band(style, root=root, bar_s=request.seconds / bars, seed=seed)
    spans, lead, events, at = [], [], [], 0
    for index, part in enumerate(form):
        length = _PHRASE_BARS * len(part.phrases)
        following = form[index + 1].kind if index + 1 < len(form) else None
        start_s, end_s = at * band.bar_s, (at + length) * band.bar_s
        played = band.section(part, following=following)
        spans.append(Span(part.kind, start_s, end_s))
        lead += [event._replace(at_s=event.at_s + start_s) for event in played[0]]
        events += [event._replace(at_s=event.at_s + start_s) for part_ in played for event in part_]
        at += length
    if ending:
        events += [event._replace(at_s=event.at_s + at * band.bar_s) for event in band.ending(ending)]
    return Arrangement(style, root, band.bar_s, tuple(spans), tuple(lead), tuple(events))


class _Band:
    """Plays one section at a time, from its own start; sections of one kind and text alike."""

    def __init__(self, style: Style, *, root: int, bar_s: float, seed: str) -> None:
        self.style, self.root, self.bar_s, self._seed = style, root, bar_s, seed
        self._slot_s = bar_s / style.slots

    def _when(self, slot: int) -> float:
        """Seconds of an eighth; every second one comes late where the style swings."""
        return (slot + self.style.swing * (slot % 2)) * self._slot_s

    def section(self, part: Section, *, following: Kind | None) -> tuple[list[Event], ...]:
        """The tune, and then what goes with it. ``following`` is what comes next, ``None`` at the end."""
        bars = _PHRASE_BARS * len(part.phrases)
        steps = chords(part.kind, bars, mode=self.style.mode, seed=self._seed, last=following is None)
        tones = tune(part.kind, part.phrases, steps, slots=self.style.slots, seed=self._seed)
        dice = Random(f"{self._seed}|{part.kind}|touch")
        full = part.kind == "chorus"
        lead, second = self.style.leads[0], self.style.second
        first = second if part.kind in ("bridge", "interlude") else lead
        drums = {} if part.kind == "bridge" else self.style.drums_chorus if full else self.style.drums_verse
        light = 0.6 if part.kind in ("intro", "outro") else 1.0
        return (
            list(self._sung(tones, first, gain=1.0, pan=0.48, dice=dice)),
            list(self._sung(tones, second, gain=0.5, pan=0.58, dice=dice)) if full else [],
            list(self._comp(steps, self.style.comp.chorus if full else self.style.comp.verse, dice=dice)),
            list(self._bass(steps)) if part.kind != "intro" else [],
            list(self._pad(steps, gain=1.0 if self.style.pad else 0.6)) if full or self.style.pad else [],
            list(self._drums(bars, drums, gain=light, dice=dice)),
            list(self._fill(bars)) if following == "chorus" and "kick" in self.style.drums_chorus else [],
        )

    def _sung(self, tones: Sequence[Tone], voice: str, *, gain: float, pan: float, dice: Random) -> Iterator[Event]:
        for tone in tones:
            at_s = self._when(tone.at)
            touch = (1.0 if tone.at % (self.style.slots // 2) == 0 else 0.84) + dice.uniform(-0.06, 0.06)
            pitch = self.style.pitch(tone.degree, root=self.root) + (12 if voice in _HIGH else 0)
            length_s = max(0.12, self._when(tone.at + tone.length) - at_s - 0.03)
            yield Event(at_s, voice, pitch, length_s, gain * touch, pan)

    def _tones(self, step: int) -> list[int]:
        """The triad on a step of the scale, folded to where the last one lay."""
        low = self.root - 7 if self.root >= 60 else self.root - 4
        return sorted(low + (self.style.pitch(step + third, root=self.root) - low) % 12 for third in (0, 2, 4))

    def _comp(self, steps: Sequence[int], pattern: str, *, dice: Random) -> Iterator[Event]:
        voice = self.style.comp.voice
        for bar, step in enumerate(steps):
            tones = self._tones(step)
            tones.append(tones[0] + 12)
            for slot, mark in enumerate(pattern):
                at_s = self._when(bar * self.style.slots + slot)
                touch = (0.9 if slot % 4 == 0 else 0.74) + dice.uniform(-0.06, 0.06)
                if mark.isdigit():
                    pan = 0.44 + 0.04 * int(mark)
                    yield Event(at_s, voice, tones[int(mark)], 0.4, touch, pan)
                elif mark in "xX":
                    # Downwards on the beat, upwards between.
                    strummed = tones[:3] if slot % 2 == 0 else tones[2::-1]
                    for late, pitch in enumerate(strummed):
                        yield Event(at_s + 0.011 * late, voice, pitch, 0.4, 0.55 * touch, 0.4)

    def _bass(self, steps: Sequence[int]) -> Iterator[Event]:
        pattern = self.style.bass
        marks = [slot for slot, mark in enumerate(pattern) if mark != "."]
        for bar, step in enumerate(steps):
            for slot, end in zip(marks, [*marks[1:], len(pattern)], strict=True):
                degree = step + (4 if pattern[slot] == "f" else 0)
                pitch = _BASS + (self.style.pitch(degree, root=self.root) - _BASS) % 12
                pitch += 12 if pattern[slot] == "o" else 0
                start = bar * self.style.slots + slot
                length_s = (self._when(start + end - slot) - self._when(start)) * 0.9
                yield Event(self._when(start), "bass", pitch, length_s, 1.0, 0.5)

    def _pad(self, steps: Sequence[int], *, gain: float) -> Iterator[Event]:
        for bar, step in enumerate(steps):
            for number, pitch in enumerate(self._tones(step)):
                pan = 0.38 + 0.12 * number
                yield Event(max(0.0, bar * self.bar_s - 0.2), "pad", pitch, self.bar_s + 0.7, gain, pan)

    def _drums(self, bars: int, patterns: dict[str, str], *, gain: float, dice: Random) -> Iterator[Event]:
        pans = {"kick": 0.5, "snare": 0.52, "clap": 0.45, "shaker": 0.66, "conga": 0.36, "woodblock": 0.7}
        for drum, pattern in patterns.items():
            for slot, mark in enumerate(pattern * bars):
                if mark in "xX":
                    touch = (1.0 if mark == "X" else 0.72) + dice.uniform(-0.08, 0.08)
                    yield Event(self._when(slot), drum, None, 0, gain * touch, pans.get(drum, 0.6))

    def _fill(self, bars: int) -> Iterator[Event]:
        """Three strokes that lead into the chorus."""
        for back, gain in ((4, 0.6), (2, 0.75), (1, 0.9)):
            yield Event(self._when(bars * self.style.slots - back), "conga", None, 0, gain, 0.4)

    def ending(self, bars: int) -> Iterator[Event]:
        """The last chord, rolled upwards, which rings to the end."""
        length_s = bars * self.bar_s
        tones = self._tones(0)
        for late, pitch in enumerate([*tones, tones[0] + 12]):
            yield Event(0.06 * late, self.style.comp.voice, pitch, 0.4, 0.9, 0.38 + 0.08 * late)
            yield Event(0, "pad", pitch, length_s + 0.5, 0.9, 0.38 + 0.08 * late)
        yield Event(0, "bass", _BASS + (self.root - _BASS) % 12, length_s, 1.0, 0.5)
        final = [Tone(0, self.style.slots * bars - 1, 0), Tone(2, self.style.slots * bars - 3, 7)]
        yield from self._sung(final, self.style.leads[0], gain=0.9, pan=0.47, dice=Random(self._seed))
        yield Event(0, "triangle", None, 0, 1.0, 0.6)
