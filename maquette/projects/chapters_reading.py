"""The text of a script as chapters of the old editor: what was rendered, and then edited. Total over any text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Final

from maquette.projects.chapters import (
    MAX_NUMBER,
    UNSPOKEN,
    Part,
    about_lines,
    dialogue_line,
    line_of,
    note_lines,
    panel_lines,
    panels_of,
    parts,
    scene_title,
)

_HEADING: Final = re.compile(r"(PAGE|CHAPTER|CHAPITRE|SCENE|PANEL)\s+([0-9]+)\s*:(.*)")
_DIALOGUE: Final = re.compile(r"\[(.*?)\]\s*:(.*)")
_WHO: Final = re.compile(rf"(.*?)(?: \(({'|'.join(UNSPOKEN)})\))?")
_PLACE: Final = re.compile(r"(.*?)(?: ?\(([^()]*)\))?")
_TIMES: Final = ("dawn", "morning", "noon", "afternoon", "evening", "night")


def parse(content: str, *, previous: Any = None) -> list[Part]:
    """Chapters from the text of a script.

    What the text leaves as ``previous`` had it keeps all that it had: a panel that says the same is the same panel,
    with its id and its camera, wherever it stands now; one that was reworded keeps the rest. Text of no known kind
    becomes a note of the panel, scene or chapter that it stands in.
    """
    read = _read(content)
    before = parts(previous)
    taken = _ids(before)
    _settle([panel for chapter in read for scene in chapter.scenes for panel in scene.panels], before, taken)
    return [_chapter(chapter, number, _at(before, number - 1), taken) for number, chapter in enumerate(read, 1)]


@dataclass(slots=True)
class _Panel:
    page: int
    number: int
    lines: list[str] = field(default_factory=list)
    settled: Part = field(default_factory=dict)


@dataclass(slots=True)
class _Scene:
    title: str = ""
    lines: list[str] = field(default_factory=list)
    panels: list[_Panel] = field(default_factory=list)


@dataclass(slots=True)
class _Chapter:
    title: str = ""
    lines: list[str] = field(default_factory=list)
    scenes: list[_Scene] = field(default_factory=list)


def _read(content: str) -> list[_Chapter]:
    chapters: list[_Chapter] = []
    page = 1
    loose: list[str] = []  # lines before any chapter
    lines = loose  # of the part that the next line belongs to
    for raw in content.split("\n"):
        found = _HEADING.match(raw)
        if found is None:
            if line := raw.strip():
                lines.append(line)
            continue
        word, digits, title = found[1], found[2], found[3].strip()
        number = int(digits) if len(digits) < 7 else MAX_NUMBER
        if word == "PAGE":
            page = number
            if title:
                lines.append(title)
            continue
        if word.startswith("CHAP"):
            chapters.append(_Chapter(title))
            lines = chapters[-1].lines
            continue
        if not chapters:
            chapters.append(_Chapter())
        scenes = chapters[-1].scenes
        if word == "SCENE" or not scenes:
            scenes.append(_Scene(title if word == "SCENE" else ""))
            lines = scenes[-1].lines
        if word == "PANEL":
            scenes[-1].panels.append(_Panel(page, number, [title] if title else []))
            lines = scenes[-1].panels[-1].lines
    if loose:
        if not chapters:
            chapters.append(_Chapter())
        chapters[0].lines[:0] = loose
    return chapters


# Back to parts.


def _ids(chapters: list[Part]) -> set[str]:
    """All ids that are in use."""
    taken: set[str] = set()
    left: list[Part] = list(chapters)
    while left:
        part = left.pop()
        if isinstance(part.get("id"), str):
            taken.add(part["id"])
        for key in ("scenes", "panels", "dialogues", "soundEffects"):
            left += parts(part.get(key))
    return taken


def _fresh(kind: str, number: int, taken: set[str]) -> str:
    while (found := f"{kind}-{number}") in taken:
        number += 1
    taken.add(found)
    return found


def _at(parts: Sequence[Part], index: int) -> Part | None:
    return parts[index] if index < len(parts) else None


def _settle(panels: list[_Panel], before: list[Part], taken: set[str]) -> None:
    """Find for each panel which one it was, and make it of that."""
    old = [panel for chapter in before for panel in panels_of(chapter)]
    bodies = [panel_lines(panel) for panel in old]
    alike = SequenceMatcher(None, ["\n".join(body) for body in bodies], ["\n".join(panel.lines) for panel in panels])
    for kind, old_from, old_to, new_from, new_to in alike.get_opcodes():
        for index in range(new_from, new_to):
            was = old_from + index - new_from
            known = was < old_to
            panel = panels[index]
            if kind == "equal":
                panel.settled = old[was]
            else:
                panel.settled = _panel(
                    panel.lines, old[was] if known else None, bodies[was] if known else [], index + 1, taken
                )
            numbers = {"pageNumber": panel.page, "panelNumber": panel.number}
            panel.settled = {**panel.settled, **numbers}


def _panel(lines: list[str], old: Part | None, shown: list[str], number: int, taken: set[str]) -> Part:
    described, notes, sounds, dialogues = [], [], [], []
    for line in lines:
        if line.startswith("(") and line.endswith(")"):
            described.append(line[1:-1])
        elif spoken := _DIALOGUE.match(line):
            dialogues.append(spoken)
        elif line.startswith("SFX: "):
            sounds.append(line[5:])
        elif not (line.startswith(("SHOT: ", "WITH: ")) and line in shown):
            notes.append(line.removeprefix("NOTE: "))
    was = old or {
        "id": _fresh("panel", number, taken),
        "shotType": "medium",
        "cameraAngle": "eye-level",
        "transition": "cut",
    }
    spoke, sounded = parts(was.get("dialogues")), parts(was.get("soundEffects"))
    said = [_dialogue(spoken, _at(spoke, index), taken) for index, spoken in enumerate(dialogues)]
    return {
        **was,
        "description": "\n".join(described),
        "dialogues": said,
        "soundEffects": [
            {
                **(_at(sounded, index) or {"id": _fresh("sound", 1, taken), "style": "impact", "size": "medium"}),
                "text": text,
            }
            for index, text in enumerate(sounds)
        ],
        "notes": "\n".join(notes),
        "characters": was["characters"]
        if isinstance(was.get("characters"), list)
        else sorted({each["character"] for each in said if each["character"]}),
    }


def _dialogue(spoken: re.Match[str], old: Part | None, taken: set[str]) -> Part:
    if old is not None and dialogue_line(old) == spoken[0]:
        return old
    who, text = spoken[1].strip(), spoken[2].strip()
    kind = "speech"
    if who.lower() in UNSPOKEN and who.isupper():
        who, kind = "", who.lower()
    elif found := _WHO.fullmatch(who):
        who, kind = found[1], found[2] or kind
    was = old or {
        "id": _fresh("dialogue", 1, taken),
        "formatting": {"bold": False, "italic": False, "size": "normal"},
        "position": "top",
        "bubbleStyle": "normal",
    }
    return {**was, "character": "" if who == "?" else who, "text": text, "type": kind}


def _chapter(read: _Chapter, number: int, old: Part | None, taken: set[str]) -> Part:
    scenes = parts(old.get("scenes")) if old else []
    made = [_scene(scene, nth, _at(scenes, nth - 1), taken) for nth, scene in enumerate(read.scenes, 1)]
    pages = {panel.page for scene in read.scenes for panel in scene.panels}
    was = old or {"id": _fresh("chapter", number, taken), "expanded": True, "pageCount": len(pages)}
    # A chapter has no notes: all its text is its description.
    text = [line.removeprefix("ABOUT: ") for line in read.lines]
    title = read.title if old is None or line_of(old.get("title")) != read.title else old.get("title")
    about = old.get("description") if old and read.lines == about_lines(old) else "\n".join(text)
    return {**was, "title": title, "description": about, "scenes": made}


def _scene(read: _Scene, number: int, old: Part | None, taken: set[str]) -> Part:
    panels = [panel.settled for panel in read.panels]
    if old is not None and scene_title(old) == read.title and [*about_lines(old), *note_lines(old)] == read.lines:
        return {**old, "panels": panels}
    found = _PLACE.fullmatch(read.title)
    title, place = (found[1], found[2] or "") if found else (read.title, "")
    location, _, time = place.rpartition(", ")
    if time not in _TIMES:
        location, time = place, ""
    return {
        **(old or {"id": _fresh("scene", number, taken), "expanded": True}),
        "title": title,
        "description": "\n".join(line[7:] for line in read.lines if line.startswith("ABOUT: ")),
        "location": location,
        "timeOfDay": time or (old or {}).get("timeOfDay") or "morning",
        "panels": panels,
        "notes": "\n".join(line.removeprefix("NOTE: ") for line in read.lines if not line.startswith("ABOUT: ")),
    }
