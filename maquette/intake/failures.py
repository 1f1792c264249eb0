"""What becomes of a job whose run failed or was lost: another attempt, a wait, or its end."""

from random import Random

from sqlmodel import Session

from maquette.db.types import now
from maquette.errors import MaquetteError
from maquette.intake.pipelines import PIPELINES
from maquette.orders import queue
from maquette.orders.models import ItemStatus, Job
from maquette.orders.policy import Verdict, verdict
from maquette.settings import Settings


def after_failure(
    session: Session, job: Job, error: Exception, *, settings: Settings, random: Random | None = None
) -> Verdict:
    """Judge the failure of an attempt of a job that the caller holds or has locked, and act on it.

    What a run raised is judged by ``orders.policy``. An end refunds what was not delivered.
    """
    judged = verdict(
        error,
        attempts=job.attempts,
        max_attempts=job.max_attempts,
        waited_s=(now(session) - job.created_at).total_seconds(),
        patience_s=settings.outage_patience_s,
        base_s=settings.retry_base_s,
        random=random or Random(),
    )
    reason = str(error) if isinstance(error, MaquetteError) else f"{type(error).__name__}: {error}"
    if judged.kind == "fail":
        told = error if isinstance(error, MaquetteError) else exhausted(reason, attempts=job.attempts)
        end_job(session, job, ItemStatus.FAILED, told)
    else:
        PIPELINES[job.kind].prepare_again(session, job)
        queue.release(session, job, reason=reason, delay_s=judged.delay_s, use_attempt=judged.kind == "again")
    return judged


def after_loss(session: Session, job: Job, reason: str) -> None:
    """A run is gone: at once another one, while there are attempts. For a job that the caller has locked."""
    if job.attempts >= job.max_attempts:
        end_job(session, job, ItemStatus.FAILED, exhausted(reason, attempts=job.attempts))
    else:
        queue.release(session, job, reason=reason)


def end_job(session: Session, job: Job, status: ItemStatus, error: MaquetteError) -> None:
    """End a job that the caller has locked, other than well; its token is void at once."""
    job.fence += 1
    PIPELINES[job.kind].end(session, job, status, error)


def exhausted(reason: str, *, attempts: int) -> MaquetteError:
    """The error of a job that used up its attempts."""
    return MaquetteError(f"{reason}, after {attempts} attempts", code="attempts_exhausted")
