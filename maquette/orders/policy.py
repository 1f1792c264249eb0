"""What becomes of a job whose run failed: another attempt, a wait for its provider, or the end. Pure functions."""

from random import Random
from typing import Final, Literal

from pydantic import BaseModel

from maquette.errors import MaquetteError, MediaError, StorageError, Transient, is_outage

JITTER: Final = 0.2
# A pause of a provider that is not worth another run: the run itself waits for it, so many times.
SHORT_PAUSE_S: Final = 20.0
SHORT_PAUSES: Final = 5


class Verdict(BaseModel):
    """``again`` uses up an attempt, ``wait`` does not; both after ``delay_s``."""

    kind: Literal["again", "wait", "fail"]
    delay_s: float = 0


def retry_delay_s(attempt: int, *, base_s: float, random: Random) -> float:
    """``2^attempt × base_s``, give or take 20 % (the seed document's rule, with jitter)."""
    return float(2**attempt * base_s * (1 + random.uniform(-JITTER, JITTER)))


def is_passing(error: BaseException) -> bool:
    """May another attempt go better? A full disk or a wrong request fails alike; what is no error of ours may pass."""
    return (
        isinstance(error, (Transient, MediaError))
        or (isinstance(error, StorageError) and error.code != "storage_full")
        or not isinstance(error, MaquetteError)
    )


def short_pause_s(error: BaseException, *, failures: int) -> float | None:
    """How long a run waits for its provider before it asks again; ``None`` where the job should wait instead.

    ``failures`` are those of the same item in this run before.
    """
    if not is_outage(error) or failures >= SHORT_PAUSES:
        return None
    named_s = getattr(error, "retry_after_s", None)
    return named_s if named_s is not None and named_s <= SHORT_PAUSE_S else None


def verdict(
    error: BaseException,
    *,
    attempts: int,
    max_attempts: int,
    waited_s: float,
    patience_s: float,
    base_s: float,
    random: Random,
) -> Verdict:
    """What to do after ``attempts`` used-up attempts, this one included; ``waited_s`` is the job's age."""
    if is_outage(error):
        if waited_s >= patience_s:
            return Verdict(kind="fail")
        named_s = getattr(error, "retry_after_s", None)
        delay_s = named_s if named_s is not None else base_s
        return Verdict(kind="wait", delay_s=delay_s * (1 + random.uniform(0, JITTER)))
    if is_passing(error) and attempts < max_attempts:
        return Verdict(kind="again", delay_s=retry_delay_s(attempts, base_s=base_s, random=random))
    return Verdict(kind="fail")
