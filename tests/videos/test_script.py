"""The shape of a script, and the tolerant reader, against answers as models give them."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.errors import Invalid
from maquette.videos.script import ParsedBlock, Script, as_script, format_script, missing_blocks, parse_script

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "videos"

PLAIN = """BLOC 1 (8s):
DIALOGUE: "D'où vient le sel de nos tables ?"
VISUEL: Gros plan sur une salière, lumière douce.

BLOC 2 (7s):
DIALOGUE: "De la mer, du soleil et de la patience."
VISUEL: Un marais salant au lever du soleil."""

TWO = [
    ParsedBlock(
        number=1, dialogue="D'où vient le sel de nos tables ?", visual="Gros plan sur une salière, lumière douce."
    ),
    ParsedBlock(
        number=2, dialogue="De la mer, du soleil et de la patience.", visual="Un marais salant au lever du soleil."
    ),
]

VARIANTS = {
    "plain": PLAIN,
    "bold": re.sub(r"(?m)^(BLOC.*|DIALOGUE:|VISUEL:)", r"**\1**", PLAIN),
    "bold label, colon outside": re.sub(r"(?m)^(BLOC.*|DIALOGUE|VISUEL)(:)", r"**\1**\2", PLAIN),
    "italic labels": re.sub(r"(?m)^(DIALOGUE:|VISUEL:)", r"*\1*", PLAIN),
    "lower case": re.sub(r"BLOC|DIALOGUE|VISUEL", lambda match: match[0].lower(), PLAIN),
    "headings": re.sub(r"(?m)^BLOC", "### BLOC", PLAIN),
    "bullets": re.sub(r"(?m)^(DIALOGUE|VISUEL)", r"- \1", PLAIN),
    "numbered": re.sub(r"(?m)^BLOC (\d)", r"\1. BLOC \1", PLAIN),
    "english words": PLAIN.replace("BLOC", "BLOCK").replace("VISUEL", "VISUAL"),
    "spanish words": PLAIN.replace("BLOC", "BLOQUE").replace("DIALOGUE", "DIÁLOGO").replace("VISUEL", "VISUAL"),
    "spanish, accent apart": PLAIN.replace("DIALOGUE", "DIA\u0301LOGO"),
    "no duration": re.sub(r" \(\ds\)", "", PLAIN),
    "no duration, no colon": re.sub(r" \(\ds\):", "", PLAIN),
    "number sign": PLAIN.replace("BLOC ", "Bloc n° "),
    "title after the number": re.sub(r"\(\ds\):", "– La mer", PLAIN),
    "guillemets": re.sub(r'"(.*)"', "« \\1 »", PLAIN),
    "curly quotes": re.sub(r'"(.*)"', r"“\1”", PLAIN),
    "single quotes": re.sub(r'"(.*)"', r"'\1'", PLAIN),
    "no quotes": PLAIN.replace('"', ""),
    "quoted visuals": re.sub(r"VISUEL: (.*)", r'VISUEL: "\1"', PLAIN),
    "crlf": PLAIN.replace("\n", "\r\n"),
    "fence": f"```text\n{PLAIN}\n```",
    "rules between": PLAIN.replace("\n\n", "\n\n---\n\n") + "\n***",
    "words around": f"Voici votre script :\n\n{PLAIN}\n\nDites-moi si le bloc 2 vous convient !",
    "other labels": PLAIN.replace("VISUEL:", "MUSIQUE: douce\nVISUEL:").replace(
        "lumière douce.", "lumière douce.\nSON: vagues"
    ),
    "several lines": PLAIN.replace("le sel de", "le sel\n   de").replace("salant au", "salant\nau"),
    "value below its label": PLAIN.replace('DIALOGUE: "', 'DIALOGUE:\n\n"'),
    "one line each": re.sub(r"\n(DIALOGUE|VISUEL)", r" \1", PLAIN),
    "visual first": re.sub(r"(DIALOGUE.*)\n(VISUEL.*)", r"\2\n\1", PLAIN),
    "a note in the label": PLAIN.replace("DIALOGUE:", "DIALOGUE (voix off) :"),
    "out of order": "\n\n".join(reversed(PLAIN.split("\n\n"))),
}


@pytest.mark.parametrize("raw", VARIANTS.values(), ids=VARIANTS.keys())
def test_every_spelling_reads_the_same(raw: str) -> None:
    assert parse_script(raw) == TWO


def test_the_variants_differ() -> None:
    assert len(set(VARIANTS.values())) == len(VARIANTS)


def test_the_later_of_two_blocks_with_one_number_counts() -> None:
    draft = 'BLOC 2 (7s):\nDIALOGUE: "Brouillon."\nVISUEL: Une ébauche.\n\n'
    assert parse_script(draft + PLAIN) == TWO


def test_a_block_without_a_visual_is_left_out() -> None:
    raw = 'BLOC 1:\nDIALOGUE: "Seul."\n\nBLOC 2:\nVISUEL: La mer.\n\nBLOC 3:\nDIALOGUE: ""\nVISUEL: Le ciel.'
    assert parse_script(raw) == [
        ParsedBlock(number=2, dialogue="", visual="La mer."),
        ParsedBlock(number=3, dialogue="", visual="Le ciel."),
    ]


def test_two_quotations_are_not_one_pair() -> None:
    raw = "BLOC 1:\nDIALOGUE: « Oui » ou « non »\nVISUEL: Deux mains."
    assert parse_script(raw)[0].dialogue == "« Oui » ou « non »"


def test_prose_about_a_block_starts_none() -> None:
    assert parse_script(f"{PLAIN}\nBloc 3 montre la suite.\n")[0] == TWO[0]
    assert len(parse_script(f"{PLAIN}\n\nBloc 3 montre la suite.\nVISUEL: Rien.")) == 2


@pytest.mark.parametrize(
    "raw", ["", "\x00", "BLOC 0:\nVISUEL: x", "BLOC 1:", "VISUEL: seul", "BLOC ١:\nVISUEL: x", "«" * 9]
)
def test_texts_without_a_block(raw: str) -> None:
    assert parse_script(raw) == []


_pieces = st.sampled_from(
    [
        "BLOC 1 (8s):",
        "BLOC 2",
        "DIALOGUE:",
        "VISUEL:",
        "**",
        '"',
        "«",
        "»",
        "\n",
        "\r\n",
        "```",
        "---",
        "\x00",
        "\u2028",
        " ",
    ]
)


@settings(deadline=None)
@given(st.lists(_pieces | st.text(max_size=8), max_size=40).map("".join))
def test_any_text_is_read_and_never_raises(raw: str) -> None:
    blocks = parse_script(raw)
    assert [block.number for block in blocks] == sorted({block.number for block in blocks})


def test_a_long_hostile_text_is_read_in_linear_time() -> None:
    for unit in ("* ", '"', "- ", "BLOC ", "DIALOGUE", "\n\n", "1)", "=", "A "):
        assert parse_script(unit * 50_000) == []


_MARKERS = re.compile(r"di(?:a\u0301?|á)log|visu|voi[cx]|voz|\*\*", re.IGNORECASE)
_texts = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60).filter(
    lambda text: text == text.strip() and "  " not in text and not _MARKERS.search(text)
)
_blocks = st.lists(st.tuples(_texts, _texts.filter(bool)), min_size=1, max_size=10).map(
    lambda pairs: [ParsedBlock(number=n, dialogue=said, visual=seen) for n, (said, seen) in enumerate(pairs, start=1)]
)


@settings(deadline=None)
@given(_blocks, st.lists(st.integers(1, 60), max_size=10))
def test_what_is_written_is_read_back(blocks: list[ParsedBlock], durations_s: list[int]) -> None:
    assert parse_script(format_script(blocks, durations_s=durations_s)) == blocks


def _script(blocks: list[ParsedBlock], *, at: datetime = datetime(2026, 2, 1, 20, 36, 48)) -> Script:
    return as_script(
        blocks,
        durations_s=(8, 7),
        video_id="video_1",
        theme="Le sel",
        target_duration_s=15,
        generated_at=at,
        raw_script=PLAIN,
    )


def test_the_stored_shape() -> None:
    assert json.loads(_script(TWO).to_json()) == {
        "video_id": "video_1",
        "theme": "Le sel",
        "target_duration": 15,
        "actual_duration": 15,
        "blocks": [
            {"bloc": 1, "dialogue": TWO[0].dialogue, "visuel": TWO[0].visual, "duration": 8},
            {"bloc": 2, "dialogue": TWO[1].dialogue, "visuel": TWO[1].visual, "duration": 7},
        ],
        "total_blocks": 2,
        "generated_at": "2026-02-01T20:36:48.000000",
        "raw_script": PLAIN,
    }
    assert list(json.loads(_script(TWO).to_json())) == list(Script.model_fields)
    assert format_script(_script(TWO).blocks) == PLAIN == format_script(TWO, durations_s=(8, 7))


def test_a_time_with_a_zone_is_stored_as_utc() -> None:
    paris = datetime(2026, 2, 1, 21, 36, 48, tzinfo=timezone(timedelta(hours=1)))
    assert _script(TWO, at=paris).generated_at == datetime(2026, 2, 1, 20, 36, 48)
    assert _script(TWO, at=paris.astimezone(UTC)) == _script(TWO)


def test_spare_blocks_are_cut_and_gaps_closed() -> None:
    spare = [TWO[0], TWO[1].model_copy(update={"number": 4}), TWO[1].model_copy(update={"number": 5})]
    assert _script(spare).blocks == _script(TWO).blocks
    assert missing_blocks(spare, wanted=2) == 0


def test_missing_blocks_make_the_film_shorter() -> None:
    script = _script(TWO[:1])
    assert missing_blocks(TWO[:1], wanted=2) == 1
    assert (script.total_blocks, script.actual_duration) == (1, 8)


def test_no_block_at_all_is_an_error() -> None:
    with pytest.raises(Invalid, match="no block"):
        _script([])


def test_wrongly_numbered_blocks_are_refused() -> None:
    data = _script(TWO).model_dump() | {"total_blocks": 3}
    with pytest.raises(ValueError, match="numbered from 1"):
        Script.model_validate(data)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample scripts lie beside a full checkout only")
def test_the_sample_scripts_are_read_and_written_to_the_letter() -> None:
    stored = (SAMPLES / "example_script_v2.SYNTHETIC.json").read_text("utf-8")
    script = Script.model_validate_json(stored)
    assert script.to_json() == stored
    assert format_script(script.blocks) == script.raw_script
    markdown = (SAMPLES / "raw_script_markdown_variant.SYNTHETIC.txt").read_text("utf-8")
    parsed = parse_script(markdown)
    assert parsed == parse_script(script.raw_script)
    rebuilt = as_script(
        parsed,
        durations_s=(8, 7, 7, 7, 7),
        video_id=script.video_id,
        theme=script.theme,
        target_duration_s=script.target_duration,
        generated_at=script.generated_at,
        raw_script=script.raw_script,
    )
    assert rebuilt == script
