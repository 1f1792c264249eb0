"""The pages as pages: links and paths that lead somewhere, the README's two commands, words that must not be there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text("utf-8")

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:[\w.-]+/)+(?:[\w.-]+\.(?:py|yaml|toml|md|json|svg))?)`")
_FORBIDDEN = (
    r"/(?:root|work|home/\w+|Users/\w+|tmp)/",
    r"\.venv/lib",
    r"\bpypi\.org|pythonhosted\.org|registry\.npmjs|proxy\.golang",
    r"--(?:extra-)?index-url|--find-links",
    r"\bTODO\b|\bFIXME\b|\bTBD\b",
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{name_of(page)}: {link}"
        assert not anchor or anchor in anchors(target), f"{name_of(page)}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_of_the_code_is_there(page: Path) -> None:
    # What a run makes is not part of a checkout.
    home = (
        "MAQUETTE_HOME/", "assets/", "videos/", "images/", "carousels/", "drafts/", "thumbnails/", "buckets/",
        "storage/", "tmp/", "logs/", "postgres/", "prefect/",
    )  # fmt: skip
    for path in _PATH.findall(page.read_text("utf-8")):
        assert path.startswith((*home, "provider-", ".venv")) or (ROOT / path).exists(), f"{name_of(page)}: {path}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "requirements.lock", *ROOT.glob("*/requirements.lock")], ids=name_of)
def test_no_machine_path_and_no_registry_is_named(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [found[0] for pattern in _FORBIDDEN for found in re.finditer(pattern, text)] == []


def test_the_readme_has_exactly_the_two_commands() -> None:
    blocks = [fence.splitlines()[1:-1] for fence in _FENCE.findall(README)]
    assert blocks == [["make demo"], ["make test"]]
    assert not re.search(r"^(?: {4}|\t)\S", _FENCE.sub("", README), re.MULTILINE)  # an indented block is one as well


def test_both_commands_are_targets_and_so_is_every_make_that_is_named() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"[`\n]make ([a-z]+)", page.read_text("utf-8"))}
    assert {"demo", "test"} <= named <= targets


def test_a_newcomer_finds_providers_and_pipelines_on_the_first_screen() -> None:
    first_screen = "\n".join(README.splitlines()[:12])
    assert "[add a provider](docs/providers.md#add-a-provider)" in first_screen
    assert "[add a pipeline](docs/add-a-pipeline.md)" in first_screen


def test_the_readme_leads_to_every_page() -> None:
    assert [name for name in map(name_of, PAGES) if name != "README.md" and f"({name}" not in README] == []


def test_the_pictures_are_small() -> None:
    pictures = [path for path in (ROOT / "docs" / "images").iterdir() if path.suffix in {".png", ".jpg", ".svg"}]
    assert len(pictures) >= 2
    assert [path.name for path in pictures if path.stat().st_size > 500_000] == []


def test_the_changelog_has_an_unreleased_section_with_entries() -> None:
    section = (ROOT / "CHANGELOG.md").read_text("utf-8").partition("\n## Unreleased\n")[2].partition("\n## ")[0]
    assert re.findall(r"^- \S", section, re.MULTILINE)


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert re.match(r"\s*Apache License\s+Version 2\.0, January 2004", text)
    assert "END OF TERMS AND CONDITIONS" in text
