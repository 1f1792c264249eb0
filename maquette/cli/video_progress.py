"""How a video in the making is shown. Pure: a document in, what to show of it out."""

from typing import Final, assert_never

from maquette.cli.progress import Cell, Phase, State, View, changed, known, told
from maquette.videos.documents import BlockDocument, VideoDocument
from maquette.videos.rules import VideoStatus

NAMES: Final = ("script", "clips", "assembly")

# Share of a block's bar that its generation fills; the rest is captions and the fit to the film's form.
_GENERATION: Final = 0.85


def view(document: VideoDocument) -> View:
    """The video, its phases and its blocks."""
    facts = f"{document.actual_duration} s, {document.style}, {document.language}, {document.aspect_ratio}"
    return View(
        title=document.theme,
        facts=f"{document.video_id}  ({facts})",
        phases=phases(document),
        cells=tuple(cell(block) for block in document.blocks),
        troubles=tuple(troubles(document)),
        ended=document.status in (VideoStatus.COMPLETED, VideoStatus.FAILED),
    )


def phases(document: VideoDocument) -> tuple[Phase, ...]:
    """Script, clips, assembly."""
    total, completed = document.total_blocks, document.completed_blocks
    states: tuple[State, State, State]
    match document.status:
        case VideoStatus.QUEUED:
            states = ("active", "waiting", "waiting")
        case VideoStatus.SCRIPT_GENERATED | VideoStatus.GENERATING_PARALLEL:
            states = ("done", "active", "waiting")
        case VideoStatus.READY_FOR_ASSEMBLY:
            states = ("done", "done", "active")
        case VideoStatus.COMPLETED:
            states = ("done", "done", "done")
        case VideoStatus.FAILED if not document.blocks:
            states = ("failed", "waiting", "waiting")
        case VideoStatus.FAILED if completed < total:
            states = ("done", "failed", "waiting")
        case VideoStatus.FAILED:
            states = ("done", "done", "failed")
        case _:
            assert_never(document.status)
    script, clips, assembly = states
    writing = "the run is starting" if document.flow_run_id else "waiting in line"
    script_notes = {"active": writing, "done": f"{total} block{'s' * (total > 1)}"}
    assembly_notes = {"active": "joining and checking", "done": "film ready"}
    return (
        Phase("script", script, known(script), script_notes.get(script, "")),
        Phase("clips", clips, _shot(document), "" if clips == "waiting" else f"{completed} of {total}"),
        Phase("assembly", assembly, known(assembly), assembly_notes.get(assembly, "")),
    )


def cell(block: BlockDocument) -> Cell:
    """One block in one word, readable without its colour."""
    match block.status:
        case "completed":
            return Cell(block.bloc, "done", "done")
        case "failed":
            return Cell(block.bloc, "failed", "failed")
        case "generating" if block.progress >= 1:
            return Cell(block.bloc, "active", "captions")
        case "generating":
            return Cell(block.bloc, "active", f"{block.progress:.0%}")
        case "pending":
            again = block.error_code is not None
            return Cell(block.bloc, "waiting", f"try {block.tries + 1}" if again else "waiting")
        case _:
            assert_never(block.status)


def troubles(document: VideoDocument) -> list[str]:
    """A line for each block that failed or is being tried again, and one for the film."""
    lines = [
        f"block {block.bloc} {'failed' if block.status == 'failed' else 'is tried again'}: {block.error_message}"
        for block in document.blocks
        if block.error_message is not None and block.status != "completed"
    ]
    if document.error_message is not None and not any(block.status == "failed" for block in document.blocks):
        lines.append(document.error_message)
    return lines


def news(before: VideoDocument | None, now: VideoDocument) -> list[str]:
    """What a reader of plain lines is told of the step from one document to the next; often nothing."""
    lines = []
    if before is None or before.theme != now.theme:
        lines.append(f"video     {now.video_id}: {now.theme}")
    blocks = {block.bloc: block for block in before.blocks} if before else {}
    ended = []
    for block in now.blocks:
        was = blocks.get(block.bloc)
        if block.status == "completed" and before is not None and (was is None or was.status != "completed"):
            ended.append(f"clips     block {block.bloc} done ({now.completed_blocks} of {now.total_blocks})")
        elif block.error_message is not None and (
            was is None or (was.status, was.tries) != (block.status, block.tries)
        ):
            if block.status == "failed":
                ended.append(f"clips     block {block.bloc} failed: {block.error_message}")
            elif block.status == "pending":
                ended.append(f"clips     block {block.bloc} is tried again: {block.error_message}")
    reached = False
    for phase in changed(phases(before) if before else (), phases(now)):
        # Blocks are told between the phase that makes them and its end.
        if phase.name == "clips" and phase.state in ("done", "failed"):
            lines += ended
            reached = True
        lines.append(told(phase))
    if not reached:
        lines += ended
    if now.status is VideoStatus.FAILED and (before is None or before.status is not VideoStatus.FAILED):
        lines.append(f"failed    {now.error_message}")
    return lines


def _shot(document: VideoDocument) -> float:
    if document.total_blocks == 0:
        return 0
    if document.status in (VideoStatus.READY_FOR_ASSEMBLY, VideoStatus.COMPLETED):
        return 1
    shares = (
        1.0 if block.status == "completed" else _GENERATION * block.progress * (block.status == "generating")
        for block in document.blocks
    )
    return sum(shares) / document.total_blocks
