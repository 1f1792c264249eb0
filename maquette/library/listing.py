"""The library as people see it: pages of what was made, one asset with all that it came from, uploads, removal.

A page is found by the place where the one before it ended, never by counting rows: the ten thousandth costs what
the first does.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, get_args
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlmodel import Session, col, select

from maquette.db.engine import Database
from maquette.errors import Conflict, InvalidInput, MediaError
from maquette.journal.models import ProviderCall
from maquette.library import service as library
from maquette.library.models import Asset
from maquette.library.service import MEDIA_TYPES, Shown
from maquette.media.slides import open_logo
from maquette.providers.images.transfer import MAX_REFERENCE_BYTES, suffix_of
from maquette.storage.port import Store

Type = Literal["image", "carousel", "video", "film", "carousel_slide", "reference"]

Rows = sa.Select[*tuple[Any, ...]]

MAX_LIMIT: Final = 200
MAX_UPLOAD_BYTES: Final = MAX_REFERENCE_BYTES

_KINDS: Final[dict[str, str]] = {name: name for name in get_args(Type)} | {"video": "film"}
_MADE: Final = ("image", "carousel", "film")
_SLIDE: Final = "carousel_slide"


class ListedAsset(BaseModel):
    """A file of the library. ``slide_index`` counts from 0; ``file_url`` is a path of the HTTP API."""

    id: UUID
    type: str
    subject: str
    brand_id: UUID | None
    order_id: UUID | None
    item_id: UUID | None
    title: str
    ratio: str | None
    width: int | None
    height: int | None
    slide_index: int | None
    text: dict[str, Any] | None
    tags: list[str]
    public_id: str | None
    media_type: str
    size_bytes: int
    sha256: str
    file_url: str
    created_at: datetime
    expires_at: datetime | None


class ListedEntry(ListedAsset):
    """An entry of the library: an image, a film, or a carousel with its slides in order."""

    thumbnail_url: str | None
    slides: list[ListedAsset] | None


class Page(BaseModel):
    """Entries, the newest first. ``next`` is the cursor of the page that follows, absent on the last one."""

    items: list[ListedEntry]
    next: str | None


class CallDocument(BaseModel):
    """What a provider was asked. ``saved_micros`` is what an answer from the cache, ``cached_from``, has saved."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    step: str
    provider: str
    model: str
    state: str
    operation_id: str | None
    cost_micros: int
    saved_micros: int
    cached_from: UUID | None
    submitted_at: datetime | None
    finished_at: datetime | None


class Parent(BaseModel):
    """A file that an asset was made from; ``asset_id`` is absent where no asset of the brand is known to be it."""

    sha256: str
    asset_id: UUID | None = None
    type: str | None = None


class AssetDocument(ListedEntry):
    """An asset with all that it came from.

    ``cost_micros`` and ``saved_micros`` are its call's; of a film and of a carousel those of all calls for it.
    ``provenance`` is what was written down when it was made, whole.
    """

    listed: bool
    expired_at: datetime | None
    prompt: str | None
    provider: str | None
    model: str | None
    seed: int | None
    attempt: int | None
    parents: list[Parent]
    call: CallDocument | None
    cost_micros: int | None
    saved_micros: int | None
    provenance: dict[str, Any]


class Cursor(NamedTuple):
    """The place of a row among those that are listed by creation time and id; ``slide`` of a slide in its carousel."""

    created_at: datetime
    id: UUID
    slide: int = -1

    def encoded(self) -> str:
        """The cursor as clients carry it."""
        text = json.dumps([self.created_at.isoformat(), str(self.id), self.slide], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def cursor_of(text: str) -> Cursor:
    """The cursor that a client sent back. Raises ``InvalidInput``."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        created_at, id_, slide = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        found = Cursor(datetime.fromisoformat(created_at), UUID(id_), slide)
        if found.created_at.utcoffset() is None or type(slide) is not int or not -1 <= slide < 1000:
            raise ValueError
    except (binascii.Error, ValueError, TypeError, AttributeError, RecursionError):
        raise InvalidInput("the cursor is none of ours: send the next of the page before, or none") from None
    return found


def list_assets(
    session: Session,
    *,
    brand_id: UUID | None = None,
    order_id: UUID | None = None,
    type_: Type | None = None,
    search: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page:
    """A page of what was made, the newest first; uploads only where ``reference`` is asked for.

    ``carousel_slide`` lists slides one by one: carousels the newest first, the slides of each in order. ``search``
    is looked for in titles, as people write to a search engine (``"exact words" or -without``); slides are found by
    their carousel's. An order shows the carousels of which it made a slide. Raises ``InvalidInput`` for the cursor.
    """
    after = cursor_of(cursor) if cursor else None
    if type_ == _SLIDE:
        return _slides_page(session, brand_id, order_id, search, after, limit)
    kinds = _MADE if type_ is None else (_KINDS[type_],)
    found = _newest_first(_searched(sa.select(Asset), Asset, search), Asset, brand_id, kinds)
    if order_id is not None:
        found = found.where(col(Asset.id).in_(_of_order(order_id)))
    if after is not None:
        found = found.where(sa.tuple_(col(Asset.created_at), col(Asset.id)) < (after.created_at, after.id))
    rows = session.execute(found.limit(limit + 1).options(_light(Asset))).scalars().all()
    shown, more = rows[:limit], len(rows) > limit
    return Page(
        items=_entries(session, shown),
        next=Cursor(shown[-1].created_at, shown[-1].id).encoded() if more else None,
    )


def asset_document(session: Session, asset_id: UUID) -> AssetDocument:
    """The asset, listed or not, with its provenance. Raises ``NotFound`` (``asset_not_found``)."""
    asset = library.get(session, asset_id)
    facts = asset.provenance
    call = session.get(ProviderCall, UUID(str(facts["call_id"]))) if facts.get("call_id") else None
    cost_micros, saved_micros = _costs(session, asset, call)
    return AssetDocument(
        **_entries(session, [asset])[0].model_dump(),
        **asset.model_dump(include={"listed", "expired_at", "provenance"}),
        **{name: facts.get(name) for name in ("prompt", "provider", "model", "seed", "attempt")},
        parents=_parents(session, asset),
        call=CallDocument.model_validate(call) if call else None,
        cost_micros=cost_micros,
        saved_micros=saved_micros,
    )


def upload(database: Database, store: Store, content: bytes, *, brand_id: UUID, title: str = "") -> AssetDocument:
    """Keep a PNG, JPEG or WebP picture of the brand's own, for orders to refer to and as its logo.

    Raises ``InvalidInput`` for what is no readable picture, or too large (``MAX_UPLOAD_BYTES``, 64 million pixels).
    """
    suffix = suffix_of(content)
    if suffix is None:
        raise InvalidInput("the file is no picture that can be used: send a PNG, JPEG or WebP")
    if len(content) > MAX_UPLOAD_BYTES:
        raise InvalidInput(
            f"the picture has {len(content)} bytes: send {MAX_UPLOAD_BYTES} at most",
            code="body_too_large",
            limit=MAX_UPLOAD_BYTES,
        )
    made = store.temporary(suffix)
    made.write_bytes(content)
    try:
        with open_logo(made) as picture:
            width, height = picture.size
    except MediaError as error:
        made.unlink()
        raise InvalidInput(str(error).replace(made.name, "the file")) from error
    file = store.put(made)
    with database.begin() as session:
        asset = library.add(
            session,
            file,
            subject=f"brand:{brand_id}",
            kind="reference",
            shown=Shown(brand_id=brand_id, listed=True, title=title, width=width, height=height),
        )
        return asset_document(session, asset.id)


def remove(session: Session, asset_id: UUID) -> None:
    """Take the asset out of the library, a carousel with its slides; what it cost stays in the books.

    Raises ``NotFound``, ``Conflict`` for a single slide.
    """
    asset = library.get(session, asset_id)
    if asset.kind == _SLIDE:
        raise Conflict("a slide is shown with its carousel: remove the carousel")
    asset.listed = False
    session.flush()


def _slides_page(
    session: Session, brand_id: UUID | None, order_id: UUID | None, search: str, after: Cursor | None, limit: int
) -> Page:
    # By way of the carousels, whose index is in the order of the pages; slides have none of their own.
    carousel = sa.orm.aliased(Asset)
    found: Rows = (
        sa.select(Asset, col(carousel.created_at), col(carousel.id))
        .join(carousel, col(Asset.subject) == carousel.subject)
        .where(col(Asset.kind) == _SLIDE)
    )
    found = _newest_first(_searched(found, carousel, search), carousel, brand_id, ("carousel",))
    if order_id is not None:
        found = found.where(col(Asset.order_id) == order_id)
    if after is not None:
        place = sa.tuple_(col(carousel.created_at), col(carousel.id))
        found = found.where(
            place <= (after.created_at, after.id),
            sa.or_(place < (after.created_at, after.id), col(Asset.slide_index) > after.slide),
        )
    rows = session.execute(found.order_by(col(Asset.slide_index)).limit(limit + 1).options(_light(Asset))).all()
    shown, more = rows[:limit], len(rows) > limit
    last = shown[-1] if more else None
    return Page(
        items=_entries(session, [row[0] for row in shown]),
        next=Cursor(last[1], last[2], last[0].slide_index or 0).encoded() if last else None,
    )


def _newest_first(found: Rows, table: type[Asset], brand_id: UUID | None, kinds: Sequence[str]) -> Rows:
    found = found.where(col(table.listed), col(table.kind).in_(kinds))
    if brand_id is not None:
        found = found.where(col(table.brand_id) == brand_id)
    return found.order_by(col(table.created_at).desc(), col(table.id).desc())


def _searched(found: Rows, table: type[Asset], search: str) -> Rows:
    if not search.strip():
        return found
    # Literals: the index is on this very expression.
    simple: sa.ColumnClause[str] = sa.literal_column("'simple'")
    title = sa.func.to_tsvector(simple, col(table.title))
    return found.where(title.bool_op("@@")(sa.func.websearch_to_tsquery(simple, search)))


def _of_order(order_id: UUID) -> sa.CompoundSelect[Any]:
    slide = sa.orm.aliased(Asset)
    carousels = (
        sa.select(col(Asset.id))
        .join(slide, col(slide.subject) == col(Asset.subject))
        .where(col(Asset.kind) == "carousel", col(slide.order_id) == order_id, col(slide.kind) == _SLIDE)
    )
    return sa.select(col(Asset.id)).where(col(Asset.order_id) == order_id).union(carousels)


def _light(table: type[Asset]) -> Any:
    return sa.orm.defer(table.provenance)  # type: ignore[arg-type]  # SQLModel types it as the value


def _entries(session: Session, rows: Sequence[Asset]) -> list[ListedEntry]:
    """The rows with the slides of carousels and the posters of films, which are one more query."""
    subjects = [row.subject for row in rows if row.kind in ("carousel", "film")]
    parts: dict[tuple[str, str], list[Asset]] = {}
    if subjects:
        found = select(Asset).where(col(Asset.subject).in_(subjects), col(Asset.kind).in_((_SLIDE, "poster")))
        for part in session.exec(found.order_by(col(Asset.slide_index), col(Asset.created_at)).options(_light(Asset))):
            parts.setdefault((part.subject, part.kind), []).append(part)
    entries = []
    for row in rows:
        slides = parts.get((row.subject, _SLIDE), []) if row.kind == "carousel" else None
        shown = parts.get((row.subject, "poster"), [None])[-1] if row.kind == "film" else row
        picture = shown is not None and shown.media_type.startswith("image/")
        entries.append(
            ListedEntry(
                **_listed(row),
                thumbnail_url=_url(shown) if shown and picture else None,
                slides=None if slides is None else [ListedAsset.model_validate(_listed(slide)) for slide in slides],
            )
        )
    return entries


def _listed(asset: Asset) -> dict[str, Any]:
    fields = asset.model_dump(include=set(ListedAsset.model_fields))
    return fields | {"type": _type(asset), "file_url": _url(asset)}


def _url(asset: Asset) -> str:
    return f"/api/library/{asset.id}/file"


def _type(asset: Asset) -> str:
    return "video" if asset.kind == "film" else asset.kind


def _costs(session: Session, asset: Asset, call: ProviderCall | None) -> tuple[int | None, int | None]:
    if call is not None:
        return call.cost_micros, call.saved_micros
    if asset.kind not in ("film", "carousel"):
        return asset.provenance.get("cost_micros"), None
    spent, saved = (
        sa.func.coalesce(sa.func.sum(column), 0)
        for column in (col(ProviderCall.cost_micros), col(ProviderCall.saved_micros))
    )
    row = session.execute(sa.select(spent, saved).where(col(ProviderCall.account) == asset.subject)).one()
    return int(row[0]), int(row[1])


def _parents(session: Session, asset: Asset) -> list[Parent]:
    digests = [str(parent) for parent in asset.provenance.get("parents") or []]
    # Content-addressed: the key is known but for its suffix.
    keys = [f"{digest[:2]}/{digest}{suffix}" for digest in digests for suffix in MEDIA_TYPES]
    found = select(Asset).where(
        col(Asset.key).in_(keys),
        col(Asset.id) != asset.id,  # a picture that came in its final size has its own parent's content
        sa.or_(col(Asset.subject) == asset.subject, col(Asset.brand_id) == asset.brand_id),
    )
    nearest = sorted(
        session.exec(found) if keys else (),
        key=lambda each: (each.subject == asset.subject, each.kind != asset.kind, -each.created_at.timestamp()),
    )
    known = {each.sha256: each for each in nearest}
    return [
        Parent(sha256=digest, asset_id=known[digest].id, type=_type(known[digest]))
        if digest in known
        else Parent(sha256=digest)
        for digest in digests
    ]
