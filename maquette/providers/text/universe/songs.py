"""Children's songs on any theme, from verses kept as data."""

from functools import lru_cache
from pathlib import Path
from random import Random

import yaml
from pydantic import BaseModel, ConfigDict

from maquette.providers.text.port import LyricsRequest

MAX_WORD = 24


class Song(BaseModel):
    """The lines of a song's parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    intro: tuple[str, ...]
    first: tuple[str, ...]
    chorus: tuple[str, ...]
    second: tuple[str, ...]
    bridge: tuple[str, ...]
    outro: tuple[str, ...]


def song(request: LyricsRequest) -> str:
    """The song's text with its tags, within ``max_characters``; the same request gives the same song.

    Where the words are so long that it would pass the limit, its second chorus goes, then its second verse.
    """
    random = Random(f"{request.seed}/{request.language}/{request.theme}")
    chosen = random.choice(_songs()[request.language])
    words = list(dict.fromkeys(word for word in request.words if 0 < len(word) <= MAX_WORD)) or [request.theme]
    random.shuffle(words)
    # Few words come again, in another verse.
    filled = {slot: words[index % len(words)] for index, slot in enumerate("abcd")} | {
        "t": request.theme if len(request.theme) <= 2 * MAX_WORD else words[0]
    }
    parts = [
        ("intro", chosen.intro), ("verse", chosen.first), ("chorus", chosen.chorus), ("verse", chosen.second),
        ("chorus", chosen.chorus), ("bridge", chosen.bridge), ("outro", chosen.outro),
    ]  # fmt: skip
    text = _text(parts, filled)
    for spare in (4, 3):
        if len(text) > request.max_characters:
            parts.pop(spare)
            text = _text(parts, filled)
    return text[: request.max_characters].rstrip()


def _text(parts: list[tuple[str, tuple[str, ...]]], filled: dict[str, str]) -> str:
    sections = (["[" + tag + "]", *(_capital(line.format(**filled)) for line in lines)] for tag, lines in parts)
    return "\n".join(line for section in sections for line in section)


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:] if line[:1].isalpha() else line[:1] + line[1:2].upper() + line[2:]


@lru_cache
def _songs() -> dict[str, tuple[Song, ...]]:
    rows = yaml.load(Path(__file__).with_name("songs.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)
    return {language: tuple(Song.model_validate(row) for row in found) for language, found in rows.items()}
