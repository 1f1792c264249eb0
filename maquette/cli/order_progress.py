"""How an order in the making is shown: a bar per job, and a cell per item where there is one job. Pure.

Of a draft each kind of part has a bar, and each asset a cell.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

from maquette.cli.panels import count
from maquette.cli.progress import Cell, Phase, State, View, changed, known, told
from maquette.orders.documents import ItemDocument, JobDocument, OrderDocument
from maquette.orders.models import ItemStatus, JobStatus, OrderStatus
from maquette.videos.documents import VideoDocument

# What an item of each kind is called.
NOUNS: Final = {
    "image": "image",
    "carousel_slide": "slide",
    "video": "film",
    "draft_image": "image",
    "draft_video": "video",
    "draft_song": "song",
}
_JOBS: Final = {"image": "images", "carousel": "carousel", "video": "film"}
# A draft's bars, in this order.
_BARS: Final = {"draft_image": "images", "draft_video": "videos", "draft_song": "music"}
DRAFT_KINDS: Final = frozenset(_BARS)
CONCEPTS: Final = "concepts"
DRAFT_NAMES: Final = (CONCEPTS, *_BARS.values())
STATES: Final[Mapping[str, tuple[State, str]]] = {
    ItemStatus.PENDING: ("waiting", "waiting"),
    ItemStatus.PROCESSING: ("active", "making"),
    ItemStatus.COMPLETED: ("done", "done"),
    ItemStatus.FAILED: ("failed", "failed"),
    ItemStatus.CANCELLED: ("failed", "cancelled"),
}
ENDED: Final = (OrderStatus.COMPLETED, OrderStatus.PARTIAL, OrderStatus.FAILED, OrderStatus.CANCELLED)
_WIDTH: Final = 9
_LISTED: Final = 4
# Cells of more assets leave no room for the bars.
_CELLS: Final = 20

_UNNAMED: Final[Mapping[UUID, str]] = MappingProxyType({})


class Standing(NamedTuple):
    """An order, and what is known of its subjects: its films by their ids, its drafts without concepts yet.

    ``named`` are the parts of drafts that its items are: an asset's id, a song's language.
    """

    order: OrderDocument
    films: Mapping[str, VideoDocument]
    unwritten: Collection[str] = ()
    named: Mapping[UUID, str] = _UNNAMED


class Part(NamedTuple):
    """One job of an order under a name of its own, with its items; of a draft, its items of one kind.

    ``only`` has no other of its kind beside it.
    """

    name: str
    job: JobDocument
    items: list[ItemDocument]
    only: bool
    named: Mapping[UUID, str]

    @property
    def whole(self) -> str:
        """The name of all that the job makes."""
        return "draft" if self.job.kind == "draft" else self.name

    def number(self, item: ItemDocument) -> int | str:
        """What the item's file bears: a slide's number within its carousel, an image's within the order, a part."""
        return self.named.get(item.id) or item.slide or item.sequence_number

    def title(self, item: ItemDocument) -> str:
        """``slide 2``, and a film by its own name."""
        return self.name if item.kind == "video" else f"{NOUNS[item.kind]} {self.number(item)}"

    def called(self, items: Sequence[ItemDocument]) -> str:
        """``slide 2``, ``slides 2, 4``, ``5 slides``; ``carousel 1, slide 2`` where there are several carousels."""
        noun = NOUNS[items[0].kind]
        if len(items) == 1:
            name = self.title(items[0])
        elif len(items) <= _LISTED:
            name = f"{noun}s {', '.join(str(self.number(item)) for item in items)}"
        else:
            name = count(len(items), noun)
        return name if self.only or items[0].kind != "carousel_slide" else f"{self.name}, {name}"


def parts(order: OrderDocument, named: Mapping[UUID, str] = _UNNAMED) -> list[Part]:
    """The order's jobs in the sequence of their items; ``named`` as in ``Standing``."""
    jobs = {job.id: job for job in order.jobs}
    kinds = [job.kind for job in order.jobs]
    items: dict[tuple[UUID, str], list[ItemDocument]] = {}
    for item in order.items:
        items.setdefault((item.job_id, item.kind if item.kind in _BARS else ""), []).append(item)
    found: list[Part] = []
    for job_id, bar in sorted(items, key=lambda key: ("", *_BARS).index(key[1])):
        job, its = jobs[job_id], items[job_id, bar]
        if bar:
            found.append(Part(NOUNS[bar] if len(its) == 1 else _BARS[bar], job, its, only=True, named=named))
            continue
        name = "image" if job.kind == "image" and len(its) == 1 else _JOBS[job.kind]
        only = kinds.count(job.kind) == 1
        if not only:
            name = f"{name} {sum(part.job.kind == job.kind for part in found) + 1}"
        found.append(Part(name, job, its, only, named))
    return found


def failures(part: Part) -> list[tuple[str, str, str]]:
    """What of a part is not to come, with what became of it and why; items with one reason are told together."""
    found: dict[tuple[str, str], list[ItemDocument]] = {}
    for item in part.items:
        if item.reason is not None:
            reason = f"{item.reason} ({item.error_code})"
            found.setdefault((STATES[item.status][1], reason), []).append(item)
    return [(part.called(items), word, reason) for (word, reason), items in found.items()]


def view(standing: Standing) -> View:
    """The order, its jobs and its items."""
    order, found = standing.order, parts(standing.order, standing.named)
    return View(
        title=order.campaign_name,
        facts=f"order {order.id}  ({ordered(order)})",
        phases=tuple(_phases(standing, found)),
        cells=tuple(_cells(found)),
        troubles=tuple(dict.fromkeys(trouble for part in found for trouble in _troubles(part))),
        ended=order.status in ENDED,
    )


def ordered(order: OrderDocument) -> str:
    """What was ordered: ``2 images, 5 slides``."""
    kinds = [item.kind for part in parts(order) for item in part.items]
    return ", ".join(count(kinds.count(kind), NOUNS[kind]) for kind in dict.fromkeys(kinds))


def news(before: Standing | None, now: Standing) -> list[str]:
    """What a reader of plain lines is told of the step from one state to the next; often nothing."""
    order = now.order
    lines = [] if before else [f"{'order':<{_WIDTH}} {order.id}: {order.campaign_name} ({ordered(order)})"]
    phases = changed(view(before).phases if before else (), view(now).phases)
    lines += [told(phase, width=_WIDTH) for phase in phases if phase.name == CONCEPTS]
    earlier = {(part.job.id, part.name): part for part in parts(before.order, before.named)} if before else {}
    found = parts(order, now.named)
    for part in found:
        was = earlier.get((part.job.id, part.name))
        phase = next((phase for phase in phases if phase.name == part.name), None)
        ends = phase is not None and phase.state != "active"
        if phase is not None and not ends:
            lines.append(told(phase, width=_WIDTH))
        if len(part.items) > 1:
            lines += _ended(part, was)
        if phase is not None and ends:
            lines.append(told(phase, width=_WIDTH))
        if _waits(part.job) and not (was and _waits(was.job) == _waits(part.job)):
            lines.append(f"{part.whole:<{_WIDTH}} {_waits(part.job)}: {part.job.error}")
    if order.status in ENDED and not (before and before.order.status in ENDED):
        # Those of several items were told as they came.
        untold = [part for part in found if len(part.items) == 1 or part.job.status == JobStatus.CANCELLED]
        lines += [f"{word:<{_WIDTH}} {name}: {reason}" for part in untold for name, word, reason in failures(part)]
        lines.append(f"{'order':<{_WIDTH}} {order.status}, {order.completed} of {order.expected}")
    return list(dict.fromkeys(lines))  # the parts of a draft wait together


def _ended(part: Part, was: Part | None) -> list[str]:
    before = {item.id: item.status for item in was.items} if was else {}
    done = sum(before.get(item.id) == ItemStatus.COMPLETED for item in part.items)
    lines = []
    for item in part.items:
        state, word = STATES[item.status]
        if item.status not in (ItemStatus.COMPLETED, ItemStatus.FAILED) or before.get(item.id) == item.status:
            continue
        done += state == "done"
        rest = f"({done} of {len(part.items)})" if state == "done" else f"({item.reason})"
        lines.append(f"{part.name:<{_WIDTH}} {part.title(item)} {word} {rest}")
    return lines


def _cells(found: Sequence[Part]) -> Iterator[Cell]:
    """A cell for each item of an order that is one job; of a draft for each asset."""
    if len({part.job.id for part in found}) > 1:
        return
    if found[0].job.kind != "draft":
        if len(found[0].items) > 1:
            yield from (Cell(int(found[0].number(item)), *STATES[item.status]) for item in found[0].items)
        return
    assets: dict[int, list[ItemDocument]] = {}
    for item in (item for part in found for item in part.items):
        if item.kind != "draft_song":
            assets.setdefault(item.sequence_number - 1, []).append(item)
    if 1 < len(assets) <= _CELLS:
        yield from (_asset(number, items) for number, items in sorted(assets.items()))


def _asset(number: int, items: Sequence[ItemDocument]) -> Cell:
    """An asset in one word: what of it is being made, its picture before its loop."""
    states = [STATES[item.status] for item in items]
    failed = next((state for state in states if state[0] == "failed"), None)
    if failed is not None:
        return Cell(number, *failed)
    following = next((item for item in items if item.status != ItemStatus.COMPLETED), None)
    if following is None or following.status == ItemStatus.PENDING:
        return Cell(number, *STATES[ItemStatus.COMPLETED if following is None else ItemStatus.PENDING])
    return Cell(number, "active", NOUNS[following.kind])


def _phases(standing: Standing, found: Sequence[Part]) -> Iterator[Phase]:
    concepts = _concepts(standing, found[0])
    if concepts is not None:
        yield concepts
    for part in found:
        phase = _phase(part, standing.films.get(part.job.subject))
        if concepts is not None and concepts.state in ("waiting", "active"):
            phase = Phase(part.name, "waiting", 0)
        elif phase.state == "active" and phase.fraction == 1 and part.job.kind == "draft":  # its other parts go on
            whole = all(item.status == ItemStatus.COMPLETED for item in part.items)
            phase = phase._replace(state="done" if whole else "failed")
        yield phase


def _concepts(standing: Standing, part: Part) -> Phase | None:
    """How the writing of a draft's concepts stands, of an order that may need new ones."""
    if part.job.kind != "draft" or part.items[0].kind == "draft_song" or "num_assets" not in standing.order.brief:
        return None
    state: State
    if part.job.subject not in standing.unwritten:
        return Phase(CONCEPTS, "done", 1)
    match part.job.status:
        case JobStatus.QUEUED:
            state, note = "waiting", _waits(part.job) or "waiting in line"
        case JobStatus.SENT:
            state, note = "active", "the run is starting"
        case JobStatus.RUNNING:
            state, note = "active", "finding and naming them"
        case _:
            state, note = "failed", ""
    return Phase(CONCEPTS, state, known(state), note)


def _phase(part: Part, film: VideoDocument | None) -> Phase:
    job, total = part.job, len(part.items)
    done = sum(item.status == ItemStatus.COMPLETED for item in part.items)
    ended = sum(STATES[item.status][0] in ("done", "failed") for item in part.items)
    match job.status:
        case JobStatus.QUEUED:
            return Phase(part.name, "waiting", ended / total, _waits(job) or "waiting in line")
        case JobStatus.SENT:
            return Phase(part.name, "active", ended / total, "the run is starting")
        case JobStatus.RUNNING if film is not None:
            note = f"{film.completed_blocks} of {count(film.total_blocks, 'block')}"
            return Phase(part.name, "active", film.progress / 100, note)
        case JobStatus.RUNNING:
            return Phase(part.name, "active", ended / total if ended else None, f"{done} of {total}")
        case JobStatus.CANCELLED:
            return Phase(part.name, "failed", ended / total, f"cancelled, {done} of {total}")
        case _:
            return Phase(part.name, "done" if done == total else "failed", 1, f"{done} of {total}")


def _waits(job: JobDocument) -> str:
    """Until when a job waits for another attempt; empty when it does not."""
    if job.status != JobStatus.QUEUED or job.error is None:
        return ""
    return f"again at {job.available_at.astimezone():%H:%M:%S}"


def _troubles(part: Part) -> list[str]:
    lines = [f"{name} {word}: {reason}" for name, word, reason in failures(part)]
    return [*lines, f"{part.whole} is tried again: {part.job.error}"] if _waits(part.job) else lines
