"""The same request under the same key is answered once; later ones get the stored answer."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import sqlalchemy as sa
from pydantic import BaseModel, JsonValue
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session

from maquette.errors import Conflict
from maquette.orders.models import IdempotentAnswer

Answer = TypeVar("Answer", bound=BaseModel)


def once(
    session: Session,
    key: str | None,
    request: Mapping[str, JsonValue],
    answer: Callable[[], Answer],
    *,
    kind: type[Answer],
) -> Answer:
    """``answer()``, or what it was the first time that ``request`` came under ``key``.

    In the caller's transaction: the record stands or falls with the work. Simultaneous requests wait here for the
    first of them. Raises ``Conflict`` (``idempotency_key``) for a used key with another request.
    """
    if key is None:
        return answer()
    table = IdempotentAnswer.__table__  # type: ignore[attr-defined]  # SQLModel declares it at run time
    record = insert(table).values(key=key, request=dict(request)).on_conflict_do_nothing().returning(table.c.key)
    first = session.execute(record).first()
    if first is not None:
        given = answer()
        session.execute(sa.update(table).where(table.c.key == key).values(response=given.model_dump(mode="json")))
        return given
    stored = session.get_one(IdempotentAnswer, key)
    if stored.request != dict(request):
        raise Conflict("this idempotency key was used with another request: choose a new one", code="idempotency_key")
    return kind.model_validate(stored.response)
