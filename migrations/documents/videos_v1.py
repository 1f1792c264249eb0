"""Documents of the older video systems: all become the one document that the second of them kept of a video."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Strict, model_validator

from maquette.migrating import times
from maquette.migrating.definition import Row
from maquette.migrating.reversible import ASIDE, Document, ReversibleMigration

ClipStatus = Literal["generating", "completed", "failed", "error"]
Status = Literal["script_generated", "generating_parallel", "ready_for_assembly", "completed", "failed"]
Whole = Annotated[int, Strict()]

_CLIP: Final = {
    "pending": "generating",
    "generating": "generating",
    "success": "completed",
    "uploaded": "completed",
    "completed": "completed",
    "failed": "failed",
    "abandoned": "failed",
    "error": "error",
}
_V1_STATUS: Final = {"generating": "pending", "completed": "success", "failed": "failed", "error": "failed"}
# What a document of the state calls what the document of the operations calls otherwise.
_STATUS: Final = {
    "script_generated": "script_generated",
    "generating_parallel": "generating_parallel",
    "generating_video": "generating_parallel",
    "ready_for_assembly": "ready_for_assembly",
    "assembling": "ready_for_assembly",
    "completed": "completed",
    "failed": "failed",
    "error": "failed",
}
_FACTS: Final = (
    "script_file", "theme", "style", "language", "target_duration", "actual_duration", "duration", "raw_script",
    "generated_at", "current_step", "completed_at",
)  # fmt: skip
_LISTS: Final = ("operations", "scenes", "video_operations")
_OLD: Final = frozenset({ASIDE, "blocks_count", "scene_index", "scenes", "video_operations"})
_KNOWN: Final = frozenset(
    {"video_id", "operations", "clips_status", "blocks", "total_blocks", "completed_blocks", "status", "retry_count",
     "created_at", "updated_at", "final_url", "error_message", "metadata", "prompt", *_FACTS, *_OLD}
)  # fmt: skip
_LINK: Final = "Suite de la scène précédente. "
_SPOKEN: Final = "\n\nDialogue à générer en audio: "
_PROMPT: Final = re.compile(rf'(?:{re.escape(_LINK)})?(.*?)(?:{re.escape(_SPOKEN)}"(.*)")?', re.DOTALL)


class Block(BaseModel):
    model_config = ConfigDict(extra="allow")

    bloc: Whole
    dialogue: str
    visuel: str
    duration: Whole


class VideoDocument(BaseModel):
    """A video with its blocks. Operations and states of clips are by the block's number, as text."""

    model_config = ConfigDict(extra="allow")

    video_id: str
    operations: dict[str, str]
    clips_status: dict[str, ClipStatus]
    blocks: list[Block]
    total_blocks: Whole
    completed_blocks: Whole
    status: Status
    retry_count: Whole
    created_at: str | None = None
    updated_at: str | None = None
    final_url: str | None = None
    error_message: str | None = None
    metadata: dict[str, Any] = {}

    @model_validator(mode="after")
    def _is_not_old(self) -> "VideoDocument":
        if _OLD & (self.model_extra or {}).keys():
            raise ValueError(f"{', '.join(sorted(_OLD))} stand in old documents only")
        return self


class VideoRow(BaseModel):
    """The column that changes."""

    data: VideoDocument


class VideosV1(ReversibleMigration):
    """``videos_documents.data``: operations of the first system, operations and states of the second."""

    name = "videos_v1"
    table = "videos_documents"
    columns = ("data",)
    reads = ("updated_at",)
    model = VideoRow
    document = VideoDocument
    made_with = (times,)

    def build(self, old: Any, row: Row) -> tuple[Document, Mapping[str, str]]:
        """One document of ``old``; what it does not say is counted from the clips."""
        given: Document = old if isinstance(old, dict) else {}
        carried: Document = given[ASIDE] if self.is_new(given.get(ASIDE)) else {}
        known = {**carried, **given}
        clips = _clips(old)
        states = {str(clip.number): clip.status for clip in clips} or _states(known)
        blocks = _blocks(known.get("blocks")) or [clip.block(carried.get("blocks")) for clip in clips if clip.prompt]
        operations = {str(clip.number): clip.operation for clip in clips if clip.operation} or _operations(known)
        total = _whole(known.get("total_blocks"), _whole(known.get("blocks_count"), max(len(blocks), len(states))))
        completed = sum(state == "completed" for state in states.values())
        final_url = _text(known.get("final_url"))
        document: Document = {key: known[key] for key in _FACTS if key in known}
        document |= {
            "video_id": _text(known.get("video_id")) or str(row.get("id") or ""),
            "operations": operations,
            "clips_status": states,
            "blocks": blocks,
            "total_blocks": total,
            "completed_blocks": completed if states else _whole(known.get("completed_blocks"), 0),
            "status": _status(known.get("status") if not clips else None, states, final_url),
            "retry_count": max((clip.retries for clip in clips), default=_whole(known.get("retry_count"), 0)),
            "created_at": _text(known.get("created_at")),
            "updated_at": _text(known.get("updated_at")) or times.javascript_time(row.get("updated_at")),
            "final_url": final_url,
            "error_message": _text(known.get("error_message")),
        }
        metadata = known.get("metadata")
        return {**document, "metadata": metadata if isinstance(metadata, dict) else {}}, {}

    def as_old(self, new: Document) -> Document:
        """Operations as the first system kept them, one for each block."""
        blocks = {block["bloc"]: block for block in new["blocks"]}
        numbers = sorted(blocks.keys() | {int(key) for key in new["clips_status"] if _DIGITS.fullmatch(key)})
        return {
            "video_id": new["video_id"],
            "operations": [
                {
                    "scene_index": number - 1,
                    "prompt": _prompt(blocks.get(number)),
                    "status": _V1_STATUS[new["clips_status"].get(str(number), "generating")],
                    "retry_count": new["retry_count"],
                }
                for number in numbers
            ],
        }

    def oddities(self, row: Row) -> Iterable[str]:
        """What is unusual in a row, in few words."""
        document = row["data"]
        if not isinstance(document, dict):
            yield "not an object"
            return
        yield from (f"unknown key: {key[:40]}" for key in document if key not in _KNOWN)
        if "video_id" not in document:
            yield "no video_id"
        if not _clips(document) and _text(document.get("status")) not in _STATUS:
            yield "status is missing" if "status" not in document else "unknown status"
        for clip in _clips(document):
            if clip.status == "failed" and clip.said == "abandoned":
                yield "abandoned clip"


class _Clip:
    """One operation of the first system."""

    def __init__(self, operation: Document, number: int) -> None:
        self.number = number
        self.said = operation.get("status")
        self.status = _CLIP.get(self.said, "generating") if isinstance(self.said, str) else "generating"
        self.prompt = _text(operation.get("prompt")) or ""
        self.retries = _whole(operation.get("retry_count"), 0)
        self.operation = _text(operation.get("operation_id")) or _text(operation.get("operation_name"))

    def block(self, before: Any) -> Document:
        """Its prompt as picture and words. A clip lasts 8 seconds in the film if it is the first one, else 7."""
        for block in before if isinstance(before, list) else ():
            if block["bloc"] == self.number and _prompt(block) == self.prompt:
                same: Document = block
                return same
        found = _PROMPT.fullmatch(self.prompt)
        shown, spoken = (found[1], found[2] or "") if found else (self.prompt, "")
        return {"bloc": self.number, "dialogue": spoken, "visuel": shown, "duration": 8 if self.number == 1 else 7}


_DIGITS: Final = re.compile("[0-9]{1,6}")


def _prompt(block: Document | None) -> str:
    if block is None:
        return ""
    spoken = f'{_SPOKEN}"{block["dialogue"]}"' if block["dialogue"] else ""
    return f"{_LINK if block['bloc'] > 1 else ''}{block['visuel']}{spoken}"


def _clips(old: Any) -> list[_Clip]:
    """Operations of a document of the first system, by number. It counts scenes from 0; a list without a 0 from 1."""
    found: Any = old
    if isinstance(old, dict):
        found = (
            [old] if "scene_index" in old else next((old[key] for key in _LISTS if isinstance(old.get(key), list)), [])
        )
    if not isinstance(found, list):
        return []
    each = [one for one in found if isinstance(one, dict) and _whole(one.get("scene_index"), -1) >= 0]
    indices = [int(one["scene_index"]) for one in each]
    first = 0 if len(indices) > 1 and 0 not in indices else 1
    by_number = {index + first: one for index, one in zip(indices, each, strict=True)}
    return [_Clip(by_number[number], number) for number in sorted(by_number)]


def _states(known: Document) -> dict[str, str]:
    """State by block, from ``clips_status`` or from operations that hold theirs."""
    states: dict[str, str] = {}
    operations, clips = known.get("operations"), known.get("clips_status")
    for key, value in operations.items() if isinstance(operations, dict) else ():
        if isinstance(value, dict) and isinstance(value.get("status"), str):
            states[key] = _CLIP.get(value["status"], "generating")
    for key, value in clips.items() if isinstance(clips, dict) else ():
        states[key] = _CLIP.get(value, "generating") if isinstance(value, str) else "generating"
    return states


def _operations(known: Document) -> dict[str, str]:
    operations = known.get("operations")
    named = {
        key: _text(value.get("operation_id")) if isinstance(value, dict) else _text(value)
        for key, value in (operations.items() if isinstance(operations, dict) else ())
    }
    return {key: name for key, name in named.items() if name is not None}


def _blocks(given: Any) -> list[Document]:
    """Blocks that have what a block needs; of others what is missing."""
    blocks = []
    for number, block in enumerate(given if isinstance(given, list) else (), 1):
        if isinstance(block, dict):
            bloc = _whole(block.get("bloc"), number)
            whole = {
                "bloc": bloc,
                "dialogue": _text(block.get("dialogue")) or "",
                "visuel": _text(block.get("visuel")) or "",
                "duration": _whole(block.get("duration"), 8 if bloc == 1 else 7),
            }
            blocks.append({**block, **whole})
    return blocks


def _status(said: Any, states: Mapping[str, str], final_url: str | None) -> str:
    if isinstance(said, str) and said in _STATUS:
        return _STATUS[said]
    if final_url:
        return "completed"
    if not states:
        return "script_generated"
    if "generating" in states.values():
        return "generating_parallel"
    return "ready_for_assembly" if set(states.values()) == {"completed"} else "failed"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any, otherwise: int) -> int:
    # Beyond this no browser counts exactly, and no text of it is short.
    return value if type(value) is int and abs(value) < 2**53 else otherwise
