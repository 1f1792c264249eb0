"""What the local provider draws and sounds like: words, shots, pictures, music, speech."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.providers.clips.local import lexicon, music, paint, speech
from maquette.providers.clips.local.canvas import Frame
from maquette.providers.clips.local.render import soundtrack
from maquette.providers.clips.local.scene import Scene
from maquette.providers.clips.local.shot import plan, tint
from tests.providers.clip_contract import a_request


def _icons(text: str, language: str = "fr") -> list[str]:
    return [one.concept.icon for one in lexicon.seen(text, language=language)]


def test_the_lexicon_is_large_and_the_font_carries_all_of_it() -> None:
    concepts = lexicon.concepts()
    assert len(concepts) >= 250
    assert [c.icon for c in concepts if not paint.has_pictogram(c.icon)] == []
    for concept in concepts:
        assert tint(concept.tint)
        assert all(part.strip() for part in f"{concept.fr}/{concept.en}/{concept.es}".split("/"))


@pytest.mark.parametrize(
    ("text", "language", "icon"),
    [
        ("des FLEURS", "fr", "flower"),
        ("deux chevaux", "fr", "horse"),
        ("de l'eau", "fr", "water"),
        ("des gâteaux", "fr", "cupcake"),
        ("un pâtissier et son gateau", "fr", "cupcake"),
        ("los árboles", "es", "tree"),
        ("un arbol", "es", "tree"),
        ("many butterflies", "en", "butterfly"),
        ("a city street", "en", "city-variant"),
        ("le lever du soleil", "fr", "weather-sunset"),
    ],
)
def test_accents_plurals_and_phrases_are_read(text: str, language: str, icon: str) -> None:
    assert _icons(text, language)[0] == icon


def test_a_camera_word_is_not_a_thing() -> None:
    assert _icons("Gros plan, plan large") == []
    assert _icons("un plan de travail") == ["stove"]


def test_numbers_count_what_follows() -> None:
    text = "Une canette et sept morceaux de sucre"
    seen = {one.concept.icon: one.count for one in lexicon.seen(text, language="fr")}
    assert seen == {"bottle-soda-classic": 1, "cube": 7}
    assert [c.icon for c in plan(a_request(visual="Une canette et sept morceaux de sucre")).companions].count(
        "cube"
    ) == 7


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzàâçéèêëîïôùûüñáíóúœ", max_size=20))
def test_a_stem_is_plain_and_the_same_in_capitals(word: str) -> None:
    assert lexicon.stem(word.upper()) == lexicon.stem(word)
    assert lexicon.stem(word).isascii()


@pytest.mark.parametrize("word", ["chat", "fleur", "montagne", "gâteau", "animal", "jeu"])
def test_a_plural_is_its_singular(word: str) -> None:
    plural = {"gâteau": "gâteaux", "animal": "animaux", "jeu": "jeux"}.get(word, word + "s")
    assert lexicon.stem(plural) == lexicon.stem(word)


def test_words_choose_light_camera_and_set() -> None:
    shot = plan(a_request(visual="Gros plan au ralenti d'une tasse sur une table, lumière chaude du matin"))
    assert (shot.mood, shot.camera, shot.slow, shot.set) == ("morning", "push", True, "table")
    assert plan(a_request(visual="Un tigre de noche en la ciudad", language="es")).mood == "night"
    assert plan(a_request(visual="A ship at sunset on the ocean", language="en")).set == "sea"


def test_somebody_who_does_something_stands_for_somebody() -> None:
    assert plan(a_request(visual="Personne souriante courant dans un parc au lever du soleil.")).hero.icon == "run-fast"


@settings(max_examples=60)
@given(
    visual=st.text(max_size=80),
    number=st.integers(1, 10),
    seed=st.integers(0, 2**31 - 1),
    language=st.sampled_from(["fr", "en", "es"]),
    style=st.sampled_from(["informative", "humorous", "dramatic", "inspiring"]),
)
def test_every_text_has_a_shot_and_always_the_same(
    visual: str, number: int, seed: int, language: str, style: str
) -> None:
    request = a_request(visual=visual, number=number, seed=seed, language=language, style=style)
    assert plan(request) == plan(request)
    assert paint.has_pictogram(plan(request).hero.icon)


def _picture(frame: bytes, size: tuple[int, int]) -> np.ndarray:
    luma = np.frombuffer(frame, dtype=np.uint8, count=size[0] * size[1])
    return luma.reshape(size[1], size[0]).astype(float)


SMALL = (180, 320)


def _frame_at(scene: Scene, number: int) -> np.ndarray:
    return _picture(next(itertools.islice(scene.frames(), number, None)), SMALL)


def test_neighbouring_blocks_look_different_even_with_the_same_words() -> None:
    pictures = [_frame_at(Scene(plan(a_request(number=n)), SMALL, seconds=1), 20) for n in range(1, 6)]
    for one, two in itertools.pairwise(pictures):
        assert np.abs(one - two).mean() > 8


def test_equal_shots_are_equal_to_the_bit() -> None:
    one, two = (Scene(plan(a_request()), SMALL, seconds=1) for _ in range(2))
    assert list(one.frames()) == list(two.frames())


@pytest.mark.parametrize(
    "visual", ["Une fusée dans l'espace", "Un voilier sur la mer", "Un robot", "Un château", "zzz"]
)
def test_the_picture_moves_from_a_first_frame_that_shows_something(visual: str) -> None:
    frames = [_picture(f, SMALL) for f in Scene(plan(a_request(visual=visual)), SMALL, seconds=1).frames()]
    assert frames[0].std() > 8
    assert all(np.abs(a - b).mean() > 0.02 for a, b in itertools.pairwise(frames)), "the picture stands still"
    assert np.abs(frames[0] - frames[-1]).mean() > 1


SETS = sorted({c.set for c in lexicon.concepts() if c.set})


@pytest.mark.parametrize("place", SETS)
def test_the_zone_of_the_captions_is_calm(place: str) -> None:
    """Between 18 and 32 percent from the lower edge there is less to see than around the hero."""
    shot = plan(a_request()).model_copy(update={"set": place, "companions": []})
    picture = _frame_at(Scene(shot, SMALL, seconds=1), 25)
    detail = np.abs(np.diff(picture, axis=1))
    calm = detail[int(320 * 0.68) : int(320 * 0.82)].mean()
    assert calm < 3.2
    assert calm < detail[int(320 * 0.2) : int(320 * 0.66)].mean()


def test_a_frame_is_yuv420p() -> None:
    assert len(Frame((64, 48)).data()) == 64 * 48 * 3 // 2


@pytest.mark.parametrize("mood", ["night", "joy", "morning"])
def test_the_music_is_as_long_as_asked_quiet_at_its_ends_and_never_clips(mood: str) -> None:
    bed = music.bed(mood=mood, seed=3, seconds=3)
    assert bed.shape == (3 * music.RATE, 2)
    assert np.abs(bed).max() < 0.9
    assert np.abs(bed[:64]).max() < 0.01
    assert np.abs(bed[-64:]).max() < 0.01
    assert 0.05 < float(np.sqrt(np.mean(bed**2))) < 0.12
    assert np.array_equal(bed, music.bed(mood=mood, seed=3, seconds=3))
    assert not np.array_equal(bed, music.bed(mood=mood, seed=4, seconds=3))


def test_without_a_dialogue_there_is_music_alone() -> None:
    sound, words = soundtrack(a_request(dialogue="", seconds=2))
    assert words == []
    assert np.array_equal(
        sound, music.bed(mood=plan(a_request()).mood, seed=plan(a_request(dialogue="")).seed, seconds=2)
    )


def test_without_espeak_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "_library", lambda: None)
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert speech.speech_available() is False
    assert speech.speak("Bonjour", language="fr", seconds=3) is None
    assert soundtrack(a_request(seconds=1))[1] == []


needs_espeak = pytest.mark.skipif(not speech.speech_available(), reason="espeak-ng is not installed")


@needs_espeak
@pytest.mark.parametrize(
    ("language", "text"),
    [("fr", "Remplacez-le par de l'eau ?"), ("en", "It's a sweet life."), ("es", "¡El azúcar está en todo!")],
)
def test_speech_fits_and_its_words_are_those_of_the_text(language: str, text: str) -> None:
    spoken = speech.speak(text, language=language, seconds=4)
    assert spoken is not None
    assert 0.3 < len(spoken.samples) / music.RATE <= 4
    assert float(np.abs(spoken.samples).max()) > 0.05
    if spoken.words:  # the program alone tells no times
        assert " ".join(word.text for word in spoken.words) == text
        starts = [word.start_s for word in spoken.words]
        assert starts == sorted(starts)
        assert all(word.end_s <= 4 for word in spoken.words)


@needs_espeak
def test_a_long_speech_is_spoken_faster_then_cut_at_a_word() -> None:
    text = " ".join(["Le sucre est caché dans presque tout ce que vous mangez."] * 6)
    calm = speech.speak(text, language="fr", seconds=60)
    cut = speech.speak(text, language="fr", seconds=3)
    assert calm is not None
    assert cut is not None
    assert len(cut.samples) / music.RATE <= 3
    assert abs(float(cut.samples[-1])) < 0.01
    if cut.words:
        assert len(cut.words) < len(calm.words)
        assert cut.words[3].start_s < calm.words[3].start_s, "it should be faster"
        assert cut.words[-1].end_s <= 3
