"""``PATCH …/data`` merges one level deep, whatever is sent: what was sent is there, what was not is as it was."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.drafts.documents import whole
from maquette.drafts.universe_data import DataChange, change_data, merged
from maquette.drafts.universe_prompts import PromptsChange
from maquette.drafts.universes import Universes, find_draft
from maquette.videos.rules import clean_text
from tests.api.drafting import LANGUAGES, Studio

KNOWN = set(DataChange.model_fields) | {"title", "image", "video", "title_translations", "lyrics", "prompt"}
FILES = [("00_monkey.png", "00_monkey_silent.webm"), ("01_lion.png", "01_lion_silent.webm")]

texts = st.text("abcéÀß日本🦁 '-.", min_size=1, max_size=9).map(clean_text).filter(bool)
keys = st.text("abcdefgh_é", min_size=1, max_size=5).filter(lambda key: key not in KNOWN)
languages = st.sampled_from(LANGUAGES)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-999, 999).map(lambda eighths: eighths / 8) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
unknown = st.dictionaries(keys, values, max_size=2)
songs = st.builds(
    lambda song, rest: rest | song,
    st.fixed_dictionaries({}, optional={"lyrics": texts | st.just("la\nla"), "prompt": texts}),
    unknown,
)


@st.composite
def items(draw: st.DrawFn) -> list[dict[str, Any]]:
    return [
        draw(unknown)
        | {"title": draw(texts), "image": image, "video": video}
        | {"title_translations": draw(st.dictionaries(languages, texts, max_size=5))}
        for image, video in FILES
    ]


known = st.fixed_dictionaries(
    {},
    optional={
        "theme": texts,
        "description": texts,
        "background_color": st.none() | st.from_regex(r"#[0-9a-f]{6}", fullmatch=True),
        "theme_translations": st.dictionaries(languages, texts),
        "music_translations": st.dictionaries(languages, songs),
    },
)
# Both say an item's titles; what becomes of a contradiction is another test's matter.
columns = st.dictionaries(languages, st.lists(texts, min_size=2, max_size=2))
titles: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}), st.fixed_dictionaries({"items": items()}), st.fixed_dictionaries({"translations": columns})
)
patches = st.builds(lambda one, two, three: one | two | three, unknown, known, titles)


@pytest.fixture(scope="module")
def universe(studio: Studio) -> tuple[Universes, str]:
    """A universe with two items."""
    universes = Universes(studio.drafts)
    name = universes.create("Fusion", "jungle").name
    universes.change_prompts(name, PromptsChange(words=["monkey", "lion"]), replace=False)
    return universes, name


@settings(max_examples=50, deadline=None)
@given(patch=patches)
def test_a_patch_is_merged_one_level(universe: tuple[Universes, str], patch: dict[str, Any]) -> None:
    universes, name = universe
    before: dict[str, Any] = universes.data(name)
    # Without the folder, which is written anew for each change.
    with universes.database.begin() as session:
        change_data(session, whole(session, find_draft(session, name)), DataChange.model_validate(patch))
    after: dict[str, Any] = universes.data(name)
    expected: dict[str, Any] = merged(before, patch)
    for song in expected["music_translations"].values():
        song |= {"lyrics": song.get("lyrics", ""), "prompt": song.get("prompt", "")}
    if "items" in patch:  # the same titles once more, by language
        told = {language for item in patch["items"] for language in item["title_translations"]}
        expected["translations"] = {
            language: [item["title_translations"].get(language, item["title"]) for item in patch["items"]]
            for language in told
        }
    for language, column in patch.get("translations", {}).items():
        for item, title in zip(expected["items"], column, strict=True):
            item["title_translations"] = item["title_translations"] | {language: title}
    assert after == expected


@given(document=st.dictionaries(keys, values, max_size=4), patch=st.dictionaries(keys, values, max_size=4))
def test_merging_keeps_what_was_not_sent_and_changes_neither_side(
    document: dict[str, Any], patch: dict[str, Any]
) -> None:
    copies = repr(document), repr(patch)
    result: dict[str, Any] = merged(document, patch)
    assert (repr(document), repr(patch)) == copies
    assert set(result) == set(document) | set(patch)
    for key, value in result.items():
        if key not in patch:
            assert value is document[key]
        elif isinstance(patch[key], dict) and isinstance(document.get(key), dict):
            assert value == document[key] | patch[key]
        else:
            assert value is patch[key]
    assert merged(result, patch) == result
