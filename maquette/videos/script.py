"""The script of a video: its stored shape, and the tolerant reader of what a model writes."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator, model_validator

from maquette.errors import Invalid

_DECORATION: Final = r"[\s>#*_\-•·–\[(]*(?:\d{1,3}[.)][\s*_]*)?"
_HEADER: Final = re.compile(
    rf"{_DECORATION}BLO(?:C|CK|QUE)\s*(?:n\s?[°ºo.]\s*|#\s*)?(?P<number>[0-9]{{1,3}})(?P<rest>\s*(?:[:：(\[\])*_–—-].*)?)",
    re.IGNORECASE,
)
_LABEL: Final = (
    r"(?:(?P<dialogue>DI(?:A\u0301?|Á)LOG(?:UE|O)?S?|VOIX[ -]OFF|VOICE[ -]?OVER|VOZ EN OFF)|(?P<visual>VISU[EA]LE?S?))"
    r"[\s*_]*(?:\([^()\n]{0,40}\))?[\s*_]*[:：](?:[*_]{1,2}(?=\s|$))?"
)
_FIELD: Final = re.compile(rf"{_DECORATION}{_LABEL}(?P<text>.*)", re.IGNORECASE)
# A label may also follow, on the same line, the header or the closing quote of a dialogue.
_LABEL_IN_HEADER: Final = re.compile(_LABEL, re.IGNORECASE)
_LABEL_AFTER_QUOTE: Final = re.compile(rf"(?<=[\"»”])[\s*_]+(?={_LABEL})", re.IGNORECASE)
_OTHER_LABEL: Final = re.compile(rf"{_DECORATION}[A-ZÀ-Ý][A-ZÀ-Ý '/-]{{2,24}}(?:\([^()\n]{{0,40}}\))?[\s*_]*[:：]")
_RULE_OR_FENCE: Final = re.compile(r"\s*(?:(?:[-*_=]\s*){3,}|`{3,}.*|~{3,}.*)")
# No-break spaces stay: they hold French punctuation to its word.
_SPACES: Final = re.compile(r"[ \t\n\r\v\f\x1c-\x1f\x85\u2028\u2029]+")
_QUOTES: Final = (('"', '"'), ("«", "»"), ("“", "”"), ("„", "“"), ("„", "”"), ("'", "'"), ("‘", "’"))


class ParsedBlock(BaseModel):
    """One block as a writer gave it; texts are on one line."""

    model_config = ConfigDict(frozen=True)

    number: int = Field(ge=1)
    dialogue: str = Field(description="What is said; may be empty.")
    visual: str = Field(min_length=1, description="What is seen.")


class ScriptBlock(BaseModel):
    """One block as ``script_v2.json`` holds it; ``duration`` in seconds."""

    model_config = ConfigDict(frozen=True)

    bloc: int = Field(ge=1)
    dialogue: str
    visuel: str
    duration: int = Field(ge=1)


class Script(BaseModel):
    """The content of ``script_v2.json``, field by field. Durations in whole seconds."""

    model_config = ConfigDict(frozen=True)

    video_id: str
    theme: str
    target_duration: int
    actual_duration: int
    blocks: list[ScriptBlock]
    total_blocks: int
    generated_at: datetime = Field(description="UTC, written without a zone and with microseconds.")
    raw_script: str

    @field_validator("generated_at")
    @classmethod
    def _naive_utc(cls, value: datetime) -> datetime:
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value

    @field_serializer("generated_at")
    def _iso(self, value: datetime) -> str:
        return value.isoformat(timespec="microseconds")

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if [block.bloc for block in self.blocks] != list(range(1, self.total_blocks + 1)):
            raise ValueError("blocks must be numbered from 1 to total_blocks")
        return self

    def to_json(self) -> str:
        """The text of ``script_v2.json``: UTF-8, two spaces of indent."""
        return self.model_dump_json(indent=2)


def parse_script(raw: str) -> list[ParsedBlock]:
    """The blocks of a model's answer, by number. Reads any text, raises never.

    A block starts at a line ``BLOC n``, ``BLOCK n`` or ``BLOQUE n`` (decorations, a duration and a title
    are allowed) and holds lines ``DIALOGUE:`` and ``VISUEL:``, in any order and spelling of fr, en or es.
    A field goes on over the following lines until a blank line, a rule, a fence or another label. Bold marks
    go; one pair of quotes around a whole field goes. A block without a visual is left out; an empty dialogue
    is fine. Where a number comes twice the later block counts: models correct themselves downwards.
    """
    found: dict[int, ParsedBlock] = {}
    for number, lines in _sections(raw):
        fields = _fields(lines)
        visual = fields.get("visual", "")
        if number >= 1 and visual:
            found[number] = ParsedBlock(number=number, dialogue=fields.get("dialogue", ""), visual=visual)
    return [found[number] for number in sorted(found)]


def format_script(blocks: Iterable[ParsedBlock | ScriptBlock], *, durations_s: Sequence[int] = ()) -> str:
    """The text ``BLOC n (8s): / DIALOGUE: "…" / VISUEL: …``, a blank line between two blocks.

    ``durations_s`` in the order of the blocks; a ``ScriptBlock`` brings its own; without one it is left out.
    ``parse_script`` reads it back, for texts without labels and bold marks.
    """
    parts = []
    for index, block in enumerate(blocks):
        if isinstance(block, ScriptBlock):
            number, visual, duration_s = block.bloc, block.visuel, block.duration
        else:
            number, visual = block.number, block.visual
            duration_s = durations_s[index] if index < len(durations_s) else 0
        visual = _one_line(visual)
        if _unquoted(visual) != visual:  # a second pair, since the reader takes one away
            visual = f'"{visual}"'
        length = f" ({duration_s}s)" if duration_s else ""
        parts.append(f'BLOC {number}{length}:\nDIALOGUE: "{_one_line(block.dialogue)}"\nVISUEL: {visual}')
    return "\n\n".join(parts)


def missing_blocks(blocks: Sequence[ParsedBlock], *, wanted: int) -> int:
    """How many of ``wanted`` blocks the writer did not give."""
    return max(0, wanted - len(blocks))


def as_script(
    blocks: Sequence[ParsedBlock],
    *,
    durations_s: Sequence[int],
    video_id: str,
    theme: str,
    target_duration_s: int,
    generated_at: datetime,
    raw_script: str,
) -> Script:
    """The script of the first ``len(durations_s)`` blocks, numbered from 1 without gaps.

    Fewer blocks are accepted, and make the film shorter: ask ``missing_blocks`` first. Raises ``Invalid``
    when there is none at all.
    """
    if not blocks:
        raise Invalid("the writer's answer holds no block with a visual: retry, or choose another model")
    kept = [
        ScriptBlock(bloc=number, dialogue=block.dialogue, visuel=block.visual, duration=duration_s)
        for number, (block, duration_s) in enumerate(zip(blocks, durations_s, strict=False), start=1)
    ]
    return Script(
        video_id=video_id,
        theme=theme,
        target_duration=target_duration_s,
        actual_duration=sum(block.duration for block in kept),
        blocks=kept,
        total_blocks=len(kept),
        generated_at=generated_at,
        raw_script=raw_script,
    )


def _sections(raw: str) -> Iterable[tuple[int, list[str]]]:
    """Each block's number with its lines, the rest of its header line first."""
    number, lines = 0, list[str]()
    for line in _LABEL_AFTER_QUOTE.sub("\n", raw).splitlines():
        header = _HEADER.fullmatch(line)
        if header is None:
            lines.append(line)
            continue
        yield number, lines
        rest = header["rest"] or ""
        label = _LABEL_IN_HEADER.search(rest)
        number, lines = int(header["number"]), [rest[label.start() :]] if label else []
    yield number, lines


def _fields(lines: Iterable[str]) -> dict[str, str]:
    collected: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in lines:
        if match := _FIELD.fullmatch(line):
            text = match["text"].strip()
            current = collected["dialogue" if match["dialogue"] else "visual"] = [text] if text else []
        elif _RULE_OR_FENCE.fullmatch(line) or _OTHER_LABEL.match(line):
            current = None
        elif line.strip():
            if current is not None:
                current.append(line)
        elif current:  # a blank line ends a field that has begun; one right after the label does not
            current = None
    return {name: _unquoted(_one_line(" ".join(texts))) for name, texts in collected.items()}


def _one_line(text: str) -> str:
    return _SPACES.sub(" ", text.replace("**", "")).strip()


def _unquoted(text: str) -> str:
    for opening, closing in _QUOTES:
        if len(text) >= 2 and text.startswith(opening) and text.endswith(closing):
            inner = text[1:-1]
            # « a » and « b » are two quotations, not one around all; a straight quote cannot tell.
            if opening == closing or closing not in inner:
                return inner.strip()
    return text
