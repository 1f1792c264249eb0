"""Rules of a video as pure functions: blocks, progress, texts, the theme, the delay between tries.

The block rule, the percentages and the French texts are those that existing clients know.
"""

import math
import unicodedata
from enum import StrEnum
from random import Random
from typing import Final, Literal, assert_never

from maquette.errors import InvalidInput

MIN_TARGET_S: Final = 8
MAX_TARGET_S: Final = 78
FIRST_BLOCK_S: Final = 8
NEXT_BLOCK_S: Final = 7
MAX_BLOCKS: Final = 10
MAX_THEME_CHARACTERS: Final = 500

MAX_BACKOFF_S: Final = 300.0
MAX_RETRY_AFTER_S: Final = 900.0
JITTER: Final = 0.2

# Embeddings, overrides and isolates: they reorder the text around them. Marks (U+200E, U+200F) and joiners do not.
_BIDI_CONTROLS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

ListStatus = Literal["processing", "completed", "failed"]


# What a refused block shows instead (French wording of the existing clients).
NEUTRAL_VISUAL: Final[dict[str, str]] = {
    "fr": "Scène abstraite colorée avec des formes géométriques en mouvement sur fond uni. Style moderne et épuré.",
    "en": "Colourful abstract scene of geometric shapes moving on a plain background. Modern, uncluttered style.",
    "es": "Escena abstracta y colorida, formas geométricas en movimiento sobre fondo liso. Estilo moderno y depurado.",
}


class VideoStatus(StrEnum):
    """Where a video stands, in the words of the API."""

    QUEUED = "queued"
    SCRIPT_GENERATED = "script_generated"
    GENERATING_PARALLEL = "generating_parallel"
    READY_FOR_ASSEMBLY = "ready_for_assembly"
    COMPLETED = "completed"
    FAILED = "failed"


_STEPS: Final[dict[VideoStatus, dict[str, str]]] = {
    VideoStatus.QUEUED: {"fr": "En file d'attente", "en": "Waiting in line", "es": "En cola"},
    VideoStatus.SCRIPT_GENERATED: {
        "fr": "Script généré, lancement génération...",
        "en": "Script written, starting the clips...",
        "es": "Guion listo, iniciando los clips...",
    },
    VideoStatus.GENERATING_PARALLEL: {
        "fr": "Génération vidéos ({completed}/{total} blocs)",
        "en": "Making the clips ({completed}/{total} blocks)",
        "es": "Generando los clips ({completed}/{total} bloques)",
    },
    VideoStatus.READY_FOR_ASSEMBLY: {
        "fr": "Assemblage en cours...",
        "en": "Assembling the film...",
        "es": "Montando el vídeo...",
    },
    VideoStatus.COMPLETED: {"fr": "Vidéo terminée !", "en": "The video is ready!", "es": "¡Vídeo terminado!"},
    VideoStatus.FAILED: {
        "fr": "Erreur lors de la génération",
        "en": "The video could not be made",
        "es": "Error durante la generación",
    },
}


def block_durations(target_duration_s: int) -> tuple[int, ...]:
    """Seconds of each block for a wished length: one block up to 8 s, then one more per 7 s, ten at most.

    36 → (8, 7, 7, 7, 7); 78 → ten blocks of 71 s in all. Raises ``InvalidInput`` outside 8..78.
    """
    if not MIN_TARGET_S <= target_duration_s <= MAX_TARGET_S:
        raise InvalidInput(
            f"the target duration is {target_duration_s} s: choose from {MIN_TARGET_S} to {MAX_TARGET_S} seconds"
        )
    more = math.ceil((target_duration_s - FIRST_BLOCK_S) / NEXT_BLOCK_S)
    return (FIRST_BLOCK_S,) + (NEXT_BLOCK_S,) * min(MAX_BLOCKS - 1, more)


def actual_duration(target_duration_s: int) -> int:
    """Seconds that the film really gets; raises as ``block_durations`` does."""
    return sum(block_durations(target_duration_s))


def progress(status: VideoStatus, *, completed: int, total: int) -> int:
    """Percent done. It never falls while a video advances; a failed one reads 0, as clients expect.

    ``completed`` blocks of ``total`` count only while clips are made; out of range they are held to it.
    """
    match status:
        case VideoStatus.QUEUED | VideoStatus.FAILED:
            return 0
        case VideoStatus.SCRIPT_GENERATED:
            return 10
        case VideoStatus.GENERATING_PARALLEL:
            return 10 + 80 * max(0, min(completed, total)) // total if total > 0 else 10
        case VideoStatus.READY_FOR_ASSEMBLY:
            return 95
        case VideoStatus.COMPLETED:
            return 100
        case _:
            assert_never(status)


def step_text(status: VideoStatus, language: str = "fr", *, completed: int, total: int) -> str:
    """What the user reads of the step, in fr, en or es (French where the language is unknown)."""
    texts = _STEPS[status]
    return texts.get(language, texts["fr"]).format(completed=completed, total=total)


def list_status(status: VideoStatus) -> ListStatus:
    """The three statuses that lists of videos show."""
    match status:
        case VideoStatus.COMPLETED:
            return "completed"
        case VideoStatus.FAILED:
            return "failed"
        case _:
            return "processing"


def clean_text(text: str, *, what: str = "the text") -> str:
    """``text`` in Unicode NFC, on one line, with single spaces.

    Tabs and line breaks become spaces. Raises ``InvalidInput`` for other control characters, for those that
    override the direction of the text around them, and for lone surrogates.
    """
    text = unicodedata.normalize("NFC", text)
    for position, character in enumerate(text, start=1):
        if character in "\t\n\r":
            continue
        if character in _BIDI_CONTROLS or unicodedata.category(character) in ("Cc", "Cs"):
            raise InvalidInput(
                f"{what} holds the control character U+{ord(character):04X} at position {position}: remove it",
                code="control_character",
                character=f"U+{ord(character):04X}",
            )
    return " ".join(text.split())


def clean_theme(text: str) -> str:
    """The theme as ``clean_text`` gives it, 1 to 500 characters.

    Raises ``InvalidInput`` as ``clean_text`` does; code ``theme_empty`` when nothing visible is left,
    ``theme_too_long`` above 500 characters.
    """
    theme = clean_text(text, what="the theme")
    if all(unicodedata.category(character)[0] in "CZ" for character in theme):
        raise InvalidInput("the theme is empty: say in a few words what the video is about", code="theme_empty")
    if len(theme) > MAX_THEME_CHARACTERS:
        raise InvalidInput(
            f"the theme has {len(theme)} characters: shorten it to {MAX_THEME_CHARACTERS}", code="theme_too_long"
        )
    return theme


def retry_delay_s(tries_done: int, *, base_s: float, retry_after_s: float | None, random: Random) -> float:
    """Seconds to wait before the next try: ``base_s`` doubled with each try done, ±20 % so that blocks part ways.

    300 s at most; never sooner than the provider's ``retry_after_s``, of which 900 s are believed.
    """
    # Beyond 2^60 the cap holds anyway, and floats would overflow.
    exponential_s = base_s * 2.0 ** min(60, max(0, tries_done - 1))
    delay_s = min(MAX_BACKOFF_S, exponential_s * random.uniform(1 - JITTER, 1 + JITTER))
    return max(delay_s, min(MAX_RETRY_AFTER_S, retry_after_s or 0.0))
