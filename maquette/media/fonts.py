"""Which fonts there are and which one draws what: a character that none covers is refused, never drawn as a box.

Packaged fonts come first (Roboto; the Noto fonts of ``justmytype-intl-rtl`` where it is installed), then those
of the system's folders. Coverage is read from the fonts' own tables. An emoji that none covers is drawn as the
pictogram of the same thing, where there is one.
"""

import importlib.util
import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from fontTools.ttLib import TTFont, TTLibError

from maquette.errors import ConfigurationError, InvalidInput
from maquette.media import pictograms

_PACKAGES: Final = (("font_roboto", "files"), ("justmytype_intl_rtl", "fonts"))
_SYSTEM: Final = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/Library/Fonts",
                  "/System/Library/Fonts", "C:/Windows/Fonts")  # fmt: skip
_ZWJ: Final = "\u200d"
_VARIATION: Final = range(0xFE00, 0xFE10)
_EMOJI_STYLE: Final = "\ufe0f"
_SKIN: Final = range(0x1F3FB, 0x1F400)
_REGIONAL: Final = range(0x1F1E6, 0x1F200)
# Categories that leave no mark: controls, formats, separators.
_MARKLESS: Final = {"Cc", "Cf", "Zs", "Zl", "Zp"}


# Oddities of a system's fonts are no news to users.
logging.getLogger("fontTools").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Font:
    """A font file (``index`` within a collection)."""

    path: Path
    index: int = 0

    @property
    def coverage(self) -> frozenset[int]:
        """Code points that it draws; empty for a file that cannot be read or whose pictures cannot be drawn."""
        return _facts(self)[0]

    @property
    def is_colour(self) -> bool:
        """Whether it brings its own colours, as emoji fonts do."""
        return _facts(self)[1]

    @property
    def is_variable(self) -> bool:
        """Whether it has a weight to choose."""
        return _facts(self)[2]


@dataclass(frozen=True)
class FontChoice:
    """A run of text and the font that draws all of it."""

    text: str
    font: Font


@lru_cache(maxsize=4096)
def _facts(font: Font) -> tuple[frozenset[int], bool, bool]:
    try:
        with font.path.open("rb") as file, TTFont(file, fontNumber=font.index, lazy=True) as table:
            tags = set(table.keys())
            layers = "COLR" in tags and table["COLR"].version == 0
            pictures = bool(tags & {"CBDT", "sbix"}) or layers
            # Gradient emoji (COLR 1, SVG) have no outline that FreeType can fill: they would come out empty.
            if not pictures and ("COLR" in tags or "SVG " in tags or not tags & {"glyf", "CFF ", "CFF2"}):
                return frozenset(), False, False
            return frozenset(table.getBestCmap() or ()), pictures, "fvar" in tags
    except (TTLibError, OSError, KeyError, ValueError, AssertionError):
        return frozenset(), False, False


@lru_cache
def packaged() -> tuple[Font, ...]:
    """Fonts that come with installed packages; ``ConfigurationError`` when Roboto is missing."""
    found: list[Font] = []
    for package, folder in _PACKAGES:
        spec = importlib.util.find_spec(package)
        for root in spec.submodule_search_locations or () if spec else ():
            found += [Font(path) for path in sorted(Path(root, folder).rglob("*.ttf"), key=_order)]
    if not any(font.path.name == "Roboto-Black.ttf" for font in found):
        raise ConfigurationError("the font-roboto package is missing; install maquette's dependencies again")
    return tuple(found)


@lru_cache
def available() -> tuple[Font, ...]:
    """All fonts, in the order in which they are asked: packaged, then the system's, bold sans faces first."""
    files = (
        path
        for folder in _SYSTEM
        if (root := Path(folder).expanduser()).is_dir()
        for path in root.rglob("*")
        if path.suffix.lower() in {".ttf", ".otf", ".ttc"}
    )
    return packaged() + tuple(Font(path) for path in sorted(files, key=_order))


def _order(path: Path) -> tuple[bool, bool, bool, bool, str]:
    name = path.stem
    odd = any(word in name for word in ("Italic", "Oblique", "Mono", "Condensed", "Thin", "Light"))
    heavy = any(word in name for word in ("Black", "Bold", "wght"))
    return odd, not heavy, "Serif" in name, "Black" not in name, name


def roboto(weight: str = "Black") -> Font:
    """The packaged Roboto of ``weight`` (Black, Bold, Medium, Regular)."""
    return next(font for font in packaged() if font.path.name == f"Roboto-{weight}.ttf")


def markless(char: str) -> bool:
    """Whether ``char`` leaves no mark of its own: white space, controls, joiners, variation selectors."""
    code = ord(char)
    return unicodedata.category(char) in _MARKLESS or code in _VARIATION or 0xE0100 <= code <= 0xE01EF


def clusters(text: str) -> Iterator[str]:
    """``text`` in the pieces that one font must draw whole: a base with its marks, an emoji with its joiners."""
    piece = ""
    for char in text:
        code = ord(char)
        joins = bool(piece) and (
            unicodedata.category(char) in {"Mn", "Mc", "Me"}
            or char == _ZWJ
            or code in _SKIN
            or (piece.endswith(_ZWJ) and code > 0x2000)
            or (code in _REGIONAL and len(piece) == 1 and ord(piece) in _REGIONAL)
        )
        if joins:
            piece += char
        else:
            if piece:
                yield piece
            piece = char
    if piece:
        yield piece


def _wanted(piece: str) -> set[int]:
    return {ord(char) for char in piece if not markless(char)}


def _is_emoji(piece: str) -> bool:
    return _EMOJI_STYLE in piece or any(0x1F000 <= ord(char) < 0x1FB00 for char in piece)


def font_for(text: str, *, fonts: Sequence[Font] | None = None) -> Font | None:
    """The first font that covers all of ``text``; colour fonts first for emoji, last for other text."""
    wanted = _wanted(text)
    return _font_for(frozenset(wanted), _is_emoji(text), tuple(available() if fonts is None else fonts))


@lru_cache(maxsize=4096)
def _font_for(wanted: frozenset[int], emoji: bool, fonts: tuple[Font, ...]) -> Font | None:
    if not emoji:
        plain = next((font for font in fonts if wanted <= font.coverage and not font.is_colour), None)
        if plain is not None:
            return plain
    ordered: Iterable[Font] = sorted(fonts, key=lambda font: not font.is_colour) if emoji else fonts
    return next((font for font in ordered if wanted <= font.coverage), None)


def choose(text: str, *, fonts: Sequence[Font] | None = None) -> tuple[FontChoice, ...]:
    """``text`` in runs, in reading order, each with the font that draws it.

    One font for the whole where there is one, so that shaping is not broken. Raises ``InvalidInput`` as
    ``require_drawable`` does.
    """
    text = unicodedata.normalize("NFC", text)
    if not text:
        return ()
    # Emoji fonts draw digits as well, as half of a keycap: text with emoji is looked at piece by piece.
    whole = None if _is_emoji(text) else font_for(text, fonts=fonts)
    if whole is not None:
        return (FontChoice(text, whole),)
    require_drawable(text, fonts=fonts)
    runs: list[FontChoice] = []
    for piece in clusters(text):
        font = font_for(piece, fonts=fonts)
        if font is None:
            font, piece = Font(pictograms.FONT), pictograms.pictogram(piece) or ""
        if runs and (runs[-1].font == font or (not _wanted(piece) and not _is_emoji(piece))):
            runs[-1] = FontChoice(runs[-1].text + piece, runs[-1].font)
        else:
            runs.append(FontChoice(piece, font))
    return tuple(runs)


def uncovered(text: str, *, fonts: Sequence[Font] | None = None) -> str:
    """The characters of ``text`` that no font draws, each once, in order; empty when all can be drawn."""
    missing: dict[str, None] = {}
    for piece in clusters(unicodedata.normalize("NFC", text)):
        if not _drawable(piece, fonts):
            alone = [char for char in piece if not markless(char) and not _drawable(char, fonts)]
            # Every part has a font but no font has all parts: the piece as a whole is what cannot be drawn.
            missing.update(dict.fromkeys(alone or [piece]))
    return "".join(missing)


def _drawable(piece: str, fonts: Sequence[Font] | None) -> bool:
    return font_for(piece, fonts=fonts) is not None or pictograms.pictogram(piece) is not None


def require_drawable(text: str, *, fonts: Sequence[Font] | None = None) -> None:
    """Raise ``InvalidInput`` (code ``script_not_drawable``, value ``characters``) unless every character has a font."""
    missing = uncovered(text, fonts=fonts)
    if missing:
        raise InvalidInput(
            f"no installed font covers {missing!r}; install one that does (Noto fonts do), or change the text",
            code="script_not_drawable",
            characters=missing,
        )
