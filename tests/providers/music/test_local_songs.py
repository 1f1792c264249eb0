"""The songs themselves: their form, tune and style on paper, and what is heard of them in the file."""

import io
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations, pairwise
from random import Random

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.media.loudness import CEILING_DBTP, Sound, measure
from maquette.media.sound import decoded
from maquette.providers.music.local import render
from maquette.providers.music.local.arrangement import Arrangement, arrange
from maquette.providers.music.local.form import fitted
from maquette.providers.music.local.instruments import DRUMS, INSTRUMENTS, LEVELS, VARIANTS, note, stroke
from maquette.providers.music.local.lyrics import Phrase, Section, sections, syllables
from maquette.providers.music.local.mastering import TARGET_LUFS, loudness, mastered
from maquette.providers.music.local.melody import most_syllables, rhythm
from maquette.providers.music.local.style import Style, styles
from maquette.providers.music.port import MusicRequest
from maquette.providers.text.port import UNIVERSE_LANGUAGES, UniverseLanguage
from tests.providers.music_contract import a_request

RATE = 48_000
SONG = """[intro]
La la la
[verse]
In the jungle there are animals
Who dance and sing all day
[chorus]
Come and play, come and sing
In the jungle with the king
[verse]
The parrot has a coat of green
The brightest bird you've ever seen
[chorus]
Come and play, come and sing
In the jungle with the king
[bridge]
Close your eyes and count to ten
[outro]
Good night jungle, good night all
"""
SAME_SONG: dict[UniverseLanguage, str] = {
    "fr": "Dans la jungle, il y a des animaux\nQui dansent et chantent toute la journée",
    "en": "In the jungle there are animals\nWho dance and sing all day",
    "es": "En la selva hay animales\nQue bailan y cantan todo el día",
    "it": "Nella giungla ci sono animali\nChe ballano e cantano tutto il giorno",
    "de": "Im Dschungel gibt es Tiere\nDie den ganzen Tag tanzen und singen",
}
# What the existing clients ask for, and the same in other words and languages.
PROMPTS = {
    "Upbeat children's song about the jungle with animal sounds and tropical rhythm.": "tropical",
    "Soothing children's song about the ocean with wave sounds and gentle melody.": "ocean",
    "Cosmic children's song about space adventure with futuristic sounds and uplifting melody.": "space",
    "Folk-style children's song about farm life with animal sounds and country melody.": "folk",
    "Energetic children's song about vehicles and transportation with engine sounds and driving rhythm.": "energetic",
    "Joyful children's song about the magical ocean, with bouncy melody and fun lyrics.": "ocean",
    "Joyful children's song, with bouncy melody and fun lyrics.": "joyful",
    "Merry song to start the day": "joyful",
    "Berceuse douce pour la nuit": "lullaby",
    "chanson enfantine joyeuse, style comptine": "joyful",
    "Chanson énergique sur les véhicules de chantier": "energetic",
    "Canción de cuna tranquila": "lullaby",
    "Canción alegre sobre el espacio y las estrellas": "space",
    "Canzone della fattoria e degli animali di campagna": "folk",
    "Ninna nanna per la notte": "lullaby",
    "Fröhliches Kinderlied": "joyful",
    "Beruhigendes Lied über das Meer": "ocean",
    "Schwungvolles Lied über Fahrzeuge": "energetic",
    "": "joyful",
}


def a_song(**changes: object) -> MusicRequest:
    return a_request(**{"lyrics": SONG, "seconds": 45, **changes})


def kinds(arrangement: Arrangement) -> list[str]:
    return [span.kind for span in arrangement.spans]


def tune_of(arrangement: Arrangement, number: int) -> list[tuple[float, int | None]]:
    """When, from the section's start, and what the lead plays in a section."""
    span = arrangement.spans[number]
    return [
        (round(event.at_s - span.start_s, 6), event.pitch)
        for event in arrangement.tune
        if span.start_s - 1e-6 <= event.at_s < span.end_s - 1e-6
    ]


@lru_cache
def heard(prompt: str, seconds: int) -> Sound:
    return decoded(io.BytesIO(render.song(a_song(prompt=prompt, seconds=seconds))))


def parsed(lyrics: str, language: UniverseLanguage = "en") -> list[tuple[str, int]]:
    return [(part.kind, len(part.phrases)) for part in sections(lyrics, language=language, most=14)]


def test_a_song_follows_its_tags() -> None:
    assert kinds(arrange(a_song())) == ["intro", "verse", "chorus", "verse", "chorus", "bridge", "outro"]
    turned = "[chorus]\nCome and sing\n[bridge]\nClose your eyes\n[verse]\nIn the jungle\n[chorus]\nCome and sing"
    assert kinds(arrange(a_song(lyrics=turned, seconds=20)))[:5] == ["intro", "chorus", "bridge", "verse", "chorus"]


@pytest.mark.parametrize(
    ("lyrics", "found"),
    [
        ("[Intro][Verse] Hello\n[Pre-Chorus]\nla\n[CHORUS]", [("intro", 0), ("verse", 1), ("verse", 1), ("chorus", 2)]),
        ("Verse 1:\nHello you\n\nChorus:\nhey hey\nho ho", [("verse", 1), ("chorus", 2)]),
        ("[Couplet]\nOh\n(Refrain)\nAh\n[Pont]\nEh\n[Fin]", [("verse", 1), ("chorus", 1), ("bridge", 1), ("outro", 0)]),
        ("[Strophe]\nOh\n[Brücke]\nAh\n[Schluss]\nEh", [("verse", 1), ("bridge", 1), ("outro", 1)]),
        ("[estrofa]\nOh\n[estribillo]\nAh\n[ritornello]", [("verse", 1), ("chorus", 1), ("chorus", 1)]),
        ("One line before\n[chorus]\nyes", [("verse", 1), ("chorus", 1)]),
        ("a b\nc d\n\ne f\n\na b\nc d", [("chorus", 2), ("verse", 1), ("chorus", 2)]),
        ("a\n\nb\n\nc", [("verse", 1), ("chorus", 1), ("verse", 1)]),
        ("a\nb\nc\nd", [("verse", 4), ("chorus", 4)]),
        ("a\nb\nc\nd\ne\nf", [("verse", 4), ("chorus", 2)]),
        ("", [("verse", 2), ("chorus", 2)]),
        ("♪ ♪\n\n!", [("verse", 2), ("chorus", 2)]),
    ],
)  # fmt: skip
def test_tags_are_read_as_people_write_them_and_missed_where_there_are_none(
    lyrics: str, found: list[tuple[str, int]]
) -> None:
    assert parsed(lyrics) == found


def test_a_tag_without_words_repeats_its_kinds_last_ones() -> None:
    first, _, again = sections("[chorus]\nhey ho\n[verse]\nla la\n[chorus]", language="en", most=14)
    assert again == first


def test_a_long_line_is_sung_in_several_breaths_parted_at_its_comma() -> None:
    line = "Il est arrivé sur le chantier ce matin, un camion bien gros et bien rouge qui chante"
    (section,) = sections(f"[verse]\n{line}", language="fr", most=14)
    assert section.phrases[0].text == "Il est arrivé sur le chantier ce matin,"
    assert " ".join(phrase.text for phrase in section.phrases) == line
    assert all(phrase.syllables <= 14 for phrase in section.phrases)


@pytest.mark.parametrize(
    ("language", "text", "count"),
    [
        ("fr", "Le petit singe saute de branche en branche", 9),
        ("fr", "Ils chantent toute la journée", 6),
        ("en", "The little purple table danced", 8),
        ("es", "Los pájaros y el día", 8),
        ("it", "Le scimmie fanno acrobazie", 9),
        ("de", "Vögel fliegen in Harmonie", 8),
    ],
)
def test_syllables_are_counted_about_as_they_are_sung(language: UniverseLanguage, text: str, count: int) -> None:
    assert syllables(text, language=language) == count


@pytest.mark.parametrize("prompt", ["joyful", "berceuse"])
def test_the_tune_has_a_note_for_each_syllable(prompt: str) -> None:
    song = arrange(a_song(prompt=prompt, seconds=60))
    parts = sections(SONG, language="en", most=most_syllables(song.style.slots))
    for number in (1, 2):  # the first verse and the first chorus
        notes = tune_of(song, number)
        assert len(notes) == sum(phrase.syllables for phrase in parts[number].phrases)
        assert len({at for at, _ in notes}) == len(notes)


def test_the_chorus_comes_back_as_itself_and_the_verse_is_another_tune() -> None:
    song = arrange(a_song())
    assert tune_of(song, 2) == tune_of(song, 4)
    assert tune_of(song, 1) != tune_of(song, 2)
    assert tune_of(song, 1) != tune_of(song, 3)  # other words


def test_each_language_has_a_tune_of_its_own() -> None:
    tunes = []
    for language in UNIVERSE_LANGUAGES:
        song = arrange(a_song(lyrics=SAME_SONG[language], language=language, seconds=20))
        pitches = [event.pitch or 0 for event in song.tune]
        tunes.append([b - a for a, b in pairwise(pitches)][:12])
    for one, other in combinations(tunes, 2):
        assert sum(a != b for a, b in zip(one, other, strict=True)) >= 4


def test_a_short_song_goes_round_and_ends_with_its_chorus() -> None:
    song = kinds(arrange(a_song(lyrics="Come and play\nSwing and sing", seconds=60)))
    assert song[:3] == ["intro", "verse", "chorus"]
    assert song[-1] == "chorus"
    assert song.count("chorus") >= 3
    assert "interlude" in song
    assert all(a != b for a, b in pairwise(song))


def test_the_seed_gives_another_tune_and_the_call_does_not() -> None:
    assert arrange(a_song(number=3, attempt=2)) == arrange(a_song())
    assert arrange(a_song(seed=1)).tune != arrange(a_song()).tune


@pytest.mark.parametrize(("prompt", "name"), PROMPTS.items())
def test_the_words_of_the_prompt_choose_the_style(prompt: str, name: str) -> None:
    assert arrange(a_song(prompt=prompt)).style.name == name


def test_instruments_that_are_named_play_and_words_for_the_pace_count() -> None:
    named = arrange(a_song(prompt="comptine très mignonne avec flûte, clochettes et percussions légères")).style
    assert {named.leads[0], named.second} == {"recorder", "glockenspiel"}
    voices = {event.voice for event in arrange(a_song(prompt="fröhlich, mit Xylophon")).events}
    assert "xylophone" in voices
    slow, plain, fast = (
        arrange(a_song(lyrics="", prompt=f"joyful song {word}", seconds=60)).bar_s for word in ("gentle", "", "fast")
    )
    assert slow > plain > fast


def test_themes_are_different_moods() -> None:
    songs = {name: arrange(a_song(prompt=prompt)) for prompt, name in PROMPTS.items()}
    assert len(songs) == len(styles())
    assert songs["lullaby"].bar_s > songs["joyful"].bar_s > songs["energetic"].bar_s

    def drums(song: Arrangement) -> float:
        return sum(event.pitch is None for event in song.events)

    assert drums(songs["lullaby"]) < drums(songs["joyful"]) / 5


@pytest.mark.parametrize("style", styles(), ids=lambda style: style.name)
def test_every_style_is_complete(style: Style) -> None:
    drums = style.drums_verse | style.drums_chorus
    assert {*style.leads, style.second, style.comp.voice} <= INSTRUMENTS.keys() == LEVELS.keys()
    assert drums.keys() <= DRUMS.keys()
    for pattern, marks in [
        *((pattern, ".xX") for pattern in (*style.drums_verse.values(), *style.drums_chorus.values())),
        *((pattern, ".xX0123") for pattern in (style.comp.verse, style.comp.chorus)),
        (style.bass, ".rfo"),
    ]:
        assert len(pattern) == style.slots
        assert set(pattern) <= set(marks)


_SECTIONS = st.lists(
    st.builds(
        Section,
        st.sampled_from(["intro", "verse", "chorus", "bridge", "outro", "interlude"]),
        st.lists(st.builds(Phrase, st.text(max_size=3), st.integers(1, 14)), max_size=6).map(tuple),
    ),
    min_size=1,
    max_size=9,
)


@given(_SECTIONS, st.integers(1, 80))
def test_a_form_has_exactly_the_phrases_that_there_is_room_for(parts: Sequence[Section], phrases: int) -> None:
    form = fitted(parts, phrases=phrases)
    assert sum(len(part.phrases) for part in form) == phrases
    assert all(part.phrases for part in form)
    if phrases >= len(parts) + 1:
        wanted = [part.kind for part in parts]
        left = iter(part.kind for part in form)
        assert all(kind in left for kind in wanted), "a section that had room is missing"


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=300) | st.lists(st.sampled_from([*SONG.splitlines(), ""]), max_size=60).map("\n".join),
    st.sampled_from(sorted(PROMPTS)),
    st.sampled_from(UNIVERSE_LANGUAGES),
    st.integers(4, 240),
)
def test_whatever_is_asked_for_a_song_fills_its_time(
    lyrics: str, prompt: str, language: UniverseLanguage, seconds: int
) -> None:
    song = arrange(a_song(lyrics=lyrics, prompt=prompt, language=language, seconds=seconds))
    assert song.spans[0].start_s == 0
    assert all(b.start_s == pytest.approx(a.end_s) for a, b in pairwise(song.spans))
    assert seconds - 2 * song.bar_s - 1e-6 <= song.spans[-1].end_s <= seconds + 1e-6
    assert 1.2 < song.bar_s < 3.2
    assert all(0 <= event.at_s < seconds for event in song.events)
    assert all(28 <= event.pitch <= 108 for event in song.events if event.pitch is not None)


@settings(max_examples=40)
@given(st.integers(1, 30), st.sampled_from([6, 8]), st.integers().map(Random))
def test_a_rhythm_is_in_order_and_leaves_a_breath(count: int, slots: int, dice: Random) -> None:
    starts = rhythm(count, slots=slots, dice=dice)
    assert len(starts) == min(count, most_syllables(slots))
    assert starts == sorted(set(starts))
    assert starts[-1] < 2 * slots - 1


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_every_instrument_plays_softly_from_silence_to_silence(instrument: str) -> None:
    for midi in (40, 64, 96):
        voice = note(instrument, midi, 0.6)
        assert np.isfinite(voice).all()
        assert 0.1 < np.abs(voice).max() < 2.5
        assert abs(float(voice[0])) < 0.05
        assert abs(float(voice[-1])) < 1e-6
        assert abs(float(voice.mean())) < 0.02


@pytest.mark.parametrize("drum", DRUMS)
def test_every_drum_ends_in_silence_and_no_stroke_is_like_the_next(drum: str) -> None:
    strokes = [stroke(drum, variant) for variant in range(VARIANTS)]
    assert all(np.isfinite(one).all() and abs(float(one[-1])) < 1e-6 for one in strokes)
    if drum not in ("kick", "triangle"):
        assert not np.array_equal(strokes[0], strokes[1])


@pytest.mark.parametrize("seconds", [4, 5, 13])
def test_a_song_is_an_mp3_of_exactly_its_seconds_that_says_what_it_is(seconds: int) -> None:
    with av.open(io.BytesIO(render.song(a_song(seconds=seconds))), "r") as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.codec_context.sample_rate) == ("mp3float", 44_100)
        assert (stream.codec_context.channels, stream.bit_rate) == (2, 256_000)
        assert container.metadata["title"] == "Joyful (en)"
        assert "nobody sings" in container.metadata["comment"]
        assert sum(frame.samples for frame in container.decode(stream)) == seconds * 44_100


@pytest.mark.parametrize("prompt", {name: prompt for prompt, name in reversed(PROMPTS.items())}.values())
def test_every_style_is_as_loud_as_the_others_without_clipping_or_clicks(prompt: str) -> None:
    sound = heard(prompt, 12)
    found = measure(sound)
    assert found.integrated_lufs == pytest.approx(TARGET_LUFS, abs=0.7)
    assert found.true_peak_dbtp is not None and found.true_peak_dbtp <= CEILING_DBTP
    assert float(np.abs(np.diff(sound, axis=1)).max()) < 0.45  # strokes of drums are steep, a click is steeper
    left, right = np.sqrt(np.square(sound).mean(axis=1))
    assert 0.7 < left / right < 1.4
    levels = np.sqrt(np.square(sound[:, : 9 * RATE]).mean(axis=0).reshape(-1, RATE // 4).mean(axis=1))
    assert levels.min() > 10 ** (-45 / 20), "nothing is heard before the end"
    end = np.sqrt(np.square(sound[:, -RATE // 10 :]).mean())
    assert end < 10 ** (-42 / 20), "it is faded"


def test_the_chorus_is_fuller_than_the_verse_and_recognised_when_it_returns() -> None:
    prompt = "Joyful children's song with xylophone."
    song, sound = arrange(a_song(prompt=prompt)), heard(prompt, 45)

    def stretch(number: int) -> Sound:
        span = song.spans[number]
        return sound[:, round(span.start_s * RATE) : round(span.end_s * RATE)]

    def level(number: int) -> float:
        return float(np.sqrt(np.square(stretch(number)).mean()))

    def density(number: int) -> float:
        span = song.spans[number]
        struck = {round(event.at_s, 3) for event in song.events if span.start_s <= event.at_s < span.end_s}
        return len(struck) / (span.end_s - span.start_s)

    def notes(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """Strength of each of 48 semitones in each tenth of a second."""
        mono = stretch(number).mean(axis=0)[: 6 * RATE]
        frames = np.lib.stride_tricks.sliding_window_view(mono, 8192)[:: RATE // 10] * np.hanning(8192)
        spectrum = np.abs(np.fft.rfft(frames, axis=1))
        hz = 261.6 * 2 ** (np.arange(48) / 12)
        return np.log1p(spectrum[:, np.round(hz * 8192 / RATE).astype(int)]).ravel()

    assert level(2) > 1.2 * level(1)
    assert density(2) > 1.5 * density(1)
    alike = np.corrcoef(notes(2), notes(4))[0, 1]
    other = np.corrcoef(notes(2), notes(1))[0, 1]
    assert alike > 0.97
    assert other < 0.8


def test_other_words_and_other_themes_are_heard() -> None:
    others: list[dict[str, object]] = [{}, {"seed": 1}, {"prompt": "ocean"}, {"language": "fr"}]
    songs = {render.song(a_song(seconds=4, **changes)) for changes in others}
    assert len(songs) == len(others)


def test_the_meter_agrees_with_the_one_of_the_films() -> None:
    dice = np.random.default_rng(5)
    t = np.arange(8 * RATE) / RATE
    for sound in (
        np.stack([np.sin(2 * np.pi * 1000 * t), np.sin(2 * np.pi * 60 * t)]) * 0.1,
        dice.normal(0, 0.05, (2, 8 * RATE)) * (t < 4),
        np.cumsum(dice.normal(0, 0.002, (2, 8 * RATE)), axis=1) * np.sin(t) ** 2,
    ):
        whole = sound.astype(np.float32)
        assert loudness(whole.T) == pytest.approx(measure(whole).integrated_lufs, abs=0.3)
    assert loudness(np.zeros((RATE, 2), np.float32)) == -70
    assert not mastered(np.zeros((RATE, 2), np.float32)).any()


def test_peaks_are_turned_down_smoothly() -> None:
    t = np.arange(2 * RATE) / RATE
    tone = (0.05 * np.sin(2 * np.pi * 300 * t)).astype(np.float32)
    tone[RATE : RATE + 200] *= 40
    result = mastered(np.stack([tone, tone], axis=1))
    assert float(np.abs(result).max()) < 10 ** (-2 / 20)
    far = np.flatnonzero(np.abs(tone[: RATE // 2]) > 0.01)
    assert float(np.std(result[far, 0] / tone[far])) < 1e-4, "far from the peak nothing is touched"
