"""Prompts of drafts: files as people write them, what they say, and templates that are filled."""

import re
import threading
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from maquette.drafts.prompts import PACKAGED, VARIABLES, Prompts, fill, load_prompts, require_known, save_defaults
from maquette.drafts.prompts_file import KINDS, theme_key
from maquette.errors import ConfigurationError, InvalidInput, StorageError

SHARED = Path(__file__).parents[3] / "shared" / "data" / "drafts"
GENERIC = """\
generic:
  objects: "Things of {theme}."
  images: "A picture of {object}."
  videos: "{object} moves."
  music: "A song about {theme}."
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "prompts.yaml"
    path.write_text(text, "utf-8")
    return path


def refused(folder: Path, text: str) -> list[str]:
    """The mistakes that are told of a file, as ``line N: …``."""
    path = written(folder, text)
    with pytest.raises(ConfigurationError) as caught:
        load_prompts(path)
    head, *told = str(caught.value).splitlines()
    assert str(path) in head
    return [line.removeprefix(f"{path}, ") for line in told]


def test_the_packaged_prompts_hold_the_themes_of_the_existing_clients() -> None:
    prompts = load_prompts(None)
    for theme in ("jungle", "ocean", "space", "farm", "vehicles", "vehicules_de_chantier"):
        own = prompts.themes[theme_key(theme)]
        assert set(own) == {"description", *KINDS}
        assert prompts.image(theme) == own["images"] != prompts.defaults["images"]
    assert prompts.music_model == "minimax/music-1.5"
    document = yaml.safe_load(PACKAGED.read_text("utf-8"))
    assert {"music", "words", "video_motion", "generic", "themes"} == set(document)


def test_the_packaged_prompts_can_all_be_sent() -> None:
    prompts = load_prompts(None)
    words = tuple(f"concept {number}" for number in range(10))
    for theme in [*prompts.themes, "a theme that nobody has heard of until now"]:
        description = prompts.description(theme)
        for template in (prompts.image(theme), prompts.video(theme)):
            assert "dump truck" in fill(template, concept="dump truck", theme=theme, description=description)
        style = fill(prompts.music(theme), concept=theme, theme=theme, description=description, words=words)
        assert 10 <= len(style) <= 300  # what the song model takes
        # How many is asked beside.
        assert not re.search(r"\d", prompts.objects(theme))


def test_a_theme_says_its_own_and_the_rest_is_generic(tmp_path: Path) -> None:
    prompts = load_prompts(
        written(tmp_path, GENERIC + "themes:\n  space:\n    description: starry sky\n    images: '{object} in space'\n")
    )
    assert prompts.image("space") == "{object} in space"
    assert prompts.video("space") == "{object} moves."
    assert prompts.objects("space") == prompts.objects("farm") == "Things of {theme}."
    assert prompts.music("space") == "A song about {theme}."
    assert prompts.description("space") == "starry sky"
    assert prompts.description("dragons") == "univers magique dragons"


@pytest.mark.parametrize(
    "theme", ["vehicules_de_chantier", "Véhicules de chantier", "VEHICULES-DE-CHANTIER", " véhicules  de_chantier "]
)
def test_a_theme_is_found_however_it_is_written(theme: str) -> None:
    prompts = load_prompts(None)
    assert prompts.image(theme) == prompts.image("construction vehicles") != prompts.defaults["images"]


def test_defaults_come_before_generic_and_after_the_theme(tmp_path: Path) -> None:
    more = "defaults: {images: 'set: {object}'}\nthemes: {sea: {videos: 'own: {object}', music: own}}\n"
    prompts = load_prompts(written(tmp_path, GENERIC + more))
    assert prompts.image("sea") == "set: {object}"
    assert prompts.video("sea") == "own: {object}"
    assert prompts.video("farm") == "{object} moves."


def test_the_first_files_still_count(tmp_path: Path) -> None:
    prompts = load_prompts(
        written(
            tmp_path,
            "themes:\n  jungle: 'jungle profonde avec lianes'\n"
            "words:\n  base: 'Illustration de {word}, ambiance {theme_description}'\n"
            "video_motion: 'The {word} moves gently'\n"
            "music:\n  model: some/model\n  prompt: 'Cute music for {theme_name}'\n",
        )
    )
    image = fill(prompts.image("jungle"), concept="singe", theme="jungle", description=prompts.description("Jungle"))
    assert image == "Illustration de singe, ambiance jungle profonde avec lianes"
    assert prompts.video("x") == "The {word} moves gently"
    assert fill(prompts.music("x"), concept="", theme="x", description="") == "Cute music for x"
    assert prompts.objects("x") == load_prompts(None).objects("a theme without its own")
    assert prompts.music_model == "some/model"


def test_the_oldest_files_describe_every_theme(tmp_path: Path) -> None:
    text = "base:\n  description: A world of {theme}.\n  image: I {object}\n  music: M {words}\n  video: V {object}\n"
    prompts = load_prompts(written(tmp_path, text))
    assert prompts.description("vehicules_de_chantier") == "A world of vehicules de chantier."
    assert (prompts.image("x"), prompts.video("x"), prompts.music("x")) == ("I {object}", "V {object}", "M {words}")


def test_the_files_of_the_existing_clients() -> None:
    files = [*sorted(SHARED.glob("*.yaml")), *sorted(SHARED.glob("*/*/prompts.yaml"))]
    if not files:
        pytest.skip("the shared data is not there")
    for file in files:
        prompts, document = load_prompts(file), yaml.safe_load(file.read_text("utf-8"))
        for name, theme in document.get("themes", {}).items():
            said = {"description": theme} if isinstance(theme, str) else theme
            assert prompts.themes[theme_key(name)] == said
        own = document.get("defaults") or document.get("generic")
        if own:
            assert prompts.defaults == own
        for template in prompts.defaults.values():
            require_known(template)


def test_every_mistake_of_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    told = refused(
        tmp_path,
        """\
generic:
  objects: "x {objekt}"
  images: 5
  images: "twice"
  music: [a, b]
themes:
  ocean: "a {theme_description}"
  Océan: {imges: "x", videos: "a { b"}
  empty:
    images: ""
  list: [a]
  "!!": "no letters"
music: {model: true}
whatever: 1
""",
    )
    expected = [
        ("line 2: generic: ", "it lacks videos: add"),
        ("line 2: generic.objects: ", "unknown variable {objekt}: did you mean {object}?"),
        ("line 3: generic.images: ", "a number, not a text: put it in quotation marks"),
        ("line 4: generic: ", "“images” is there already on line 3: keep one"),
        ("line 5: generic.music: ", "a list, not a text"),
        ("line 7: themes.ocean: ", "unknown variable {theme_description}"),
        ("line 8: themes.Océan: ", "there already as “ocean”: keep one"),
        ("line 8: themes.Océan: ", "unknown key “imges”: did you mean images?"),
        ("line 8: themes.Océan.videos: ", "no other half in “a { b”"),
        ("line 10: themes.empty.images: ", "empty: write it, or remove the line"),
        ("line 11: themes.list: ", "give it its own lines with description, objects"),
        ("line 12: themes.!!: ", "no letters: give it another one"),
        ("line 13: music.model: ", "yes or no, not a text"),
        ("line 14: ", "unknown key “whatever”: Known are music, words"),
    ]
    for place, what in expected:
        assert any(place in line and what in line for line in told), (place, what)
    assert len(told) == len(expected)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "the file is empty"),
        ("# only a comment\n", 1, "the file is empty"),
        ("just words", 1, "give it its own lines with music"),
        ("generic:\n  images: {object} in a tree\n", 2, "begin with a brace, in quotation marks"),
        ("video_motion: one: two\n", 1, "this is not YAML"),
        ("music: {model: m}\nvideo_motion: 'never closed\n", 3, "this is not YAML"),
        ("music: {model: m}\n---\nmusic: {model: m}\n", 2, "this is not YAML"),
        ("video_motion: *nobody\n", 1, "this is not YAML"),
        ("music: {model: m}\nvideo_motion: a\x07b\n", 2, "U+0007: remove it"),
        ("? [a]\n: b\n", 1, "a name belongs here, not a list"),
        ("themes:\n", 1, "give it a line for each theme"),
        ("[" * 1000, 1, "nested too deep"),
        ("video_motion: 'a } b'\n", 1, "no other half in “a } b”"),
        ("themes:\n  sea:\n    vidoes: x\n", 3, "did you mean videos?"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, text: str, line: int, what: str) -> None:
    told = refused(tmp_path, text)
    assert len(told) == 1
    assert told[0].startswith(f"line {line}: ")
    assert what in told[0]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MAQUETTE_PROMPTS_FILE"):
        load_prompts(tmp_path / "absent.yaml")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("themes:\n  forêt: verte\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="line 2: this is not UTF-8"):
        load_prompts(latin)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text(GENERIC, "utf-8-sig")
    assert load_prompts(path).video("x") == "{object} moves."


@given(st.text(alphabet=st.sampled_from("agxy :-#{}[]'\"\n\t&*!|>?,%@é{object}"), max_size=60) | st.text(max_size=60))
def test_any_file_is_read_or_refused_with_its_lines(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"any-{threading.get_ident()}.yaml"
    path.write_bytes(text.encode())
    try:
        prompts = load_prompts(path)
    except ConfigurationError as error:
        told = str(error).split(str(path))[2:]
        assert told and all(re.match(r", line \d+: ", line) for line in told)
    else:
        for kind in KINDS:
            require_known(prompts.defaults[kind])


def test_filling_every_variable() -> None:
    template = " | ".join(f"{{{name}}}" for name in VARIABLES)
    filled = fill(template, concept="lion", theme="la_savane", description="golden grass", words=("lion", "zebra"))
    assert filled == "lion | la savane | golden grass | lion | lion, zebra | lion | la savane"
    assert fill("{words}", concept="lion", theme="", description="") == "lion"


def test_braces_that_are_to_be_seen_are_doubled() -> None:
    assert fill("{{x}} {{{object}}}", concept="lion", theme="", description="") == "{x} {lion}"


def test_values_bring_no_braces_along() -> None:
    filled = fill(
        "{object} in {theme_description}", concept="a {lion}", theme="", description="{theme} }{ {0.__class__}"
    )
    assert filled == "a lion in theme  0.__class__"
    require_known(filled)


@pytest.mark.parametrize("name", ["objekt", "", " object ", "0", "object.__class__", "object!r:>99", "THEME"])
def test_an_unknown_variable_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="unknown variable") as caught:
        fill(f"a {{{name}}}", concept="lion", theme="", description="")
    assert caught.value.code == "unknown_variable"
    assert all(f"{{{known}}}" in str(caught.value) for known in VARIABLES)
    assert f"{{{name}}}" in caught.value.text("fr")
    assert "{theme_description}" in caught.value.text("es")


@pytest.mark.parametrize("template", ["a {object", "object} b", "{{{object}}", "{a{object}"])
def test_a_brace_without_its_other_half_is_refused(template: str) -> None:
    with pytest.raises(InvalidInput, match="no other half") as caught:
        require_known(template)
    assert caught.value.code == "loose_brace"
    assert caught.value.text("en").startswith("A brace")


TEXTS = st.text(st.characters(exclude_characters="{}", codec="utf-8"), max_size=20)


@given(st.lists(TEXTS | st.sampled_from([f"{{{name}}}" for name in VARIABLES] + ["{{", "}}"]), max_size=8))
def test_filling_leaves_the_words_between_as_they_are(pieces: list[str]) -> None:
    values = dict.fromkeys(VARIABLES, "lion") | {"{{": "{", "}}": "}"}
    filled = fill("".join(pieces), concept="lion", theme="lion", description="lion", words=("lion",))
    assert filled == "".join(values.get(piece.strip("{}") or piece, piece) if "{" in piece or "}" in piece else piece
                             for piece in pieces)  # fmt: skip


@given(st.text(), TEXTS)
def test_a_template_is_filled_or_refused(template: str, value: str) -> None:
    try:
        require_known(template)
    except InvalidInput:
        with pytest.raises(InvalidInput):
            fill(template, concept=value, theme=value, description=value)
    else:
        fill(template, concept=value, theme=value, description=value)


def test_saving_defaults_keeps_all_else(tmp_path: Path) -> None:
    path = written(tmp_path, "# mine\n" + GENERIC + "defaults: {music: 'old'}\nthemes: {forêt: 'verte: très', no: x}\n")
    prompts = save_defaults(path, {"images": "new: {object}\non two lines", "music": "Ça chante #1"})
    assert isinstance(prompts, Prompts)
    assert prompts == load_prompts(path)
    document = yaml.safe_load(path.read_text("utf-8"))
    assert document["defaults"] == {"music": "Ça chante #1", "images": "new: {object}\non two lines"}
    assert document["themes"] == {"forêt": "verte: très", "no": "x"}
    assert document["generic"] == yaml.safe_load(GENERIC)["generic"]
    assert [each.name for each in tmp_path.iterdir()] == ["prompts.yaml"]


def test_saving_defaults_without_a_file_takes_what_comes_along(tmp_path: Path) -> None:
    path = tmp_path / "storage" / "prompts_defaults.yaml"
    prompts = save_defaults(path, {"videos": "{object} hops."})
    packaged = load_prompts(None)
    assert prompts.themes == packaged.themes
    assert prompts.defaults == {**packaged.defaults, "videos": "{object} hops."}
    assert "&" not in re.sub(r"\"[^\"]*\"", "", path.read_text("utf-8"))  # each theme can be changed by itself


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"image": "x"}, "choose among objects, images"),
        ({"images": "  "}, "is empty"),
        ({"images": "{objekt}"}, "unknown variable"),
        ({"objects": "fine", "images": "{"}, "no other half"),
    ],
)
def test_defaults_that_cannot_be_used_are_not_saved(tmp_path: Path, changes: dict[str, str], what: str) -> None:
    path = written(tmp_path, GENERIC)
    with pytest.raises(InvalidInput, match=what):
        save_defaults(path, changes)
    assert path.read_text("utf-8") == GENERIC


def test_a_broken_file_is_not_written_over(tmp_path: Path) -> None:
    path = written(tmp_path, "generic: [")
    with pytest.raises(ConfigurationError, match="not YAML"):
        save_defaults(path, {"images": "x"})
    assert path.read_text("utf-8") == "generic: ["


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "storage").write_text("a file where a folder belongs")
    with pytest.raises(StorageError, match="cannot be written"):
        save_defaults(tmp_path / "storage" / "prompts.yaml", {"images": "x"})


def test_readers_see_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = written(tmp_path, GENERIC)

    def write() -> None:
        for number in range(20):
            save_defaults(path, {"images": f"picture {number}"})

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while writer.is_alive():
        seen.add(load_prompts(path).image("x"))
    writer.join()
    assert seen <= {"A picture of {object}.", *(f"picture {number}" for number in range(20))}
    assert load_prompts(path).image("x") == "picture 19"
