"""What is not kept for ever: expired media, the history of what has ended, and old runs at Prefect."""

from datetime import timedelta

import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel import col, select

from maquette.db.engine import Database
from maquette.db.types import now
from maquette.events.models import Event
from maquette.launch.flow_runs import PrefectFlowRuns
from maquette.library import expiry
from maquette.orders.models import IdempotentAnswer, Job
from maquette.orders.service import OPEN_JOBS
from maquette.providers import clips, images, loops, music
from maquette.settings import Settings
from maquette.storage.port import Store


class Retained(BaseModel):
    """What one pass gave up. Orders, reservations, the ledger and the journal of costs are kept for ever."""

    assets: int = 0
    events: int = 0
    answers: int = 0
    provider_files: int = 0
    prefect_runs: int = 0


def expire_media(database: Database, store: Store) -> int:
    """Give up the media of things whose days are over and on which nobody works; how many assets."""
    with database.begin() as session:
        subjects = expiry.expired_subjects(session)
    given_up = 0
    for subject in subjects:
        with database.begin() as session:
            busy = select(Job.id).where(Job.subject == subject, col(Job.status).in_(OPEN_JOBS))
            if session.exec(busy).first() is not None:
                continue
            given_up += expiry.expire(session, subject)
        store.unpublish(subject)
    return given_up


def forget_history(database: Database, settings: Settings) -> tuple[int, int]:
    """Drop all events but the last of things that are quiet for ``history_keep_days``, and stored answers as old."""
    with database.begin() as session:
        before = now(session) - timedelta(days=settings.history_keep_days)
        quiet = (
            sa.select(col(Event.subject))
            .group_by(col(Event.subject))
            .having(sa.func.max(col(Event.created_at)) < before)
        )
        # The last one stays: the next is numbered after it, so that nobody hears a number twice.
        last = sa.select(sa.func.max(col(Event.id))).group_by(col(Event.subject))
        names = (col(Job.subject), "order:" + sa.cast(col(Job.order_id), sa.Text))
        open_ = sa.union(*(sa.select(name).where(col(Job.status).in_(OPEN_JOBS)) for name in names))
        events = session.execute(
            sa.delete(Event)
            .where(col(Event.subject).in_(quiet), col(Event.subject).not_in(open_), col(Event.id).not_in(last))
            .returning(col(Event.id))
        )
        answers = session.execute(
            sa.delete(IdempotentAnswer)
            .where(col(IdempotentAnswer.created_at) < before)
            .returning(col(IdempotentAnswer.key))
        )
        return len(events.all()), len(answers.all())


def retain(database: Database, store: Store, settings: Settings, runs: PrefectFlowRuns) -> Retained:
    """One pass. Raises ``StackError`` when Prefect does not answer and ``OSError``; our own part is done by then."""
    assets = expire_media(database, store)
    events, answers = forget_history(database, settings)
    with database.begin() as session:
        before = now(session) - timedelta(days=settings.history_keep_days)
    return Retained(
        assets=assets,
        events=events,
        answers=answers,
        provider_files=sum(made.prune(settings, before) for made in (clips, images, loops, music)),
        prefect_runs=runs.forget_ended(before),
    )
