"""Texts of universes for older clients: named, filled in, sung and translated, and the default prompts."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr

from maquette.drafts.tables import Draft
from tests.api.drafting import LANGUAGES, Studio, error, studio_of
from tests.providers.clips.wire import Answer, Call, serving


def post(studio: Studio, path: str, body: object = None, **more: Any) -> httpx.Response:
    return studio.client.post(f"/api/{quote(path)}", json=body, **more)


def said(studio: Studio, path: str, body: object = None) -> dict[str, Any]:
    answer = post(studio, path, body)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


@pytest.fixture(scope="module")
def words(studio: Studio) -> str:
    """A universe with two items."""
    said(studio, "universes", {"name": "Mots", "theme": "jungle"})
    said(studio, "universes/mots/prompts", {"words": ["monkey", "lion"]})
    return "mots"


def test_objects_fill_a_universe_up_and_stay(studio: Studio) -> None:
    said(studio, "universes", {"name": "Objets", "theme": "ocean"})
    first = said(studio, "generate/objets/objects", {"count": 3})
    assert len(set(first["objects"])) == 3
    assert {language: len(names) for language, names in first["translations"].items()} == dict.fromkeys(LANGUAGES, 3)
    more = said(studio, "generate/objets/objects", {"count": 5})
    assert more["objects"][:3] == first["objects"] and len(set(more["objects"])) == 5
    assert said(studio, "generate/objets/objects", {"count": 2})["objects"] == more["objects"]
    assert said(studio, "generate/objets/objects")["message"] == "Objects generated for Objets"
    listed = studio.client.get("/api/universes/objets/assets").json()
    assert [each["image_url"] for each in listed] == [None] * 10


def test_concepts_are_proposed_and_kept_when_they_are_applied(studio: Studio, words: str) -> None:
    proposed = said(studio, f"generate/{words}/concepts", {"theme": "farm", "count": 4, "language": "de"})
    assert proposed["concepts"] == proposed["translations"]["de"]
    assert len(proposed["concepts"]) == 4 and "monkey" not in proposed["translations"]["en"]
    said(studio, "universes", {"name": "Choix", "theme": "farm"})
    kept = said(
        studio,
        "generate/choix/concepts/apply",
        {"concepts": ["cow", "pig"], "translations": {"fr": ["vache", "cochon"]}},
    )
    assert (kept["objects"], kept["translations"]["fr"], kept["translations"]["it"]) == (
        ["cow", "pig"], ["vache", "cochon"], ["cow", "pig"],
    )  # fmt: skip
    wrong = {"concepts": ["a", "b"], "translations": {"fr": ["a"]}}
    assert error(post(studio, "generate/choix/concepts/apply", wrong)) == (400, "invalid_input")
    many = {"concepts": [f"thing {number}" for number in range(49)]}
    assert error(post(studio, "generate/choix/concepts/apply", many)) == (400, "invalid_input")
    for count in (0, 51):
        assert post(studio, "generate/choix/concepts", {"count": count}).status_code == 422


def test_lyrics_are_written_and_kept(studio: Studio, words: str) -> None:
    about = {"theme": "la jungle", "words": ["singe"]}
    first = said(studio, f"universes/{words}/lyrics/generate", about)
    assert (first["language"], len(first["lyrics"]) >= 100) == ("fr", True)
    song = studio.client.get(f"/api/universes/{words}/music-prompts/fr").json()
    assert song["lyrics"] == first["lyrics"]
    german = said(studio, f"generate/{words}/lyrics/de")
    assert (german["message"], german["language"]) == ("Lyrics generated for de", "de")
    assert studio.client.get(f"/api/universes/{words}/prompts").json()["lyrics"] == first["lyrics"]
    later = said(studio, f"generate/{words}/lyrics", {"async": True})
    assert studio.client.get(f"/api/jobs/{later['job_id']}").json()["status"] == "completed"
    assert post(studio, f"generate/{words}/lyrics/pt").status_code == 422


def test_styles_are_filled_in_where_there_are_none(studio: Studio, words: str) -> None:
    studio.client.patch(f"/api/universes/{words}/data", json={"music_translations": {"it": {"prompt": "solo arpa"}}})
    prompts = said(studio, f"generate/{words}/music-prompts")["prompts"]
    assert set(prompts) == set(LANGUAGES) and prompts["it"] == "solo arpa" and "jungle" in prompts["fr"]
    assert studio.client.get(f"/api/universes/{words}/music-prompts/fr").json()["prompt"] == prompts["fr"]


def test_translations_are_written(studio: Studio, words: str) -> None:
    told = said(studio, f"universes/{words}/translations/generate")
    assert (told["message"], told["translations"]["de"]) == ("Translations generated", ["Affe", "Löwe"])
    assert studio.client.get(f"/api/universes/{words}/data").json()["translations"] == told["translations"]


def test_without_items_there_is_nothing_to_write(studio: Studio) -> None:
    said(studio, "universes", {"name": "Vide"})
    for path, status, detail in (
        ("universes/vide/translations/generate", 404, "Words not found"),
        ("universes/vide/images/prompts/generate", 400, "No objects found"),
        ("universes/vide/videos/prompts/generate", 400, "No objects found"),
        ("universes/vide/regenerate-prompts", 400, "No objects found"),
    ):
        answer = post(studio, path, headers={"accept-language": "es"})
        assert (answer.status_code, answer.json()["detail"]) == (status, detail)


def test_prompts_are_filled_in_anew_of_a_template_and_not_of_a_prompt(studio: Studio) -> None:
    said(studio, "universes", {"name": "Migré", "theme": "jungle"})
    said(studio, "universes/migré/prompts", {"words": ["monkey", "lion"], "images": ["one", "two"]})
    with studio.drafts.database.begin() as session:
        draft = session.get(Draft, studio.client.get("/api/drafts").json()[0]["draft_id"])
        assert draft is not None and draft.name == "Migré"
        draft.default_image_prompt = "A monkey that was filled in"
    prompts = said(studio, "universes/migré/regenerate-prompts")["prompts"]
    assert "monkey" in prompts["images"][0] and "lion" in prompts["images"][1] and "lion" in prompts["videos"][1]
    own = said(studio, "universes/migré/videos/prompts/generate", {"defaultPrompt": "{object} turns"})["prompts"]
    assert own == ["monkey turns", "lion turns"]
    # The draft's own template counts from then on.
    assert said(studio, "universes/migré/regenerate-prompts")["prompts"]["videos"] == own
    unknown = post(studio, "universes/migré/images/prompts/generate", {"defaultPrompt": "A {thing}"})
    assert error(unknown) == (400, "unknown_variable")


def test_texts_of_a_theme_without_a_universe(studio: Studio) -> None:
    named = said(studio, "generate-objects", {"theme": "farm", "count": 4})
    assert len(set(named["objects"])) == 4 and named["translations"]["en"] == named["objects"]
    assert said(studio, "generate-objects", {"theme": "farm", "count": 4}) == named
    wanted = {"theme": "my_farm", "words": named["objects"][:2], "prompt": "A {object} on {theme}"}
    assert said(studio, "generate-image-prompts", wanted) == {
        "prompts": [f"A {name} on my farm" for name in named["objects"][:2]]
    }
    for what in ("image", "video"):
        filled = said(studio, f"generate-{what}-prompts", {"theme": "farm", "objects": ["cow"]})["prompts"]
        assert len(filled) == 1 and "cow" in filled[0]
    assert "farm" in said(studio, "generate-music-prompt", {"theme": "farm"})["prompt"]
    assert "farm" in said(studio, "generate-music-prompt", {"theme": "farm", "lyrics": "La la"})["prompt"]
    assert len(studio.client.get("/api/universes").json()) == len(studio.client.get("/api/drafts").json())


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("generate-objects", {}, "Theme required"),
        ("generate-objects", {"theme": " "}, "Theme required"),
        ("generate-image-prompts", {"objects": ["cow"]}, "Theme required"),
        ("generate-video-prompts", {}, "Theme required"),
        ("generate-image-prompts", {"theme": "farm"}, "No objects found"),
        ("generate-video-prompts", {"theme": "farm", "objects": []}, "No objects found"),
        ("generate-music-prompt", {}, "Lyrics required"),
        ("generate-music-prompt", {"theme": "farm", "lyrics": " "}, "Lyrics required"),
        ("generate-music-prompt", {"lyrics": "La la"}, "Theme required"),
    ],
)
def test_what_is_missing_is_told_in_english(studio: Studio, path: str, body: object, detail: str) -> None:
    answer = post(studio, path, body, headers={"accept-language": "fr"})
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


@pytest.mark.parametrize("what", ["objects", "concepts", "concepts/apply", "lyrics", "lyrics/de", "music-prompts"])
def test_nobody_writes_for_a_universe_that_is_not_there(studio: Studio, what: str) -> None:
    answer = post(studio, f"generate/nobody/{what}", {"concepts": ["cow"]})
    assert (answer.status_code, answer.json()["detail"]) == (404, "Universe not found")


def test_default_prompts_are_read_and_saved(studio: Studio) -> None:
    before = studio.client.get("/api/default-prompts").json()
    assert set(before) == {"objects", "images", "videos", "music"}
    saved = said(studio, "default-prompts", {"images": "A knitted {object}"})
    assert saved == before | {"images": "A knitted {object}", "message": "Default prompts saved"}
    assert studio.client.get("/api/default-prompts").json()["images"] == "A knitted {object}"
    filled = said(studio, "generate-image-prompts", {"theme": "unheard of", "objects": ["cow"]})
    assert filled == {"prompts": ["A knitted cow"]}
    assert error(post(studio, "default-prompts", {"images": "A {thing}"})) == (400, "unknown_variable")
    assert error(post(studio, "default-prompts", {"music": "a\x02b"})) == (400, "control_character")
    assert studio.client.get("/api/default-prompts").json()["images"] == "A knitted {object}"
    said(studio, "default-prompts", before)


def test_a_writer_that_refuses_is_a_500_and_for_names_the_list_at_hand_does(
    postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def refuse(call: Call) -> Answer:
        return Answer(400, {"error": {"message": "no such model"}})

    with (
        serving(refuse) as server,
        studio_of(
            postgres,
            tmp_path_factory.mktemp("home"),
            text_provider="openai",
            openai_base_url=f"{server.url}/v1",
            openai_api_key=SecretStr("k"),
        ) as studio,
    ):
        said(studio, "universes", {"name": "Panne", "theme": "farm"})
        assert len(set(said(studio, "generate/panne/objects", {"count": 3})["objects"])) == 3
        assert len(server.calls) == 2
        for path, what in (
            ("generate/panne/lyrics", "lyrics"),
            ("universes/panne/lyrics/generate", "lyrics"),
            ("universes/panne/translations/generate", "translations"),
        ):
            answer = post(studio, path)
            assert error(answer) == (500, "generation_failed")
            assert answer.json()["detail"].startswith(f"Failed to generate {what}: ")
