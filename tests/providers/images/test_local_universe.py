"""Illustrations for children: which thing is the hero, in which world, and that it is seen."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from maquette.images.prompts import image_prompt, visual_styles
from maquette.providers.clips.local import lexicon
from maquette.providers.clips.local.shot import tint
from maquette.providers.images.local import figures, universe
from maquette.providers.images.local.look import plan
from maquette.providers.images.local.picture import paint
from tests.providers.image_contract import a_request

# Templates as clients have them; {} is the thing.
JUNGLE = "A vibrant, colorful illustration of {} in a lush jungle setting with tropical leaves, perfect for children."
OCEAN = "A beautiful underwater scene with {} swimming in crystal clear blue water with colorful coral, child-friendly."
SPACE = "A stunning illustration of {} floating in colorful outer space with twinkling stars and nebulas, magical."
FARM = "A cheerful illustration of {} on a sunny farm with green fields and blue sky, warm and inviting for children."
ROADS = "A dynamic illustration of {} in action with motion lines and vibrant colors, exciting and child-friendly."
SITE = (
    "A bright illustration of {} working on a construction site with dirt, tools and building materials, for children."
)
MAGIC = "A beautiful, colorful illustration of {} in a magical setting, perfect for children, vibrant and enchanting."
BY_RULE = (
    "A vivid illustration of {}, whole and in the middle, in a deep green jungle. Made for young children. No text."
)


@pytest.mark.parametrize(
    ("template", "thing", "world", "hero"),
    [
        (JUNGLE, "monkey", "jungle", "monkey"),
        (JUNGLE, "a friendly toucan", "jungle", "toucan"),
        (OCEAN, "dolphin", "ocean", "dolphin"),
        (OCEAN, "sea star", "ocean", "starfish"),
        (SPACE, "rocket", "space", "rocket-launch"),
        (SPACE, "the planets", "space", "planet"),
        (FARM, "tractor", "farm", "tractor-variant"),
        (FARM, "hens", "farm", "chicken"),
        (ROADS, "fire truck", "town", "fire-truck"),
        (ROADS, "sailing boat", "bay", "sail-boat"),
        (SITE, "cement mixer truck", "site", "mixer-truck"),
        (SITE, "pelleteuse", "site", "excavator"),
        (MAGIC, "guitar", "stage", "guitar-acoustic"),
        (MAGIC, "strawberry", "kitchen", "strawberry"),
        (MAGIC, "squirrel", "magic", "squirrel"),
        (MAGIC, "dinosaure", "valley", "trex"),
        (MAGIC, "big, red apple", "kitchen", "food-apple"),
        (BY_RULE, "polar bear", "jungle", "bear"),
        ("Illustration de {} dans une jungle magique pour enfants.", "singe", "jungle", "monkey"),
        ("Illustration d'{} à la ferme, pour les enfants.", "âne", "farm", "donkey"),
    ],
)
def test_the_thing_is_the_hero_and_the_place_its_world(template: str, thing: str, world: str, hero: str) -> None:
    look = plan(a_request(prompt=template.format(thing)))
    assert (look.composition, look.world, look.hero) == ("universe", world, hero)
    assert look.others == ()


@pytest.mark.parametrize("template", [JUNGLE, OCEAN, SPACE, FARM, ROADS, SITE, MAGIC, BY_RULE])
def test_where_the_thing_is_unknown_nothing_of_the_setting_takes_its_place(template: str) -> None:
    look = plan(a_request(prompt=template.format("quuxling")))
    assert (look.composition, look.hero) == ("universe", None)
    assert look.world in (*universe._data().worlds,)


def test_other_prompts_are_painted_as_before() -> None:
    for style in visual_styles():
        assert universe.scene(image_prompt("Une illustration de café dans un bar", None, style=style).text) is None
    for prompt in (
        "Des enfants à l'école",
        "A magical forest",
        "",
        "children",
        "illustration of",
        "An illustration of",
    ):
        assert universe.scene(prompt) is None or "illustration" in prompt


def test_what_is_to_be_avoided_is_no_hero() -> None:
    assert plan(a_request(prompt=JUNGLE.format("bird"), avoid=("birds",), language="en")).hero is None


def test_every_hero_and_every_prop_can_be_drawn() -> None:
    data = universe._data()
    assert len(data.heroes) >= 200
    for row in data.heroes:
        assert figures.can_draw(row.icon), row.icon
        assert tint(row.tint)
        for thing in row.en.split("/"):
            hero = universe.hero_of(thing)
            assert hero is not None
            assert hero.icon == row.icon, thing
    props = itertools.chain.from_iterable((*each.back, *each.front) for each in data.worlds.values())
    assert [icon for icon in (*props, *data.floats, *data.boats) if not figures.can_draw(icon)] == []
    sets = {concept.set for concept in lexicon.concepts() if concept.set}
    assert sets - {one for each in data.worlds.values() for one in each.sets} <= {"castle"}


@pytest.mark.parametrize("name", sorted(figures.names()))
def test_a_figure_fills_its_square_and_is_not_cut_off(name: str) -> None:
    drawn = np.asarray(figures.mask(name, 96)) > 127
    assert 0.08 < drawn.mean() < 0.8
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    assert max(np.ptp(rows), np.ptp(columns)) > 62
    edge = np.concatenate([drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]])
    assert edge.sum() <= 8, "it runs over the edge"


def test_what_is_no_stroke_is_said() -> None:
    with pytest.raises(ValueError, match="begins with c, e, o"):
        figures._shapes("z 1 2 3")
    with pytest.raises(KeyError):
        figures.mask("quuxling", 32)


@pytest.mark.parametrize("world", sorted(universe._data().worlds))
def test_the_hero_is_large_and_in_the_middle_of_every_world(world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    request = a_request(prompt=MAGIC.format("lion"), ratio="1:1", width=240, height=240)
    look = plan(request).model_copy(update={"world": world})

    def shown(hero: str | None) -> np.ndarray:
        monkeypatch.setattr(
            "maquette.providers.images.local.picture.plan", lambda *_, **__: look.model_copy(update={"hero": hero})
        )
        return np.asarray(paint(request).resize((24, 24), Image.Resampling.BOX), dtype=float)

    gap = np.abs(shown("lion") - shown("bear")).max(axis=2)
    with_it, without = shown("lion"), shown(None)
    there = np.abs(with_it - without).max(axis=2) > 24
    assert there[6:20, 7:17].mean() > 0.5, "the hero is not seen"
    assert there[:, :2].mean() + there[:, -2:].mean() < 0.2, "it reaches the edges"
    assert gap[6:20, 7:17].max() > 20, "another hero looks the same"
    assert without.std() > 8


def test_takes_of_one_prompt_differ_and_things_of_one_world_go_together() -> None:
    def small(thing: str, seed: int) -> np.ndarray:
        request = a_request(prompt=JUNGLE.format(thing), seed=seed, ratio="1:1", width=160, height=160)
        return np.asarray(paint(request).resize((20, 20), Image.Resampling.BOX), dtype=float)

    takes = [small("lion", seed) for seed in range(4)]
    assert min(np.abs(a - b).mean() for a, b in itertools.combinations(takes, 2)) > 3
    lion, frog = small("lion", 0), small("frog", 0)
    assert np.abs(lion - frog)[8:18, 6:14].mean() > np.abs(lion - frog)[:4].mean()


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60), st.sampled_from([JUNGLE, BY_RULE, "image of {} for kids"]))
def test_any_thing_has_a_look_and_always_the_same(thing: str, template: str) -> None:
    request = a_request(prompt=template.replace("{}", thing))
    assert plan(request) == plan(request)


def test_a_brand_colours_a_universe() -> None:
    look = plan(a_request(prompt=JUNGLE.format("lion"), palette=("#1d4ed8", "#facc15")))
    plain = plan(a_request(prompt=JUNGLE.format("lion")))
    assert (look.hero, look.world) == ("lion", "jungle")
    assert look.palette != plain.palette
