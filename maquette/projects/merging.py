"""Two changes of one document: which sections go together, and which do not. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass

# What each section is, by name: its hash, or None for one that is not there.
Hashes = Mapping[str, str | None]


@dataclass(frozen=True)
class Merge:
    """What becomes of a save. ``changes`` are to be written; ``kept`` are the newer ones that it must not touch.

    ``conflicting`` were changed on both sides, each otherwise: with any of them nothing may be written.
    """

    changes: frozenset[str]
    kept: frozenset[str]
    conflicting: frozenset[str]


def merge(base: Hashes | None, current: Hashes, sent: Hashes) -> Merge:
    """Bring ``sent``, which was made on ``base``, together with ``current``. Absent sections of ``sent`` stay.

    What a client sends as it got it is no change of its own, and does not undo what somebody else has changed since.
    A ``base`` that nobody knows any more (None) may have been anything: all that differs is in conflict.
    """
    differing = frozenset(name for name in sent if sent[name] != current.get(name))
    if base is None:
        return Merge(changes=frozenset(), kept=frozenset(), conflicting=differing)
    mine = frozenset(name for name in sent if sent[name] != base.get(name))
    theirs = frozenset(name for name in {*current, *base} if current.get(name) != base.get(name))
    return Merge(changes=(mine & differing) - theirs, kept=theirs - mine, conflicting=mine & theirs & differing)
