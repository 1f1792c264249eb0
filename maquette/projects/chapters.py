"""Chapters of the old editor as the text of a script. Pure functions, total over any JSON.

The text is in the grammar of ``maquette.projects.grammar``. What the grammar has no line for stands in lines that no
editor takes for another kind, because they begin with a word of their own: ``SCENE n:``, ``ABOUT:`` (a description),
``SHOT:``, ``WITH:`` (who is there and silent), ``SFX:``, ``NOTE:``.
"""

from collections.abc import Iterator
from typing import Any, Final

Part = dict[str, Any]
"""A chapter, scene, panel, dialogue or sound effect."""

UNSPOKEN: Final = ("thought", "narration", "sound", "caption")
_SHOT: Final = ("shotType", "cameraAngle", "mood", "lighting", "transition")
_SHOT_KEYS: Final = frozenset(_SHOT)
_BRACKETS: Final = str.maketrans("[]", "()")
MAX_NUMBER: Final = 999_999


def render(chapters: Any) -> str:
    """The script of ``chapters``, or ``""``. What is not of the old shape is passed over."""
    blocks: list[str] = []
    page: int | None = None
    for number, chapter in enumerate(parts(chapters), 1):
        scenes = [(scene, parts(scene.get("panels"))) for scene in parts(chapter.get("scenes"))]
        page = _turn(blocks, page, next((panels[0] for _, panels in scenes if panels), None))
        blocks.append("\n".join([_heading(f"CHAPTER {number}:", line_of(chapter.get("title"))), *about_lines(chapter)]))
        for nth, (scene, panels) in enumerate(scenes, 1):
            page = _turn(blocks, page, panels[0] if panels else None)
            blocks.append(
                "\n".join([_heading(f"SCENE {nth}:", scene_title(scene)), *about_lines(scene), *note_lines(scene)])
            )
            panel_number = 0
            for panel in panels:
                turned = _turn(blocks, page, panel)
                panel_number = _number(panel.get("panelNumber"), 1 if turned != page else panel_number + 1)
                page = turned
                blocks.append("\n".join([f"PANEL {panel_number}:", *panel_lines(panel)]))
    return "\n\n".join(blocks) + "\n" if blocks else ""


# The lines of a part. Whatever a value holds, it cannot begin a line, nor end one.


def line_of(value: Any) -> str:
    """``value`` as one line."""
    if isinstance(value, str):
        # What is printable throughout holds no line's end: that is known at once.
        return (value if value.isprintable() else " ".join(value.splitlines())).strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER else ""


def _lines(value: Any) -> list[str]:
    if not isinstance(value, str) or not value:
        return []
    if value.isprintable():
        return [line] if (line := value.strip()) else []
    return [line for each in value.splitlines() if (line := each.strip())]


def _heading(start: str, title: str) -> str:
    return f"{start} {title}".rstrip()


def scene_title(scene: Part) -> str:
    title, location, time = line_of(scene.get("title")), line_of(scene.get("location")), line_of(scene.get("timeOfDay"))
    place = f"{location}, {time}" if location and time else location or time
    return f"{title} ({place})".lstrip() if place else title


def about_lines(part: Part) -> list[str]:
    return [f"ABOUT: {line}" for line in _lines(part.get("description"))]


def note_lines(part: Part) -> list[str]:
    return [f"NOTE: {line}" for line in _lines(part.get("notes"))]


def dialogue_line(dialogue: Part) -> str:
    """The line of a dialogue; one that is not spoken says so: ``[AKIRA (thought)]``, ``[NARRATION]``."""
    who = line_of(dialogue.get("character"))
    if "[" in who or "]" in who:
        who = who.translate(_BRACKETS)
    kind = dialogue.get("type")
    if kind in UNSPOKEN:
        who = f"{who} ({kind})" if who else str(kind).upper()
    return f"[{who or '?'}]: {line_of(dialogue.get('text'))}".rstrip()


def panel_lines(panel: Part) -> list[str]:
    dialogues = parts(panel.get("dialogues"))
    body = [f"({line})" for line in _lines(panel.get("description"))]
    if not _SHOT_KEYS.isdisjoint(panel):
        shown = [line for key in _SHOT if (line := line_of(panel.get(key)))]
        if shown:
            body.append(f"SHOT: {', '.join(shown)}")
    cast = panel.get("characters")
    if isinstance(cast, list) and cast:
        heard = {line_of(dialogue.get("character")) for dialogue in dialogues}
        silent = [name for each in cast if (name := line_of(each)) and name not in heard]
        if silent:
            body.append(f"WITH: {', '.join(silent)}")
    body += [dialogue_line(dialogue) for dialogue in dialogues]
    if "soundEffects" in panel:
        body += [f"SFX: {sound}" for each in parts(panel["soundEffects"]) if (sound := line_of(each.get("text")))]
    return body + note_lines(panel) if "notes" in panel else body


def parts(value: Any) -> list[Part]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def panels_of(chapter: Part) -> Iterator[Part]:
    return (panel for scene in parts(chapter.get("scenes")) for panel in parts(scene.get("panels")))


def _number(value: Any, otherwise: int) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_NUMBER
    return int(value) if is_number else otherwise


def _turn(blocks: list[str], page: int | None, panel: Part | None) -> int:
    """The page of ``panel``, its heading written where it is another one. A chapter without a page is not shown by
    the old front end, so there is always one."""
    here = _number(panel.get("pageNumber") if panel else None, page or 1)
    if here != page:
        blocks.append(f"PAGE {here}:")
    return here
