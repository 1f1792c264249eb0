"""The sectioned document as a model: what the editor reads without looking must be there, all else may be."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Strict

SECTIONS: Final = ("script", "characters", "backgrounds", "scenes", "assembly", "metadata")
"""Without them a document is of the old shape. There may be ``decors`` besides."""
STATS: Final = ("pages", "panels", "chapters", "words", "characters", "dialogues")

Whole = Annotated[int, Strict()]


class _Open(BaseModel):
    """Requires what the editor reads without looking, and lets all else be."""

    model_config = ConfigDict(extra="allow")


class Stats(_Open):
    pages: Whole
    panels: Whole
    chapters: Whole
    words: Whole
    characters: Whole
    dialogues: Whole


class Script(_Open):
    content: str
    title: str
    stats: Stats
    fileTree: list[Any]  # noqa: N815


class Characters(_Open):
    characters: list[Any]


class Backgrounds(_Open):
    backgrounds: list[Any]


class Decors(_Open):
    decors: list[Any]


class Scenes(_Open):
    scenes: list[Any]


class Assembly(_Open):
    pages: list[Any]


class SectionedDocument(_Open):
    """A document as the editor saves it."""

    script: Script
    characters: Characters
    backgrounds: Backgrounds
    scenes: Scenes
    assembly: Assembly
    metadata: dict[str, Any]
    decors: Decors | None = None
