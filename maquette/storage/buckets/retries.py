"""Another try where it may help: all verbs of a bucket may be repeated."""

import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from maquette.errors import Transient
from maquette.storage.buckets.port import Bucket

log = logging.getLogger(__name__)

TRIES: Final = 4
LONGEST_S: Final = 30.0
_T = TypeVar("_T")


class RetryingBucket:
    """Repeats what failed with ``Transient``, ``tries`` times in all; other errors pass at once.

    The wait before try n + 1 lies between half and all of ``base_s`` times 2^(n - 1); where the server named a time,
    between that and half as much again; ``LONGEST_S`` at most. ``chance`` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        bucket: Bucket,
        *,
        tries: int = TRIES,
        base_s: float = 0.5,
        wait: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.bucket = bucket
        self._tries, self._base_s, self._wait, self._chance = tries, base_s, wait, chance

    def put(self, name: str, path: Path, *, media_type: str) -> None:
        self._patiently(lambda: self.bucket.put(name, path, media_type=media_type))

    def digest(self, name: str) -> str | None:
        return self._patiently(lambda: self.bucket.digest(name))

    def copy(self, source: str, target: str) -> None:
        self._patiently(lambda: self.bucket.copy(source, target))

    def delete(self, names: Iterable[str]) -> None:
        kept = [*names]
        self._patiently(lambda: self.bucket.delete(kept))

    def list(self, prefix: str) -> Sequence[str]:
        return self._patiently(lambda: self.bucket.list(prefix))

    def public_url(self, name: str) -> str:
        return self.bucket.public_url(name)

    def _patiently(self, call: Callable[[], _T]) -> _T:
        for number in range(1, self._tries):
            try:
                return call()
            except Transient as error:
                delay_s = error.retry_after_s or self._base_s * 2 ** (number - 1)
                log.info("the bucket failed, trying again (%d of %d): %s", number + 1, self._tries, error)
                # What the server asked for is the least; a crowd that failed together comes back one by one.
                spread = self._chance() / 2
                self._wait(min(LONGEST_S, delay_s * (1 + spread if error.retry_after_s else 0.5 + spread)))
        return call()
