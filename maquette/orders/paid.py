"""What a run asks of its text provider: once, through the journal, under its lease."""

from collections.abc import Callable
from functools import partial

from pydantic import BaseModel

from maquette.journal import service as journal
from maquette.orders import service as orders
from maquette.orders.models import Lease
from maquette.providers.text.port import Written
from maquette.workshop import Workshop


def written_once(
    workshop: Workshop,
    lease: Lease,
    request: BaseModel,
    write: Callable[[], Written],
    *,
    subject: str,
    step: str,
    asks: int,
) -> Written:
    """What ``write`` answers, or what it answered before to an equal ``request``.

    ``asks`` counts how often a person agreed to ask again after a lost answer. Raises ``ProviderError``,
    ``StaleLease``.
    """
    profile = workshop.writer.profile
    key = journal.CallKey(
        account=lease.subject,
        brand_id=lease.brand_id,
        order_id=lease.order_id,
        subject=subject,
        step=step,
        provider=profile.provider,
        model=profile.model,
        request=request.model_dump(mode="json") | {"asks": asks},
    )
    return journal.answer_once(
        workshop.database,
        key,
        write,
        kind=Written,
        cost_micros=lambda answer: answer.cost_micros,
        free=profile.local,
        guard=partial(orders.guard, lease=lease),
        breaker_base_s=workshop.settings.breaker_base_s,
    )
