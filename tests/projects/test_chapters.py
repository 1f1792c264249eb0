"""Chapters as the text of a script, and back."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from maquette.projects import grammar
from maquette.projects.chapters import render
from maquette.projects.chapters_reading import parse

NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=8)
TEXTS = st.text(max_size=20)
TIMES = st.sampled_from(["dawn", "morning", "noon", "afternoon", "evening", "night"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(
            st.sampled_from(["scenes", "panels", "dialogues", "title", "text", "type", "notes", "pageNumber"]), each
        )
    ),
)


def dialogues() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "id": NAMES,
            "character": st.just("") | NAMES | TEXTS,
            "text": TEXTS,
            "type": st.sampled_from(["speech", "thought", "narration", "sound", "caption"]),
        }
    )


def panels() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "id": NAMES,
            "pageNumber": st.integers(1, 4),
            "panelNumber": st.integers(1, 9),
            "description": TEXTS,
            "dialogues": st.lists(dialogues(), max_size=3),
            "characters": st.lists(NAMES, max_size=2),
            "shotType": NAMES,
            "soundEffects": st.lists(st.fixed_dictionaries({"id": NAMES, "text": TEXTS}), max_size=2),
            "notes": TEXTS,
        }
    )


def scenes() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"id": NAMES, "title": TEXTS, "description": TEXTS, "location": TEXTS, "timeOfDay": TIMES,
         "panels": st.lists(panels(), max_size=3), "notes": TEXTS}
    )  # fmt: skip


STORIES = st.lists(
    st.fixed_dictionaries(
        {"id": NAMES, "title": TEXTS, "description": TEXTS, "scenes": st.lists(scenes(), max_size=3)}
    ),
    max_size=3,
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STORIES)
def test_the_grammar_finds_what_the_chapters_hold(chapters: list[dict[str, Any]]) -> None:
    held = [panel for chapter in chapters for scene in chapter["scenes"] for panel in scene["panels"]]
    stats = grammar.parse(render(chapters)).stats
    assert stats["chapters"] == len(chapters)
    assert stats["panels"] == len(held)
    # No text of anybody's was read as a line of its own.
    assert stats["dialogues"] == sum(len(panel["dialogues"]) for panel in held)
    assert stats["pages"] >= bool(chapters)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STORIES)
def test_what_was_not_edited_comes_back(chapters: list[dict[str, Any]]) -> None:
    assert parse(render(chapters), previous=chapters) == chapters


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON)
def test_anything_can_be_rendered(value: Any) -> None:
    text = render(value)
    assert text == "" or text.startswith("PAGE ")
    parse(text, previous=value)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(["PAGE 2:", "CHAPTER 1: x", "CHAPITRE 999999999:", "SCENE 1: a (b, dawn)", "PANEL 3: z",
                              "(c)", "[]:", "[A]: b", "[A (thought)]:", "SFX: d", "NOTE: e", "f", "SHOT: g"]) | TEXTS),
    STORIES,
)  # fmt: skip
def test_any_text_can_be_read_and_shows_again(lines: list[str], previous: list[dict[str, Any]]) -> None:
    text = "\n".join(lines)
    read = parse(text, previous=previous)
    counted, again = grammar.parse(text).stats, grammar.parse(render(read)).stats
    assume(all(line == line.strip() for line in lines))
    assert again["panels"] == counted["panels"]
    assert again["chapters"] >= counted["chapters"]


def test_a_script_reads_like_a_script() -> None:
    story = [
        {
            "title": "The crossing",
            "description": "They meet.",
            "scenes": [
                {
                    "title": "The river",
                    "location": "Old town",
                    "timeOfDay": "evening",
                    "notes": "Slowly.",
                    "panels": [
                        {
                            "pageNumber": 3,
                            "panelNumber": 1,
                            "description": "A bridge.\nRain (a lot)",
                            "shotType": "wide",
                            "mood": "calm",
                            "characters": ["FOX", "OWL"],
                            "dialogues": [
                                {"character": "FOX", "text": "Who\ngoes there?", "type": "speech"},
                                {"character": "FOX", "text": "Nobody.", "type": "thought"},
                                {"character": "", "text": "Later…", "type": "caption"},
                                {"character": "[X]", "text": ""},
                                {"text": "…"},
                            ],
                            "soundEffects": [{"text": "PLIC"}, {"text": ""}],
                        },
                        {"pageNumber": "?", "description": "PANEL 9:\r\n[A]: b\u2028(c)"},
                        {"pageNumber": 4},
                    ],
                }
            ],
        },
        {"title": "PAGE 7:"},
    ]
    assert render(story) == (
        "PAGE 3:\n\nCHAPTER 1: The crossing\nABOUT: They meet.\n\nSCENE 1: The river (Old town, evening)\n"
        "NOTE: Slowly.\n\nPANEL 1:\n(A bridge.)\n(Rain (a lot))\nSHOT: wide, calm\nWITH: OWL\n"
        "[FOX]: Who goes there?\n[FOX (thought)]: Nobody.\n[CAPTION]: Later…\n[(X)]:\n[?]: …\nSFX: PLIC\n\n"
        "PANEL 2:\n(PANEL 9:)\n([A]: b)\n((c))\n\nPAGE 4:\n\nPANEL 1:\n\nCHAPTER 2: PAGE 7:\n"
    )


def test_an_inserted_panel_moves_the_others_and_changes_none() -> None:
    panels = [{"id": f"p{n}", "pageNumber": 1, "panelNumber": n, "description": f"no {n}", "timing": n} for n in (1, 2)]
    story = [{"id": "c", "title": "x", "scenes": [{"id": "s", "title": "y", "panels": panels}]}]
    text = render(story).replace("PANEL 2:", "PANEL 2:\n(new)\n[FOX]: Hm.\nfree\n\nPANEL 3:")
    first, new, last = parse(text, previous=story)[0]["scenes"][0]["panels"]
    assert (first, last) == (panels[0], {**panels[1], "panelNumber": 3})
    assert (new["panelNumber"], new["description"], new["notes"], new["characters"]) == (2, "new", "free", ["FOX"])
    assert (new["dialogues"][0]["character"], new["dialogues"][0]["type"]) == ("FOX", "speech")
    assert new["id"] not in {"p1", "p2"}


@pytest.mark.parametrize(
    ("label", "character", "kind"),
    [
        ("FOX", "FOX", "speech"),
        ("FOX (thought)", "FOX", "thought"),
        ("NARRATION", "", "narration"),
        ("?", "", "speech"),
    ],
)
def test_who_speaks_and_how(label: str, character: str, kind: str) -> None:
    (said,) = parse(f"PANEL 1:\n[{label}]: Hm.")[0]["scenes"][0]["panels"][0]["dialogues"]
    assert (said["character"], said["type"], said["text"]) == (character, kind, "Hm.")
