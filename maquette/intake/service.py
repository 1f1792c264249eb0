"""One road in: requests of every kind become orders, and what is under way can be cancelled or ordered again.

Each call is one transaction: the idempotency record, the order, its items, their reservations and the queue's rows
stand or fall together.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, JsonValue
from sqlmodel import Session

from maquette.brands import service as brands
from maquette.brands.models import Brand
from maquette.carousels.briefs import KIND as CAROUSEL
from maquette.carousels.briefs import CarouselBrief
from maquette.carousels.service import new_carousel
from maquette.db.engine import Database
from maquette.db.types import now
from maquette.drafts import repository as drafts
from maquette.drafts.changes import require_idle, touch
from maquette.drafts.documents import draft_of
from maquette.drafts.folder import follow
from maquette.drafts.generation import again, amounts_of, new_generation, new_regeneration, wanted_parts
from maquette.drafts.models import KIND as DRAFT
from maquette.drafts.models import LOOP, SONG, Making, Regeneration
from maquette.drafts.tables import Draft
from maquette.errors import BudgetExceeded, Conflict, MaquetteError
from maquette.images.models import KIND as IMAGE
from maquette.images.models import ImageOrder
from maquette.images.service import LETTERS, new_images
from maquette.intake import failures
from maquette.intake.packs import Pack, asset_woofs, pack_brand, shares, to_requests
from maquette.intake.requests import EstimateRequest, MediaRequest
from maquette.media.fonts import require_drawable
from maquette.orders import service as orders
from maquette.orders.idempotency import once
from maquette.orders.models import ItemStatus, Job, OrderItem
from maquette.orders.service import NewItem, NewJob, Payer
from maquette.providers.catalogue import profile
from maquette.quota import rules as quota
from maquette.quota import service as budget
from maquette.quota.rules import Amounts
from maquette.settings import Settings
from maquette.storage.port import Store
from maquette.videos import repository as videos
from maquette.videos.models import KIND as VIDEO
from maquette.videos.models import VideoBrief
from maquette.videos.rules import block_durations
from maquette.videos.service import new_video, renewed


class Accepted(BaseModel):
    """An accepted order: its first job is the one that clients of one job follow."""

    order_id: UUID
    job_id: UUID
    jobs: list[UUID]
    subjects: list[str]
    amounts: Amounts


class AcceptedDraft(BaseModel):
    """An accepted making of a draft; without an order where nothing was missing."""

    draft_id: str
    order_id: UUID | None = None
    job_id: UUID | None = None
    items: int = 0


class Estimate(BaseModel):
    """What an order would take, before it is placed. ``reason`` says why it would be refused."""

    brand_id: UUID
    plan: str
    amounts: Amounts
    cost_micros: int
    allowed: bool
    reason: str | None = None
    code: str | None = None


class Intake:
    """The use cases of orders. ``moment`` decides the month; else the database's clock does."""

    def __init__(self, database: Database, store: Store, settings: Settings, *, moment: datetime | None = None) -> None:
        self.database = database
        self.store = store
        self.settings = settings
        self.moment = moment

    def order(self, request: MediaRequest, *, key: str | None = None, flow_run_id: UUID | None = None) -> Accepted:
        """Place one order. The same ``key`` with the same request answers with the first order.

        Raises ``InvalidInput``, ``NotFound`` (brand, references), ``BudgetExceeded``, ``Conflict`` (a used key).
        """
        require_drawable(request.topic if request.format == VIDEO else "")
        document = request.model_dump(mode="json", exclude={"idempotency_key", "envelope"})

        def place() -> Accepted:
            brand = brands.get(session, request.brand_id)
            jobs = _jobs(session, request, brand)
            return self._place(session, brand, request.format, document, request.campaign_name, jobs, flow_run_id)

        with self.database.begin() as session:
            return once(session, key, document, place, kind=Accepted)

    def pack(self, pack: Pack, *, brand_id: UUID | None = None, key: str | None = None) -> Accepted:
        """Place a pack as one order; it costs the woofs of its assets besides their pictures and films.

        The brand is the given one, else the one that the assets name. Raises as ``order`` does; nothing of a pack is
        ordered when one of its assets cannot be.
        """
        payer = brand_id or pack_brand(pack)
        document: dict[str, JsonValue] = pack.model_dump(mode="json") | {"brand_id": str(payer)}

        def place() -> Accepted:
            brand = brands.get(session, payer)
            jobs: list[NewJob] = []
            for index, (asset, request) in enumerate(zip(pack.assets, to_requests(pack), strict=True)):
                # Assets of one prompt are several pictures, not one picture several times.
                own = request.model_copy(update={"seed": index})
                jobs += _jobs(session, own, brand, woofs=asset_woofs(asset))
            return self._place(session, brand, "pack", document, pack.title, jobs)

        with self.database.begin() as session:
            return once(session, key, document, place, kind=Accepted)

    def generate_draft(
        self, draft_id: str, making: Making, *, key: str | None = None, flow_run_id: UUID | None = None
    ) -> AcceptedDraft:
        """Order what is missing of a draft, or all of it anew. A draft without a brand takes no budget.

        Raises ``NotFound``, ``Conflict`` (``busy``, a used key), ``BudgetExceeded``.
        """
        document: dict[str, JsonValue] = {
            "draft_id": draft_id,
            **making.model_dump(mode="json", exclude={"parts", "assets"}),
            "parts": [*sorted(making.parts)],  # sets have no order of their own
            "assets": None if making.assets is None else [*sorted(making.assets)],
        }
        return self._draft(
            draft_id, document, lambda session, draft: new_generation(session, draft, making), key, flow_run_id
        )

    def regenerate_draft_asset(
        self, draft_id: str, number: int, wanted: Regeneration, *, key: str | None = None
    ) -> AcceptedDraft:
        """Order one asset of a draft anew. Raises as ``generate_draft`` does, ``NotFound`` for the asset."""
        document: dict[str, JsonValue] = {"draft_id": draft_id, "asset": number, **wanted.model_dump(mode="json")}
        return self._draft(
            draft_id, document, lambda session, draft: new_regeneration(session, draft, number, wanted), key, None
        )

    def _draft(
        self,
        draft_id: str,
        document: dict[str, JsonValue],
        job_of: Callable[[Session, Draft], NewJob | None],
        key: str | None,
        flow_run_id: UUID | None,
    ) -> AcceptedDraft:
        def place() -> AcceptedDraft:
            draft = drafts.get_draft(session, draft_id, lock=True)
            job = job_of(session, draft)
            if job is None:
                return AcceptedDraft(draft_id=draft_id)
            brand = brands.get(session, draft.brand_id)
            placed = self._place(session, brand, DRAFT, document, draft.name, [job], flow_run_id)
            touch(session, draft)
            return AcceptedDraft(
                draft_id=draft_id, order_id=placed.order_id, job_id=placed.job_id, items=len(job.items)
            )

        with self.database.begin() as session:
            accepted = once(session, key, document, place, kind=AcceptedDraft)
        follow(self.database, self.store, self.settings, draft_id)
        return accepted

    def estimate_draft(self, draft_id: str, making: Making) -> Estimate:
        """What ``generate_draft`` would take and cost, but for texts: their price is known when they are written.

        While the draft is being made it says so (``busy``), and what is missing until then. Places nothing. Raises
        ``NotFound``.
        """
        with self.database.begin() as session:
            draft = drafts.get_draft(session, draft_id)
            kinds = [each.kind for each in wanted_parts(session, draft, making)]
            total = sum((amounts_of(draft, kind) for kind in kinds), Amounts())
            found = self._judged(session, draft.brand_id, total, sum(map(self._price_micros, kinds)))
            try:
                require_idle(session, draft)
            except Conflict as busy:
                found = found.model_copy(update={"allowed": False, "reason": str(busy), "code": busy.code})
            return found

    def estimate(self, request: EstimateRequest) -> Estimate:
        """What the order would take of the brand's month, and what its providers would charge. Places nothing.

        Raises ``NotFound`` for the brand.
        """
        return self._estimate([(request, None)], request.brand_id)

    def estimate_pack(self, pack: Pack, *, brand_id: UUID | None = None) -> Estimate:
        """The same of a pack."""
        woofs = [asset_woofs(asset) for asset in pack.assets]
        return self._estimate(list(zip(to_requests(pack), woofs, strict=True)), brand_id or pack_brand(pack))

    def cancel(self, order_id: UUID) -> None:
        """End what is still open of an order, at once; it is refunded. What was delivered stays and is paid.

        A run that is under way loses its token with this call. Raises ``NotFound``, ``Conflict``
        (``nothing_to_cancel``).
        """
        with self.database.begin() as session:
            orders.get_order(session, order_id)
            # All rows first: ending a job takes the month's counters, for which another job's end may wait.
            found = [orders.lock_job(session, job.id) for job in orders.jobs_of(session, order_id)]
            open_jobs = [job for job in found if job.status in orders.OPEN_JOBS]
            if not open_jobs:
                raise Conflict(f"order {order_id} has ended", code="nothing_to_cancel")
            for job in open_jobs:
                error = MaquetteError("the order was cancelled", code="cancelled")
                failures.end_job(session, job, ItemStatus.CANCELLED, error)
        self._follow_drafts(job.subject for job in open_jobs)

    def retry(self, order_id: UUID) -> Accepted:
        """Order again what an ended order did not deliver, once; an order of its own, for the same things.

        Raises ``NotFound``, ``Conflict`` (``busy``, ``nothing_to_retry``), ``BudgetExceeded``.
        """
        with self.database.begin() as session:
            order = orders.get_order(session, order_id, lock=True)
            items = orders.order_items(session, order_id)
            if any(item.status in orders.OPEN for item in items):
                raise Conflict(f"order {order_id} is being made: wait until it has ended", code="busy")
            missing = [item for item in items if item.status != ItemStatus.COMPLETED]
            if not missing or orders.retry_of(session, order_id) is not None:
                raise Conflict(f"nothing of order {order_id} is left to retry", code="nothing_to_retry")
            brand = brands.get(session, order.brand_id)
            found = [
                _again(session, orders.get_job(session, job_id), [item for item in missing if item.job_id == job_id])
                for job_id in dict.fromkeys(item.job_id for item in missing)
            ]
            jobs = [job for job in found if job is not None]
            if not jobs:
                raise Conflict(f"what order {order_id} lacked has come since", code="nothing_to_retry")
            brief: dict[str, JsonValue] = {"retry_of": str(order_id)}
            accepted = self._place(session, brand, order.kind, brief, order.campaign_name, jobs, retry_of=order_id)
            for draft_id in filter(None, map(draft_of, accepted.subjects)):
                touch(session, drafts.get_draft(session, draft_id))
        self._follow_drafts(accepted.subjects)
        return accepted

    def _follow_drafts(self, subjects: Iterable[str]) -> None:
        for draft_id in filter(None, map(draft_of, subjects)):
            follow(self.database, self.store, self.settings, draft_id)

    def _place(
        self,
        session: Session,
        brand: Brand,
        kind: str,
        brief: dict[str, JsonValue],
        campaign_name: str,
        jobs: Sequence[NewJob],
        flow_run_id: UUID | None = None,
        *,
        retry_of: UUID | None = None,
    ) -> Accepted:
        placed = orders.place(
            session,
            payer=Payer(brand.id, quota.plan(brand.plan), self.moment),
            kind=kind,
            brief=brief,
            campaign_name=campaign_name,
            jobs=jobs,
            max_attempts=self.settings.job_max_attempts,
            flow_run_id=flow_run_id,
            retry_of=retry_of,
            busy="busy",
        )
        return Accepted(
            order_id=placed.order.id,
            job_id=placed.jobs[0].id,
            jobs=[job.id for job in placed.jobs],
            subjects=[job.subject for job in placed.jobs],
            amounts=sum((item.amounts for job in jobs for item in job.items), Amounts()),
        )

    def _estimate(self, requests: Sequence[tuple[EstimateRequest, int | None]], brand_id: UUID | None) -> Estimate:
        total, cost_micros = Amounts(), 0
        longest_s = 0
        for request, woofs in requests:
            number = request.count * request.variants
            if request.format == VIDEO:
                seconds = request.duration_s or 0
                longest_s = max(longest_s, seconds)
                each = quota.calculate_woofs_cost(seconds)
                total += Amounts(reels=number, woofs=number * each if woofs is None else woofs)
                clips = profile("clips", self.settings.clip_provider, self.settings.clip_model)
                shot = sum(clips.seconds_for(block) for block in block_durations(seconds))
                price = self.settings.local_price_micros_per_s if clips.local else clips.price_micros_per_s
                cost_micros += number * shot * price
            else:
                total += Amounts(images=number, woofs=woofs or 0)
                cost_micros += number * self._price_micros(request.format)
        with self.database.begin() as session:
            return self._judged(session, brand_id, total, cost_micros, longest_s=longest_s)

    def _price_micros(self, kind: str) -> int:
        """What a picture, a loop or a song is charged with by its provider."""
        chosen = self.settings
        if kind == LOOP:
            loops = profile("loops", chosen.loop_provider, chosen.loop_model)
            return chosen.local_price_micros_per_loop if loops.local else loops.price_micros_per_loop
        if kind == SONG:
            songs = profile("music", chosen.music_provider, chosen.music_model)
            return chosen.local_price_micros_per_song if songs.local else songs.price_micros_per_song
        images = profile("images", chosen.image_provider, chosen.image_model)
        return chosen.local_price_micros_per_image if images.local else images.price_micros_per_image

    def _judged(
        self, session: Session, brand_id: UUID | None, total: Amounts, cost_micros: int, *, longest_s: int = 0
    ) -> Estimate:
        brand = brands.get(session, brand_id)
        plan = quota.plan(brand.plan)
        period = quota.period_of(self.moment or now(session))
        refusal: BudgetExceeded | None = (
            None if plan.allows_s(longest_s) else quota.duration_refusal(plan, longest_s)
        ) or budget.refusal(session, brand_id=brand.id, plan=plan, period=period, total=total)
        return Estimate(
            brand_id=brand.id,
            plan=plan.name,
            amounts=total,
            cost_micros=cost_micros,
            allowed=refusal is None,
            reason=str(refusal) if refusal else None,
            code=refusal.code if refusal else None,
        )


def _jobs(session: Session, request: MediaRequest, brand: Brand, *, woofs: int | None = None) -> list[NewJob]:
    """The jobs that make what was asked for. ``woofs`` is a pack's price of it, shared between its items."""
    match request.format:
        case "image":
            order = ImageOrder.model_validate(request.model_dump(include=set(ImageOrder.model_fields)))
            shared = None if woofs is None else shares(woofs, request.count * request.variants)
            return [new_images(session, order, brand=brand, woofs=shared)]
        case "carousel":
            fields = request.model_dump(include=set(CarouselBrief.model_fields)) | {"slides": request.count}
            several = request.variants > 1
            return [
                new_carousel(
                    session,
                    CarouselBrief.model_validate(
                        fields
                        | {"seed": (request.seed + index) % 2**31, "variant": LETTERS[index] if several else None}
                    ),
                    brand=brand,
                    woofs=None if woofs is None else shares(woofs, request.count),
                )
                for index in range(request.variants)
            ]
        case "video":
            number = request.count * request.variants
            each = [None] * number if woofs is None else list(shares(woofs, number))
            return [
                new_video(
                    session,
                    VideoBrief(
                        theme=request.topic,
                        target_duration=request.duration_s or 15,
                        language=request.language,
                        aspect_ratio=request.ratio,
                        seed=(request.seed + index) % 2**31,
                    ),
                    brand=brand,
                    plan=quota.plan(brand.plan),
                    woofs=share,
                )
                for index, share in enumerate(each)
            ]


def _again(session: Session, job: Job, items: Sequence[OrderItem]) -> NewJob | None:
    if job.kind == VIDEO:
        return renewed(session, videos.get_video(session, job.subject, lock=True))
    if job.kind == DRAFT:
        return again(session, drafts.get_draft(session, draft_of(job.subject) or "", lock=True), items)
    assert job.kind in (IMAGE, CAROUSEL)
    held = budget.held(session, [item.id for item in items])
    return NewJob(
        kind=job.kind,
        subject=job.subject,
        items=[
            NewItem(
                kind=item.kind,
                brief=item.brief,
                text=item.text,
                sequence_number=item.sequence_number,
                amounts=held.get(item.id, Amounts()),
            )
            for item in items
        ],
    )
